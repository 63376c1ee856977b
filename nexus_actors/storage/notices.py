"""Notifications, sent and received: the ports."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Notice:
    """Something for whoever listens to a channel at this moment."""

    channel: str
    payload: str
    """ASCII, less than 8,000 characters."""


class Notifier(Protocol):
    """What others hear."""

    async def notify(self, notices: Sequence[Notice]) -> None:
        """Tell who listens, in this order; nothing is kept for others."""
        ...


class Hints(Protocol):
    """Wake-ups from the database, and what clients see of this process. A hint may be lost, so who
    listens also polls.
    """

    @property
    def connected(self) -> bool:
        """Whether they arrive at present."""
        ...

    def announce(self) -> None:
        """Be seen by clients as a consumer of the requests queue, as from the beginning."""
        ...

    def withdraw(self) -> None:
        """Be seen as none, until `announce`: what is sent now may wait for somebody else. Both take
        effect soon after, and hold for connections to come."""
        ...

    def listen(self, queue: str, callback: Callable[[], None]) -> AbstractContextManager[None]:
        """Call `callback` soon after something was sent to `queue`, and after each (re)connect."""
        ...

    def subscribe(
        self, name: str, listener: Callable[[str | None], None]
    ) -> AbstractContextManager[None]:
        """Call `listener(payload)` for each notification on the channel, and `listener(None)` after
        each (re)connect. It must not block or raise."""
        ...
