"""The jobs that wait for one provider's workers, and those the workers hold. It is a part of the
in-work table, whose methods alone change it.

It has as many slots as the provider's concurrency limit, plus a waiting room of the same size:
enough that a worker never waits for the database, and small enough that nothing is hoarded that
another process could start at once.
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
    """One provider's part of the table: what waits for its workers, and what they hold."""

    assigned: Assigned
    concurrency: Concurrency
    waiting: OrderedDict[Job, None] = field(default_factory=OrderedDict)
    held: dict[Job, None] = field(default_factory=dict)
    takers: ParkingLot = field(default_factory=ParkingLot)
    """Workers that wait for a job."""
    woken: int = 0
    """Takers that were woken and have not looked yet."""
    edition: int = 0
    """Rises with each change of what its workers are to be."""

    def __len__(self) -> int:
        return len(self.waiting) + len(self.held)

    @property
    def capacity(self) -> int:
        """Slots and waiting room together."""
        return 2 * self.concurrency.limit

    @property
    def wants_more(self) -> bool:
        """Whether half of the waiting room is empty: the store is to be asked for batches."""
        limit = self.concurrency.limit
        return limit > 0 and len(self) <= limit + limit // 2

    @property
    def ready(self) -> int:
        """Jobs that may be taken now."""
        return max(min(len(self.waiting), self.concurrency.limit - len(self.held)), 0)

    def wake(self) -> None:
        """Wake as many takers as there are jobs for, but for those under way already."""
        if (wanted := self.ready - self.woken) > 0 and self.takers:
            self.woken += len(self.takers.unpark(count=wanted))

    def rouse(self) -> None:
        """Have every taker look up: it may be one too many, or to call on other terms."""
        self.edition += 1
        self.woken += len(self.takers.unpark_all())

    async def may_take(self, may_begin: Callable[[], bool]) -> bool:
        """Wait until a job may be taken, and one may begin. False if the takers were roused: look
        at what you are to be. Cancelled, nobody was woken in vain."""
        edition = self.edition
        while True:
            try:
                await checkpoint_if_cancelled()
            except trio.Cancelled:
                self.wake()  # it is another's turn
                raise
            if self.edition != edition:
                self.wake()  # it was woken for a job, perhaps
                return False
            if self.ready and may_begin():
                return True
            await self.takers.park()  # once woken it is not cancelled any more
            self.woken -= 1


class Table(Protocol):
    """Whose part it is."""

    @property
    def on_room(self) -> Callable[[], None]:
        """To be called when more can be leased than before."""
        ...


def new_queue(provider: str, workers: int, table: Table) -> ProviderQueue:
    """An empty one, that tells the table when more is wanted since its concurrency changed."""
    queue = ProviderQueue(Assigned(provider), Concurrency(workers))

    def changed() -> None:
        queue.wake()
        if queue.wants_more:
            table.on_room()

    queue.concurrency.on_change = changed
    return queue
