"""How a running service looks in a terminal: its status as a table, its supervision as a tree."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from nexus_actors.settings.model import SupervisionSettings


def print_status(status: Mapping[str, Any]) -> None:
    """One line a number, nested ones by their path."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column()
    for name, value in _flat(status):
        table.add_row(name, value)
    Console().print(table)


def _flat(mapping: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in mapping.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            if any(isinstance(item, Mapping) for item in value.values()):
                yield from _flat(value, f"{name} · ")
            else:
                yield name, ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in value.items()) or "-"
        else:
            yield name, "-" if value is None else str(value)


def render_tree(node: Mapping[str, Any], limits: SupervisionSettings) -> Tree:
    """The supervision tree, each actor with its vital signs."""
    root = Tree(_label(node, limits), guide_style="dim")
    _grow(root, node, limits)
    return root


def _grow(branch: Tree, node: Mapping[str, Any], limits: SupervisionSettings) -> None:
    for child in node.get("children") or ():
        _grow(branch.add(_label(child, limits)), child, limits)


def _label(node: Mapping[str, Any], limits: SupervisionSettings) -> Text:
    status = node.get("status")
    text = Text(str(node.get("name")), style="bold" if node.get("children") else "")
    if node.get("class") != node.get("name"):
        text.append(f" {node.get('class')}", style="cyan")
    text.append(f"  {node.get('pid') or '-'}", style="dim")
    if status not in (None, "running"):
        text.append(f"  {status}", style="bold red")
    restarts = node.get("restarts") or 0
    text.append(f"  restarts {restarts}/{limits.max_restarts}", "yellow" if restarts else "dim")
    waiting = node.get("mailbox_length") or 0
    text.append(f"  mailbox {waiting}", "yellow" if waiting else "dim")
    if node.get("current"):
        text.append(f"  {node['current']}", "magenta")
    if node.get("started_at"):
        text.append(f"  up {_age(node['started_at'])}", "dim")
    return text


def _age(started_at: str) -> str:
    seconds = int((datetime.now(UTC) - datetime.fromisoformat(started_at)).total_seconds())
    if seconds < 60:
        return f"{max(seconds, 0)} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if hours == 0:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60} min" if days == 0 else f"{days} d {hours % 24} h"
