"""What is kept after it has ended, and for how long: the port."""

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
"""The archives of both queues, the journal, the dead letters; the nodes that are gone; what
operators wanted until a time that is over; wishes to cancel what has ended, or was never leased;
looks that are over, with what they saw; orders to nodes."""


class RetentionStore(Protocol):
    """What is kept after it has ended."""

    async def prune(self, what: Kept, term: Term, *, seconds: float, count: int, batch: int) -> int:
        """Delete up to `batch` of the oldest that are older than `seconds` or beyond the `count`
        newest (0: no such limit); how many were deleted. To be repeated until that is 0. A row
        that cannot be deleted is in the way of no other. Nothing is deleted once the term is over.
        """
        ...
