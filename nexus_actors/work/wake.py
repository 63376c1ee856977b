"""A wake-up that is never lost: set while nobody waits, it wakes the next waiter at once."""

import trio


class Wake:
    """One waiter, any number of callers. `set` is for any callback on trio's thread."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def set(self) -> None:
        """Let the waiter go on; many calls before it looks count as one."""
        self._event.set()

    async def wait(self, timeout: float) -> bool:
        """Wait for `set`, at most `timeout` seconds. True if woken, False if the time was over."""
        with trio.move_on_after(timeout) as scope:
            await self._event.wait()
        self._event = trio.Event()
        return not scope.cancelled_caught
