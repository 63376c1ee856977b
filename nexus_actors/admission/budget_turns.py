"""A queue of requests that wait for a budget that running calls have reserved, oldest first.

What these calls give back would go to the next request that asks, usually a small one, and an
expensive one would wait for as long as small ones keep coming. So room is kept for the request that
has waited longest; others pass if they fit beside it. Each process does this for its own requests.
Pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass

ABSENT = 45.0
"""Seconds after which a request that has not asked again loses its place: it has ended, or another
process has it. The longest pause between two tries is half of this."""
MOST = 64
"""The most waiting requests that are remembered per budget: those that have waited longest."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    request_id: str
    sent_at: float
    dollars: float
    asked_at: float


class BudgetTurns:
    """The waiting requests of each budget. Times are by `trio.current_time()`."""

    def __init__(self) -> None:
        self._waiting: dict[str, dict[str, _Waiting]] = {}

    def room(self, budget: str, request_id: str, now: float) -> float:
        """US dollars of a budget that this request must leave to one that has waited longer."""
        waiting = self._waiting.get(budget)
        if not waiting:
            return 0.0
        for gone in [it for it in waiting.values() if now - it.asked_at > ABSENT]:
            del waiting[gone.request_id]
        first = min(waiting.values(), key=lambda it: it.sent_at, default=None)
        return 0.0 if first is None or first.request_id == request_id else first.dollars

    def wait(
        self, budget: str, request_id: str, sent_at: float, dollars: float, now: float
    ) -> None:
        """The request has asked for this much and must wait until running calls end."""
        waiting = self._waiting.setdefault(budget, {})
        waiting[request_id] = _Waiting(request_id, sent_at, dollars, now)
        if len(waiting) > MOST:
            latest = max(waiting.values(), key=lambda it: it.sent_at)
            del waiting[latest.request_id]

    def leave(self, budgets: Iterable[str], request_id: str) -> None:
        """The request no longer waits: its reservation was made or refused."""
        for budget in budgets:
            self._waiting.get(budget, {}).pop(request_id, None)
