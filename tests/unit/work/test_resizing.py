"""A provider's number of workers changes while jobs are in work."""

import trio
from trio.testing import wait_all_tasks_blocked

from nexus_actors.work.concurrency import Concurrency
from nexus_actors.work.in_work import InWork
from nexus_actors.work.job import Assigned, Held, Job, Unrouted
from supervisors import GenServer, open_tree
from tests.unit.work.test_in_work import FAILED, placed


def test_the_limit_follows_what_there_can_be_but_keeps_what_was_found_out_below_that() -> None:
    limit = Concurrency(8)
    limit.resize(16)
    assert limit.limit == 16
    limit.refused(1.0, took=0.0)
    limit.resize(32)
    assert limit.limit == 8
    limit.resize(4)
    assert limit.limit == 4
    limit.resize(0)
    assert limit.limit == 0
    limit.refused(9.0, took=0.0)
    assert limit.limit == 0
    limit.resize(2)
    assert limit.limit == 2


async def test_with_fewer_workers_no_more_calls_begin_and_those_that_run_go_on() -> None:
    async with open_tree(GenServer) as worker:
        table = InWork({"a": 4})
        jobs = placed(table, "a", 1, 2, 3, 4, 5)
        held = [await table.take("a", worker) for _ in range(4)]
        table.resize("a", 1)
        assert table.demand() == {}
        for one in held[:3]:
            assert isinstance(one, Job)
            table.answer(one, FAILED)
        with trio.move_on_after(0.01):
            await table.take("a", worker)
        assert jobs[4].place == Assigned("a")
        assert isinstance(held[3], Job)
        table.answer(held[3], FAILED)
        assert await table.take("a", worker) is jobs[4]


async def test_a_taker_looks_up_when_the_workers_are_to_be_others_and_has_taken_nothing() -> None:
    async with open_tree(GenServer) as worker, trio.open_nursery() as nursery:
        table = InWork({"a": 2})
        got: list[Job | None] = []

        async def take() -> None:
            got.append(await table.take("a", worker))

        nursery.start_soon(take)
        await wait_all_tasks_blocked()
        table.rouse("a")
        await wait_all_tasks_blocked()
        assert got == [None]
        nursery.start_soon(take)
        await wait_all_tasks_blocked()
        table.rouse("a")
        placed(table, "a", 1)  # at the same moment
        await wait_all_tasks_blocked()
        assert got == [None, None]
        nursery.start_soon(take)
        await wait_all_tasks_blocked()
        assert isinstance(got[2], Job)


async def test_of_a_provider_that_goes_what_waits_is_routed_anew_and_what_is_held_stays() -> None:
    async with open_tree(GenServer) as worker:
        table = InWork({"a": 2, "b": 2})
        one, other = placed(table, "a", 1, 2)
        assert await table.take("a", worker) is one
        table.resize("a", 0)
        assert (one.place, other.place) == (Held("a", worker), Unrouted())
        assert table.demand() == {"b": 4}
        assert table.room("a") < 0
        table.answer(one, FAILED)
        table.drop("a")
        assert table.room("a") == 0
        table.resize("a", 1)
        assert table.demand() == {"a": 2, "b": 4}
