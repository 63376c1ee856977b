"""The ports for what each process reports about itself, and for chores, which one process does for
all. `requests.py` says what their methods raise."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol

NodeState = Literal["starting", "ready", "degraded", "draining", "drained", "stopped"]
"""As the process reports it. If it stops reporting, the database calls it `lost`."""
Chore = Literal["prune", "sum"]
SILENCE: Final = 10.0
"""Seconds without a heartbeat after which another node may take over a chore. The view
nexus.node_states has the same number: after this time, a node is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReport:
    """One process at one moment. Texts are bounded and contain nothing of any request."""

    node: str
    """The instance's id."""
    name: str
    """SERVICE@HOST."""
    host: str
    version: str
    pid: int
    queue: str
    started_at: datetime
    state: NodeState
    why: str | None
    """What it waits for, if it is degraded."""
    in_flight: int
    """Requests of which it holds a lease."""
    concurrency: Mapping[str, int]
    """The most parallel calls, by provider."""
    restarts: int
    last_error: str | None


class NodeStore(Protocol):
    """The table `nexus.nodes`."""

    async def beat(self, report: NodeReport) -> None:
        """Write the node's row. One statement."""
        ...


@dataclass(frozen=True, slots=True)
class Term:
    """A node's leadership in one chore. `number` is its fencing token."""

    chore: Chore
    queue: str
    """The queue of the services that the chore is done for."""
    node: str
    number: int


@dataclass(frozen=True, slots=True)
class Turn:
    """The result of trying to take a chore."""

    term: Term | None
    """None if another node has the chore."""
    idle: float
    """Seconds since any node completed a round of the chore."""


class ChoreStore(Protocol):
    """The table `nexus.chores`."""

    async def take(self, chore: Chore, *, node: str, running: float) -> Turn:
        """Take or keep the chore, if it is free, the node's own, or if its holder has been silent
        for `SILENCE` seconds. The node has run for `running` seconds; `idle` is at most that."""
        ...

    async def hold(self, term: Term) -> bool:
        """Send a heartbeat. Returns whether the term is still current."""
        ...

    async def end(self, term: Term) -> None:
        """Record that a round is complete. Does nothing once the term is over, nor does `leave`."""
        ...

    async def leave(self, term: Term) -> None:
        """Release the chore, so that another node can take it at once."""
        ...
