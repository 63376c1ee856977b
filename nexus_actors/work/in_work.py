"""The in-work table: every request this process holds a lease of, and where it stands.

A passive object, made once in `application.py` and handed to every stage, as an ETS table owned by
the root would be: it outlives each stage, so a stage that is restarted finds here what its
predecessor held. All methods are synchronous. A stage changes the table and hands the job on
without a checkpoint between, so a kill never finds a job between two places.

Demand comes from here too. A lane has `pool_size` slots and a waiting room of the same size: enough
that a worker never waits for the database, small enough that nothing is hoarded which another
process could start at once.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

import trio

from nexus_actors.contract.result import Answer, Failure
from nexus_actors.storage.ports import Lease
from nexus_actors.work.job import Job, Key
from supervisors import ActorRef


class InWork:
    """Jobs by message, by lane, and those that have their outcome.

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
        self._pool_sizes = dict(pool_sizes)
        self._jobs: dict[Key, Job] = {}
        self._lanes: dict[str, dict[Key, Job]] = {name: {} for name in pool_sizes}
        self._running: set[Key] = set()
        self._answered: dict[Key, Job] = {}
        self._apart: set[Key] = set()
        self._unrouted: dict[Key, Job] = {}
        self._leaving: dict[Key, Job] = {}
        self.bytes_left = memory_bytes
        """What further messages and answers may take; below 0 after one that was larger."""
        self.draining = False
        """The pipeline is being stopped: no new call shall begin."""
        self.inherited = True
        """Leases of an earlier process of this instance may exist: nobody has looked yet."""
        self.recovered = False
        """What an earlier process of this instance was answered is published: until then nothing
        may be leased, or it would be bought again."""
        self.waiting_lanes: set[str] = set(pool_sizes)
        """Lanes for which requests may be waiting in the store; at first, any."""
        self.keys_held: dict[str, Callable[[float], Mapping[str, str]]] = {}
        """For each provider, its keys that are not used at present, and why; for `nexus status`."""
        self.on_room: Callable[[], None] = lambda: None
        self.on_rest: Callable[[], None] = lambda: None
        self._backlog = sum(self.capacity(lane) for lane in pool_sizes)
        self._limit = batch_size + 2 * self._backlog

    # -- looking

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, job: Job) -> bool:
        return self._jobs.get(job.key) is job

    def __iter__(self) -> Iterator[Job]:
        return iter(tuple(self._jobs.values()))

    def get(self, msg_id: int, request_id: str | None) -> Job | None:
        """The job of this request in this message, if this process works on it.

        A number may be another message's by now: after a failover a sequence may begin anew.
        """
        return self._jobs.get((msg_id, request_id))

    def lane(self, name: str) -> tuple[Job, ...]:
        """The jobs of one lane without an outcome, oldest first."""
        return tuple(self._lanes[name].values())

    def is_unrouted(self, job: Job) -> bool:
        """Whether this very job waits for the Router."""
        return self._unrouted.get(job.key) is job

    def unrouted(self) -> tuple[Job, ...]:
        """The jobs that wait for the Router."""
        return tuple(self._unrouted.values())

    def leaving(self) -> tuple[Job, ...]:
        """The jobs that are being given back."""
        return tuple(self._leaving.values())

    def answered(self) -> tuple[Job, ...]:
        """The jobs that have their outcome and wait for the ResultPublisher."""
        return tuple(self._answered.values())

    @property
    def running(self) -> int:
        """Calls being made now, pauses between retries included."""
        return len(self._running)

    def capacity(self, lane: str) -> int:
        """Slots and waiting room together."""
        return 2 * self._pool_sizes[lane]

    def slots(self, lane: str) -> int:
        """How many of the lane's jobs may be called for at once."""
        return self._pool_sizes[lane]

    def set_slots(self, lane: str, calls: int) -> None:
        """The provider bears so many calls at once now; what is in the lane already stays there."""
        wanted = self._wants(lane)
        self._pool_sizes[lane] = calls
        if not wanted and self._wants(lane):
            self.on_room()

    def room(self, lane: str) -> int:
        """How many jobs more the lane can take."""
        return self.capacity(lane) - len(self._lanes[lane])

    def demand(self) -> dict[str, int]:
        """How many jobs each lane wants now; lanes that want none are absent.

        A lane asks for more when half of its waiting room is empty, not at each job that leaves:
        the store is then asked for batches.
        """
        if self.is_full:
            return {}  # the publisher is behind: paid answers must not pile up without bound
        return {lane: self.room(lane) for lane in self._lanes if self._wants(lane)}

    @property
    def is_full(self) -> bool:
        """Whether too much waits for the publisher, or takes the memory, for more to be leased."""
        waiting = len(self._answered) - len(self._apart)
        return waiting >= self._backlog or self.bytes_left <= 0

    @property
    def places(self) -> int:
        """How many jobs more there can be: what the lanes take, as many answers not yet published,
        and a batch on its way back; those set apart besides.
        """
        return self._limit - len(self._jobs) + len(self._apart)

    def _wants(self, lane: str) -> bool:
        size = self._pool_sizes[lane]
        return len(self._lanes[lane]) <= size + size // 2

    def quantity(self) -> int:
        """How many jobs to lease now: what the lanes want and nobody is on the way to yet, and as
        many again as are just going back to wait.

        The latter is for a queue that begins with requests for a full lane: each look at it is
        then deeper, until it finds those of others.
        """
        wanted = sum(self.demand().values())
        if wanted == 0:
            return 0
        return min(wanted - len(self._unrouted) + len(self._leaving), self.places)

    # -- the way of a job

    def add(self, job: Job) -> None:
        """A lease was taken: the job waits for the Router, or for the publisher if it has its
        outcome.
        """
        self._jobs[job.key] = job
        self.bytes_left -= job.size
        self._unrouted[job.key] = job

    def renew(self, job: Job, lease: Lease) -> bool:
        """The same message was leased again by this process: work on it goes on under the newer
        lease.

        False if the job was being given back: then it is gone, and the new lease begins a new job.
        """
        if job.leaving:
            self.remove(job)
            return False
        job.lease = lease
        return True

    def enter_lane(self, job: Job, lane: str) -> None:
        """The Router chose this lane."""
        self._unrouted.pop(job.key, None)
        self._lanes[lane][job.key] = job
        job.lane = lane

    def leave_lane(self, job: Job) -> None:
        """Back to the Router: the candidate is used up, or the lane has no place for it."""
        self._release(job)
        self._unrouted[job.key] = job

    def leave(self, job: Job) -> None:
        """It is being given back. It stays in the table until the store has said so, since nobody
        knows of a statement that was cut off whether it was carried out.
        """
        self._release(job)
        self._unrouted.pop(job.key, None)
        job.leaving = True
        self._leaving[job.key] = job

    def start(self, job: Job, worker: ActorRef) -> bool:
        """The worker takes the job; False if there is nothing to do for it any more."""
        idle = job in self and job.lane is not None and job.holder is None
        if not idle or self.draining:
            return False
        job.holder = worker
        self._running.add(job.key)
        return True

    def stop(self, job: Job) -> None:
        """The worker lost the job without an outcome (it crashed): the job stays in its lane."""
        job.holder = None
        job.call = None
        if job.key in self._running:
            self._running.remove(job.key)
            if not self._running:
                self.on_rest()

    def answer(self, job: Job, outcome: Answer | Failure) -> None:
        """The job has its outcome and leaves its lane."""
        self._release(job)
        self._unrouted.pop(job.key, None)
        job.outcome = outcome
        job.finished_at = datetime.now(UTC)
        seconds = job.leased_before + trio.current_time() - job.leased_at
        job.latency_ms = round(seconds * 1000)
        self._answered[job.key] = job

    def weigh(self, job: Job, size: int) -> None:
        """Its answer takes so many bytes until it is published."""
        if job in self:
            self.bytes_left -= size - job.end_bytes
            job.end_bytes = size

    def set_apart(self, job: Job) -> None:
        """Its answer is durable, and the store takes others' but not this one for now: it is not
        for a publisher that is behind. It counts by its bytes alone.
        """
        if self._answered.get(job.key) is job:
            was_full = self.is_full
            self._apart.add(job.key)
            if was_full and not self.is_full:
                self.on_room()

    def remove(self, job: Job) -> None:
        """The request ended, or its lease was given back or lost."""
        if job in self:
            was_full = self.is_full
            self.bytes_left += job.size + job.end_bytes
            self._release(job)
            self._unrouted.pop(job.key, None)
            self._leaving.pop(job.key, None)
            self._answered.pop(job.key, None)
            self._apart.discard(job.key)
            del self._jobs[job.key]
            if was_full and not self.is_full:
                self.on_room()

    def _release(self, job: Job) -> None:
        self.stop(job)
        job.queued_in = None
        if job.lane is not None:
            lane = self._lanes[job.lane]
            wanted = self._wants(job.lane)
            lane.pop(job.key, None)
            if not wanted and self._wants(job.lane):
                self.on_room()
            job.lane = None
