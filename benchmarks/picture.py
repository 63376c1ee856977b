"""The figures as one picture: a bar for each median, with its spread."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

WIDTH = 3
"""Panels beside each other."""


def panels(documents: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Figures by what they measure; ratios of two of them are left out."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for document in documents:
        for figure in document["figures"]:
            if figure["unit"] != "times" or "/" not in figure["side"]:
                found[f"{figure['name']}, {figure['unit']}"].append(figure)
    return found


def draw(documents: Sequence[dict[str, Any]], file: Path) -> str | None:
    """Write the picture; else why there is none."""
    try:
        import matplotlib as mpl

        mpl.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        return "matplotlib is not installed: no picture"
    shown = panels(documents)
    if not shown:
        return "nothing measured: no picture"
    rows = -(-len(shown) // WIDTH)
    figure, axes = pyplot.subplots(rows, WIDTH, figsize=(5.5 * WIDTH, 2.2 * rows), squeeze=False)
    for axis in axes.flat[len(shown) :]:
        axis.set_visible(False)
    for axis, (name, bars) in zip(axes.flat, shown.items(), strict=False):
        middles = [it["median"] for it in bars]
        spread = [
            [it["median"] - it["low"] for it in bars],
            [it["high"] - it["median"] for it in bars],
        ]
        places = list(range(len(bars)))
        axis.barh(places, middles, xerr=spread, color="tab:blue", ecolor="black", capsize=3)
        axis.set_yticks(places, [it["side"] for it in bars], fontsize=8)
        axis.invert_yaxis()
        axis.set_title(name, fontsize=9)
        goal = next((it["goal"] for it in bars if it["goal"] is not None), None)
        if goal is not None:
            axis.axvline(goal["bound"], color="tab:red", linestyle="--")
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    pyplot.close(figure)
    return None
