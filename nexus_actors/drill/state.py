"""The progress of a drill."""

from dataclasses import dataclass, field
from typing import Final

import trio

STANDSTILL: Final = 60.0
"""Seconds in which no request ends and nothing is killed or restarted. The drill then gives up."""


@dataclass(slots=True)
class State:
    """What has happened so far."""

    sent: int = 0
    ended: int = 0
    kills: int = 0
    restarts: int = 0
    recoveries: list[float] = field(default_factory=list)
    longest_outage: float = 0.0
    progress_at: float = field(default_factory=trio.current_time)
    """When a request last ended, or none was waiting."""
    active_at: float = field(default_factory=trio.current_time)
    """The same, or when something was last killed or restarted: on a slow machine that is all that
    happens for a while."""

    @property
    def stands_still(self) -> bool:
        """Whether nothing happens any more."""
        return trio.current_time() - self.active_at > STANDSTILL

    def acted(self) -> None:
        """Note that something was killed or restarted just now."""
        self.active_at = trio.current_time()

    def saw(self, ended: int) -> None:
        """Note how many requests have ended by now."""
        now = trio.current_time()
        waiting = self.sent > self.ended
        if ended > self.ended or not waiting:
            if waiting:
                self.longest_outage = max(self.longest_outage, now - self.progress_at)
            self.progress_at = self.active_at = now
        self.ended = ended
