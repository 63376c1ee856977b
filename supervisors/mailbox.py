"""A process's inbox: a FIFO whose one reader is parked. Putting never blocks and never fails."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias

import trio

if TYPE_CHECKING:
    from supervisors.actor_ref import Caller

CALL: Final = 0
CAST: Final = 1
INFO: Final = 2
STOP: Final = 3

# (kind, payload, caller). A tuple, because an object per message costs three times as much.
Item: TypeAlias = "tuple[int, object, Caller | None]"

# After so many messages in a row the reader lets others run: a busy actor must not starve the rest.
FAIR_SHARE = 64


class Mailbox:
    """Unbounded: back pressure is the business of those who send, by demand."""

    __slots__ = ("_in_a_row", "_items", "_reader", "closed")

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._reader: trio.lowlevel.Task | None = None
        self._in_a_row = 0
        self.closed = False

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Item) -> None:
        """Append; dropped without a word once the mailbox is closed."""
        if self.closed:
            return
        self._items.append(item)
        reader = self._reader
        if reader is not None:
            self._reader = None
            trio.lowlevel.reschedule(reader)

    async def get(self, timeout: float = math.inf) -> Item | None:
        """The next message; None if none came for `timeout` seconds. Cancelled, it takes none."""
        if not self._items:
            self._in_a_row = 0
            await self._wait(timeout)
            return self._items.popleft() if self._items else None
        self._in_a_row += 1
        if self._in_a_row >= FAIR_SHARE:
            self._in_a_row = 0
            await trio.lowlevel.checkpoint()
        return self._items.popleft()

    async def _wait(self, timeout: float) -> None:
        if timeout == math.inf:
            await self._park()
        else:
            with trio.move_on_after(timeout):
                await self._park()

    async def _park(self) -> None:
        def abort(_: object) -> trio.lowlevel.Abort:
            self._reader = None
            return trio.lowlevel.Abort.SUCCEEDED

        self._reader = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(abort)

    def close(self) -> None:
        """Drop what was not read, and whatever comes from now on."""
        self.closed = True
        self._items.clear()
