"""The service objective: a request ends within two seconds of its first lease."""

from dataclasses import dataclass
from typing import Final

OBJECTIVE_MS: Final = 2000
"""The most milliseconds from first lease to end. Breaches are counted."""
MINUTES: Final = 60


@dataclass(frozen=True, slots=True)
class Share:
    """The share of requests that met the objective in some period."""

    requests: int
    within: int
    """How many of them met the objective."""

    @property
    def ratio(self) -> float | None:
        """From 0 to 1; None if no request ended."""
        return self.within / self.requests if self.requests else None


class Objective:
    """Counts requests against the objective, since the start and in the last hour. The hour is a
    ring buffer of minutes, the current one included, so counting takes constant time."""

    __slots__ = ("_ended", "_hour_ended", "_hour_within", "_minute", "_within", "beyond", "within")

    def __init__(self) -> None:
        self.within = 0
        """Requests that met the objective, since the start."""
        self.beyond = 0
        self._minute = 0
        """The current minute, by the clock of `count`'s `now`."""
        self._ended = [0] * MINUTES
        self._within = [0] * MINUTES
        self._hour_ended = 0
        self._hour_within = 0

    def count(self, latency_ms: int, now: float) -> bool:
        """Count a request that ended at `now` (seconds of any monotonic clock). Returns whether it
        met the objective."""
        minute = int(now // 60)
        if minute != self._minute:
            self._turn(minute)
        kept = latency_ms <= OBJECTIVE_MS
        place = minute % MINUTES
        self._ended[place] += 1
        self._hour_ended += 1
        if kept:
            self.within += 1
            self._within[place] += 1
            self._hour_within += 1
        else:
            self.beyond += 1
        return kept

    def last_hour(self, now: float) -> Share:
        """The share of the last 59 to 60 minutes."""
        minute = int(now // 60)
        if minute != self._minute:
            self._turn(minute)
        return Share(self._hour_ended, self._hour_within)

    def as_dict(self, now: float) -> dict[str, object]:
        """For `nexus status`. `share` is from 0 to 1; None if no request ended."""
        hour = self.last_hour(now)
        share = None if hour.ratio is None else round(hour.ratio, 4)
        last = {"requests": hour.requests, "within": hour.within, "share": share}
        return {"seconds": OBJECTIVE_MS / 1000, "last_hour": last}

    def _turn(self, minute: int) -> None:
        """Clear the slots of all minutes that began since the last call, at most the whole ring."""
        for past in range(max(self._minute + 1, minute - MINUTES + 1), minute + 1):
            place = past % MINUTES
            self._hour_ended -= self._ended[place]
            self._hour_within -= self._within[place]
            self._ended[place] = self._within[place] = 0
        self._minute = minute
