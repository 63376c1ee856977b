"""What the keeper makes of an answer to `extend`."""

from collections.abc import Collection
from typing import Any

import trio

from nexus_actors.contract.request import LLMRequest
from nexus_actors.pipeline.lease_keeper import LeaseKeeper
from nexus_actors.storage.requests import Lease
from nexus_actors.work.in_work import InWork
from nexus_actors.work.job import Job
from supervisors import ActorRef, GenServer, open_tree
from tests.unit.parts import settings, shared


class Store:
    """Holds these leases for us."""

    closed = False

    def __init__(self, **held: Lease) -> None:
        self.held = held
        self.asked: list[Collection[Lease]] = []

    async def extend(self, leases: Collection[Lease], _seconds: float) -> dict[str, Lease]:
        self.asked.append(set(leases))
        return self.held


async def called(table: InWork, worker: ActorRef, name: str, number: int) -> Job:
    body = LLMRequest(request_id=name, complexity="simple", messages=())
    job = Job(lease=Lease(number, 1), body=body, request_id=name)
    table.add(job)
    table.assign(job, "p")
    assert await table.take("p", worker) is job
    job.call = trio.CancelScope()
    return job


async def test_a_call_is_given_up_only_if_its_lease_is_nobodys_or_anothers(
    autojump_clock: Any,
) -> None:
    """Not where another statement of ours has just leased it anew, whichever is answered first."""
    table = InWork({"p": 4})
    async with open_tree(GenServer) as worker:
        kept = await called(table, worker, "kept", 1)
        anew = await called(table, worker, "anew", 2)
        lost = await called(table, worker, "lost", 3)
        call = lost.call
        store = Store(kept=Lease(1, 1), anew=Lease(2, 2))
        around = shared(table, store=store)
        async with open_tree(lambda: LeaseKeeper(around)):
            await trio.sleep(1)
            assert store.asked == [{Lease(1, 1), Lease(2, 1), Lease(3, 1)}]
            assert around.metrics.leases_lost == 1
            assert [kept in table, anew in table, lost in table] == [True, True, False]
            assert anew.lease == Lease(2, 2)
            for job in (kept, anew):
                assert job.call is not None
                assert not job.call.cancel_called
            assert call is not None
            assert call.cancel_called
            for job in (kept, anew):
                table.remove(job)


async def test_leases_that_are_to_be_shorter_are_extended_by_the_new_measure_at_once(
    autojump_clock: Any,
) -> None:
    table = InWork({"p": 4})
    async with open_tree(GenServer) as worker:
        job = await called(table, worker, "kept", 1)
        store = Store(kept=Lease(1, 1))
        around = shared(table, store=store, visibility_timeout=36_000)
        async with open_tree(lambda: LeaseKeeper(around)):
            await trio.sleep(60)
            assert len(store.asked) == 1
            around.in_force.swap(settings(queue={"visibility_timeout": 30}), around.routes)
            await trio.sleep(25)
            assert len(store.asked) == 4
        table.remove(job)
