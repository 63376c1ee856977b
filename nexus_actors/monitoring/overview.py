"""The present state of the installation: nodes, queues, providers, and what operators have set."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from nexus_actors.monitoring.nodes import node_label
from nexus_actors.monitoring.reading import Reader, Row, parsed, together

MOST_NODES: Final = 200
MOST_LOOKED_AT: Final = 20
"""The most nodes whose providers are read. A sample is enough."""
MOST_CONTROLS: Final = 100
COUNTED: Final = 10_000
"""The highest exact count of messages and requests."""


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
    """The concurrency limit of each provider."""
    restarts: int
    last_error: str | None
    started_at: datetime
    beat_age: float
    """Seconds since its last heartbeat."""
    chores: list[str]

    @property
    def is_there(self) -> bool:
        """Whether the node runs."""
        return self.state not in ("lost", "stopped")

    @property
    def label(self) -> str:
        """Its name and the beginning of its id, since names may not be unique."""
        return node_label(self.name, self.node)


@dataclass(frozen=True, slots=True)
class Queue:
    """One of the three queues. Counts stop at `COUNTED` + 1."""

    total: int
    visible: int | None
    """Messages that may be leased now."""
    due_seconds: float | None
    """How long the oldest due message has been due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A setting of an operator that is in force."""

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
    """One provider, over all nodes that have it."""

    name: str
    nodes: int = 0
    limit: int = 0
    """The sum of all nodes' concurrency limits."""
    running: int = 0
    waiting: int = 0
    answered: int = 0
    """Answered calls since each node started."""
    failed: int = 0
    last_error: str | None = None
    circuits: dict[str, str] = field(default_factory=dict)
    """Models whose circuit is not closed, or that are throttled, with state and duration."""
    keys: dict[str, str] = field(default_factory=dict)
    """Keys that are not used now, and why."""
    is_shown: bool = False
    """Whether any node shows more than the limit."""

    @property
    def circuit(self) -> str:
        """The worst state of its circuits: `open`, `half_open`, or empty if all are closed."""
        states = [it.split(" ", 1)[0] for it in self.circuits.values()]
        return next((it for it in ("open", "half_open") if it in states), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """The state of the installation at one moment."""

    nodes: list[Node]
    queues: dict[str, Queue]
    """`requests`, `results`, `dead`."""
    waiting: dict[str, int]
    """How many once-leased requests wait, by reason."""
    idle: dict[str, float]
    """Seconds since the last complete round of each chore."""
    controls: list[Control]
    providers: list[Provider]

    def drain_of(self, node: Node) -> Control | None:
        """The drain that applies to the node, or None."""
        ways = ("*", node.node, node.name, node.host)
        drains = (it for it in self.controls if it.action == "drain")
        return next((it for it in drains if it.node in ways), None)


async def read_present(reader: Reader, by: str) -> Present:
    """Read the present state. Makes the nodes show their providers for another ten seconds, in the
    name of `by`. Raises StorageError."""
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
    """Nodes of the queue, running ones first, at most `MOST_NODES`."""
    rows = await reader.read("overview_nodes", reader.queues.requests, MOST_NODES)
    return [Node(**{**row, "concurrency": _limits(row["concurrency"])}) for row in rows]


def _providers(nodes: list[Node], sights: list[Row]) -> list[Provider]:
    """From the nodes' sights. For a node without one, only the limits of its heartbeat count."""
    shown = {row["node"]: _table(row["providers"]) for row in sights}
    found: dict[str, Provider] = {}
    for node in nodes:
        if not node.is_there:
            continue
        for name, limit in node.concurrency.items():
            one = found.setdefault(name, Provider(name))
            one.nodes += 1
            status = shown.get(node.node, {}).get(name)
            if isinstance(status, Mapping):
                _add(one, status)
            else:
                one.limit += limit
    return sorted(found.values(), key=lambda it: it.name)


def _add(provider: Provider, status: Mapping[str, Any]) -> None:
    provider.is_shown = True
    provider.limit += _number(status, "concurrency_limit")
    provider.running += _number(status, "running")
    provider.waiting += _number(status, "waiting")
    provider.answered += _number(status, "calls_answered")
    provider.failed += _number(status, "calls_failed")
    provider.circuits |= _texts(status, "circuits")
    provider.keys |= _texts(status, "keys_suspended")
    error = status.get("last_error")
    if isinstance(error, str):
        provider.last_error = error


def _table(text: str | None) -> dict[str, Any]:
    found: Any = parsed(text)
    return found if isinstance(found, dict) else {}


def _limits(text: str | None) -> dict[str, int]:
    return {name: it for name, it in _table(text).items() if isinstance(it, int)}


def _number(status: Mapping[str, Any], name: str) -> int:
    value = status.get(name)
    return value if isinstance(value, int) else 0


def _texts(status: Mapping[str, Any], name: str) -> dict[str, str]:
    value = status.get(name)
    if not isinstance(value, Mapping):
        return {}
    return {str(key): str(it) for key, it in value.items()}
