"""The in-work table: demand, room, and the ways through it."""

from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Failure
from nexus_actors.storage.requests import Lease
from nexus_actors.work.deadlines import Deadlines
from nexus_actors.work.in_work import InWork
from nexus_actors.work.job import Held, Job
from nexus_actors.work.wake import Wake
from supervisors import ActorRef, GenServer, open_tree

FAILED = Failure(type="provider_error", message="no", retryable=False)


def job(number: int) -> Job:
    body = LLMRequest(request_id=f"r{number}", complexity="simple", messages=())
    return Job(lease=Lease(number, 1), body=body, request_id=body.request_id)


def placed(table: InWork, provider: str, *numbers: int) -> list[Job]:
    jobs = [job(number) for number in numbers]
    for one in jobs:
        table.add(one)
        table.assign(one, provider)
    return jobs


async def test_an_empty_queue_asks_for_its_slots_and_its_room() -> None:
    assert InWork({"a": 4, "b": 1}).demand() == {"a": 8, "b": 2}


async def test_a_queue_asks_again_when_half_of_its_room_is_empty() -> None:
    table = InWork({"a": 4})
    jobs = placed(table, "a", *range(8))
    assert table.demand() == {}
    table.remove(jobs[0])
    assert table.demand() == {}
    table.remove(jobs[1])
    assert table.demand() == {"a": 2}


async def test_a_full_queue_does_not_silence_the_others() -> None:
    table = InWork({"a": 2, "b": 2})
    placed(table, "a", *range(4))
    assert table.demand() == {"b": 4}


async def test_nothing_is_asked_for_while_answers_pile_up_unpublished() -> None:
    table = InWork({"a": 2})
    jobs = placed(table, "a", *range(4))
    for one in jobs:
        table.answer(one, FAILED)
    assert table.demand() == {}
    table.remove(jobs[0])
    assert table.demand() == {"a": 4}


async def test_an_answered_job_leaves_its_queue_and_waits_for_the_publisher() -> None:
    table = InWork({"a": 2})
    (one,) = placed(table, "a", 1)
    table.answer(one, FAILED)
    assert len(table.queue("a")) == 0
    assert table.answered() == (one,)
    assert one in table
    table.remove(one)
    assert one not in table
    assert table.answered() == ()


async def test_removing_twice_or_a_stranger_changes_nothing() -> None:
    table = InWork({"a": 2})
    (one,) = placed(table, "a", 1)
    table.remove(job(1))
    assert one in table
    table.remove(one)
    table.remove(one)
    assert len(table) == 0


async def test_what_is_answered_and_removed_is_not_handed_to_the_publisher() -> None:
    table = InWork({"a": 2})
    one, two = placed(table, "a", 1, 2)
    table.answer(one, FAILED)
    table.answer(two, FAILED)
    table.remove(one)
    assert table.take_answered() == (two,)
    assert table.take_answered() == ()


async def test_a_job_gives_back_the_memory_that_its_message_and_its_answer_took() -> None:
    table = InWork({"a": 2}, memory_bytes=1000)
    one = job(1)
    one.size = 100
    table.add(one)
    table.answer(one, FAILED)
    table.weigh(one, 300)
    table.weigh(one, 200)
    assert table.bytes_left == 700
    table.remove(one)
    table.weigh(one, 400)
    assert table.bytes_left == 1000


async def test_a_newer_lease_of_the_same_message_goes_on_with_the_work() -> None:
    table = InWork({"a": 2})
    (one,) = placed(table, "a", 1)
    assert table.renew(one, Lease(1, 2))
    assert one.lease == Lease(1, 2)
    assert one in table


async def test_a_newer_lease_of_what_is_being_given_back_begins_a_new_job() -> None:
    table = InWork({"a": 2})
    one = job(1)
    table.add(one)
    table.leave(one)
    assert not table.renew(one, Lease(1, 2))
    assert one not in table


async def test_it_tells_when_a_queue_begins_to_want_more_and_not_at_each_job_that_leaves() -> None:
    table = InWork({"a": 2})
    told: list[int] = []
    table.on_room = lambda: told.append(len(table.queue("a")))
    jobs = placed(table, "a", *range(4))
    table.answer(jobs[0], FAILED)
    table.answer(jobs[1], FAILED)
    table.remove(jobs[2])
    table.remove(jobs[3])
    assert told == [3]


async def test_it_tells_when_the_publisher_has_caught_up() -> None:
    table = InWork({"a": 1})
    jobs = placed(table, "a", *range(2))
    for one in jobs:
        table.answer(one, FAILED)
    told: list[int] = []
    table.on_room = lambda: told.append(len(table))
    table.remove(jobs[0])
    table.remove(jobs[1])
    assert told == [1]


async def test_it_tells_when_the_last_call_has_ended() -> None:
    async with open_tree(GenServer) as worker:
        table = InWork({"a": 2})
        told: list[int] = []
        table.on_rest = lambda: told.append(table.running)
        placed(table, "a", 1, 2)
        one, other = [await table.take("a", worker) for _ in range(2)]
        table.answer(one, FAILED)
        assert told == []
        table.put_back(other)
        assert told == [0]


async def test_each_job_is_taken_once_the_oldest_first_and_none_that_has_ended() -> None:
    async with open_tree(GenServer) as worker:
        table = InWork({"a": 4})
        one, other, third, last = placed(table, "a", 1, 2, 3, 4)
        assert await table.take("a", worker) is one
        assert one.place == Held("a", worker)
        table.remove(other)
        table.answer(third, FAILED)
        assert await table.take("a", worker) is last
        assert table.running == 2
        table.answer(one, FAILED)
        assert table.running == 1


async def taken(table: InWork, worker: ActorRef, nursery: trio.Nursery) -> list[Job]:
    """What one taker, that waits by now, takes."""
    jobs: list[Job] = []

    async def take() -> None:
        jobs.append(await table.take("a", worker))

    nursery.start_soon(take)
    await wait_all_tasks_blocked()
    return jobs


async def test_no_more_are_held_at_once_than_the_limit_allows_and_more_when_it_grows() -> None:
    async with open_tree(GenServer) as worker, trio.open_nursery() as nursery:
        table = InWork({"a": 2})
        table.concurrency("a").refused(1.0, took=0.0)  # one at once now
        (one, *_) = placed(table, "a", 1, 2, 3)
        takers = [await taken(table, worker, nursery) for _ in range(3)]
        assert list(map(len, takers)) == [1, 0, 0]
        table.answer(one, FAILED)
        await wait_all_tasks_blocked()
        assert list(map(len, takers)) == [1, 1, 0]
        table.concurrency("a").answered()
        await wait_all_tasks_blocked()
        assert list(map(len, takers)) == [1, 1, 1]


async def test_a_taker_that_is_cancelled_takes_none_and_the_next_one_is_woken() -> None:
    async with open_tree(GenServer) as worker, trio.open_nursery() as nursery:
        table = InWork({"a": 2})
        scope = trio.CancelScope()
        cancelled: list[Job] = []

        async def take() -> None:
            with scope:
                cancelled.append(await table.take("a", worker))

        nursery.start_soon(take)
        await wait_all_tasks_blocked()
        other = await taken(table, worker, nursery)
        (one,) = placed(table, "a", 1)
        scope.cancel()  # the first was woken, and has not looked yet
        await wait_all_tasks_blocked()
        assert cancelled == []
        assert other == [one]


async def test_nothing_is_taken_during_a_drain_and_all_once_it_is_over() -> None:
    async with open_tree(GenServer) as worker, trio.open_nursery() as nursery:
        table = InWork({"a": 2})
        table.drain()
        placed(table, "a", 1, 2)
        takers = [await taken(table, worker, nursery) for _ in range(2)]
        assert list(map(len, takers)) == [0, 0]
        table.resume()
        await wait_all_tasks_blocked()
        assert list(map(len, takers)) == [1, 1]


async def test_a_bell_is_rung_for_whoever_works_on_what_came() -> None:
    table = InWork({"a": 2})
    to_router, unrouted = trio.open_memory_channel[None](1)
    to_publisher, answered = trio.open_memory_channel[None](1)
    table.connect(to_router, to_publisher)
    one, other = placed(table, "a", 1, 2)
    unrouted.receive_nowait()
    table.unroute(one)
    unrouted.receive_nowait()
    for job_ in (one, other):
        table.answer(job_, FAILED)
    answered.receive_nowait()
    assert table.take_answered() == (one, other)
    assert table.take_answered() == ()
    with pytest.raises(trio.WouldBlock):
        answered.receive_nowait()


async def test_deadlines_keep_no_job_alive_and_shed_what_has_ended() -> None:
    deadlines = Deadlines(lambda _: None)
    living = [job(number) for number in range(10)]
    for one in living:
        one.deadline = trio.current_time() + 3600
        deadlines.watch(one)
    for number in range(10_000):
        one = job(number)
        one.deadline = trio.current_time() + 3600
        deadlines.watch(one)
    assert len(deadlines) <= 1100


async def test_a_wake_up_is_not_lost_while_nobody_waits(autojump_clock: Any) -> None:
    wake = Wake()
    wake.set()
    wake.set()
    assert await wake.wait(3600)
    assert trio.current_time() < 1
    assert not await wake.wait(5)


async def test_it_looks_deeper_while_much_of_what_it_finds_goes_back_to_wait() -> None:
    table = InWork({"full": 4, "free": 4}, batch_size=100)
    assert table.quantity() == 16
    placed(table, "full", *range(8))
    assert table.quantity() == 8
    jobs = [job(number) for number in range(8, 16)]
    for one in jobs:
        table.add(one)
    assert table.quantity() == 0
    for one in jobs:
        table.leave(one)
    assert table.quantity() == 24
    assert table.leaving() == tuple(jobs)
    for one in jobs:
        table.remove(one)
    assert table.leaving() == ()
    assert table.quantity() == 8
