"""The supervision trees as rows, one per actor, without what is folded."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nexus_actors.observer import sheet
from nexus_actors.observer.sheet import Column, Row, Sheet, Table
from nexus_actors.observer.snapshots import TreeSnapshot

_COLUMNS: Final = (
    Column("actor", 34, 2),
    Column("doing", 12, 1),
    Column("restarts", 8, right=True),
    Column("mailbox", 7, right=True),
    Column("up", 7, right=True),
)
_USUAL: Final = frozenset({"idle", "busy"})
_OPEN, _FOLDED, _LEAF = "- ", "+ ", "  "


@dataclass(frozen=True, slots=True)
class ActorRow:
    """The actor that a row is about. `node` is empty for the service that runs here."""

    node: str
    name: str
    key: str
    is_supervisor: bool
    is_root: bool


def tree_sheet(seen: Sequence[TreeSnapshot], folded: frozenset[str]) -> Sheet:
    """All trees, one below the other."""
    rows: list[Row] = []
    lines = []
    for tree in seen:
        if tree.root is None:
            lines.append(sheet.line(f"{tree.name}: {tree.why}", "bold yellow"))
            continue
        if tree.node:
            lines.append(sheet.line(f"{tree.name}  {tree.node}", "dim"))
        rows += _rows(tree, tree.root, f"{tree.node}\0", 0, folded)
    return Sheet(lines[:6], [Table("tree", _COLUMNS, rows, "no tree is seen")])


def _rows(
    tree: TreeSnapshot, node: Mapping[str, Any], above: str, depth: int, folded: frozenset[str]
) -> Iterator[Row]:
    key = f"{above}/{node['name']}"
    children = node["children"]
    is_folded = key in folded
    mark = (_FOLDED if is_folded else _OPEN) if children else _LEAF
    actor = ActorRow(tree.node, node["name"], key, node["type"] == "supervisor", depth == 0)
    yield Row(key, _cells(node, f"{'  ' * depth}{mark}"), actor)
    if not is_folded:
        seen: dict[str, int] = {}
        for child in children:
            # Children without their own name may share one.
            count = seen[child["name"]] = seen.get(child["name"], 0) + 1
            place = key if count == 1 else f"{key}\0{count}"
            yield from _rows(tree, child, place, depth + 1, folded)


def _cells(node: Mapping[str, Any], indent: str) -> tuple[sheet.Cell, ...]:
    alive = node["pid"] is not None
    usual = node["status"] in _USUAL
    doing = node["current_message"] or node["status"]
    name = sheet.word(node["name"], "bold" if node["type"] == "supervisor" else "")
    restarts = str(node["restarts"])
    if node["max_restarts"] is not None:
        restarts = f"({node['recent_restarts']}/{node['max_restarts']}) {restarts}"
    count = sheet.word(restarts, "bold yellow" if node["restarts"] else "")
    count.justify, count.order = "right", float(node["restarts"])
    return (
        sheet.Cell(indent + name.plain, name.order, str(name.style)),
        sheet.word(doing, "" if usual else "bold red"),
        count,
        sheet.number(node["mailbox_length"], style="bold yellow" if node["mailbox_length"] else ""),
        sheet.seconds(node["uptime"] if alive else None),
    )
