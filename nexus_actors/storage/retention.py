"""The port for retention: deletes what has ended and is old enough."""

from typing import Literal, Protocol

from nexus_actors.storage.nodes import Term

Kept = Literal[
    "requests",
    "results",
    "journal",
    "dead",
    "nodes",
    "control",
    "cancellations",
    "looks",
    "commands",
]
"""The archives of both queues, the journal, dead letters, lost nodes, expired rows of
`nexus.control`, cancellations of requests that have ended or were never leased, expired looks with
their sights, and orders to nodes."""


class RetentionStore(Protocol):
    """Deletes old rows."""

    async def prune(self, what: Kept, term: Term, *, seconds: float, count: int, batch: int) -> int:
        """Delete up to `batch` of the oldest rows that are older than `seconds` or not among the
        `count` newest (0: no such limit). Returns how many; repeat until that is 0. A row that
        cannot be deleted does not prevent others from being deleted. Nothing is deleted once the
        term is over.
        """
        ...
