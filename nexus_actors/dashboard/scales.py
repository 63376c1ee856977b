"""Round numbers for the axes of plots, and values of each unit as text."""

import math
from dataclasses import dataclass
from typing import Final, Literal

from nexus_actors.dashboard.parts import MINUS, age_text

Unit = Literal["count", "rate", "seconds", "share", "dollars", "bytes"]
"""`rate` may be fractional, `count` is whole; `share` is a fraction of 1."""
_SECONDS: Final = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300),
    *(600, 1800, 3600, 7200, 14_400, 43_200, 86_400, 172_800, 604_800),
)
_INTERVALS: Final = 4
"""The most intervals between the ticks of an axis."""


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis that begins at 0."""

    top: float
    ticks: tuple[float, ...]


def scale(most: float, unit: Unit) -> Scale:
    """The axis for values up to `most`. Negative values are not on it."""
    if not math.isfinite(most) or most <= 0:
        most = {"count": 1.0, "rate": 1.0, "seconds": 1.0, "share": 0.01}.get(unit, 1.0)
    least = most / _INTERVALS
    step = _step(least, unit)
    intervals = max(1, math.ceil(most / step - 1e-9))
    return Scale(intervals * step, tuple(number * step for number in range(intervals + 1)))


def _step(least: float, unit: Unit) -> float:
    if unit == "seconds":
        found = next((it for it in _SECONDS if it >= least), None)
        if found is not None:
            return float(found)
    if unit == "bytes":
        size = 1024.0 ** max(0, math.floor(math.log(max(least, 1), 1024)))
        return size * max(_round_up(least / size), 1.0)
    step = _round_up(least)
    return max(step, 1.0) if unit == "count" else step


def _round_up(least: float) -> float:
    """Round up to the next of 1, 2, 5, 10, 20 …"""
    size = 10.0 ** math.floor(math.log10(least))
    return next(it * size for it in (1, 2, 5, 10) if it * size >= least * (1 - 1e-9))


def text(value: float, unit: Unit) -> str:
    """Format a value in few characters."""
    if value < 0:
        return MINUS + text(-value, unit)
    match unit:
        case "seconds":
            return "0" if value == 0 else age_text(value)
        case "share":
            return f"{_plain(value * 100)} %"
        case "dollars":
            return f"${_plain(value) if value >= 0.001 else _small(value)}"
        case "bytes":
            return bytes_text(value)
        case "count" | "rate":
            return _plain(value)


def tick(value: float, unit: Unit) -> str:
    """Format a value for an axis, in at most seven characters such as `1.5 min`."""
    if unit == "seconds":
        for size, name in ((86_400, "d"), (3600, "h"), (60, "min")):
            if value >= size:
                return f"{value / size:.3g} {name}"
    return text(value, unit)


def bytes_text(value: float) -> str:
    """`512 B`, `1.5 MiB`."""
    units = ("B", "KiB", "MiB", "GiB", "TiB")
    place = 0 if value < 1024 else min(int(math.log(value, 1024)), len(units) - 1)
    scaled = value / 1024**place
    return (
        f"{scaled:.0f} {units[place]}"
        if scaled >= 10 or place == 0
        else (f"{scaled:.1f}".removesuffix(".0") + f" {units[place]}")
    )


def _small(value: float) -> str:
    """Format with six decimal places, since money is not written with exponents."""
    if 0 < value < 1e-6:
        return "0.000001 or less"
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _plain(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            divisor = 1e3 if letter == "k" else size
            return f"{value / divisor:.3g}{letter}"
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 0.001 else f"{value:.1e}"
