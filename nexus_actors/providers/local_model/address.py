"""Where a model's server listens: told by its actor, waited for by the sessions that call it.

It outlives the actor, so that a call waits while the actor is restarted.
"""

from dataclasses import dataclass, field

import trio

STABLE = 60.0
"""Seconds a process lives, and its end counts as the first one again."""
LONGEST_PAUSE = 60.0
"""Seconds between two starts of a process that ends again and again."""


@dataclass(frozen=True, slots=True)
class Listening:
    """The model is loaded."""

    url: str
    api_key: str = field(repr=False)
    """Known to nobody else: other users of the machine reach the port too."""


@dataclass(frozen=True, slots=True)
class Down:
    """The process has ended and another one is not started at once."""

    why: str


class Address:
    """Where the server listens, or that it does not."""

    def __init__(self) -> None:
        self._now: Listening | Down | None = None
        self._changed = trio.Event()
        self._ends = 0
        self._since = 0.0

    async def known(self) -> Listening | Down:
        """Where it is; while it starts, this waits until it listens or has failed."""
        while self._now is None:
            await self._changed.wait()
        return self._now

    def is_here(self, here: Listening) -> None:
        """The server listens."""
        self._tell(here)
        self._since = trio.current_time()

    def is_gone(self, why: str) -> None:
        """The process has ended without being told to."""
        lived = trio.current_time() - self._since if isinstance(self._now, Listening) else 0.0
        self._ends = 1 if lived >= STABLE else self._ends + 1
        self._tell(Down(why) if self.pause else None)

    def starts(self) -> None:
        """A process is started: calls wait for it."""
        self._tell(None)

    @property
    def pause(self) -> float:
        """Seconds to wait before the next start: none after the first end, then ever longer, so
        that a model that cannot run does not exhaust its supervisor's restarts.
        """
        return 0.0 if self._ends < 2 else float(min(2 ** (self._ends - 2), LONGEST_PAUSE))

    def _tell(self, now: Listening | Down | None) -> None:
        self._now = now
        self._changed.set()
        self._changed = trio.Event()
