"""Stage 3: the watchman of one provider's workers."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
import trio

from nexus_actors.contract.result import Failure
from nexus_actors.shared import Shared
from nexus_actors.work.job import Held, Job
from supervisors import ActorRef, Down, GenServer, Shutdown

log = structlog.get_logger("nexus.pool")


@dataclass(frozen=True, slots=True)
class WorkerStarted:
    """A worker tells its pool that it is there, to be watched."""

    worker: ActorRef


class ProviderPool(GenServer):
    """Watches the workers. When one is gone, what it held is tried again at once, as one more
    attempt.

    A pool that starts looks for jobs whose worker is gone: it finds what was held by one that died
    while there was no pool.
    """

    def __init__(self, shared: Shared, provider: str, workers: Sequence[str]) -> None:
        self._provider = provider
        self._workers = workers
        self._shared = shared
        self._registry = shared.registry
        self._in_work = shared.in_work

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
        """Find the jobs whose worker is gone. `again`: try them here at once; else, where workers
        are being stopped, none of the remaining ones shall begin a call that is cut off too: back
        to the Router, if there is one.
        """
        for job in tuple(self._in_work.queue(self._provider).held):
            if isinstance(job.place, Held) and job.place.worker.is_alive:
                continue
            if job.call_started is not None:
                log.warning("call cut off", request_id=job.request_id, outcome=outcome)
            job.cut_off(outcome)
            late = job.deadline <= trio.current_time()  # the Router's to end
            if again and job.has_used(self._shared.max_attempts):
                self._give_up(job, outcome)
            elif late or not again or self._in_work.draining:
                self._in_work.unroute(job)
            else:
                self._in_work.put_back(job)

    def _give_up(self, job: Job, outcome: str) -> None:
        failure = Failure(
            type=outcome,
            message=f"gave up after {job.attempt_count} attempts",
            retryable=False,
            provider=self._provider,
        )
        self._in_work.answer(job, failure)
