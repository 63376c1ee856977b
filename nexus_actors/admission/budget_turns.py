"""Requests that wait for a budget that running calls have reserved, the longest waiting first.

Whatever these calls give back would go to the next request that asks, which is mostly a small one;
an expensive one would wait as long as small ones keep coming. So room is kept for the request that
has waited longest. Those that fit beside it pass. Each process does this for its own requests;
pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass

ABSENT = 45.0
"""Seconds after which one that has not asked again has its place no longer: it ended, or another
process has it. The longest pause between two times that one asks is half of it."""
MOST = 64
"""So many that wait for a budget are remembered, those that have waited longest."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    request_id: str
    sent_at: float
    dollars: float
    asked_at: float


class BudgetTurns:
    """Those that wait, of each budget. Times are trio's, in seconds."""

    def __init__(self) -> None:
        self._waiting: dict[str, dict[str, _Waiting]] = {}

    def room(self, budget: str, request_id: str, now: float) -> float:
        """US dollars of a budget that this request leaves to one that has waited for longer."""
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
        """It asked for so many, and there is enough only when calls under way are over."""
        waiting = self._waiting.setdefault(budget, {})
        waiting[request_id] = _Waiting(request_id, sent_at, dollars, now)
        if len(waiting) > MOST:
            latest = max(waiting.values(), key=lambda it: it.sent_at)
            del waiting[latest.request_id]

    def leave(self, budgets: Iterable[str], request_id: str) -> None:
        """It waits no longer: it has them, or is refused."""
        for budget in budgets:
            self._waiting.get(budget, {}).pop(request_id, None)
