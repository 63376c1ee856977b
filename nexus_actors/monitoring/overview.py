"""How the installation is, now: nodes, queues, providers, what operators have set."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from nexus_actors.monitoring.nodes import node_label
from nexus_actors.monitoring.reading import Reader, Row, parsed, together

MOST_NODES: Final = 200
MOST_LOOKED_AT: Final = 20
"""Nodes whose providers are asked for; of more the first are enough."""
MOST_CONTROLS: Final = 100
COUNTED: Final = 10_000
"""Messages and requests are counted up to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A process, as the database knows it."""

    node: str
    name: str
    host: str
    version: str
    state: str
    """A `NodeState`, or `lost`."""
    why: str | None
    in_flight: int
    concurrency: dict[str, int]
    """Calls at once at most, by provider."""
    restarts: int
    last_error: str | None
    started_at: datetime
    beat_age: float
    """Seconds since its last heartbeat."""
    chores: list[str]

    @property
    def is_there(self) -> bool:
        """Whether it runs."""
        return self.state not in ("lost", "stopped")

    @property
    def label(self) -> str:
        """Its name, and the beginning of its id, since others may have the name."""
        return node_label(self.name, self.node)


@dataclass(frozen=True, slots=True)
class Queue:
    """One of three; counts stop at `COUNTED` + 1."""

    total: int
    visible: int | None
    """That may be leased now."""
    due_seconds: float | None
    """How long the one that has been due for longest has been so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What an operator has set."""

    action: str
    subject: str
    name: str
    node: str
    value: str | None
    until: datetime | None
    by: str
    why: str | None


@dataclass(slots=True)
class Provider:
    """One provider, over all nodes that show it."""

    name: str
    nodes: int = 0
    limit: int = 0
    """Calls at once, of all nodes."""
    running: int = 0
    waiting: int = 0
    answered: int = 0
    """Calls, since each node started."""
    failed: int = 0
    last_error: str | None = None
    circuits: dict[str, str] = field(default_factory=dict)
    """Models whose circuit is not closed, or that are throttled, and for how long."""
    keys: dict[str, str] = field(default_factory=dict)
    """Keys that are not used now, and why."""
    is_shown: bool = False
    """Whether a node shows more than the limit."""

    @property
    def circuit(self) -> str:
        """The worst state of its models' circuits, `open` or `half_open`; empty: none is so."""
        told = [it.split(" ", 1)[0] for it in self.circuits.values()]
        return next((it for it in ("open", "half_open") if it in told), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """All of it, at one moment."""

    nodes: list[Node]
    queues: dict[str, Queue]
    """`requests`, `results`, `dead`."""
    waiting: dict[str, int]
    """Requests that were leased once, by what they wait for."""
    idle: dict[str, float]
    """Seconds since each chore was done for all."""
    controls: list[Control]
    providers: list[Provider]

    def drain_of(self, node: Node) -> Control | None:
        """What drains it, if anything does."""
        ways = ("*", node.node, node.name, node.host)
        drains = (it for it in self.controls if it.action == "drain")
        return next((it for it in drains if it.node in ways), None)


async def read_present(reader: Reader, by: str) -> Present:
    """How it is, and has the nodes show their providers for ten seconds more: `by` looks. Raises
    StorageError."""
    queue = reader.queues.requests
    found: dict[str, list[Row]] = {}

    async def read(name: str, *arguments: object) -> None:
        found[name] = await reader.read(name, *arguments)

    nodes = await read_nodes(reader)
    looked_at = [it.node for it in nodes if it.is_there][:MOST_LOOKED_AT]
    if looked_at:
        await reader.act("overview_look", looked_at, by)
    async with together() as nursery:
        nursery.start_soon(read, "overview_sights", looked_at)
        nursery.start_soon(read, "overview_queues", COUNTED + 1)
        nursery.start_soon(read, "overview_waiting", queue, COUNTED + 1)
        nursery.start_soon(read, "overview_chores", queue)
        nursery.start_soon(read, "overview_pauses", MOST_CONTROLS)
    return Present(
        nodes=nodes,
        queues={
            row["queue"]: Queue(row["total"], row["visible"], row["due_seconds"])
            for row in found["overview_queues"]
        },
        waiting={row["reason"]: row["requests"] for row in found["overview_waiting"]},
        idle={row["chore"]: row["idle"] for row in found["overview_chores"]},
        controls=[Control(**row) for row in found["overview_pauses"]],
        providers=_providers(nodes, found["overview_sights"]),
    )


async def read_nodes(reader: Reader) -> list[Node]:
    """Those of the installation, those that run first; `MOST_NODES` at most."""
    rows = await reader.read("overview_nodes", reader.queues.requests, MOST_NODES)
    return [Node(**{**row, "concurrency": _limits(row["concurrency"])}) for row in rows]


def _providers(nodes: list[Node], sights: list[Row]) -> list[Provider]:
    """By what nodes show; of those that show nothing yet, by what they tell of themselves."""
    shown = {row["node"]: _table(row["providers"]) for row in sights}
    found: dict[str, Provider] = {}
    for node in nodes:
        if not node.is_there:
            continue
        for name, limit in node.concurrency.items():
            one = found.setdefault(name, Provider(name))
            one.nodes += 1
            told = shown.get(node.node, {}).get(name)
            if isinstance(told, Mapping):
                _add(one, told)
            else:
                one.limit += limit
    return sorted(found.values(), key=lambda it: it.name)


def _add(provider: Provider, told: Mapping[str, Any]) -> None:
    provider.is_shown = True
    provider.limit += _number(told, "concurrency_limit")
    provider.running += _number(told, "running")
    provider.waiting += _number(told, "waiting")
    provider.answered += _number(told, "calls_answered")
    provider.failed += _number(told, "calls_failed")
    provider.circuits |= _texts(told, "circuits")
    provider.keys |= _texts(told, "keys_suspended")
    error = told.get("last_error")
    if isinstance(error, str):
        provider.last_error = error


def _table(text: str | None) -> dict[str, Any]:
    found: Any = parsed(text)
    return found if isinstance(found, dict) else {}


def _limits(text: str | None) -> dict[str, int]:
    return {name: it for name, it in _table(text).items() if isinstance(it, int)}


def _number(told: Mapping[str, Any], name: str) -> int:
    value = told.get(name)
    return value if isinstance(value, int) else 0


def _texts(told: Mapping[str, Any], name: str) -> dict[str, str]:
    value = told.get(name)
    if not isinstance(value, Mapping):
        return {}
    return {str(key): str(it) for key, it in value.items()}
