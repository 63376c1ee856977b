"""Who waits for which result, and how they are woken."""

from collections.abc import Iterator
from contextlib import contextmanager

import anyio


class Stored:
    """Set when a result may be there. Reusable: each `wait` waits for the next time."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def set(self) -> None:
        """Let the waiter look."""
        self._event.set()

    async def wait(self) -> None:
        """Wait until `set` was called since the last wait."""
        await self._event.wait()
        self._event = anyio.Event()


class Waiters:
    """Any number of them, several for one id among them."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Stored]] = {}

    @contextmanager
    def expect(self, request_id: str) -> Iterator[Stored]:
        """Be woken for this id while in the block."""
        stored = Stored()
        self._waiting.setdefault(request_id, []).append(stored)
        try:
            yield stored
        finally:
            waiting = self._waiting[request_id]
            waiting.remove(stored)
            if not waiting:
                del self._waiting[request_id]

    def ids(self) -> list[str]:
        """The ids that somebody waits for."""
        return list(self._waiting)

    def wake(self, request_id: str) -> None:
        """Wake those who wait for this id: its result is stored."""
        for stored in self._waiting.get(request_id, ()):
            stored.set()

    def wake_all(self) -> None:
        """Let everybody look."""
        for request_id in self._waiting:
            self.wake(request_id)
