"""A provider's concurrency limit, found by AIMD: additive increase, multiplicative decrease (Chiu
and Jain, 1989; TCP's congestion avoidance, RFC 5681). Pure."""

from collections.abc import Callable

DECREASE = 0.5
"""What is left of the limit after a refusal."""


class Concurrency:
    """One provider's concurrency limit.

    It begins at the maximum, is halved when the provider throttles, and grows by one for each round
    of as many answers as it allows. `on_change` is called when it has changed; it must not block.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.on_change: Callable[[], None] = lambda: None
        self.limit = most
        """Calls that may run at once; at least 1, unless `most` is 0. Read only."""
        self._allowed = float(most)
        self._calm_until = 0.0

    def resize(self, most: int) -> None:
        """Set the maximum; 0 allows no call. A lower limit that was found stays."""
        was_full, self.most = self._allowed >= self.most, most
        self._allow(float(most) if was_full else min(self._allowed, float(most)))

    def reset(self) -> None:
        """Forget what was found: begin at the maximum again."""
        self._calm_until = 0.0
        self._allow(float(self.most))

    def answered(self) -> None:
        """A call was answered."""
        if self._allowed < self.most:
            self._allow(min(self._allowed + 1 / self._allowed, float(self.most)))

    def refused(self, now: float, took: float) -> None:
        """A call that began `took` seconds ago was throttled.

        Calls that ran together are throttled together. So one that began before the last decrease
        changes nothing.
        """
        if now - took >= self._calm_until:
            self._calm_until = now
            self._allow(min(max(self._allowed * DECREASE, 1.0), float(self.most)))

    def _allow(self, calls: float) -> None:
        self._allowed = calls
        if int(calls) != self.limit:
            self.limit = int(calls)
            self.on_change()
