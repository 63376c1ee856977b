"""Reads what operators have set, and each node's config."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from nexus_actors.contract.shown_text import json_text
from nexus_actors.monitoring.nodes import NodeLine, Sight, look
from nexus_actors.monitoring.reading import Reader, together
from nexus_actors.storage.errors import StorageError

MOST_ROWS: Final = 500
MOST_CONCURRENCIES: Final = 2_000
MOST_CONFIGS: Final = 10
_PLACES: Final = re.compile(r"([^\[]+|\[)(\d{0,9})")
MOST_VALUES: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlRow:
    """A row of nexus.control."""

    action: str
    subject: str
    name: str
    node: str
    """An id, a name, or `*`."""
    node_name: str | None
    value: str | None
    until: datetime | None
    by: str
    why: str | None
    since: datetime
    is_over: bool
    """Whether the row has expired, and has no effect any more."""

    @property
    def description(self) -> str:
        """The row in words."""
        match self.action:
            case "pause":
                way = "; its requests go to the next model" if self.value == "fallback" else ""
                return f"{self.subject} {self.name} is paused{way}"
            case "concurrency":
                return f"provider {self.name}: {self.value} concurrent calls"
            case "drain":
                return "drained: it begins no call"
            case "log_level":
                return f"log level {self.value}"
        return f"{self.action} {self.subject} {self.name}"


@dataclass(frozen=True, slots=True)
class ProviderLine:
    """A provider, with its pause and pool size."""

    name: str
    calls: tuple[tuple[str, str], ...]
    """The name of each node that has it, and its parallel calls there."""
    pause: ControlRow | None
    """The pause on all nodes, if there is one."""
    scale: ControlRow | None


@dataclass(frozen=True, slots=True)
class ConfigValue:
    """One setting in force. `by_node` is empty if all nodes have the same value."""

    path: str
    value: str
    """JSON."""
    source: str
    by_node: tuple[tuple[str, str, str], ...]
    """Each node's name, value, and the value's source."""


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """The config that one node has reported."""

    node: NodeLine
    file: str | None
    left_out: tuple[tuple[str, str], ...]
    """Providers that the node cannot use, and why."""
    warnings: tuple[str, ...]
    values: Mapping[str, tuple[str, str]]
    """By path: the value as JSON, and its source."""
    trouble: str | None
    """Why the config is unknown or may be outdated."""


async def read_control(reader: Reader) -> list[ControlRow]:
    """The rows of nexus.control, newest first, at most `MOST_ROWS`. Raises StorageError."""
    return [ControlRow(**row) for row in await reader.read("control_rows", MOST_ROWS)]


async def read_providers(
    reader: Reader, configured: Sequence[str], rows: Sequence[ControlRow]
) -> list[ProviderLine]:
    """The providers configured here, then those of other nodes and of rows. Raises
    StorageError."""
    calls: dict[str, list[tuple[str, str]]] = {name: [] for name in configured}
    for it in await reader.read("control_concurrency", MOST_CONCURRENCIES):
        calls.setdefault(it["provider"], []).append((it["name"], it["calls"]))
    ours = [it for it in rows if it.subject == "provider" and it.node == "*" and not it.is_over]
    for row in ours:
        calls.setdefault(row.name, [])
    pauses = {it.name: it for it in ours if it.action == "pause"}
    scales = {it.name: it for it in ours if it.action == "concurrency"}
    return [
        ProviderLine(name, tuple(nodes), pauses.get(name), scales.get(name))
        for name, nodes in calls.items()
    ]


async def read_configs(reader: Reader, nodes: Sequence[NodeLine], by: str) -> list[NodeConfig]:
    """The configs in force on the first running nodes, at most `MOST_CONFIGS`. For a node that does
    not respond, the reason."""
    running = [it for it in nodes if it.is_there][:MOST_CONFIGS]
    found: dict[str, NodeConfig] = {}

    async def ask(node: NodeLine) -> None:
        found[node.node] = await _config(reader, node, by)

    async with together() as nursery:
        for node in running:
            nursery.start_soon(ask, node)
    return [found[it.node] for it in running]


def compare(configs: Sequence[NodeConfig], filter_: str, only_different: bool) -> list[ConfigValue]:
    """The settings of all nodes by path, filtered by `filter_` in path, value or source."""
    known = [it for it in configs if it.values]
    paths = sorted({path for it in known for path in it.values}, key=_in_order)
    found = (_compared(path, known) for path in paths)
    wanted = filter_.lower()
    return [
        it
        for it in found
        if (it.by_node or not only_different)
        and any(wanted in text.lower() for text in (it.path, it.value, it.source))
    ]


def _compared(path: str, configs: Sequence[NodeConfig]) -> ConfigValue:
    each = [(it.node.name, *it.values.get(path, ("", "not set"))) for it in configs]
    _, value, source = each[0]
    alike = all((one, two) == (value, source) for _, one, two in each)
    return ConfigValue(path, value, source, () if alike else tuple(each))


async def _config(reader: Reader, node: NodeLine, by: str) -> NodeConfig:
    try:
        sight = await look(reader, node.node, "config", by)
    except StorageError as error:
        return NodeConfig(node, None, (), (), {}, str(error))
    if sight is None:
        return NodeConfig(node, None, (), (), {}, "it has not answered yet; reload in a second")
    trouble = sight.error or (
        None if sight.is_fresh else "it does not answer; this is its last report"
    )
    return _reported(node, sight, trouble)


def _reported(node: NodeLine, sight: Sight, trouble: str | None) -> NodeConfig:
    body = sight.body
    file, left_out, warnings = body.get("file"), body.get("left_out"), body.get("warnings")
    given = body.get("values")
    values: dict[str, tuple[str, str]] = {}
    for it in (given if isinstance(given, list) else [])[:MOST_VALUES]:
        if isinstance(it, dict) and isinstance(it.get("path"), str):
            source = str(it.get("source") or "default")
            values |= {path: (text, source) for path, text in _flat(it["path"], it.get("value"))}
    return NodeConfig(
        node,
        file if isinstance(file, str) else None,
        tuple((str(name), str(why)) for name, why in left_out.items())
        if isinstance(left_out, dict)
        else (),
        tuple(map(str, warnings)) if isinstance(warnings, list) else (),
        values,
        trouble,
    )


def _in_order(path: str) -> list[tuple[str, int]]:
    """A sort key by which `routes[10]` comes after `routes[9]`."""
    return [(word, int(number or 0)) for word, number in _PLACES.findall(path)]


def _flat(path: str, value: object) -> Iterator[tuple[str, str]]:
    """The value as JSON. The tables of a list, such as routes, are listed one by one."""
    if isinstance(value, list) and any(isinstance(it, dict) for it in value):
        for place, it in enumerate(value[:MOST_VALUES]):
            yield f"{path}[{place}]", json_text(it)
    else:
        yield path, json_text(value)
