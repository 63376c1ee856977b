"""The outcome for people: on the screen, and as `docs/differential.md`."""

from collections import Counter
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from differential.findings import Accepted, Finding, Verdict, shown
from differential.normal import Difference

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "differential.md"
ENDS: Final = ("agree", "accepted", "unexplained")
COMPARED: Final = ("litellm", "openai", "anthropic", "google-genai", "genai-prices")
_WIDTH: Final = 160
"""Characters of a value that are shown."""


_HEAD: Final = """\
# Compared with LiteLLM and the official clients

`make differential WRITE=1` writes this page. It puts the same requests, answers and usages through
nexus-actors, LiteLLM's SDK and the vendors' official clients, against a server on 127.0.0.1
(`differential/`). Every difference is either accepted with a reason (`differential/accepted.toml`)
or unexplained, which fails the run. An accepted difference that no longer occurs fails it, too.

- **bodies**: what each side sends for the same request. The official clients are given the vendor's
  own form, written by hand from its documentation.
- **answers**, **streams**: what each side reads from the same answer: text, calls, finish reason,
  usage.
- **costs**: what the same usage costs.
- **facts**: what `models.toml` says of a model, and LiteLLM's table of models.

Compared: {versions}.

A case agrees if nothing differs once equivalent spellings and defaults are normalised
(`differential/normal.py`). It is an accepted difference if everything that differs has a reason.
In the reasons, "ours" is nexus-actors, and "reports" means: in the result's `dropped`.
"""
_REASONS: Final = """
## Accepted differences
"""


def print_report(verdict: Verdict, unused: Iterable[Accepted], *, show_all: bool) -> None:
    """The table; then what is unexplained."""
    console = Console(width=200, highlight=False, markup=False)
    table = Table("part", "vendor", "against", "cases", *ENDS)
    for (part, vendor, against), ends in verdict.rows.items():
        counts = [str(ends[end]) for end in ENDS]
        table.add_row(part, vendor, against, str(ends.total()), *counts)
    console.print(table)
    if show_all:
        for finding in verdict.findings:
            for difference in finding.differences:
                print(_line(finding, difference))
    for finding, difference in verdict.unexplained:
        print("unexplained:", _line(finding, difference))
    for entry in unused:
        print("accepted, yet nowhere found:", entry)
    print(f"{len(verdict.findings)} cases, {len(verdict.unexplained)} unexplained differences")


def _line(finding: Finding, difference: Difference) -> str:
    ours, theirs = (shown(it)[:_WIDTH] for it in (difference.ours, difference.theirs))
    where = f"{finding.part} {finding.model} [{finding.case}] {finding.against}"
    return f"{where}: {difference.path}: ours {ours} / theirs {theirs}"


def write_report(verdict: Verdict) -> None:
    """As a page; the same for the same outcome."""
    PAGE.write_text("\n".join(_page(verdict)) + "\n", encoding="utf-8")


def _page(verdict: Verdict) -> Iterable[str]:
    versions = ", ".join(f"{name} {version(name)}" for name in COMPARED)
    yield _HEAD.format(versions=versions)
    yield "| part | vendor | against | cases | agree | accepted differences | unexplained |"
    yield "|---|---|---|--:|--:|--:|--:|"
    total: Counter[str] = Counter()
    for (part, vendor, against), ends in verdict.rows.items():
        total += ends
        yield f"| {part} | {vendor} | {against} | {_counts(ends)} |"
    yield f"| all | | | {_counts(total)} |"
    yield _REASONS
    yield "| part | where | models | against | differences | why |"
    yield "|---|---|---|---|--:|---|"
    for place, entry in enumerate(verdict.accepted):
        if verdict.uses[place]:
            yield _row(entry, verdict.uses[place])


def _counts(ends: Counter[str]) -> str:
    return " | ".join(str(it) for it in (ends.total(), *(ends[end] for end in ENDS)))


def _row(entry: Accepted, uses: int) -> str:
    named = ("case", entry.cases) if entry.paths == ("*",) else ("", entry.paths)
    where = f"{named[0]} {', '.join(f'`{it}`' for it in named[1])}".strip()
    models = "" if entry.models == ("*",) else ", ".join(entry.models)
    against = "" if entry.against == ("*",) else ", ".join(entry.against)
    return f"| {entry.part} | {where} | {models} | {against} | {uses} | {entry.reason} |"
