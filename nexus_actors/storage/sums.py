"""The journal summed by minutes, hours and days, for reports over time: the port."""

from typing import Literal, Protocol

from nexus_actors.storage.nodes import Term

Portion = Literal["new", "old", "none"]
"""What a portion was of: what ended since the last one, or before the roll-up ran first; or there
is nothing to be summed."""


class SumStore(Protocol):
    """Raises what `RequestStore` raises."""

    async def sum_next(self, term: Term, *, keep: float) -> Portion:
        """Sum the next portion, one minute or hour, wholly or not at all: minutes and hours since
        the last one first, then one hour of the past, newest first, until those that ended more
        than `keep` seconds ago (0: all). Nothing is summed once the term is over, nor twice."""
        ...

    async def note_backlog(self, term: Term) -> None:
        """Note how long the queue of requests is now, where that is the most of this minute or
        hour. Nothing is noted once the term is over."""
        ...

    async def prune(self, term: Term, *, keep: float) -> int:
        """Delete some of the minutes, of sums and backlog, that are three hours old, and of the
        hours and days that are older than `keep` seconds (0: none); how many. To be repeated until
        that is 0."""
        ...
