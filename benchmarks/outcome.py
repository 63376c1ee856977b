"""What was measured, on which machine, and whether it is what we want: printed, and as JSON."""

import argparse
import json
import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("trio", "asyncpg", "trio-asyncio", "httpx2", "httptools", "orjson", "msgspec", "pgmq")
"""Of ours; those that are not installed are left out."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound of a median."""

    sense: Literal["≤", "≥"]
    bound: float

    def met(self, value: float) -> bool:
        """Is it good enough?"""
        return value <= self.bound if self.sense == "≤" else value >= self.bound


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: a value for each round."""

    name: str
    side: str
    """Whose: today's, a revision's, a peer's; or what divided by what."""
    unit: str
    samples: tuple[float, ...]
    goal: Goal | None = None

    @property
    def median(self) -> float:
        """Of the rounds."""
        return median(self.samples)

    def as_json(self) -> dict[str, Any]:
        """With what the reader would work out anyway."""
        spread = {"median": self.median, "low": min(self.samples), "high": max(self.samples)}
        met = None if self.goal is None else self.goal.met(self.median)
        return {**asdict(self), **spread, "met": met}


def ratio(of: Figure, to: Figure, goal: Goal | None = None) -> Figure:
    """Round by round: what disturbs the machine disturbs both of a round."""
    samples = tuple(a / b for a, b in zip(of.samples, to.samples, strict=True))
    return Figure(of.name, f"{of.side} / {to.side}", "times", samples, goal)


@dataclass(slots=True)
class Outcome:
    """All of one measure."""

    measure: str
    figures: list[Figure] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(
        self, name: str, side: str, unit: str, samples: Sequence[float], goal: Goal | None = None
    ) -> Figure:
        """A figure more."""
        figure = Figure(name, side, unit, tuple(samples), goal)
        self.figures.append(figure)
        return figure

    def divide(self, of: Figure, to: Figure, goal: Goal | None = None) -> Figure:
        """Their ratio as a figure more."""
        figure = ratio(of, to, goal)
        self.figures.append(figure)
        return figure

    def as_json(self) -> dict[str, Any]:
        """With what it was measured on."""
        return {
            "measure": self.measure,
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "machine": machine(),
            "versions": {**versions(), **self.versions},
            "figures": [it.as_json() for it in self.figures],
            "notes": self.notes,
        }


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    names = [
        line.partition(":")[2].strip()
        for line in _lines(Path("/proc/cpuinfo"))
        if line.startswith("model name")
    ]
    memory = [line.split()[1] for line in _lines(Path("/proc/meminfo")) if "MemTotal" in line]
    return {
        "platform": platform.platform(),
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(int(memory[0]) / 2**20, 1) if memory else None,
        "load": round(os.getloadavg()[0], 2),
    }


def versions() -> dict[str, str]:
    """Of ours and what it runs on."""
    known = {"python": platform.python_version()}
    command = ["git", "-C", str(RESULTS.parent), "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode == 0:
        known["revision"] = done.stdout.strip()
    for package in PACKAGES:
        try:
            known[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return known


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def shown(value: float) -> str:
    """Three digits or so."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def table(outcome: Mapping[str, Any]) -> Table:
    """The figures of one JSON document."""
    drawn = Table(outcome["measure"], "side", "median", "low to high", "goal", "")
    for column in drawn.columns[2:4]:
        column.justify = "right"
    for it in outcome["figures"]:
        goal = it["goal"]
        verdict = "" if goal is None else "[green]met[/]" if it["met"] else "[red]missed[/]"
        drawn.add_row(
            it["name"],
            it["side"],
            f"{shown(it['median'])} {it['unit']}",
            f"{shown(it['low'])} to {shown(it['high'])}",
            "" if goal is None else f"{goal['sense']} {goal['bound']:g}",
            verdict,
        )
    return drawn


def hand_in(outcome: Outcome, folder: Path | None) -> None:
    """Print, and write into the folder."""
    document = outcome.as_json()
    console = Console(width=130)
    console.print(table(document))
    for note in outcome.notes:
        console.print(note)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{outcome.measure}.json"
        file.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def options(description: str, *, rounds: int, **counts: int) -> argparse.ArgumentParser:
    """What every measure can be told; `counts` are further numbers with their defaults."""
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--results", type=Path, default=None, help="a folder for the JSON")
    for name, value in counts.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    return parser
