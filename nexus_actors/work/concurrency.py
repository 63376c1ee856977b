"""How many calls at once a provider can take, found by trial: additive increase, multiplicative
decrease (Chiu and Jain, 1989; TCP's congestion avoidance, RFC 5681). Pure."""

from collections.abc import Callable

DECREASE = 0.5
"""What is left of the limit after a refusal."""


class Concurrency:
    """One provider's concurrency limit. Nobody else keeps the number.

    It begins at the most there can be, is halved when the provider says "too many", and grows by
    one for each round of as many answers as it allows. `on_change` is called when it has changed;
    it must not block.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.on_change: Callable[[], None] = lambda: None
        self.limit = most
        """Calls that may be made at once; at least 1, if `most` is. Only to be looked at."""
        self._allowed = float(most)
        self._calm_until = 0.0

    def resize(self, most: int) -> None:
        """There can be so many from now on; 0: none. What was found out below that stays."""
        was_full, self.most = self._allowed >= self.most, most
        self._allow(float(most) if was_full else min(self._allowed, float(most)))

    def reset(self) -> None:
        """Begin anew: what was found out is forgotten."""
        self._calm_until = 0.0
        self._allow(float(self.most))

    def answered(self) -> None:
        """A call was answered."""
        if self._allowed < self.most:
            self._allow(min(self._allowed + 1 / self._allowed, float(self.most)))

    def refused(self, now: float, took: float) -> None:
        """A call that began `took` seconds ago was refused for being one too many.

        Those that were under way together are refused together: what began before the last
        decrease says nothing new.
        """
        if now - took >= self._calm_until:
            self._calm_until = now
            self._allow(min(max(self._allowed * DECREASE, 1.0), float(self.most)))

    def _allow(self, calls: float) -> None:
        self._allowed = calls
        if int(calls) != self.limit:
            self.limit = int(calls)
            self.on_change()
