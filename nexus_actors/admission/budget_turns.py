"""Who has waited longest for a budget that calls under way have reserved.

What they give back would go to whoever asks next, and that is mostly a small call: a dear one would
wait as long as small ones come. So room is left for the one that has waited longest; what fits
beside it passes. Kept by each process for its own requests; pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass

ABSENT = 45.0
"""Seconds after which one that has not asked again has its place no longer: it ended, or another
process has it. The longest pause between two times that one asks is half of it."""


@dataclass(frozen=True, slots=True)
class _First:
    request_id: str
    sent_at: float
    dollars: float
    asked_at: float


class BudgetTurns:
    """The one that has waited longest, of each budget. Times are trio's, in seconds."""

    def __init__(self) -> None:
        self._first: dict[str, _First] = {}

    def room(self, budget: str, request_id: str, now: float) -> float:
        """US dollars of a budget that this request leaves to one that has waited for longer."""
        first = self._there(budget, now)
        return 0.0 if first is None or first.request_id == request_id else first.dollars

    def wait(
        self, budget: str, request_id: str, sent_at: float, dollars: float, now: float
    ) -> None:
        """It asked for so many, and there is enough only when calls under way are over."""
        first = self._there(budget, now)
        if first is None or first.request_id == request_id or sent_at < first.sent_at:
            self._first[budget] = _First(request_id, sent_at, dollars, now)

    def leave(self, budgets: Iterable[str], request_id: str) -> None:
        """It waits no longer: it has them, or is refused."""
        for budget in budgets:
            first = self._first.get(budget)
            if first is not None and first.request_id == request_id:
                del self._first[budget]

    def _there(self, budget: str, now: float) -> _First | None:
        first = self._first.get(budget)
        return None if first is None or now - first.asked_at > ABSENT else first
