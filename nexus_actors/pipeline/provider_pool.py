"""Stage 3: the watchman of one provider's workers."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
import trio

from nexus_actors.contract.result import Failure
from nexus_actors.pipeline.lane import Lane
from nexus_actors.work.in_work import InWork
from nexus_actors.work.job import Job
from supervisors import ActorRef, Down, GenServer, Registry, Shutdown

log = structlog.get_logger("nexus.pool")


@dataclass(frozen=True, slots=True)
class WorkerStarted:
    """A worker tells its pool that it is there, to be watched."""

    worker: ActorRef


class ProviderPool(GenServer):
    """Watches the workers. When one is gone, what it held is tried again at once, as one more
    attempt.

    A pool that starts looks for jobs of its lane that no one holds: it finds what was in the hands
    of
    a worker that died while there was no pool, and all that stood in the lane of a supervisor
    before.
    """

    def __init__(
        self,
        *,
        provider: str,
        workers: Sequence[str],
        max_attempts: int,
        registry: Registry,
        in_work: InWork,
        lane: Lane,
        to_router: trio.MemorySendChannel[Job],
        to_publisher: trio.MemorySendChannel[Job],
    ) -> None:
        self._provider = provider
        self._workers = workers
        self._max_attempts = max_attempts
        self._registry = registry
        self._in_work = in_work
        self._lane = lane
        self._to_router = to_router
        self._to_publisher = to_publisher

    async def init(self) -> None:
        """Watch the workers that are there already, and pick up what nobody holds."""
        for name in self._workers:
            if (worker := self._registry.whereis(name)) is not None:
                self.monitor(worker)
        self._pick_up("worker_crashed")

    async def handle_cast(self, message: object) -> None:
        match message:
            case WorkerStarted(worker=worker):
                self.monitor(worker)

    async def handle_info(self, info: object) -> None:
        match info:
            case Down(reason=Shutdown()):
                self._pick_up("interrupted", again=False)
            case Down():
                self._pick_up("worker_crashed")

    def _pick_up(self, outcome: str, *, again: bool = True) -> None:
        """Find the jobs of the lane that no one holds. `again`: try them here at once; else, where
        workers are being stopped, none of the remaining ones shall begin a call that is cut off
        too: back to the Router, if there is one.
        """
        for job in self._in_work.lane(self._provider):
            if job.queued_in is self._lane or (job.holder is not None and job.holder.is_alive):
                continue
            if job.call_started is not None:
                log.warning("call cut off", request_id=job.request_id, outcome=outcome)
            job.cut_off(outcome)
            self._in_work.stop(job)
            late = job.deadline <= trio.current_time()  # the Router's to end
            if again and job.has_used(self._max_attempts):
                self._give_up(job, outcome)
            elif late or not again or self._in_work.draining or not self._lane.put(job):
                self._in_work.leave_lane(job)
                self._to_router.send_nowait(job)

    def _give_up(self, job: Job, outcome: str) -> None:
        failure = Failure(
            type=outcome,
            message=f"gave up after {job.attempt_count} attempts",
            retryable=False,
            provider=self._provider,
        )
        self._in_work.answer(job, failure)
        self._to_publisher.send_nowait(job)
