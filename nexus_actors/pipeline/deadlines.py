"""Ends requests whose time is over while they wait for a worker."""

import heapq
import itertools
from collections.abc import Callable
from math import inf

import trio

from nexus_actors.pipeline.job import Job
from nexus_actors.pipeline.wake import Wake


class Deadlines:
    """A heap of jobs by their deadline. `expire` is called once for each that is reached."""

    def __init__(self, expire: Callable[[Job], None]) -> None:
        self._expire = expire
        self._heap: list[tuple[float, int, Job]] = []
        self._count = itertools.count()
        self._sooner = Wake()

    def watch(self, job: Job) -> None:
        """Call `expire(job)` at its deadline, if it has one. It may have ended long before."""
        if job.deadline < inf:
            heapq.heappush(self._heap, (job.deadline, next(self._count), job))
            if self._heap[0][2] is job:
                self._sooner.set()

    async def keep(self) -> None:
        """Call `expire` as time goes by, for ever."""
        while True:
            now = trio.current_time()
            while self._heap and self._heap[0][0] <= now:
                self._expire(heapq.heappop(self._heap)[2])
            await self._sooner.wait(self._heap[0][0] - now if self._heap else inf)
