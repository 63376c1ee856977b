"""Output about a running service: its status as a table, its supervision as a tree."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from nexus_actors.cli.screen import Screen, cell

WIDE = 100
"""Columns from which a terminal counts as wide."""


_EARLIER: Final = frozenset({"calls", "calls_at_once", "keys_held", "shut", "in_lane"})
"""Names kept for programs that still read them. Other names have the same values."""


def print_status(status: Mapping[str, Any]) -> None:
    """Print one value per line, nested ones by their path."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column()
    for name, value in _flat(status):
        table.add_row(name, value)
    Screen().print(table)


def _flat(mapping: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in mapping.items():
        if key in _EARLIER:
            continue
        name = f"{prefix}{key}"
        if isinstance(value, list):
            yield name, "; ".join(map(str, value)) or "-"
        elif not isinstance(value, Mapping):
            yield name, "-" if value is None else str(value)
        elif any(isinstance(item, Mapping) for item in value.values()):
            yield from _flat(value, f"{name}.")
        else:
            yield name, ", ".join(f"{k} {'-' if v is None else v}" for k, v in value.items()) or "-"


_LINES: Final = (("├─ ", "│  "), ("└─ ", "   "))
"""What joins a child to its supervisor, and what continues below it; then for the last child."""
_ASCII_LINES: Final = (("|- ", "|  "), ("`- ", "   "))


def render_tree(root: Mapping[str, Any], *, ascii_only: bool = False) -> Table:
    """The supervision tree: one actor per line with its figures. What is unusual is highlighted."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("actor", no_wrap=True)
    table.add_column("class", style="cyan", no_wrap=True, overflow="ellipsis")
    table.add_column("pid", style="dim", justify="right", no_wrap=True)
    table.add_column("doing", no_wrap=True, overflow="ellipsis")
    for name in ("restarts", "mailbox", "up"):
        table.add_column(name, style="dim", justify="right", no_wrap=True)
    for guide, node in _branches(root, "", "", _ASCII_LINES if ascii_only else _LINES):
        table.add_row(*_cells(guide, node))
    return table


def fit(table: Table, console: Screen) -> None:
    """Move the columns closer together if the terminal is narrow."""
    table.padding = (0, 1 if console.width < WIDE else 2, 0, 0)


def _branches(
    node: Mapping[str, Any], guide: str, below: str, lines: tuple[tuple[str, str], ...]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each actor in start order, with the lines that join it to its supervisor."""
    yield guide, node
    left = len(node["children"])
    for child in node["children"]:
        left -= 1
        corner, line = lines[0] if left else lines[1]
        yield from _branches(child, below + corner, below + line, lines)


def _cells(guide: str, node: Mapping[str, Any]) -> Iterator[Text]:
    name = "bold" if node["type"] == "supervisor" else ""
    yield Text(guide, "dim") + cell(node["name"], name)
    yield cell(node["class_name"])
    alive = node["pid"] is not None
    yield Text(str(node["pid"]) if alive else "-")
    usual = node["status"] in ("idle", "busy")
    yield cell(node["current_message"] or node["status"], "dim" if usual else "bold red")
    restarts = Text(str(node["restarts"]), "bold yellow" if node["restarts"] else "")
    if node["max_restarts"] is not None:
        recent = node["recent_restarts"]
        count = Text(f"({recent}/{node['max_restarts']}) ", "bold yellow" if recent else "")
        restarts = count + restarts
    yield restarts
    yield Text(str(node["mailbox_length"]), "bold yellow" if node["mailbox_length"] else "")
    yield Text(age(node["uptime"]) if alive else "-")


def age(uptime: float) -> str:
    """Seconds for display."""
    seconds = int(uptime)
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if hours == 0:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60} min" if days == 0 else f"{days} d {hours % 24} h"
