"""Findings of checks: values without secrets. Foreign text in them is escaped when it is shown."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Verdict = Literal["ok", "advice", "wrong", "not checked"]


@dataclass(frozen=True, slots=True)
class Ok:
    """What was checked is as it should be."""

    says: str
    subject: str = ""
    """The one of several things that this is about, such as a provider."""


@dataclass(frozen=True, slots=True)
class NotChecked:
    """It could not be checked, which says nothing about it."""

    why: str
    fix: str = ""
    """How to make the check possible."""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Advice:
    """The service works, but somebody should look at this."""

    cause: str
    leads_to: str
    fix: str
    """A command, a line of config, or other instructions."""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Wrong:
    """It prevents the service, or a part of it, from working."""

    cause: str
    leads_to: str
    fix: str
    subject: str = ""


Finding: TypeAlias = Ok | NotChecked | Advice | Wrong

_VERDICTS: Final[dict[type, Verdict]] = {
    Ok: "ok",
    NotChecked: "not checked",
    Advice: "advice",
    Wrong: "wrong",
}


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A finding and the name of its check."""

    check: str
    finding: Finding

    @property
    def verdict(self) -> Verdict:
        """The kind of finding, in a word."""
        return _VERDICTS[type(self.finding)]

    @property
    def says(self) -> str:
        """The finding in a sentence."""
        match self.finding:
            case Ok(says) | NotChecked(says):
                return says
            case Advice(cause) | Wrong(cause):
                return cause

    @property
    def leads_to(self) -> str:
        """Its consequence; empty if there is none."""
        match self.finding:
            case Advice(leads_to=effect) | Wrong(leads_to=effect):
                return effect
            case _:
                return ""

    @property
    def fix(self) -> str:
        """What to do about it; empty if there is nothing to do."""
        return "" if isinstance(self.finding, Ok) else self.finding.fix

    def as_json(self) -> dict[str, str]:
        """The finding for scripts."""
        return {
            "check": self.check,
            "subject": self.finding.subject,
            "verdict": self.verdict,
            "says": self.says,
            "leads_to": self.leads_to,
            "fix": self.fix,
        }
