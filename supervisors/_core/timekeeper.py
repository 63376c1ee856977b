"""Timeouts of calls and timers, all in one heap of one task.

A cancel scope per call would cost more than the call itself, and a task per timer takes a kilobyte.
Settled entries stay in the heap until they are due, or until they make up half of it.
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from heapq import heapify, heappop, heappush
from threading import get_ident

import trio

from supervisors._core.copying import Alive

# Below this size, settled entries are not counted. Small, so that what calls leave behind stays in
# the processor's cache.
COMPACT_FROM = 128


class Pending(Alive, ABC):
    """Something that will happen unless it is settled before."""

    __slots__ = ("settled",)

    def __init__(self) -> None:
        self.settled = False

    @abstractmethod
    def expire(self) -> None:
        """Its time has come, which settles it. Must neither block nor raise."""


class Timekeeper:
    """There is one per trio run. Its task is started with the first process."""

    __slots__ = ("_heap", "_limit", "_numbers", "_scope", "_wake", "now", "thread")

    def __init__(self) -> None:
        self.now = trio.lowlevel.current_clock().current_time
        """Seconds on trio's clock, at half the cost of `trio.current_time`."""
        self.thread = get_ident()
        """The thread of this trio run."""
        self._heap: list[tuple[float, int, Pending]] = []
        self._numbers = itertools.count()  # keeps the order of entries due at the same time
        self._limit = COMPACT_FROM
        self._wake = math.inf
        self._scope: trio.CancelScope | None = None

    @staticmethod
    def current() -> Timekeeper:
        """The timekeeper of this trio run."""
        try:
            return _current.get()
        except LookupError:
            keeper = Timekeeper()
            _current.set(keeper)
            trio.lowlevel.spawn_system_task(keeper._run, name="supervisors.timekeeper")
            return keeper

    def after(self, seconds: float, pending: Pending) -> float:
        """Let `pending` expire in `seconds`, unless it is settled before. Returns that time."""
        due = self.now() + seconds
        heap = self._heap
        heappush(heap, (due, next(self._numbers), pending))
        if due < self._wake:
            self._wake = due
            if self._scope is not None:
                self._scope.deadline = due
        if len(heap) > self._limit:
            heap[:] = [entry for entry in heap if not entry[2].settled]
            heapify(heap)
            self._limit = max(COMPACT_FROM, 2 * len(heap))
        return due

    async def _run(self) -> None:
        while True:
            with trio.CancelScope(deadline=self._wake) as self._scope:
                await trio.sleep_forever()
            self._expire()

    def _expire(self) -> None:
        now, heap = self.now(), self._heap
        while heap and (heap[0][0] <= now or heap[0][2].settled):
            _, _, pending = heappop(heap)
            if not pending.settled:
                pending.expire()
        self._wake = heap[0][0] if heap else math.inf


_current: trio.lowlevel.RunVar[Timekeeper] = trio.lowlevel.RunVar("supervisors_timekeeper")
