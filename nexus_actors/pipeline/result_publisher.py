"""Stage 5: end requests, a batch in one statement: result sent, message acknowledged, journal
closed.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import structlog
import trio

from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.result import Answer, Failure
from nexus_actors.pipeline.ending import finish
from nexus_actors.pipeline.in_work import InWork
from nexus_actors.pipeline.job import Job
from nexus_actors.pipeline.metrics import Metrics
from nexus_actors.pipeline.patience import Patience
from nexus_actors.pipeline.stage import Stage
from nexus_actors.storage.ports import RequestStore, StorageError, StorageRefused
from supervisors import ExitReason, Shutdown

log = structlog.get_logger("nexus.result_publisher")

FLUSH_TIMEOUT = 10.0
"""Seconds that a stop waits for the store to take what is finished."""


class ResultPublisher(Stage):
    """Takes finished jobs as they come. While one batch is being written, the next gathers.

    An answer stays in the in-work table until its transaction has committed: a database that is
    away, or a publisher that crashes, does not lose it. A batch that fails is halved, one that
    succeeds lets the next be twice as large: what the store refuses, or cannot do in its time, is
    soon alone, and the others get through.
    """

    def __init__(
        self,
        *,
        batch_size: int,
        store: RequestStore,
        in_work: InWork,
        metrics: Metrics,
        jobs: trio.MemoryReceiveChannel[Job],
    ) -> None:
        self._batch_size = batch_size
        self._store = store
        self._in_work = in_work
        self._metrics = metrics
        self._jobs = jobs
        self._size = batch_size
        self._pending: deque[Job] = deque()
        self._patience = Patience("ResultPublisher")
        self._idle = trio.Event()

    async def init(self) -> None:
        """Begin with what a predecessor did not get published."""
        self._pending.extend(self._in_work.answered())
        self.spawn_link(self._publish_all)

    async def terminate(self, reason: ExitReason) -> None:
        """On an orderly shutdown, publish what is finished, unless the store has ended already."""
        if isinstance(reason, Shutdown) and not self._store.closed:
            with trio.move_on_after(FLUSH_TIMEOUT):
                while self._in_work.answered():
                    self._idle = trio.Event()
                    await self._idle.wait()
        if left := len(self._in_work.answered()):
            log.error("stopped with unpublished answers", requests=left)

    async def _publish_all(self) -> None:
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
        leases = {job: job.lease for job in jobs}
        try:
            ended = await self._store.finish([finish(job) for job in jobs])
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
            await self._patience.failed(error)
        else:
            self._patience.worked()
            self._size = min(2 * self._size, self._batch_size)
            for job, lease in leases.items():
                if lease in ended or job.lease == lease:
                    self._ended(job, published=lease in ended)
                else:  # its lease had lapsed, and this process has taken it anew meanwhile
                    self._pending.append(job)

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
