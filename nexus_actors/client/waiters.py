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
    """One notification channel, any number of waiters, several for one id among them."""

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

    def told(self, request_id: str | None) -> None:
        """A result is stored; None: notifications were lost, everybody should look."""
        if request_id is not None:
            for stored in self._waiting.get(request_id, ()):
                stored.set()
            return
        for waiting in self._waiting.values():
            for stored in waiting:
                stored.set()
