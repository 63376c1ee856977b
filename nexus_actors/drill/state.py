"""The progress of a drill."""

from dataclasses import dataclass, field

import trio


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

    def saw(self, ended: int) -> None:
        """Note how many requests have ended by now."""
        now = trio.current_time()
        waiting = self.sent > self.ended
        if ended > self.ended or not waiting:
            if waiting:
                self.longest_outage = max(self.longest_outage, now - self.progress_at)
            self.progress_at = now
        self.ended = ended
