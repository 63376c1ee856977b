"""The outcome, for people and for programs."""

import os
import platform
import sys
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.actors.contenders import CONTENDERS, OURS
from benchmarks.actors.figures import FIGURES, Size
from benchmarks.actors.verdict import Outcome, Verdict


def print_tables(outcome: Outcome, size: Size, notes: list[str]) -> None:
    """The figures, each with ours compared to it; then the goals."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    names = list(outcome.samples)
    figures = Table("median of the rounds", *(CONTENDERS[name].title for name in names))
    for column in figures.columns[1:]:
        column.justify = "right"
    for key in FIGURES:
        figures.add_row(_text(key, size), *(_cell(outcome, name, key) for name in names))
    console.print(figures)
    console.print("x N: ours is N times theirs")
    goals = Table("goal", "wanted", "measured", "")
    for verdict in outcome.verdicts():
        goals.add_row(*_row(verdict, size))
    console.print(goals)
    for note in notes:
        console.print(note)


def as_json(
    outcome: Outcome, size: Size, versions: dict[str, str], notes: list[str]
) -> dict[str, Any]:
    """All of it, with what it was measured on."""
    others = [name for name in outcome.samples if name != OURS]
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "versions": versions,
        "size": asdict(size),
        "units": {key: figure.unit for key, figure in FIGURES.items()},
        "figures": {
            name: {key: outcome.median(name, key) for key in samples}
            for name, samples in outcome.samples.items()
        },
        "samples": outcome.samples,
        "ratios": {
            name: {key: ratio for key in FIGURES if (ratio := outcome.ratio(key, name)) is not None}
            for name in others
        },
        "goals": [verdict.as_json() for verdict in outcome.verdicts()],
        "notes": notes,
    }


def _text(key: str, size: Size) -> str:
    return FIGURES[key].text.format(**asdict(size))


def _cell(outcome: Outcome, name: str, key: str) -> str:
    value = outcome.median(name, key)
    if value is None:
        return "-"
    ratio = None if name == OURS else outcome.ratio(key, name)
    return _value(key, value) + ("" if ratio is None else f"\nx {ratio:.2f}")


def _value(key: str, value: float) -> str:
    if value >= 999_500:
        return f"{value / 1e6:.2f} M {FIGURES[key].unit}"
    digits = 0 if value >= 1000 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} {FIGURES[key].unit}"


def _row(verdict: Verdict, size: Size) -> tuple[str, str, str, str]:
    goal = verdict.goal
    sign = "≥" if FIGURES[goal.figure].better == "high" else "≤"
    text = _text(goal.figure, size)
    if goal.of is None:
        wanted = f"{sign} {_value(goal.figure, goal.bound)}"
        measured = "-" if verdict.value is None else _value(goal.figure, verdict.value)
    else:
        other = CONTENDERS[goal.of].title if goal.of_figure is None else "with it empty"
        wanted = f"{sign} {goal.bound:g} x {other}"
        measured = "-" if verdict.value is None else f"{verdict.value:.2f} x"
    if verdict.met is None or verdict.missed_by is None:
        return text, wanted, measured, "not measured"
    said = "[green]met[/]" if verdict.met else f"[red]missed by {verdict.missed_by:.1%}[/]"
    return text, wanted, measured, said
