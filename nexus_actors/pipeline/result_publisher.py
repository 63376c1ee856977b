"""Stage 5: ends requests in batches. One statement stores the results, acknowledges the messages
and closes the journal rows."""

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from weakref import WeakKeyDictionary, WeakSet

import structlog
import trio

from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.result import Answer, Failure
from nexus_actors.failpoints import reached
from nexus_actors.pipeline.held_answers import HeldAnswers
from nexus_actors.pipeline.stage import Stage
from nexus_actors.shared import Shared
from nexus_actors.storage.errors import StorageError, StorageRefused, StorageStrained
from nexus_actors.storage.refused_answers import others_pass, replacement
from nexus_actors.storage.requests import Finish, Lease
from nexus_actors.work.ending import size
from nexus_actors.work.job import Job
from nexus_actors.work.kept_answers import BATCH_BYTES, KeptAnswers
from supervisors import ExitReason, Shutdown, Status

log = structlog.get_logger("nexus.result_publisher")

FLUSH_TIMEOUT = 10.0
"""Seconds that a stop waits for the store to take the finished requests."""
SLOW = 0.25
"""Seconds after which answers that the store has not taken are spooled to disk."""


class ResultPublisher(Stage):
    """Takes finished jobs as they come. While one batch is being written, the next one gathers.

    An answer stays in the in-work table until its transaction has committed, so a crash of the
    publisher does not lose it. An answer that the store does not take at once is also spooled to
    disk, so a kill does not lose it either. What an earlier process left in the spool is published
    before anything is leased.

    A batch that fails is halved; after one that succeeds, the next may be twice as large. So a
    result that the store refuses is soon alone, and the others get through. The jobs of a batch
    that timed out are *doubtful*: each is tried alone, alternating with new batches, since another
    batch of them would cost a timeout again.

    A result that is refused alone is replaced only if the store accepts a placeholder instead,
    twice (see `storage/refused_answers.py`). Otherwise it is *held* (`held_answers.py`) until one
    of its kind gets through. A result that times out alone is held, too, if others got through
    since it first failed. One of each kind is tried from time to time. Held results do not keep
    requests from being leased, once they are spooled and the store is seen to take others.

    A spooled answer is not paid for twice: if another process leased the request meanwhile, the
    lease is taken back (`RequestStore.reclaim`). If that process has already ended the request, our
    attempts are still recorded, for their cost.
    """

    def __init__(self, shared: Shared, answered: trio.MemoryReceiveChannel[None]) -> None:
        self._shared = shared
        self._store = shared.store
        self._in_work = shared.in_work
        self._metrics = shared.metrics
        self._answered = answered
        self._size = shared.settings.queue.batch_size
        self._pending: deque[Job] = deque()
        self._kept = KeptAnswers(shared.spool, shared.in_work)
        self._refused = HeldAnswers()
        self._slow = HeldAnswers()
        """Results on which the store times out. Kept apart, since trying one takes long."""
        self._suspects: WeakSet[Job] = WeakSet()
        """Jobs whose result was refused once while a placeholder was accepted."""
        self._failed: WeakKeyDictionary[Job, int] = WeakKeyDictionary()
        """Doubtful jobs, with the value of `_passes` when they first failed."""
        self._doubtful: deque[Job] = deque()
        """Doubtful jobs that are to be tried next."""
        self._passes = 0
        """How many statements have ended at least one request."""
        self._passed: Finish | None = None
        """A result that was stored by the last successful statement."""
        self._unproven: dict[Job, None] = {}
        """Jobs that were held after the last success: it is not known that others get through."""
        self._earlier: set[Job] = set()
        """Answers of an earlier process that are neither published nor held yet."""
        self._waiting = trio.CancelScope()
        self._patience = shared.outages.patience("ResultPublisher")
        self._idle = trio.Event()

    @property
    def _batch_size(self) -> int:
        return self._shared.settings.queue.batch_size

    def format_status(self, status: Status) -> Status:
        """Counts and names only: nothing that a request contains."""
        return replace(
            status.shapes(),
            state={
                "pending": len(self._pending),
                "answered": len(self._in_work.answered()),
                "batch_size": self._size,
                "doubtful": len(self._doubtful),
                "unproven": len(self._unproven),
                "of_an_earlier_process": len(self._earlier),
                "passes": self._passes,
                "store_away": self._patience.tried,
            },
        )

    async def init(self) -> None:
        """Begin with what a predecessor, or an earlier process, did not publish."""
        if not self._in_work.recovered:
            self._kept.adopt()
            for job in self._in_work.answered():
                self._shared.leased(job, None)
            self._earlier.update(self._in_work.answered())
        self._in_work.take_answered()
        self._pending.extend(self._in_work.answered())
        self._settle(())
        self.spawn_link(self._publish_all)
        self.spawn_link(self._try_again, self._refused)
        self.spawn_link(self._try_again, self._slow)

    async def terminate(self, reason: ExitReason) -> None:
        """On an orderly shutdown, publish what is finished, unless the store is already closed, or
        is away and everything is spooled for the next start."""
        if isinstance(reason, Shutdown) and not self._store.closed:
            with trio.move_on_after(FLUSH_TIMEOUT):
                while self._in_work.answered() and not (
                    self._patience.tried and self._kept.has_all()
                ):
                    self._idle = trio.Event()
                    await self._idle.wait()
        if left := len(self._in_work.answered()):
            await self._kept.keep()
            kept = self._kept.count()
            log.error("stopped with unpublished answers", requests=left, kept_for_next_start=kept)

    async def _publish_all(self) -> None:
        while True:
            if not self._pending and not self._doubtful:
                with trio.CancelScope() as self._waiting:
                    await self._answered.receive()
            self._pending.extend(self._in_work.take_answered())
            if batch := self._batch():
                await self._publish(batch)
            if self._doubtful:
                await self._publish_doubtful(self._doubtful.popleft())
            self._idle.set()

    def _settle(self, jobs: Iterable[Job]) -> None:
        """These jobs are published, held or lost. Leasing begins once no answer of an earlier
        process is left that might still be published at once."""
        if self._in_work.recovered:
            return
        self._earlier.difference_update(jobs)
        if not self._earlier:
            self._in_work.recovered = True
            self._in_work.on_room()

    async def _try_again(self, held: HeldAnswers) -> None:
        while True:
            job = await held.next()
            await self._try(job)
            if job not in self._in_work:
                held.discard(job)
            held.postpone(job)
            self._idle.set()

    async def _publish_doubtful(self, job: Job) -> None:
        if job in self._in_work and not self._is_held(job):
            self._kept.encode(job)
            await self._publish([job])

    def _batch(self) -> list[Job]:
        """The next batch. Doubtful jobs go to the queue of those that are tried alone."""
        batch: dict[Job, None] = {}
        together = 0
        while self._pending and len(batch) < min(self._size, self._batch_size):
            job = self._pending[0]
            if job in self._failed:
                self._doubtful.append(job)
            elif job in self._in_work and job not in batch and not self._is_held(job):
                self._kept.encode(job)
                together += job.end_bytes
                if batch and together > BATCH_BYTES:
                    break
                batch[job] = None
            self._pending.popleft()
        return list(batch)

    def _is_held(self, job: Job) -> bool:
        return job in self._refused or job in self._slow

    async def _publish(self, jobs: Sequence[Job]) -> None:
        try:
            await self._end(jobs)
        except StorageRefused as error:
            self._size = max(1, len(jobs) // 2)
            if len(jobs) == 1:
                await self._alone(jobs[0], error)
            else:
                self._pending.extendleft(reversed(jobs))
        except StorageError as error:
            strained = isinstance(error, StorageStrained)
            self._size = 1 if strained else max(1, len(jobs) // 2)
            await self._unavailable(jobs, error)
        else:
            self._size = min(2 * self._size, self._batch_size)

    async def _try(self, job: Job) -> None:
        """Try to publish a held result."""
        if job not in self._in_work:
            return
        try:
            await self._end([job])
        except StorageRefused as error:
            await self._alone(job, error)
        except StorageError as error:
            self._patience.note(error)

    async def _end(self, jobs: Sequence[Job]) -> None:
        ended, leases = await self._finish(jobs)
        lost = [job for job, lease in leases.items() if lease not in ended]
        await self._lose([job for job in lost if job.lease == leases[job]])
        if ended:
            self._got_through({job for job, lease in leases.items() if lease in ended})
        if not self._refused and not self._slow:
            self._patience.worked()
        for job in lost:
            if job in self._in_work and not self._is_held(job):
                self._pending.append(job)  # its lease was renewed or reclaimed meanwhile
        await self._kept.forget([job.request_id for job in leases if job not in self._in_work])

    def _got_through(self, ended: Collection[Job]) -> None:
        self._passes += 1
        last = next(iter(ended))
        self._passed = replace(self._kept.encode(last), attempts=(), steps=())
        for job in ended:
            self._let_go(job)
            self._in_work.remove(job)
            self._metrics.track(job)
            self._shared.left(job, "ended")
        self._settle(ended)
        self._set_apart()

    async def _unavailable(self, jobs: Sequence[Job], error: StorageError) -> None:
        if len(jobs) == 1 and (
            self._failed.setdefault(jobs[0], self._passes) < self._passes
            or (self._in_work.is_full and await self._others_pass(jobs[0]))
        ):
            # Others get through, so this result is at fault.
            await self._hold(jobs[0], self._slow, error)
            return
        if len(jobs) == 1 and isinstance(error, StorageStrained):
            self._settle(jobs)
        if len(jobs) == 1:
            log.warning("not published yet", **jobs[0].ids, error=str(error))
        elif isinstance(error, StorageStrained):
            self._failed.update(dict.fromkeys(jobs, self._passes))
        self._pending.extendleft(reversed(jobs))
        await self._kept.keep()
        await self._patience.failed(error)

    async def _finish(self, jobs: Sequence[Job]) -> tuple[set[Lease], dict[Job, Lease]]:
        """Reclaim and end. Returns the leases that were ended, and the lease used for each job."""
        kept = {job.request_id: job for job in jobs if job in self._kept}
        error: StorageError | None = None
        ended: set[Lease] = set()
        leases: dict[Job, Lease] = {}
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_while_slow)
            try:
                await self._reclaim(kept.values())
                leases = {job: job.lease for job in jobs}
                reached("before_finish")
                ended = await self._store.finish([self._kept.encode(job) for job in jobs])
                reached("after_finish")
            except StorageError as caught:
                error = caught
            nursery.cancel_scope.cancel()
        if error is not None:
            raise error
        return ended, leases

    async def _reclaim(self, jobs: Iterable[Job]) -> None:
        """Take back the leases of these requests, unless they have ended."""
        wanted = {str(job.request_id): job for job in jobs}
        requests = {request_id: job.lease.msg_id for request_id, job in wanted.items()}
        for request_id, lease in (await self._store.reclaim(requests)).items():
            self._in_work.renew(wanted[request_id], lease)

    async def _lose(self, jobs: Sequence[Job]) -> None:
        """Handle jobs whose leases were lost. For an answer, the lease is reclaimed. If the request
        has ended already, the attempts are recorded, for their cost.
        """
        if not jobs:
            return
        before = {job: job.lease for job in jobs}
        await self._reclaim(
            job for job in jobs if job.request_id is not None and isinstance(job.outcome, Answer)
        )
        gone = [job for job in jobs if job.lease == before[job]]
        try:
            await self._store.record_late([self._kept.encode(job) for job in gone])
        except StorageRefused as error:
            log.warning("attempts not recorded", requests=len(gone), error=str(error))
        for job in gone:
            self._in_work.remove(job)
            self._shared.left(job, "lost")
            self._metrics.leases_lost += 1
            log.warning("lease was lost, result dropped", **job.ids)
        self._settle(gone)

    async def _keep_while_slow(self) -> None:
        while True:
            await trio.sleep(SLOW)
            await self._kept.keep()

    # -- results that the store refuses

    async def _alone(self, job: Job, error: StorageRefused) -> None:
        """The store has refused this result in a batch of its own."""
        try:
            instead = await replacement(self._store, self._kept.encode(job), error)
            if instead is None:
                await self._lose([job])
        except StorageRefused as condition:
            await self._hold(job, self._refused, condition)
        except StorageError as away:
            if self._is_held(job):
                self._patience.note(away)
            else:
                await self._unavailable([job], away)
        else:
            self._let_go(job)
            if job not in self._in_work:
                await self._kept.forget([job.request_id])
            elif instead is not None:
                if job in self._suspects:
                    self._replace(job, instead, error)
                self._suspects.add(job)
            self._pending.appendleft(job)

    async def _hold(self, job: Job, held: HeldAnswers, condition: StorageError) -> None:
        """Hold a result whose content is not at fault: spool it, and wait for the condition to
        end."""
        for other in (self._refused, self._slow):
            if other is not held:
                other.discard(job)
        held.add(job, str(condition))
        self._suspects.discard(job)
        self._unproven[job] = None
        self._settle([job])
        self._patience.note(condition)
        await self._kept.keep([job])
        if self._in_work.is_full and await self._others_pass(job):
            self._set_apart()

    async def _others_pass(self, job: Job) -> bool:
        return await others_pass(self._store, self._kept.encode(job), self._passed)

    def _set_apart(self) -> None:
        """Others get through, so the spooled ones among the held no longer limit leasing."""
        for job in [it for it in self._unproven if it in self._kept or it not in self._in_work]:
            self._in_work.set_apart(job)
            del self._unproven[job]

    def _let_go(self, job: Job) -> None:
        """Release the job, and the others of its kind, if it was held."""
        self._failed.pop(job, None)
        if self._is_held(job):
            for held in (self._refused, self._slow):
                self._pending.extend(held.release(job))
            if condition := self._refused.condition or self._slow.condition:
                self._patience.note(StorageError(condition))  # one that still lasts
            self._waiting.cancel()

    def _replace(self, job: Job, instead: Finish, error: StorageRefused) -> None:
        log.error("the store refused a result", **job.ids, error=str(error))
        job.end = instead
        self._in_work.weigh(job, size(instead))
        if not instead.succeeded and isinstance(job.outcome, Answer):
            job.outcome = Failure(
                type=ErrorType.UNSTORABLE_RESULT,
                message=f"the answer could not be stored: {error}",
                retryable=False,
                provider=job.outcome.provider,
            )
