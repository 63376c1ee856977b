"""What becomes of a job whose worker is gone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from trio.testing import wait_all_tasks_blocked

from nexus_actors.contract.request import LLMRequest
from nexus_actors.pipeline.provider_pool import ProviderPool, WorkerStarted
from nexus_actors.settings.model import ModelRef
from nexus_actors.storage.requests import Lease
from nexus_actors.work.in_work import InWork
from nexus_actors.work.job import Assigned, Held, Job, Unrouted
from supervisors import ActorRef, ChildSpec, GenServer, Supervisor, open_tree
from tests.unit.parts import shared


class Worker(GenServer):
    """Takes one job and calls for ever."""

    def __init__(self, table: InWork, pool: ActorRef) -> None:
        self._table = table
        self._pool = pool

    async def init(self) -> None:
        self._pool.cast(WorkerStarted(self.ref))
        self.spawn_link(self._work)

    async def _work(self) -> None:
        job = await self._table.take("p", self.ref)
        job.call_started = datetime.now(UTC)


@dataclass(frozen=True)
class Provider:
    """A pool, and its one worker, which has one job."""

    table: InWork
    root: ActorRef
    job: Job

    @property
    def worker(self) -> ActorRef:
        assert isinstance(self.job.place, Held)
        return self.job.place.worker

    async def stop(self, child: str) -> None:
        """By its supervisor."""
        await Supervisor.terminate_child(self.root, child)
        await wait_all_tasks_blocked()

    async def start(self, child: str) -> None:
        await Supervisor.restart_child(self.root, child)
        await wait_all_tasks_blocked()

    async def kill_worker(self) -> None:
        worker = self.worker
        worker.kill()
        await worker.wait()
        await wait_all_tasks_blocked()


@asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    table = InWork({"p": 1})
    around = shared(table)
    pool, worker = (around.registry.via(name) for name in ("p.Pool", "p.Worker.1"))
    children = (
        around.registry.child_spec(),
        ChildSpec("pool", lambda: ProviderPool(around, "p", list), name=pool),
        ChildSpec("worker", lambda: Worker(table, pool), name=worker, restart="temporary"),
    )
    body = LLMRequest(request_id="r", complexity="simple", messages=())
    job = Job(lease=Lease(1, 1), body=body, request_id="r", candidates=(ModelRef("p", "m"),))
    table.add(job)
    table.assign(job, "p")
    async with open_tree(lambda: Supervisor(children)) as root:
        await wait_all_tasks_blocked()
        yield Provider(table, root, job)


async def test_a_pool_that_starts_picks_up_what_a_worker_held_that_died_meanwhile() -> None:
    async with provider() as it:
        await it.stop("pool")
        await it.kill_worker()
        assert isinstance(it.job.place, Held)
        await it.start("pool")
        assert it.job.place == Assigned("p")
        assert it.job.last_outcome == "worker_crashed"


async def test_a_pool_that_starts_watches_the_workers_that_are_there() -> None:
    async with provider() as it:
        await it.stop("pool")
        await it.start("pool")
        assert isinstance(it.job.place, Held)
        assert it.job.attempts == []
        await it.kill_worker()
        assert it.job.place == Assigned("p")


async def test_what_a_worker_held_that_was_stopped_goes_to_the_router() -> None:
    async with provider() as it:
        await it.stop("worker")
        assert it.job.place == Unrouted()
        assert it.job.last_outcome == "interrupted"


@pytest.mark.parametrize("why", ["drain", "deadline"])
async def test_what_may_not_be_called_for_again_goes_to_the_router(
    autojump_clock: Any, why: str
) -> None:
    async with provider() as it:
        if why == "drain":
            it.table.drain()
        else:
            it.job.deadline = autojump_clock.current_time()
        await it.kill_worker()
        assert it.job.place == Unrouted()
        assert it.job.last_outcome == "worker_crashed"
