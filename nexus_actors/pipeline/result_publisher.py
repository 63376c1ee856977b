"""Stage 5: end requests, a batch in one statement: result sent, message acknowledged, journal
closed.
"""

from collections.abc import Sequence

import structlog
import trio

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
    away, or a publisher that crashes, does not lose it.
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
        self._patience = Patience("ResultPublisher")
        self._idle = trio.Event()

    async def init(self) -> None:
        """Begin with what a predecessor did not get published."""
        self.spawn_link(self._publish_all)

    async def terminate(self, reason: ExitReason) -> None:
        """On an orderly shutdown, publish what is finished."""
        if isinstance(reason, Shutdown):
            with trio.move_on_after(FLUSH_TIMEOUT):
                while self._in_work.answered():
                    self._idle = trio.Event()
                    await self._idle.wait()
            if left := len(self._in_work.answered()):
                log.error("answers could not be published before the stop", requests=left)

    async def _publish_all(self) -> None:
        await self._publish(self._in_work.answered())
        while True:
            batch = [await self._jobs.receive()]
            while len(batch) < self._batch_size:
                try:
                    batch.append(self._jobs.receive_nowait())
                except trio.WouldBlock:
                    break
            await self._publish(batch)

    async def _publish(self, jobs: Sequence[Job]) -> None:
        """End these jobs, however long the store is away.

        If the store refuses the batch, each job is tried by itself, so that one answer that cannot
        be stored harms no other.
        """
        jobs = [job for job in jobs if job in self._in_work]
        while jobs:
            leases = {job: job.lease for job in jobs}
            try:
                ended = await self._store.finish([finish(job) for job in jobs])
            except StorageRefused as error:
                if len(jobs) > 1:
                    for job in jobs:
                        await self._publish([job])
                    break
                await self._replace_refused(jobs[0], error)
            except StorageError as error:
                await self._patience.failed(error)
            else:
                self._patience.worked()
                for job, lease in leases.items():
                    if lease in ended or job.lease == lease:
                        self._ended(job, published=lease in ended)
                # The others' leases had lapsed and were taken anew by this process meanwhile.
                jobs = [job for job in jobs if job in self._in_work]
        self._idle.set()

    async def _replace_refused(self, job: Job, error: StorageRefused) -> None:
        """An answer that the store will not hold becomes a failure that says so; then it is kept
        and retried.
        """
        log.error("the store refused a result", request_id=job.request_id, error=str(error))
        if isinstance(job.outcome, Answer):
            job.outcome = Failure(
                type="unstorable_result",
                message=f"the answer could not be stored: {error}",
                retryable=False,
                provider=job.outcome.provider,
            )
        else:
            await self._patience.failed(error)

    def _ended(self, job: Job, *, published: bool) -> None:
        self._in_work.remove(job)
        if published:
            self._metrics.track(job)
        else:
            log.warning("lease was lost, result dropped", request_id=job.request_id)
