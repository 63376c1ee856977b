"""A wake-up that is not lost: if it is set while nobody waits, the next wait returns at once."""

import trio


class Wake:
    """For one waiter and any number of setters. `set` may be called by any callback on trio's
    thread."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def set(self) -> None:
        """Wake the waiter. Several calls before it runs count as one."""
        self._event.set()

    async def wait(self, timeout: float) -> bool:
        """Wait for `set`, at most `timeout` seconds. True if woken, False on timeout."""
        with trio.move_on_after(timeout) as scope:
            await self._event.wait()
        self._event = trio.Event()
        return not scope.cancelled_caught
