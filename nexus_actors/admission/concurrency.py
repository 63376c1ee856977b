"""How many calls at once a provider bears, found by trying: additive increase, multiplicative
decrease (Chiu and Jain, 1989; TCP's congestion avoidance, RFC 5681). Pure."""

DECREASE = 0.5
"""What is left of the limit after a refusal."""


class AdaptiveLimit:
    """Begins at the most there can be, is halved when the provider says "too many", and grows by
    one for each round of as many answers as it allows."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(most)
        self._calm_until = 0.0

    @property
    def calls(self) -> int:
        """Calls that may be made at once; at least 1."""
        return int(self._limit)

    def answered(self) -> None:
        """A call was answered."""
        self._limit = min(self._limit + 1 / self._limit, float(self._most))

    def refused(self, now: float, took: float) -> None:
        """A call that began `took` seconds ago was refused for being one too many.

        Those that were under way together are refused together: what began before the last
        decrease says nothing new.
        """
        if now - took >= self._calm_until:
            self._limit = max(self._limit * DECREASE, 1.0)
            self._calm_until = now
