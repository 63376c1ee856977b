"""Stage 3: starts, watches and replaces the workers of one provider."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf

import structlog
import trio

from nexus_actors.contract.result import Failure
from nexus_actors.shared import Shared
from nexus_actors.work.job import Held, Job
from nexus_actors.work.wake import Wake
from supervisors import (
    ActorRef,
    ChildSpec,
    Down,
    GenServer,
    Shutdown,
    Status,
    Supervisor,
    SupervisorsError,
)

log = structlog.get_logger("nexus.pool")

SETTLE_PAUSE = 1.0
"""Seconds until the workers are adjusted again after that failed."""


@dataclass(frozen=True, slots=True)
class WorkerStarted:
    """Message from a worker that has started and is to be monitored."""

    worker: ActorRef


def worker_name(provider: str, number: int | str = "") -> str:
    """The id and registered name of a worker; without a number, the prefix of all of them."""
    return f"{provider}.Worker.{number}"


class ProviderPool(GenServer):
    """Monitors the provider's workers and keeps their number as configured. When a worker dies, the
    job that it held is tried again at once, as one more attempt.

    A pool that starts also looks for jobs whose worker died while there was no pool.
    """

    def __init__(
        self, shared: Shared, provider: str, children: Callable[[], Sequence[ChildSpec]]
    ) -> None:
        """`children` returns the specs that belong below the provider's supervisor now."""
        self._provider = provider
        self._children = children
        self._supervisor = shared.registry.via(f"{provider}.Supervisor")
        self._wake = Wake()
        self._shared = shared
        self._registry = shared.registry
        self._in_work = shared.in_work

    def format_status(self, status: Status) -> Status:
        """Counts and names only: nothing that a request contains."""
        return replace(
            status.shapes(),
            state={
                "provider": self._provider,
                "workers_wanted": self._in_work.workers(self._provider),
                "jobs_held": len(self._in_work.held(self._provider)),
            },
        )

    async def init(self) -> None:
        """Monitor the workers that exist already, and pick up the jobs of dead ones."""
        held = self._in_work.held(self._provider)
        workers = {job.place.worker for job in held if isinstance(job.place, Held)}
        for number in range(1, self._in_work.workers(self._provider) + 1):
            worker = self._registry.whereis(worker_name(self._provider, number))
            if worker is not None:
                workers.add(worker)
        for worker in workers:
            self.monitor(worker)
        self._pick_up("worker_crashed")
        self.spawn_link(self._heed)
        self.spawn_link(self._keep)

    async def handle_cast(self, message: object) -> None:
        """Monitor a worker that has started."""
        match message:
            case WorkerStarted(worker=worker):
                self.monitor(worker)

    async def handle_info(self, info: object) -> None:
        """When a worker has ended, pick up its job and start missing workers."""
        match info:
            case Down(reason=Shutdown()):
                self._pick_up("interrupted", again=False)
                self._wake.set()
            case Down():
                self._pick_up("worker_crashed")
                self._wake.set()

    # -- the number of workers

    async def _heed(self) -> None:
        while True:
            changed = self._shared.in_force.changed
            self._wake.set()
            await changed.wait()

    async def _keep(self) -> None:
        pause = inf
        while True:
            await self._wake.wait(pause)
            try:
                await self._settle()
                pause = inf
            except SupervisorsError as error:  # an operator does the same, or a restart
                log.info("workers are put right later", provider=self._provider, why=str(error))
                pause = SETTLE_PAUSE

    async def _settle(self) -> None:
        """Start missing children and remove surplus ones. A surplus worker is left alone: it ends
        by itself after its call."""
        wanted = {spec.id: spec for spec in self._children()}
        there = {it.id: it for it in await Supervisor.which_children(self._supervisor)}
        for it in there.values():
            is_down = it.ref is None and not it.restarting
            if it.id in wanted:
                if is_down:
                    await Supervisor.restart_child(self._supervisor, it.id)
            elif is_down or not it.id.startswith(worker_name(self._provider)):
                await Supervisor.terminate_child(self._supervisor, it.id)
                await Supervisor.delete_child(self._supervisor, it.id)
        if wanted.keys() == there.keys():
            return
        limits = self._shared.settings.supervision.limits(len(wanted))
        await Supervisor.set_intensity(self._supervisor, *limits)
        for name, spec in wanted.items():
            if name not in there:
                await Supervisor.start_child(self._supervisor, spec)

    # -- jobs of dead workers

    def _pick_up(self, outcome: str, *, again: bool = True) -> None:
        """Handle jobs whose worker is gone. With `again`, they are tried here at once. Otherwise
        workers are being stopped, and a remaining one must not begin a call that is cut off, too:
        the jobs go back to the Router.
        """
        for job in self._in_work.held(self._provider):
            if isinstance(job.place, Held) and job.place.worker.is_alive:
                continue
            if job.call_started is not None:
                log.warning("call cut off", **job.ids, outcome=outcome)
            job.cut_off(outcome)
            late = job.deadline <= trio.current_time()  # the Router ends it
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
