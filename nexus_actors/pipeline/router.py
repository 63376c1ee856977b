"""Stage 2: choose the candidates of a request and put it on the lane of the first that is left."""

from collections.abc import Mapping

import structlog
import trio

from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Failure
from nexus_actors.pipeline.ending import give_back
from nexus_actors.pipeline.in_work import InWork
from nexus_actors.pipeline.job import Job
from nexus_actors.pipeline.lane import Lane
from nexus_actors.pipeline.patience import Patience
from nexus_actors.routing.routes import Routed, Routes
from nexus_actors.storage.ports import RequestStore, StorageError
from supervisors import GenServer

log = structlog.get_logger("nexus.router")


class Router(GenServer):
    """Never waits for a provider: a job whose lane is full waits in the store, not here."""

    def __init__(
        self,
        *,
        routes: Routes,
        max_attempts: int,
        store: RequestStore,
        in_work: InWork,
        jobs: trio.MemoryReceiveChannel[Job],
        lanes: Mapping[str, Lane],
        to_publisher: trio.MemorySendChannel[Job],
    ) -> None:
        self._routes = routes
        self._max_attempts = max_attempts
        self._store = store
        self._in_work = in_work
        self._jobs = jobs
        self._lanes = lanes
        self._to_publisher = to_publisher
        self._patience = Patience("Router")

    async def init(self) -> None:
        """Begin with the jobs a predecessor did not place."""
        self.spawn_link(self._route_all)

    async def _route_all(self) -> None:
        batch = list(self._in_work.unrouted())
        # Whether the store took back what a predecessor was giving back is not known: say it again.
        await self._put_to_wait([job for job in batch if job.leaving])
        while True:
            if waiting := [job for job in batch if not self._place(job)]:
                await self._put_to_wait(waiting)
            batch = [await self._jobs.receive()]
            while True:
                try:
                    batch.append(self._jobs.receive_nowait())
                except trio.WouldBlock:
                    break

    def _place(self, job: Job) -> bool:
        """Put the job on a lane, or end it. False if its lane is full."""
        if job not in self._in_work or job.lane is not None or job.outcome is not None:
            return True  # placed by a predecessor already, given back, or lost
        if not job.candidates:
            failure = self._find_candidates(job)
            if failure is not None:
                self._end(job, failure)
                return True
        if job.attempt_count >= self._max_attempts:
            self._end(job, self._exhausted(job))
            return True
        lane = job.candidate.provider
        if self._in_work.room(lane) <= 0 or not self._lanes[lane].put(job):
            return False
        self._in_work.enter_lane(job, lane)
        return True

    def _find_candidates(self, job: Job) -> Failure | None:
        assert isinstance(job.body, LLMRequest)  # noqa: S101 - refused requests never come here
        match self._routes.candidates(job.body):
            case Routed(candidates=candidates):
                job.candidates = candidates
                # The config may have changed since earlier candidates were used up.
                job.candidate_index = min(job.candidate_index, len(candidates) - 1)
                job.step("route_llm", candidates=[f"{c.provider}/{c.model}" for c in candidates])
                return None
            case refusal:
                job.step("route_llm", refusal.type)
                return Failure(type=refusal.type, message=refusal.message, retryable=False)

    def _exhausted(self, job: Job) -> Failure:
        last = f"; last error: {job.attempts[-1].outcome}" if job.attempts else ""
        return Failure(
            type="max_attempts_exceeded",
            message=f"gave up after {job.attempt_count} attempts{last}",
            retryable=False,
        )

    def _end(self, job: Job, failure: Failure) -> None:
        self._in_work.answer(job, failure)
        self._to_publisher.send_nowait(job)

    async def _put_to_wait(self, jobs: list[Job]) -> None:
        for job in jobs:
            job.leaving = True
        returns = [give_back(job, lane=job.candidate.provider) for job in jobs]
        while jobs:
            try:
                await self._store.give_back(returns)
            except StorageError as error:
                await self._patience.failed(error)
            else:
                break
        self._patience.worked()
        for job in jobs:
            self._in_work.remove(job)
        self._in_work.waiting_lanes.update(job.candidate.provider for job in jobs)
        self._in_work.on_change()
