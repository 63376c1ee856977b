"""The outcome for people: on the screen, and as `docs/differential.md`."""

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
    yield "# Compared with others"
    yield ""
    yield "Written by `make differential WRITE=1`. The same requests, answers and usages go through ours, LiteLLM's"
    yield "SDK and the vendors' official clients, against a server on this machine. What differs is accepted with a"
    yield "reason, below, or it is unexplained, and the run fails."
    yield ""
    yield f"Compared: {versions}."
    yield ""
    yield "| part | vendor | against | cases | agree | accepted differences | unexplained |"
    yield "|---|---|---|--:|--:|--:|--:|"
    for (part, vendor, against), ends in verdict.rows.items():
        counts = " | ".join(str(ends[end]) for end in ENDS)
        yield f"| {part} | {vendor} | {against} | {ends.total()} | {counts} |"
    yield ""
    yield "A case agrees where nothing differs; it counts as accepted where each difference has its reason."
    yield ""
    yield "## What differs, and why"
    yield ""
    yield "| part | where | against | differences | why |"
    yield "|---|---|---|--:|---|"
    for place, entry in enumerate(verdict.accepted):
        if verdict.uses[place]:
            yield _row(entry, verdict.uses[place])


def _row(entry: Accepted, uses: int) -> str:
    where = ", ".join(f"`{it}`" for it in entry.paths)
    models = "" if entry.models == ("*",) else f" ({', '.join(entry.models)})"
    against = "" if entry.against == ("*",) else ", ".join(entry.against)
    return f"| {entry.part} | {where}{models} | {against} | {uses} | {entry.reason} |"
