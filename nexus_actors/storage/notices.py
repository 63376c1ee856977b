"""The ports for notifications, sent and received."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Notice:
    """A notification for those who listen to a channel now."""

    channel: str
    payload: str
    """ASCII, less than 8,000 characters."""


class Notifier(Protocol):
    """Sends notifications."""

    async def notify(self, notices: Sequence[Notice]) -> None:
        """Notify current listeners, in this order. Nothing is kept for later ones."""
        ...


class Hints(Protocol):
    """Wake-ups from the database, and the presence that clients see of this process. A hint may be
    lost, so listeners also poll.
    """

    @property
    def connected(self) -> bool:
        """Whether hints arrive at present."""
        ...

    def announce(self) -> None:
        """Let clients see this process as a consumer of the requests queue. This is the default."""
        ...

    def withdraw(self) -> None:
        """Stop being visible as a consumer until `announce`, since requests sent now may have to
        wait for another process. Both take effect soon after, and also hold after a reconnect."""
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
