"""The port for sums of the journal by minutes, hours and days, for reports over time."""

from typing import Literal, Protocol

from nexus_actors.storage.nodes import Term

Portion = Literal["new", "old", "none"]
"""What a portion contained: requests that ended since the last portion, requests that ended before
the first roll-up, or nothing."""


class SumStore(Protocol):
    """Raises what `RequestStore` raises."""

    async def sum_next(self, term: Term, *, keep: float) -> Portion:
        """Sum the next portion, a minute or an hour, in one transaction. New minutes and hours come
        first, then hours of the past, newest first, back to `keep` seconds ago (0: all). Nothing is
        summed twice, nor once the term is over."""
        ...

    async def note_backlog(self, term: Term) -> None:
        """Record the current length of the requests queue, if it is the maximum of this minute or
        hour. Nothing is recorded once the term is over."""
        ...

    async def prune(self, term: Term, *, keep: float) -> int:
        """Delete some sums and backlog of minutes older than three hours, and of hours and days
        older than `keep` seconds (0: none). Returns how many; repeat until that is 0."""
        ...
