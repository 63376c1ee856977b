"""Stage 5: end requests, a batch in one statement: result sent, message acknowledged, journal
closed.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import structlog
import trio

from nexus_actors.contract.encode import decode_result
from nexus_actors.contract.errors import ErrorType, Refusal
from nexus_actors.contract.result import Answer, Failure, LLMResult
from nexus_actors.failpoints import reached
from nexus_actors.pipeline.ending import finish, size
from nexus_actors.pipeline.evidence import replacement
from nexus_actors.pipeline.in_work import InWork
from nexus_actors.pipeline.job import Job
from nexus_actors.pipeline.metrics import Metrics
from nexus_actors.pipeline.patience import Outages
from nexus_actors.pipeline.stage import Stage
from nexus_actors.storage.ports import (
    AnswerSpool,
    Finish,
    Lease,
    RequestStore,
    SpoolError,
    StorageError,
    StorageRefused,
)
from supervisors import ExitReason, Shutdown

log = structlog.get_logger("nexus.result_publisher")

FLUSH_TIMEOUT = 10.0
"""Seconds that a stop waits for the store to take what is finished."""
SLOW = 0.25
"""Seconds after which answers that the store has not taken are kept on this machine."""
BATCH_BYTES = 16 * 2**20
"""That many bytes of answers go into one statement, or one answer."""
FIRST_HOLD = 0.25
LONGEST_HOLD = 5.0
"""Seconds until one of the answers that the store refuses for no fault of theirs is tried again."""


class ResultPublisher(Stage):
    """Takes finished jobs as they come. While one batch is being written, the next gathers.

    An answer stays in the in-work table until its transaction has committed: a publisher that
    crashes does not lose it. One that the store does not take at once goes to the spool besides, so
    that no kill loses it either; what an earlier process left there is published before anything
    is leased. A batch that fails is halved, one that succeeds lets the next be twice as large: what
    the store refuses, or cannot do in its time, is soon alone, and the others get through.

    What is refused alone is replaced only if a placeholder is not, twice (`evidence.py`). Else it
    is held, with others of its kind, until the first of them gets through.

    What is in the spool is not bought again: whoever leased it meanwhile, while the store or we
    were away, loses it (`RequestStore.reclaim`). If that one was quicker, our attempts are recorded
    all the same, for what they cost.
    """

    def __init__(
        self,
        *,
        batch_size: int,
        store: RequestStore,
        spool: AnswerSpool,
        in_work: InWork,
        metrics: Metrics,
        outages: Outages,
        jobs: trio.MemoryReceiveChannel[Job],
    ) -> None:
        self._batch_size = batch_size
        self._store = store
        self._spool = spool
        self._in_work = in_work
        self._metrics = metrics
        self._jobs = jobs
        self._size = batch_size
        self._pending: deque[Job] = deque()
        self._held: dict[Job, None] = {}
        self._hold = FIRST_HOLD
        self._hold_until = 0.0
        self._probe: Job | None = None
        """The one of those held that is being tried."""
        self._suspect: Job | None = None
        """One that was refused while a placeholder was not."""
        self._patience = outages.patience("ResultPublisher")
        self._idle = trio.Event()
        self._spool_failed = False

    async def init(self) -> None:
        """Begin with what a predecessor did not get published."""
        self._pending.extend(self._in_work.answered())
        self.spawn_link(self._publish_all)

    async def terminate(self, reason: ExitReason) -> None:
        """On an orderly shutdown, publish what is finished, unless the store has ended already, or
        is away and all is kept for the next start."""
        if isinstance(reason, Shutdown) and not self._store.closed:
            with trio.move_on_after(FLUSH_TIMEOUT):
                while self._in_work.answered() and not (self._patience.tried and self._all_kept()):
                    self._idle = trio.Event()
                    await self._idle.wait()
        if left := len(self._in_work.answered()):
            await self._keep()
            kept = sum(job.request_id in self._spool for job in self._in_work.answered())
            log.error("stopped with unpublished answers", requests=left, kept_for_next_start=kept)

    async def _publish_all(self) -> None:
        if not self._in_work.recovered:
            await self._recover()
        while True:
            if not self._pending:
                with trio.move_on_at(self._hold_until if self._held else math.inf):
                    self._pending.append(await self._jobs.receive())
            self._gather()
            if batch := self._batch():
                await self._publish(batch)
            self._idle.set()

    def _gather(self) -> None:
        while True:
            try:
                self._pending.append(self._jobs.receive_nowait())
            except trio.WouldBlock:
                return

    def _batch(self) -> list[Job]:
        """The next few, each once: a job may come from the table and from the channel. Or one of
        those held, alone, when it is time."""
        self._probe = None
        if self._held and trio.current_time() >= self._hold_until:
            self._probe = next(iter(self._held))
            del self._held[self._probe]
            return [self._probe] if self._probe in self._in_work else []
        batch: dict[Job, None] = {}
        together = 0
        while self._pending and len(batch) < self._size:
            job = self._pending[0]
            if job in self._in_work and job not in batch and job not in self._held:
                self._encode(job)
                together += job.end_bytes
                if batch and together > BATCH_BYTES:
                    break
                batch[job] = None
            self._pending.popleft()
        return list(batch)

    def _encode(self, job: Job) -> Finish:
        """How it ends; what that takes counts as memory from now on."""
        fresh = job.end is None
        end = finish(job)
        if fresh:
            self._in_work.weigh(job, size(end))
        return end

    async def _publish(self, jobs: Sequence[Job]) -> None:
        try:
            ended, leases = await self._finish(jobs)
            lost = [job for job, lease in leases.items() if lease not in ended]
            await self._lose([job for job in lost if job.lease == leases[job]])
        except StorageRefused as error:
            if len(jobs) == 1:
                await self._alone(jobs[0], error)
            else:
                self._pending.extendleft(reversed(jobs))
            self._size = max(1, len(jobs) // 2)
        except StorageError as error:
            await self._unavailable(jobs, error)
        else:
            if self._probe is not None:  # what was held for is over
                self._pending.extend(self._held)
                self._held.clear()
                self._hold = FIRST_HOLD
            if not self._held:
                self._patience.worked()
            self._size = min(2 * self._size, self._batch_size)
            for job, lease in leases.items():
                if lease in ended:
                    self._in_work.remove(job)
                    self._metrics.track(job)
                elif job in self._in_work:  # leased anew meanwhile, by whichever way
                    self._pending.append(job)
            await self._forget([job.request_id for job in leases if job not in self._in_work])

    async def _unavailable(self, jobs: Sequence[Job], error: StorageError) -> None:
        self._pending.extendleft(reversed(jobs))
        self._size = max(1, len(jobs) // 2)
        if len(jobs) == 1:  # perhaps it is this one that the store cannot do in its time
            self._pending.rotate(-1)
            log.warning("not published yet", request_id=jobs[0].request_id, error=str(error))
        await self._keep()
        await self._patience.failed(error)

    async def _finish(self, jobs: Sequence[Job]) -> tuple[set[Lease], dict[Job, Lease]]:
        """Which leases were ended, and under which lease each job was to be."""
        kept = {job.request_id: job for job in jobs if job.request_id in self._spool}
        error: StorageError | None = None
        ended: set[Lease] = set()
        leases: dict[Job, Lease] = {}
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_while_slow)
            try:
                await self._reclaim(kept.values())
                leases = {job: job.lease for job in jobs}
                reached("before_finish")
                ended = await self._store.finish([self._encode(job) for job in jobs])
                reached("after_finish")
            except StorageError as caught:
                error = caught
            nursery.cancel_scope.cancel()
        if error is not None:
            raise error
        return ended, leases

    async def _reclaim(self, jobs: Iterable[Job]) -> None:
        """Take back the leases of those that have not ended."""
        wanted = {str(job.request_id): job for job in jobs}
        requests = {request_id: job.lease.msg_id for request_id, job in wanted.items()}
        for request_id, lease in (await self._store.reclaim(requests)).items():
            self._in_work.renew(wanted[request_id], lease)

    async def _lose(self, jobs: Sequence[Job]) -> None:
        """Their leases were lost. An answer takes its request back; if that has ended, what was
        paid for is recorded.
        """
        if not jobs:
            return
        before = {job: job.lease for job in jobs}
        await self._reclaim(
            job for job in jobs if job.request_id is not None and isinstance(job.outcome, Answer)
        )
        gone = [job for job in jobs if job.lease == before[job]]
        await self._record_late([self._encode(job) for job in gone])
        for job in gone:
            self._in_work.remove(job)
            log.warning("lease was lost, result dropped", request_id=job.request_id)

    async def _record_late(self, ends: Sequence[Finish]) -> None:
        try:
            await self._store.record_late(ends)
        except StorageRefused as error:
            log.warning("attempts not recorded", requests=len(ends), error=str(error))

    async def _keep_while_slow(self) -> None:
        while True:
            await trio.sleep(SLOW)
            await self._keep()

    async def _keep(self) -> None:
        """Make durable here what the store has not taken yet."""
        for jobs in self._chunks(
            [job for job in self._in_work.answered() if job.request_id not in self._spool]
        ):
            answers = [it for it in map(self._encode, jobs) if it.result is not None]
            try:
                await self._spool.keep(answers)
            except SpoolError as error:
                if not self._spool_failed:
                    log.warning("answers are in memory only", error=str(error))
                self._spool_failed = True
            else:
                self._spool_failed = False

    def _chunks(self, jobs: Sequence[Job]) -> Iterator[list[Job]]:
        """A few at a time, so that encoding them leaves the others their turns."""
        chunk: list[Job] = []
        together = 0
        for job in jobs:
            self._encode(job)
            chunk.append(job)
            together += job.end_bytes
            if together > BATCH_BYTES:
                yield chunk
                chunk, together = [], 0
        if chunk:
            yield chunk

    def _all_kept(self) -> bool:
        return all(job.request_id in self._spool for job in self._in_work.answered())

    async def _forget(self, request_ids: Sequence[str | None]) -> None:
        try:
            await self._spool.discard([it for it in request_ids if it is not None])
        except SpoolError as error:  # the next start says them again, which changes nothing
            log.warning("published answers stay in the spool", error=str(error))

    # -- what the store refuses

    async def _alone(self, job: Job, error: StorageRefused) -> None:
        """The store has refused this one by itself."""
        try:
            instead = await replacement(self._store, self._encode(job), error)
            if instead is None:
                await self._lose([job])
        except StorageRefused as condition:
            await self._hold_back(job, condition)
        except StorageError as away:
            await self._unavailable([job], away)
        else:
            if job not in self._in_work:
                await self._forget([job.request_id])
            elif instead is not None and self._suspect is job:
                self._replace(job, instead, error)
            self._suspect = job
            self._pending.appendleft(job)

    async def _hold_back(self, job: Job, condition: StorageRefused) -> None:
        """Not for what it says: it waits, durable, for the condition to be over."""
        if self._probe is job:
            self._hold = min(2 * self._hold, LONGEST_HOLD)
        if self._probe is job or not self._held:
            self._hold_until = trio.current_time() + self._hold
        self._held[job] = None
        self._patience.note(condition)
        await self._keep()

    def _replace(self, job: Job, instead: Finish, error: StorageRefused) -> None:
        log.error("the store refused a result", request_id=job.request_id, error=str(error))
        job.end = instead
        self._in_work.weigh(job, size(instead))
        if not instead.succeeded and isinstance(job.outcome, Answer):
            job.outcome = Failure(
                type=ErrorType.UNSTORABLE_RESULT,
                message=f"the answer could not be stored: {error}",
                retryable=False,
                provider=instead.provider,
            )

    # -- what an earlier process left

    async def _recover(self) -> None:
        """Publish what an earlier process was answered and could not publish."""
        known = {job.request_id for job in self._in_work.answered()}
        left = deque(it for it in self._spool.unpublished() if it.request_id not in known)
        while left:
            answers: list[Finish] = []
            while left and len(answers) < self._size:
                if answers and sum(map(size, answers)) + size(left[0]) > BATCH_BYTES:
                    break
                answers.append(left.popleft())
            try:
                await self._republish(answers)
            except StorageRefused:
                self._size = max(1, len(answers) // 2)
                left.extendleft(reversed(answers))
            except StorageError as error:
                left.extendleft(reversed(answers))
                await self._patience.failed(error)
            else:
                self._patience.worked()
        self._in_work.recovered = True
        self._in_work.on_room()

    async def _republish(self, answers: Sequence[Finish]) -> None:
        leases = await self._store.reclaim({str(it.request_id): it.lease.msg_id for it in answers})
        ends = [replace(it, lease=leases.get(str(it.request_id), it.lease)) for it in answers]
        try:
            ended = await self._store.finish(ends)
            left = {str(it.request_id): it for it in ends if it.lease not in ended}
            again = await self._store.reclaim({name: it.lease.msg_id for name, it in left.items()})
            late = [it for name, it in left.items() if name not in again]
            await self._record_late(late)
        except StorageRefused:
            if len(ends) > 1:
                raise
            self._adopt(ends[0])
        else:
            log.info("answers of an earlier run published", requests=len(ended), late=len(late))
            for name, lease in again.items():  # leased by another between our two statements
                self._adopt(replace(left[name], lease=lease))
            await self._forget([it.request_id for it in answers if it.request_id not in again])

    def _adopt(self, end: Finish) -> None:
        """Take one that is refused alone into work, as if it had been answered now: what is to be
        done with it is found out as for any other, and others are leased meanwhile.
        """
        result = decode_result(end.result)
        job = Job(
            lease=end.lease,
            body=Refusal(type=ErrorType.INVALID_REQUEST, message="answered by an earlier process"),
            request_id=end.request_id,
            prior_attempts=end.attempt_count - len(end.attempts),
            prior_spared=end.spared_count,
            attempts=list(end.attempts),
            end=end,
        )
        self._in_work.add(job)
        self._in_work.weigh(job, size(end))
        self._in_work.answer(
            job,
            result.outcome
            if isinstance(result, LLMResult)
            else Failure(type=ErrorType.INTERNAL_ERROR, message=result, retryable=False),
        )
        self._pending.append(job)
