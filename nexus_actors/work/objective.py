"""The service objective: a request ends within two seconds of its first lease."""

from dataclasses import dataclass
from typing import Final

OBJECTIVE_MS: Final = 2000
"""The service objective for one request, in milliseconds. Breaches are counted."""
MINUTES: Final = 60


@dataclass(frozen=True, slots=True)
class Share:
    """Of the requests that ended in a while."""

    requests: int
    within: int
    """Those of them that kept to the objective."""

    @property
    def ratio(self) -> float | None:
        """From 0 to 1; None where none ended."""
        return self.within / self.requests if self.requests else None


class Objective:
    """Since the process started, and in the last hour: a ring of minutes, the one that runs among
    them. Counting one costs the same whatever was before."""

    __slots__ = ("_ended", "_hour_ended", "_hour_within", "_minute", "_within", "beyond", "within")

    def __init__(self) -> None:
        self.within = 0
        """Requests that kept to it, since the start."""
        self.beyond = 0
        self._minute = 0
        """The one that runs, by the clock that `count` is told."""
        self._ended = [0] * MINUTES
        self._within = [0] * MINUTES
        self._hour_ended = 0
        self._hour_within = 0

    def count(self, latency_ms: int, now: float) -> bool:
        """A request has ended `now`, in seconds of any clock that only goes on; whether it kept to
        the objective."""
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
        """Of the last 59 to 60 minutes."""
        minute = int(now // 60)
        if minute != self._minute:
            self._turn(minute)
        return Share(self._hour_ended, self._hour_within)

    def told(self, now: float) -> dict[str, object]:
        """For `nexus status`. `share` is from 0 to 1, None where no request ended."""
        hour = self.last_hour(now)
        share = None if hour.ratio is None else round(hour.ratio, 4)
        last = {"requests": hour.requests, "within": hour.within, "share": share}
        return {"seconds": OBJECTIVE_MS / 1000, "last_hour": last}

    def _turn(self, minute: int) -> None:
        """Drop what is older than an hour: each minute that began since, once around at most."""
        for past in range(max(self._minute + 1, minute - MINUTES + 1), minute + 1):
            place = past % MINUTES
            self._hour_ended -= self._ended[place]
            self._hour_within -= self._within[place]
            self._ended[place] = self._within[place] = 0
        self._minute = minute
