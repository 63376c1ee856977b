"""Stage 5: end requests, a batch in one statement: result sent, message acknowledged, journal
closed.
"""

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import replace

import structlog
import trio

from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.result import Answer, Failure
from nexus_actors.failpoints import reached
from nexus_actors.pipeline.ending import finish
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


class ResultPublisher(Stage):
    """Takes finished jobs as they come. While one batch is being written, the next gathers.

    An answer stays in the in-work table until its transaction has committed: a publisher that
    crashes does not lose it. One that the store does not take at once goes to the spool besides, so
    that no kill loses it either; what an earlier process left there is published before anything
    is leased. A batch that fails is halved, one that succeeds lets the next be twice as large: what
    the store refuses, or cannot do in its time, is soon alone, and the others get through.

    What is in the spool is not bought again: whoever leased it meanwhile, while the store or we
    were away, loses it (`RequestStore.reclaim`).
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
        """The next few, each once: a job may come from the table and from the channel."""
        batch: dict[Job, None] = {}
        while self._pending and len(batch) < self._size:
            job = self._pending.popleft()
            if job in self._in_work:
                batch[job] = None
        return list(batch)

    async def _publish(self, jobs: Sequence[Job]) -> None:
        try:
            ended, leases = await self._finish(jobs)
        except StorageRefused as error:
            self._pending.extendleft(reversed(jobs))
            if len(jobs) == 1:
                await self._refused(jobs[0], error)
            self._size = max(1, len(jobs) // 2)
        except StorageError as error:
            self._pending.extendleft(reversed(jobs))
            self._size = max(1, len(jobs) // 2)
            if len(jobs) == 1:  # perhaps it is this one that the store cannot do in its time
                self._pending.rotate(-1)
                log.warning("not published yet", request_id=jobs[0].request_id, error=str(error))
            await self._keep()
            await self._patience.failed(error)
        else:
            self._patience.worked()
            self._size = min(2 * self._size, self._batch_size)
            for job, lease in leases.items():
                if lease in ended or job.lease == lease:
                    self._ended(job, published=lease in ended)
                else:  # its lease had lapsed, and this process has taken it anew meanwhile
                    self._pending.append(job)
            await self._forget([job.request_id for job in leases if job not in self._in_work])

    async def _finish(self, jobs: Sequence[Job]) -> tuple[set[Lease], dict[Job, Lease]]:
        """Which leases were ended, and under which lease each job was to be."""
        kept = {job.request_id: job for job in jobs if job.request_id in self._spool}
        error: StorageError | None = None
        ended: set[Lease] = set()
        leases: dict[Job, Lease] = {}
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_while_slow)
            try:
                anew = await self._store.reclaim(
                    {str(name): job.lease.msg_id for name, job in kept.items()}
                )
                for request_id, lease in anew.items():
                    self._in_work.renew(kept[request_id], lease)
                leases = {job: job.lease for job in jobs}
                reached("before_finish")
                ended = await self._store.finish([finish(job) for job in jobs])
                reached("after_finish")
            except StorageError as caught:
                error = caught
            nursery.cancel_scope.cancel()
        if error is not None:
            raise error
        return ended, leases

    async def _keep_while_slow(self) -> None:
        while True:
            await trio.sleep(SLOW)
            await self._keep()

    async def _keep(self) -> None:
        """Make durable here what the store has not taken yet."""
        fresh = [job for job in self._in_work.answered() if job.request_id not in self._spool]
        answers = [it for it in map(finish, fresh) if it.result is not None]
        try:
            await self._spool.keep(answers)
        except SpoolError as error:
            if not self._spool_failed:
                log.warning("answers are in memory only", answers=len(answers), error=str(error))
            self._spool_failed = True
        else:
            self._spool_failed = False

    def _all_kept(self) -> bool:
        return all(job.request_id in self._spool for job in self._in_work.answered())

    def _recoverable(self, stuck: Collection[str | None]) -> list[Finish]:
        return [it for it in self._spool.unpublished() if it.request_id not in stuck]

    async def _forget(self, request_ids: Sequence[str | None]) -> None:
        try:
            await self._spool.discard([it for it in request_ids if it is not None])
        except SpoolError as error:  # the next start says them again, which changes nothing
            log.warning("published answers stay in the spool", error=str(error))

    async def _recover(self) -> None:
        """Publish what an earlier process was answered and could not publish."""
        size, stuck = self._batch_size, set[str | None]()
        while answers := self._recoverable(stuck)[:size]:
            requests = {str(it.request_id): it.lease.msg_id for it in answers}
            try:
                leases = await self._store.reclaim(requests)
                ended = await self._store.finish(
                    [replace(it, lease=leases.get(str(it.request_id), it.lease)) for it in answers]
                )
            except StorageRefused as error:
                if size == 1:
                    stuck.update(requests)
                    log.warning("a kept answer is refused", answer=[*requests], error=str(error))
                size = 1
            except StorageError as error:
                await self._patience.failed(error)
            else:
                self._patience.worked()
                log.info(
                    "answers of an earlier run published",
                    requests=len(ended),
                    not_ours_any_more=len(answers) - len(ended),
                )
                await self._forget(list(requests))
        self._in_work.recovered = True
        self._in_work.on_room()

    async def _refused(self, job: Job, error: StorageRefused) -> None:
        """An answer that the store cannot hold becomes a failure that says so."""
        log.error("the store refused a result", request_id=job.request_id, error=str(error))
        if isinstance(job.outcome, Answer):
            job.outcome = Failure(
                type=ErrorType.UNSTORABLE_RESULT,
                message=f"the answer could not be stored: {error}",
                retryable=False,
                provider=job.outcome.provider,
            )
        else:  # nor that: without what an adapter may have told wrongly, and others first
            job.attempts = [replace(one, cost=None, error=None) for one in job.attempts]
            job.steps = [replace(step, detail=None) for step in job.steps]
            self._pending.rotate(-1)
            await self._patience.failed(error)

    def _ended(self, job: Job, *, published: bool) -> None:
        self._in_work.remove(job)
        if published:
            self._metrics.track(job)
        else:
            log.warning("lease was lost, result dropped", request_id=job.request_id)
