"""The in-work table: every request that this process has leased, and where it is.

A passive object, made once in `application.py` and handed to every stage, like an ETS table owned
by the root. It outlives each stage, so a restarted stage finds here what its predecessor held.
Nothing else says where a job is: the provider queues are part of the table, and the channels
between the stages carry wake-ups, never jobs.

    add ─▶ Unrouted ─assign─▶ Assigned ─take─▶ Held ─answer─▶ Answered ─remove─▶
               ▲                  ▲              │
               └────── unroute ───┴── put_back ──┘        leave (any without an outcome) ─▶ Leaving

Each transition is one method, and all but `take` are synchronous, so a kill never finds a job
between two places.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime

import trio

from nexus_actors.contract.result import Answer, Failure
from nexus_actors.storage.requests import Lease
from nexus_actors.work.concurrency import Concurrency
from nexus_actors.work.job import Answered, Assigned, Held, Job, Key, Leaving, Unrouted
from nexus_actors.work.provider_queue import ProviderQueue, new_queue
from supervisors import ActorRef

Bell = trio.MemorySendChannel[None]
"""Wakes the stage at the other end. Several wake-ups count as one."""
DEEPEST = 5
"""The most batches that one statement leases, if most of the last ones went back to wait."""
UNROUTED, LEAVING, ANSWERED = Unrouted(), Leaving(), Answered()


class InWork:
    """Jobs by message and by place.

    `pool_sizes` maps each provider's name to its number of workers. `on_room` is called when more
    can be leased than before, `on_rest` when no call is running any more. Neither may block.
    """

    def __init__(
        self,
        pool_sizes: Mapping[str, int],
        *,
        batch_size: int = 100,
        memory_bytes: float = math.inf,
    ) -> None:
        self._queues: dict[str, ProviderQueue] = {}
        self._jobs: dict[Key, Job] = {}
        self._unrouted: dict[Job, None] = {}
        self._leaving: dict[Job, None] = {}
        self._answered: dict[Job, None] = {}
        self._fresh: dict[Job, None] = {}
        """Those of `_answered` that the publisher has not seen yet."""
        self._apart: set[Job] = set()
        self._running = 0
        self._router: Bell | None = None
        self._publisher: Bell | None = None
        self.bytes_left = memory_bytes
        """Memory left for further messages and answers. Negative after one that exceeded it."""
        self.draining = False
        self.stopping = False
        """No new call may begin: this node drains, or the pipeline is `stopping`."""
        self.inherited = True
        """Leases of an earlier process of this instance may exist: they were not released yet."""
        self.recovered = False
        """Whether the answers of an earlier process of this instance are published. Nothing is
        leased before that, or they would be paid for twice."""
        self.is_stopped: Callable[[str], bool] = lambda _: False
        """Whether no call to a provider may begin. Call `heed` when that changes."""
        self.is_shut: Callable[[str], bool] = lambda _: False
        """Whether a provider has no usable key: requests that wait for it keep waiting."""
        self.waiting_providers: set[str] = set()
        """Providers that requests in the store may be waiting for. Initially all of them."""
        self.on_room: Callable[[], None] = lambda: None
        self.on_rest: Callable[[], None] = lambda: None
        self.batch_size = batch_size
        """Requests that one statement leases, usually."""
        self._capacity = 0
        """The capacity of all provider queues together."""
        for name, size in pool_sizes.items():
            self.resize(name, size)

    def connect(self, router: Bell, publisher: Bell) -> None:
        """Wake these from now on when there are jobs for the Router (to be routed or given back) or
        for the publisher."""
        self._router, self._publisher = router, publisher

    # -- queries

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, job: Job) -> bool:
        return job.place is not None

    def __iter__(self) -> Iterator[Job]:
        return iter(tuple(self._jobs.values()))

    def get(self, msg_id: int, request_id: str | None) -> Job | None:
        """The job of this request in this message, if this process works on it.

        The number alone does not identify it: after a failover, a sequence may reuse numbers.
        """
        return self._jobs.get((msg_id, request_id))

    @property
    def providers(self) -> tuple[str, ...]:
        """Providers that have a queue. One that is no longer configured keeps it until its calls
        end."""
        return tuple(self._queues)

    def workers(self, provider: str) -> int:
        """How many workers the provider is to have."""
        queue = self._queues.get(provider)
        return 0 if queue is None else queue.concurrency.most

    def held(self, provider: str) -> tuple[Job, ...]:
        """The jobs that the provider's workers hold."""
        queue = self._queues.get(provider)
        return () if queue is None else tuple(queue.held)

    def queue(self, provider: str) -> ProviderQueue:
        """The provider's queue. Read only: this table's methods alone change it."""
        return self._queues[provider]

    def concurrency(self, provider: str) -> Concurrency:
        """The provider's concurrency limit. The table follows its changes."""
        return self._queues[provider].concurrency

    def unrouted(self) -> tuple[Job, ...]:
        """The jobs that wait for the Router."""
        return tuple(self._unrouted)

    def leaving(self) -> tuple[Job, ...]:
        """The jobs that are being given back."""
        return tuple(self._leaving)

    def answered(self) -> tuple[Job, ...]:
        """The jobs that have their outcome and wait for the ResultPublisher."""
        return tuple(self._answered)

    @property
    def running(self) -> int:
        """Running calls, including pauses between retries."""
        return self._running

    def room(self, provider: str) -> int:
        """How many more jobs the provider's queue can take."""
        queue = self._queues.get(provider)
        return 0 if queue is None else queue.capacity - len(queue)

    def demand(self) -> dict[str, int]:
        """How many jobs each provider wants now. Providers that want none, or must not be called at
        present, are absent."""
        wanted = self._wanted()
        return {
            name: room
            for name, room in wanted.items()
            if not self.is_stopped(name) and not self.is_shut(name)
        }

    def _wanted(self) -> dict[str, int]:
        if self.is_full:
            return {}  # the publisher is behind: paid answers must not pile up without bound
        return {name: self.room(name) for name, it in self._queues.items() if it.wants_more}

    @property
    def is_full(self) -> bool:
        """Whether to lease nothing: the publisher has a backlog, or the memory is used up."""
        waiting = len(self._answered) - len(self._apart)
        return waiting >= self._capacity or self.bytes_left <= 0

    @property
    def places(self) -> int:
        """How many more jobs the table can take. The limit is what the queues hold, as many
        unpublished answers, and the deepest batch on its way back. Jobs set apart do not count.
        """
        limit = DEEPEST * self.batch_size + 2 * self._capacity
        return limit - len(self._jobs) + len(self._apart)

    def quantity(self) -> int:
        """How many jobs to lease now: what the providers want beyond what is still to be routed,
        plus twice as many as are just going back to wait.

        The latter is for a queue that begins with requests for a provider whose queue is full: each
        lease is then deeper, until it reaches other providers' requests. Requests for a provider
        that must not be called are leased, too, so that their reason to wait is on record.
        """
        wanted = sum(self._wanted().values())
        if wanted == 0:
            return 0
        return min(wanted - len(self._unrouted) + 2 * len(self._leaving), self.places)

    # -- transitions of a job

    def add(self, job: Job) -> None:
        """Take a newly leased job into the table: the Router is next."""
        self._jobs[job.key] = job
        self.bytes_left -= job.size
        self._to_router(job)

    def renew(self, job: Job, lease: Lease) -> bool:
        """This process has leased the message again: continue under the newer lease. False if the
        job was being given back: then it is removed, and the lease needs a new job."""
        if isinstance(job.place, Leaving):
            self.remove(job)
            return False
        job.lease = lease
        return True

    def assign(self, job: Job, provider: str) -> None:
        """The Router chose this provider: append the job to its queue."""
        self._withdraw(job)
        self._to_queue(job, provider)

    async def take(self, provider: str, worker: ActorRef) -> Job | None:
        """Wait for the longest waiting job, within the concurrency limit. None if the workers were
        roused: the worker may have to retire or use other terms. Cancelled, none is taken."""
        queue = self._queues[provider]
        if not await queue.may_take(lambda: not self.draining and not self.is_stopped(provider)):
            return None
        job, _ = queue.waiting.popitem(last=False)
        job.place = Held(provider, worker)
        queue.held[job] = None
        self._running += 1
        return job

    def put_back(self, job: Job) -> None:
        """The job's worker is gone: put it at the head of the queue."""
        if isinstance(job.place, Held):
            provider = job.place.provider
            self._withdraw(job)
            self._to_queue(job, provider)
            self._queues[provider].waiting.move_to_end(job, last=False)

    def unroute(self, job: Job) -> None:
        """Back to the Router: the candidate is used up, or must not be called for a while."""
        self._withdraw(job)
        self._to_router(job)

    def leave(self, job: Job) -> None:
        """Have the Router give the job back. It stays in the table until the store has confirmed
        that, since a statement that was cut off may have been carried out or not.
        """
        self._withdraw(job)
        job.place = LEAVING
        self._leaving[job] = None
        if len(self._leaving) == 1:
            _ring(self._router)

    def answer(self, job: Job, outcome: Answer | Failure) -> None:
        """Set the job's outcome: the publisher is next."""
        job.outcome = outcome
        job.finished_at = datetime.now(UTC)
        seconds = job.leased_before + trio.current_time() - job.leased_at
        job.latency_ms = round(seconds * 1000)
        self._withdraw(job)
        job.place = ANSWERED
        self._answered[job] = self._fresh[job] = None
        if len(self._fresh) == 1:  # the publisher takes all there are
            _ring(self._publisher)

    def take_answered(self) -> tuple[Job, ...]:
        """The jobs answered since the last call. They stay in place."""
        fresh, self._fresh = self._fresh, {}
        return tuple(fresh)

    def weigh(self, job: Job, size: int) -> None:
        """Count the bytes of the job's answer until it is published."""
        if job in self:
            self.bytes_left -= size - job.end_bytes
            job.end_bytes = size

    def set_apart(self, job: Job) -> None:
        """The job's answer is spooled, and the store takes other answers but not this one for now.
        So it no longer counts as a backlog of the publisher, only by its bytes.
        """
        if isinstance(job.place, Answered):
            was_full = self.is_full
            self._apart.add(job)
            if was_full and not self.is_full:
                self.on_room()

    def remove(self, job: Job) -> None:
        """The request ended, or its lease was given back or lost."""
        if job in self:
            was_full = self.is_full
            self.bytes_left += job.size + job.end_bytes
            self._apart.discard(job)
            self._withdraw(job)
            job.place = None
            del self._jobs[job.key]
            if was_full and not self.is_full:
                self.on_room()

    def drain(self) -> None:
        """Let no new call begin."""
        self.draining = True

    def resume(self) -> None:
        """Let calls begin again."""
        self.draining = False
        self.heed()

    def heed(self) -> None:
        """More calls may be allowed than before: wake the workers and the consumer."""
        for queue in self._queues.values():
            queue.wake()
        self.on_room()

    def leave_unbegun(self) -> None:
        """Give back jobs whose call has not begun; a worker that holds such a job gives it up."""
        for job in self:
            if isinstance(job.place, Unrouted | Assigned):
                self.leave(job)
            elif isinstance(job.place, Held) and job.call_started is None and job.call is not None:
                job.call.cancel()

    # -- the providers

    def resize(self, provider: str, workers: int) -> None:
        """Set how many workers a provider, perhaps a new one, is to have. From now on no more calls
        than that run. With 0, no call begins, and waiting jobs are routed elsewhere."""
        queue = self._queues.get(provider)
        if queue is None:
            queue = self._queues[provider] = new_queue(provider, workers, self)
            self.waiting_providers.add(provider)
        queue.concurrency.resize(workers)
        self._capacity = sum(2 * it.concurrency.most for it in self._queues.values())
        queue.rouse()
        self.on_room()
        if not workers:
            for job in tuple(queue.waiting):
                self.unroute(job)

    def rouse(self, provider: str) -> None:
        """Make `take` return None to the provider's workers, each after its current job."""
        if (queue := self._queues.get(provider)) is not None:
            queue.rouse()

    def drop(self, provider: str) -> None:
        """Forget a provider that has no workers and no jobs."""
        assert not len(self._queues[provider])  # noqa: S101 - the caller has checked
        del self._queues[provider]
        self.waiting_providers.discard(provider)

    # -- internals

    def _withdraw(self, job: Job) -> None:
        """Take the job out of its place. The caller puts it elsewhere, or out of the table."""
        place = job.place
        if isinstance(place, Assigned):
            queue = self._queues[place.provider]
            wanted = queue.wants_more
            del queue.waiting[job]
            self._left(queue, wanted=wanted)
        elif isinstance(place, Held):
            queue = self._queues[place.provider]
            wanted = queue.wants_more
            del queue.held[job]
            job.call = None
            self._running -= 1
            queue.wake()
            self._left(queue, wanted=wanted)
            if not self._running:
                self.on_rest()
        elif isinstance(place, Unrouted):
            del self._unrouted[job]
        elif isinstance(place, Answered):
            del self._answered[job]
            self._fresh.pop(job, None)
        elif isinstance(place, Leaving):
            del self._leaving[job]

    def _left(self, queue: ProviderQueue, *, wanted: bool) -> None:
        if not wanted and queue.wants_more:
            self.on_room()

    def _to_router(self, job: Job) -> None:
        job.place = UNROUTED
        self._unrouted[job] = None
        if len(self._unrouted) == 1:  # the Router takes all there are
            _ring(self._router)

    def _to_queue(self, job: Job, provider: str) -> None:
        queue = self._queues[provider]
        job.place = queue.assigned
        queue.waiting[job] = None
        queue.wake()


def _ring(bell: Bell | None) -> None:
    if bell is not None:
        with suppress(trio.WouldBlock):
            bell.send_nowait(None)
