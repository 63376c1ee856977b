"""A trio run that moves only when it is told to, so that a hypothesis machine can hold it still."""

from __future__ import annotations

import gc
import warnings
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import outcome
import trio
from trio.testing import MockClock

# One order never takes so many turns of the scheduler, unless it never ends.
MANY_TICKS = 200_000
FEW_TICKS = 5_000

_graveyard: list[object] = []


class NeverEnds(AssertionError):
    """What was ordered did not come to an end, though all time there is has passed."""


class SteppedRun:
    """A guest run of trio under a virtual clock; its host is this object, which turns it by hand.

    `main(run)` runs as trio's main task and must `await run.follow_orders()`. That is the
    follower: a task that does, somewhere among the steps of all others, what was ordered. While it
    has nothing to do it is busy, so the clock stands; it moves, from one deadline to the next, only
    during `sleep`.
    """

    def __init__(
        self,
        main: Callable[[SteppedRun], Awaitable[object]],
        instruments: list[trio.abc.Instrument],
    ) -> None:
        self._callbacks: deque[Callable[[], object]] = deque()
        self._orders: deque[Callable[[], object] | float] = deque()
        self._instruments = instruments
        self._busy = False
        self._over = False
        self.outcome: outcome.Outcome[Any] | None = None
        """How `main` has ended, once it has."""
        trio.lowlevel.start_guest_run(
            partial(main, self),
            run_sync_soon_threadsafe=self._callbacks.append,
            done_callback=self._done,
            clock=MockClock(autojump_threshold=0),
            instruments=instruments,
            host_uses_signal_set_wakeup_fd=True,
        )

    def _done(self, result: outcome.Outcome[Any]) -> None:
        self.outcome = result

    # --- for the host ---

    def order(self, function: Callable[[], object]) -> None:
        """Have the follower call `function` at its next step."""
        self._orders.append(function)

    def tick(self, times: int = 1) -> None:
        """Let every task that can run take a step, so many times."""
        for _ in range(times):
            if self.outcome is None:
                self._callbacks.popleft()()

    def sleep(self, seconds: float) -> None:
        """Let so much virtual time pass, and all that happens in it."""
        self._orders.append(seconds)
        self._until(lambda: not self._orders and not self._busy)

    def end(self) -> None:
        """Let the follower return, and with it `main`."""
        self._over = True
        self._until(lambda: False)

    def abandon(self, cancel: Callable[[], object]) -> None:
        """After a failure: `cancel` everything, and drop what does not end of that."""
        self._orders.clear()
        self._orders.append(cancel)
        self._over = True
        for _ in range(FEW_TICKS):
            if self.outcome is not None:
                return
            self.tick()
        # trio closes a run that nobody holds. Its tasks are not to be closed with it, without a
        # run around them, which would fail in a thousand ways.
        _graveyard.append(self._instruments)
        self._callbacks.clear()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # trio warns of what we do
            gc.collect()

    def _until(self, done: Callable[[], bool]) -> None:
        for _ in range(MANY_TICKS):
            if self.outcome is not None or done():
                return
            self.tick()
        raise NeverEnds

    # --- for `main` ---

    async def follow_orders(self) -> None:
        """Be the follower until `end`."""
        while not self._over:
            self._busy = True
            while self._orders:
                order = self._orders.popleft()
                if callable(order):
                    order()
                else:
                    await trio.sleep(order)
            self._busy = False
            await trio.lowlevel.cancel_shielded_checkpoint()
