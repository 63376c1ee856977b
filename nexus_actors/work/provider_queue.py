"""A provider's queue: the jobs that wait for its workers, and those that the workers hold. It is
part of the in-work table, and only that table's methods change it.

It has as many slots as the provider's concurrency limit, plus a waiting room of the same size. That
is enough that a worker never waits for the database, and small enough that this process hoards
nothing that another one could start at once.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import trio
from trio.lowlevel import ParkingLot, checkpoint_if_cancelled

from nexus_actors.work.concurrency import Concurrency
from nexus_actors.work.job import Assigned, Job


@dataclass(slots=True, eq=False)
class ProviderQueue:
    """One provider's part of the in-work table."""

    assigned: Assigned
    concurrency: Concurrency
    waiting: OrderedDict[Job, None] = field(default_factory=OrderedDict)
    held: dict[Job, None] = field(default_factory=dict)
    takers: ParkingLot = field(default_factory=ParkingLot)
    """Workers that wait for a job."""
    woken: int = 0
    """Takers that were woken but have not run yet."""
    edition: int = 0
    """Incremented by each `rouse`."""

    def __len__(self) -> int:
        return len(self.waiting) + len(self.held)

    @property
    def capacity(self) -> int:
        """Slots and waiting room together."""
        return 2 * self.concurrency.limit

    @property
    def wants_more(self) -> bool:
        """Whether half of the waiting room is empty, so that the store is asked for batches."""
        limit = self.concurrency.limit
        return limit > 0 and len(self) <= limit + limit // 2

    @property
    def ready(self) -> int:
        """Jobs that may be taken now."""
        return max(min(len(self.waiting), self.concurrency.limit - len(self.held)), 0)

    def wake(self) -> None:
        """Wake as many takers as there are jobs for, minus those already woken."""
        if (wanted := self.ready - self.woken) > 0 and self.takers:
            self.woken += len(self.takers.unpark(count=wanted))

    def rouse(self) -> None:
        """Make `may_take` return False to every taker: it may be surplus, or have to use other
        terms."""
        self.edition += 1
        self.woken += len(self.takers.unpark_all())

    async def may_take(self, may_begin: Callable[[], bool]) -> bool:
        """Wait until a job is ready and `may_begin()`. False if the takers were roused. If a woken
        taker is cancelled, it wakes another one instead."""
        edition = self.edition
        while True:
            try:
                await checkpoint_if_cancelled()
            except trio.Cancelled:
                self.wake()  # another taker's turn
                raise
            if self.edition != edition:
                self.wake()  # this one may have been woken for a job
                return False
            if self.ready and may_begin():
                return True
            await self.takers.park()  # once unparked, it cannot be cancelled here
            self.woken -= 1


class Table(Protocol):
    """The in-work table, as far as a queue needs it."""

    @property
    def on_room(self) -> Callable[[], None]:
        """To be called when more can be leased than before."""
        ...


def new_queue(provider: str, workers: int, table: Table) -> ProviderQueue:
    """Make an empty queue. It tells the table when a change of its concurrency makes room."""
    queue = ProviderQueue(Assigned(provider), Concurrency(workers))

    def changed() -> None:
        queue.wake()
        if queue.wants_more:
            table.on_room()

    queue.concurrency.on_change = changed
    return queue
