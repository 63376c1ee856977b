"""What a comparison found, and which of it is accepted: `accepted.toml`, each with its reason."""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from differential.normal import ABSENT, Difference

FILE: Final = Path(__file__).with_name("accepted.toml")
PARTS: Final = ("bodies", "answers", "streams", "costs", "facts")


@dataclass(frozen=True, slots=True)
class Finding:
    """One case, compared with one other side."""

    part: str
    """One of `PARTS`."""
    vendor: str
    model: str
    """`Model.key`."""
    case: str
    against: str
    """`litellm`, `sdk` or `genai-prices`."""
    differences: tuple[Difference, ...] = ()
    told: tuple[str, ...] = ()
    """What ours said in `dropped`."""


@dataclass(frozen=True)
class Accepted:
    """Differences that are as they should be. Each list holds globs (`*` alone), one of which must
    fit; an absent list fits all."""

    part: str
    reason: str
    models: tuple[str, ...] = ("*",)
    cases: tuple[str, ...] = ("*",)
    paths: tuple[str, ...] = ("*",)
    against: tuple[str, ...] = ("*",)
    ours: tuple[str, ...] = ("*",)
    """Of the value as JSON, or `absent`."""
    theirs: tuple[str, ...] = ("*",)
    told: bool = False
    """Only where ours said something in `dropped`."""

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[str], ...]:
        fields = (self.models, self.cases, self.paths, self.against, self.ours, self.theirs)
        return tuple(_pattern(globs) for globs in fields)

    def fits(self, finding: Finding, difference: Difference) -> bool:
        """Whether it speaks of this difference."""
        texts = (
            finding.model,
            finding.case,
            difference.path,
            finding.against,
            shown(difference.ours),
            shown(difference.theirs),
        )
        if self.part != finding.part or (self.told and not finding.told):
            return False
        return all(
            pattern.fullmatch(text) for pattern, text in zip(self._patterns, texts, strict=True)
        )


def _pattern(globs: Iterable[str]) -> re.Pattern[str]:
    return re.compile(
        "|".join(".*".join(re.escape(it) for it in glob.split("*")) for glob in globs), re.DOTALL
    )


def shown(value: Any) -> str:
    """A value as text: what `ours` and `theirs` of an entry are held against."""
    return "absent" if value is ABSENT else json.dumps(value, sort_keys=True, ensure_ascii=False)


def read_accepted(path: Path = FILE) -> tuple[Accepted, ...]:
    """The entries, in their order. Raises TypeError or KeyError for one that is not as it should
    be."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))["accepted"]
    return tuple(
        Accepted(**{key: tuple(it) if isinstance(it, list) else it for key, it in table.items()})
        for table in tables
    )


@dataclass
class Verdict:
    """All findings, judged."""

    accepted: tuple[Accepted, ...]
    findings: list[Finding] = field(default_factory=list)
    unexplained: list[tuple[Finding, Difference]] = field(default_factory=list)
    uses: Counter[int] = field(default_factory=Counter)
    """How many differences each entry explained, by its place."""
    _ends: dict[tuple[str, str, str], Counter[str]] = field(default_factory=dict)

    def add(self, finding: Finding) -> None:
        """Take one, and judge it."""
        self.findings.append(finding)
        worst = "agree"
        for difference in finding.differences:
            place = self._explained(finding, difference)
            if place is None:
                self.unexplained.append((finding, difference))
                worst = "unexplained"
            else:
                self.uses[place] += 1
                worst = "accepted" if worst == "agree" else worst
        key = (finding.part, finding.vendor, finding.against)
        self._ends.setdefault(key, Counter())[worst] += 1

    def _explained(self, finding: Finding, difference: Difference) -> int | None:
        fits = (i for i, it in enumerate(self.accepted) if it.fits(finding, difference))
        return next(fits, None)

    @property
    def rows(self) -> Mapping[tuple[str, str, str], Counter[str]]:
        """Of each part, vendor and other side: how many cases ended how."""
        return {
            key: self._ends[key]
            for key in sorted(self._ends, key=lambda it: (PARTS.index(it[0]), it[1], it[2]))
        }

    def unused(self, parts: Iterable[str]) -> list[Accepted]:
        """Entries that explained nothing: what they tell of is no more."""
        wanted = set(parts)
        return [it for i, it in enumerate(self.accepted) if it.part in wanted and not self.uses[i]]
