"""What each process reports about itself, and which of them does the chores that one does for all:
the ports. `requests.py` says what their methods raise."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol

NodeState = Literal["starting", "ready", "degraded", "draining", "drained", "stopped"]
"""By a process's own word. One that says nothing more is `lost`, which the database tells."""
Chore = Literal["prune", "sum"]
SILENCE: Final = 10.0
"""Seconds without a heartbeat after which another may take over a chore. The view
nexus.node_states has the same number: so long until a node is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReport:
    """One process, at one moment. Texts are what the table takes: bounded, and without content."""

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
    """What it waits for, where it is degraded."""
    in_flight: int
    """Requests of which it holds a lease."""
    concurrency: Mapping[str, int]
    """Calls at once at most, by provider."""
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
    """Of the services that it is for."""
    node: str
    number: int


@dataclass(frozen=True, slots=True)
class Turn:
    """What came of trying to take a chore."""

    term: Term | None
    """None: another has it."""
    idle: float
    """Seconds for which nobody has completed a round of it."""


class ChoreStore(Protocol):
    """The table `nexus.chores`."""

    async def take(self, chore: Chore, *, node: str, running: float) -> Turn:
        """Hold the chore, or hold it further: if it is free, the node's own, or its holder silent
        for `SILENCE` seconds. The node has run for `running` seconds, and `idle` is not more."""
        ...

    async def hold(self, term: Term) -> bool:
        """Send a heartbeat; whether the term still is the current one."""
        ...

    async def end(self, term: Term) -> None:
        """Note that a round is complete. Nothing where the term is over, as the next."""
        ...

    async def leave(self, term: Term) -> None:
        """Let another have it at once."""
        ...
