"""The in-work table: every request this process holds a lease of, and where it is.

A passive object, made once in `application.py` and handed to every stage, like an ETS table owned
by the root. It outlives each stage, so a restarted stage finds here what its predecessor held.
Nothing else says where a job is: the provider queues are part of the table, and the channels
between the stages carry wake-ups, never jobs.

    add ─▶ Unrouted ─assign─▶ Assigned ─take─▶ Held ─answer─▶ Answered ─remove─▶
               ▲                  ▲              │
               └────── unroute ───┴── put_back ──┘        leave: of what has no outcome ─▶ Leaving

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
"""Rung when there is something for the stage at its other end; one ring is as good as many."""
DEEPEST = 5
"""Batches that may be leased in one statement, where most of the last ones went back to wait."""
UNROUTED, LEAVING, ANSWERED = Unrouted(), Leaving(), Answered()


class InWork:
    """Jobs by message, and by where they are.

    `pool_sizes` maps each provider's name to its number of workers. `on_room` is called when more
    can be leased than before, `on_rest` when no call is running any more; they must not block.
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
        """Those of `_answered` that the publisher has not taken up yet."""
        self._apart: set[Job] = set()
        self._running = 0
        self._router: Bell | None = None
        self._publisher: Bell | None = None
        self.bytes_left = memory_bytes
        """What further messages and answers may take; below 0 after one that was larger."""
        self.draining = False
        self.stopping = False
        """No new call shall begin: this node drains; or the pipeline is `stopping`."""
        self.inherited = True
        """Leases of an earlier process of this instance may exist: nobody has looked yet."""
        self.recovered = False
        """What an earlier process of this instance was answered is published: until then nothing
        may be leased, or it would be paid twice."""
        self.is_stopped: Callable[[str], bool] = lambda _: False
        """Whether no call to a provider may begin; `heed` is to be called when that changes."""
        self.is_shut: Callable[[str], bool] = lambda _: False
        """Whether a provider would be called in vain at present: what waits for it waits on."""
        self.waiting_providers: set[str] = set()
        """Providers that requests may be waiting for in the store; at first, any."""
        self.on_room: Callable[[], None] = lambda: None
        self.on_rest: Callable[[], None] = lambda: None
        self.batch_size = batch_size
        """Requests that are leased in one statement, usually."""
        self._capacity = 0
        """What all queues take together."""
        for name, size in pool_sizes.items():
            self.resize(name, size)

    def connect(self, router: Bell, publisher: Bell) -> None:
        """From now on these are rung when there are jobs for the Router (to be routed, or to be
        given back), or for the publisher."""
        self._router, self._publisher = router, publisher

    # -- looking

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, job: Job) -> bool:
        return job.place is not None

    def __iter__(self) -> Iterator[Job]:
        return iter(tuple(self._jobs.values()))

    def get(self, msg_id: int, request_id: str | None) -> Job | None:
        """The job of this request in this message, if this process works on it.

        A number may be another message's by now: after a failover a sequence may begin anew.
        """
        return self._jobs.get((msg_id, request_id))

    @property
    def providers(self) -> tuple[str, ...]:
        """Those that have a queue: one that is configured no more has it until its calls ended."""
        return tuple(self._queues)

    def workers(self, provider: str) -> int:
        """How many workers the provider is to have."""
        queue = self._queues.get(provider)
        return 0 if queue is None else queue.concurrency.most

    def held(self, provider: str) -> tuple[Job, ...]:
        """What the provider's workers hold."""
        queue = self._queues.get(provider)
        return () if queue is None else tuple(queue.held)

    def queue(self, provider: str) -> ProviderQueue:
        """What waits for a provider's workers, and what they hold. To be looked at only."""
        return self._queues[provider]

    def concurrency(self, provider: str) -> Concurrency:
        """How many of the provider's jobs may be held at once; the table goes by its changes."""
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
        """Calls being made now, pauses between retries included."""
        return self._running

    def room(self, provider: str) -> int:
        """How many jobs more the provider's queue can take."""
        queue = self._queues.get(provider)
        return 0 if queue is None else queue.capacity - len(queue)

    def demand(self) -> dict[str, int]:
        """How many jobs each provider wants now; those that want none are absent, and so are those
        that are not to be called at present."""
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
        """Whether too much waits for the publisher, or takes the memory, for more to be leased."""
        waiting = len(self._answered) - len(self._apart)
        return waiting >= self._capacity or self.bytes_left <= 0

    @property
    def places(self) -> int:
        """How many jobs more there can be: what the queues take, as many answers not yet published,
        and the deepest batch on its way back; those set apart besides.
        """
        limit = DEEPEST * self.batch_size + 2 * self._capacity
        return limit - len(self._jobs) + len(self._apart)

    def quantity(self) -> int:
        """How many jobs to lease now: what the providers want and nobody is on the way to yet, and
        twice as many as are just going back to wait.

        The latter is for a queue that begins with requests for a provider whose queue is full: each
        look at it is then deeper, until it finds those of others. What would only wait for a
        provider that is not to be called is leased too, so that it is on record what it waits for.
        """
        wanted = sum(self._wanted().values())
        if wanted == 0:
            return 0
        return min(wanted - len(self._unrouted) + 2 * len(self._leaving), self.places)

    # -- the way of a job

    def add(self, job: Job) -> None:
        """A lease was taken."""
        self._jobs[job.key] = job
        self.bytes_left -= job.size
        self._to_router(job)

    def renew(self, job: Job, lease: Lease) -> bool:
        """The same message was leased again by this process: work goes on under the newer lease.
        False if the job was being given back: it is gone, and the new lease begins a new job."""
        if isinstance(job.place, Leaving):
            self.remove(job)
            return False
        job.lease = lease
        return True

    def assign(self, job: Job, provider: str) -> None:
        """The Router chose this provider: append it to its queue."""
        self._withdraw(job)
        self._to_queue(job, provider)

    async def take(self, provider: str, worker: ActorRef) -> Job | None:
        """The job that has waited longest, as soon as there is one and the concurrency limit allows
        it. None if the provider's workers are to be others now: look at what you are to be.
        Cancelled, the worker has taken none."""
        queue = self._queues[provider]
        if not await queue.may_take(lambda: not self.draining and not self.is_stopped(provider)):
            return None
        job, _ = queue.waiting.popitem(last=False)
        job.place = Held(provider, worker)
        queue.held[job] = None
        self._running += 1
        return job

    def put_back(self, job: Job) -> None:
        """Its worker is gone: it is the next to be taken by another."""
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
        """It is being given back, by the Router. It stays in the table until the store has said so,
        since nobody knows of a statement that was cut off whether it was carried out.
        """
        self._withdraw(job)
        job.place = LEAVING
        self._leaving[job] = None
        if len(self._leaving) == 1:
            _ring(self._router)

    def answer(self, job: Job, outcome: Answer | Failure) -> None:
        """The job has its outcome."""
        job.outcome = outcome
        job.finished_at = datetime.now(UTC)
        seconds = job.leased_before + trio.current_time() - job.leased_at
        job.latency_ms = round(seconds * 1000)
        self._withdraw(job)
        job.place = ANSWERED
        self._answered[job] = self._fresh[job] = None
        if len(self._fresh) == 1:  # it takes up all that there are
            _ring(self._publisher)

    def take_answered(self) -> tuple[Job, ...]:
        """The jobs that were answered since the publisher asked last. They stay answered."""
        fresh, self._fresh = self._fresh, {}
        return tuple(fresh)

    def weigh(self, job: Job, size: int) -> None:
        """Its answer takes so many bytes until it is published."""
        if job in self:
            self.bytes_left -= size - job.end_bytes
            job.end_bytes = size

    def set_apart(self, job: Job) -> None:
        """Its answer is durable, and the store takes others' but not this one for now: it is not
        for a publisher that is behind. It counts by its bytes alone.
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
        """No new call shall begin."""
        self.draining = True

    def resume(self) -> None:
        """Calls may begin again."""
        self.draining = False
        self.heed()

    def heed(self) -> None:
        """More may begin than before, perhaps: who waits looks again."""
        for queue in self._queues.values():
            queue.wake()
        self.on_room()

    def leave_unbegun(self) -> None:
        """What no worker has begun is given back; a worker that only waits with one gives it up."""
        for job in self:
            if isinstance(job.place, Unrouted | Assigned):
                self.leave(job)
            elif isinstance(job.place, Held) and job.call_started is None and job.call is not None:
                job.call.cancel()

    # -- the providers

    def resize(self, provider: str, workers: int) -> None:
        """The provider, which may be a new one, is to have so many workers: at once no more calls
        than that begin. With 0 none does; what waits there is to be routed to another."""
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
        """Have its workers look up, each after the job that it has: `take` gives them none."""
        if (queue := self._queues.get(provider)) is not None:
            queue.rouse()

    def drop(self, provider: str) -> None:
        """It has no workers, and nothing waits for any."""
        assert not len(self._queues[provider])  # noqa: S101 - who drops it has looked
        del self._queues[provider]
        self.waiting_providers.discard(provider)

    # -- within

    def _withdraw(self, job: Job) -> None:
        """Take it out of where it is; it is to be put elsewhere, or out of the table."""
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
        if len(self._unrouted) == 1:  # it takes all that there are
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
