"""How many restarts are too many: a sliding window, pure."""

from __future__ import annotations

from collections import deque

from supervisors.errors import InvalidIntensity, InvalidPeriod


class RestartIntensity:
    """At most `max_restarts` within any `max_seconds`, so many are allowed and the next is one too many."""

    __slots__ = ("_times", "max_restarts", "max_seconds")

    def __init__(self, max_restarts: int, max_seconds: float) -> None:
        """Raises InvalidIntensity or InvalidPeriod."""
        if not isinstance(max_restarts, int) or isinstance(max_restarts, bool) or max_restarts < 0:
            raise InvalidIntensity(max_restarts)
        if (
            not isinstance(max_seconds, int | float)
            or isinstance(max_seconds, bool)
            or not 0 < max_seconds < float("inf")
        ):
            raise InvalidPeriod(max_seconds)
        self.max_restarts = max_restarts
        self.max_seconds = max_seconds
        self._times: deque[float] = deque()

    def allow(self, now: float) -> bool:
        """Count a restart at `now` (seconds, monotonic); False if it is one too many."""
        self._times.append(now)
        return self.recent(now) <= self.max_restarts

    def recent(self, now: float) -> int:
        """How many restarts the window that ends `now` holds."""
        while self._times and self._times[0] < now - self.max_seconds:
            self._times.popleft()
        return len(self._times)
