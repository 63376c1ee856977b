"""Nodes, and the sights that they write while somebody looks."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import trio

from nexus_actors.monitoring.reading import Reader, parsed

MOST_NODES: Final = 200
MOST_ORDERS: Final = 10
FRESH: Final = 5.0
"""Seconds for which a sight is current. A node writes one each second."""
_SHOWN: Final = 8
"""Characters of an id in a sentence."""
_WAITS: Final = (0.02, 0.04, 0.06, 0.08)
"""Seconds between checks for the first sight, which a node writes once it is notified."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLine:
    """A node, for a list."""

    node: str
    name: str
    host: str
    version: str
    pid: int
    queue: str
    state: str
    """A `NodeState`, or `lost`."""
    why: str | None
    beat_age: float
    """Seconds since its last heartbeat."""

    @property
    def is_there(self) -> bool:
        """Whether the node runs, by its own report and the database's clock."""
        return self.state not in ("lost", "stopped")


@dataclass(frozen=True, slots=True)
class Sight:
    """A sight: what a node has written about itself."""

    at: datetime
    age: float
    """Seconds, by the database's clock."""
    body: dict[str, Any]
    """The content as the node wrote it. It must be validated."""

    @property
    def is_fresh(self) -> bool:
        """Whether the node still writes it."""
        return self.age <= FRESH

    @property
    def error(self) -> str | None:
        """Why there is nothing to show; None if there is."""
        text = self.body.get("error")
        return text if isinstance(text, str) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order to a node, and its outcome."""

    number: int
    action: str
    actor: str
    now: bool
    by: str
    why: str | None
    at: datetime
    taken_at: datetime | None
    ended_at: datetime | None
    outcome: str | None


def node_label(name: str, node: str) -> str:
    """A node in words: `nexus@host (eb67a7e3)`. Names may not be unique, and ids are unreadable."""
    return f"{name} ({node[:_SHOWN]})"


def with_names(text: str, nodes: Iterable[NodeLine]) -> str:
    """Replace nodes' ids in the text by their names."""
    for it in nodes:
        if len(it.node) > _SHOWN:  # a short id may be a word of the text
            text = text.replace(it.node, node_label(it.name, it.node))
    return text


async def read_nodes(reader: Reader) -> list[NodeLine]:
    """All nodes, running ones first, at most `MOST_NODES`. Raises StorageError."""
    return [NodeLine(**row) for row in await reader.read("nodes", MOST_NODES)]


async def look(reader: Reader, node: str, what: str, by: str) -> Sight | None:
    """Make the node show `what` (`tree`, `status`, `config`, `actor NAME`) for another ten seconds,
    and return its last sight. The first one is awaited for at most a fifth of a second. None if
    the node has shown nothing. `node` is an id.

    Raises StorageError; StorageRefused if there is no such node.
    """
    sight = await _sight(await reader.act("nodes_look", node, what, by))
    for seconds in _WAITS:
        if sight is not None and sight.is_fresh:
            break
        await trio.sleep(seconds)
        sight = await _sight(await reader.read("nodes_sight", node, what)) or sight
    return sight


async def read_orders(reader: Reader, node: str) -> list[Order]:
    """The last orders to a node, newest first. Raises StorageError."""
    return [Order(**row) for row in await reader.read("nodes_orders", node, MOST_ORDERS)]


async def _sight(rows: list[dict[str, Any]]) -> Sight | None:
    """Parse in a thread, since a tree may have a megabyte."""
    if not rows or rows[0]["at"] is None:
        return None
    body = await trio.to_thread.run_sync(parsed, rows[0]["body"])
    return Sight(rows[0]["at"], rows[0]["age"], body if isinstance(body, dict) else {})
