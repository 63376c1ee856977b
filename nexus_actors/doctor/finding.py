"""What a check finds. Values, without secrets; whatever in them is foreign is escaped where it is
shown."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Verdict = Literal["ok", "advice", "wrong", "not checked"]


@dataclass(frozen=True, slots=True)
class Ok:
    """It is as it should be."""

    says: str
    subject: str = ""
    """Which of several it speaks of, such as a provider."""


@dataclass(frozen=True, slots=True)
class NotChecked:
    """It could not be looked at, which says nothing of it."""

    why: str
    fix: str = ""
    """How it could be."""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Advice:
    """The service does its work; somebody should look at this all the same."""

    cause: str
    leads_to: str
    fix: str
    """A command, a line of config, or what else to do."""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Wrong:
    """It keeps the service from its work, or from a part of it."""

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
class Told:
    """A finding, and whose it is."""

    check: str
    finding: Finding

    @property
    def verdict(self) -> Verdict:
        """In a word."""
        return _VERDICTS[type(self.finding)]

    @property
    def says(self) -> str:
        """What was found, in a sentence."""
        match self.finding:
            case Ok(says) | NotChecked(says):
                return says
            case Advice(cause) | Wrong(cause):
                return cause

    @property
    def leads_to(self) -> str:
        """What comes of it; empty where nothing does."""
        match self.finding:
            case Advice(leads_to=effect) | Wrong(leads_to=effect):
                return effect
            case _:
                return ""

    @property
    def fix(self) -> str:
        """What to do about it; empty where there is nothing to be done."""
        return "" if isinstance(self.finding, Ok) else self.finding.fix

    def as_json(self) -> dict[str, str]:
        """For a script."""
        return {
            "check": self.check,
            "subject": self.finding.subject,
            "verdict": self.verdict,
            "says": self.says,
            "leads_to": self.leads_to,
            "fix": self.fix,
        }
