"""Expires requests whose deadline passes while they wait for a worker."""

import heapq
import itertools
import weakref
from collections.abc import Callable
from math import inf

import trio

from nexus_actors.work.job import Job
from nexus_actors.work.wake import Wake

SLACK = 1000
"""Entries of ended jobs that are tolerated before the heap is swept."""


class Deadlines:
    """A heap of jobs by deadline. `expire` is called for each job whose deadline is reached.

    Most jobs end long before their deadline. The heap holds weak references, and is swept when
    entries of ended jobs outnumber the others.
    """

    def __init__(self, expire: Callable[[Job], None]) -> None:
        self._expire = expire
        self._heap: list[tuple[float, int, weakref.ref[Job]]] = []
        self._sweep_at = SLACK
        self._count = itertools.count()
        self._sooner = Wake()

    def __len__(self) -> int:
        return len(self._heap)

    def watch(self, job: Job) -> None:
        """Call `expire(job)` at its deadline, if it has one. The job may have ended by then."""
        if job.deadline == inf:
            return
        if len(self._heap) >= self._sweep_at:
            self._heap = [entry for entry in self._heap if entry[2]() is not None]
            heapq.heapify(self._heap)
            self._sweep_at = SLACK + 2 * len(self._heap)
        heapq.heappush(self._heap, (job.deadline, next(self._count), weakref.ref(job)))
        if self._heap[0][2]() is job:
            self._sooner.set()

    async def keep(self) -> None:
        """Call `expire` for each deadline that passes. Runs until cancelled."""
        while True:
            now = trio.current_time()
            while self._heap and self._heap[0][0] <= now:
                job = heapq.heappop(self._heap)[2]()
                if job is not None:
                    self._expire(job)
            await self._sooner.wait(self._heap[0][0] - now if self._heap else inf)
