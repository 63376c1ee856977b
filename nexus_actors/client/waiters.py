"""Waiting calls by request id, and how they are woken."""

from collections.abc import Iterator
from contextlib import contextmanager

import anyio


class Stored:
    """An event: a result may be stored. Reusable: each `wait` waits for the next `set`."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def set(self) -> None:
        """Wake the waiter."""
        self._event.set()

    async def wait(self) -> None:
        """Wait until `set` is called, unless it was since the last wait."""
        await self._event.wait()
        self._event = anyio.Event()


class Waiters:
    """Any number of waiters, also several for one id."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Stored]] = {}

    @contextmanager
    def expect(self, request_id: str) -> Iterator[Stored]:
        """Register a waiter for this id for the duration of the block."""
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
        """The ids that are waited for."""
        return list(self._waiting)

    def wake(self, request_id: str) -> None:
        """Wake the waiters for this id: its result is stored."""
        for stored in self._waiting.get(request_id, ()):
            stored.set()

    def wake_all(self) -> None:
        """Wake all waiters, so that they query for their results."""
        for request_id in self._waiting:
            self.wake(request_id)
