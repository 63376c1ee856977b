"""Limits the number of restarts with a sliding window. Pure."""

from __future__ import annotations

import math
from collections import deque

from supervisors._core.checks import Rule, is_seconds, is_whole
from supervisors.errors import InvalidIntensity, InvalidPeriod


class RestartIntensity:
    """Allows at most `max_restarts` within any `max_seconds`."""

    __slots__ = ("_times", "max_restarts", "max_seconds")

    def __init__(self, max_restarts: int, max_seconds: float) -> None:
        """The arguments must have been checked with `intensity_rules`."""
        self.max_restarts = max_restarts
        self.max_seconds = max_seconds
        self._times: deque[float] = deque()

    def allow(self, now: float) -> bool:
        """Count a restart at `now` (seconds, monotonic). False if it exceeds the limit."""
        self._times.append(now)
        return self.recent(now) <= self.max_restarts

    def recent(self, now: float) -> int:
        """The number of restarts in the window that ends at `now`."""
        while self._times and self._times[0] < now - self.max_seconds:
            self._times.popleft()
        return len(self._times)


def intensity_rules(max_restarts: object, max_seconds: object) -> tuple[Rule, ...]:
    """The rules for these arguments."""
    return (
        (is_whole(max_restarts), InvalidIntensity, max_restarts),
        (is_seconds(max_seconds) and max_seconds not in (0, math.inf), InvalidPeriod, max_seconds),
    )
