"""A circuit breaker: what keeps failing is not called for a while, then one call probes it. Pure.

Closed: calls pass; a number of failures in a row opens it. Open: no call passes for `open_seconds`,
twice as long each time it opens again, up to `open_seconds_max`. Half-open: one call passes, the
probe; its success closes the circuit, its failure opens it again.

(M. Nygard, "Release It!", chapter 5.)
"""

from dataclasses import dataclass
from math import inf
from typing import Literal

State = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True)
class CircuitSettings:
    """When to open, and for how long."""

    failures: int = 5
    """Failures in a row that open the circuit."""
    open_seconds: float = 10.0
    open_seconds_max: float = 300.0


class Circuit:
    """One circuit. `now` is in seconds of any monotonic clock."""

    def __init__(self, settings: CircuitSettings) -> None:
        self._settings = settings
        self._failures = 0
        self._opened = 0
        self._until = -inf
        self._probing = False
        self.failing_since: float | None = None
        """Time of the first failure since the last answer; None if there was none."""

    def state(self, now: float) -> State:
        """The state at this time."""
        if not self._opened:
            return "closed"
        return "open" if now < self._until else "half_open"

    def wait(self, now: float) -> float:
        """Seconds until a call may pass; 0: now. While a probe is running that is unknown; the
        result is then how long the circuit was open last."""
        if not self._opened:
            return 0.0
        if now < self._until:
            return self._until - now
        return self._open_seconds() if self._probing else 0.0

    def begin(self, now: float) -> bool:
        """Begin a call; False if it may not. In state half-open, the call becomes the probe."""
        if self.wait(now) > 0:
            return False
        self._probing = self._opened > 0
        return True

    def abandon(self) -> None:
        """A call ended in a way that says nothing about the provider."""
        self._probing = False

    def succeeded(self) -> None:
        """A call was answered."""
        self._failures = self._opened = 0
        self._until = -inf
        self._probing = False
        self.failing_since = None

    def failed(self, now: float) -> None:
        """A call failed by the provider's fault. If the circuit has opened since the call began,
        that does not lengthen the time it stays open."""
        self._failures += 1
        if self.failing_since is None:
            self.failing_since = now
        if self._opened and now < self._until:
            return
        if self._opened or self._failures >= self._settings.failures:
            self._opened += 1
            self._probing = False
            self._until = now + self._open_seconds()

    def _open_seconds(self) -> float:
        longer = 2.0 ** min(self._opened - 1, 32)
        return min(self._settings.open_seconds * longer, self._settings.open_seconds_max)
