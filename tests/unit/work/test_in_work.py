"""The in-work table: demand, room, and the ways through it."""

from typing import Any

import trio

from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Failure
from nexus_actors.pipeline.lane import Lane
from nexus_actors.storage.ports import Lease
from nexus_actors.work.deadlines import Deadlines
from nexus_actors.work.in_work import InWork
from nexus_actors.work.job import Job
from nexus_actors.work.wake import Wake
from supervisors import GenServer, open_tree

FAILED = Failure(type="provider_error", message="no", retryable=False)


def job(number: int) -> Job:
    body = LLMRequest(request_id=f"r{number}", complexity="simple", messages=())
    return Job(lease=Lease(number, 1), body=body, request_id=body.request_id)


def placed(table: InWork, lane: str, *numbers: int) -> list[Job]:
    jobs = [job(number) for number in numbers]
    for one in jobs:
        table.add(one)
        table.enter_lane(one, lane)
    return jobs


async def test_an_empty_lane_asks_for_its_slots_and_its_room() -> None:
    assert InWork({"a": 4, "b": 1}).demand() == {"a": 8, "b": 2}


async def test_a_lane_asks_again_when_half_of_its_room_is_empty() -> None:
    table = InWork({"a": 4})
    jobs = placed(table, "a", *range(8))
    assert table.demand() == {}
    table.remove(jobs[0])
    assert table.demand() == {}
    table.remove(jobs[1])
    assert table.demand() == {"a": 2}


async def test_a_full_lane_does_not_silence_the_others() -> None:
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


async def test_an_answered_job_leaves_its_lane_and_waits_for_the_publisher() -> None:
    table = InWork({"a": 2})
    (one,) = placed(table, "a", 1)
    table.answer(one, FAILED)
    assert table.lane("a") == ()
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
    one.leaving = True
    assert not table.renew(one, Lease(1, 2))
    assert one not in table


async def test_it_tells_when_a_lane_begins_to_want_more_and_not_at_each_job_that_leaves() -> None:
    table = InWork({"a": 2})
    told: list[int] = []
    table.on_room = lambda: told.append(len(table.lane("a")))
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
        one, other = placed(table, "a", 1, 2)
        table.start(one, worker)
        table.start(other, worker)
        table.answer(one, FAILED)
        assert told == []
        table.stop(other)
        assert told == [0]


async def test_only_one_worker_starts_a_job_and_none_starts_one_that_has_ended() -> None:
    async with open_tree(GenServer) as worker:
        table = InWork({"a": 2})
        one, other = placed(table, "a", 1, 2)
        assert table.start(one, worker)
        assert table.running == 1
        assert not table.start(one, worker)
        table.answer(one, FAILED)
        assert table.running == 0
        table.remove(other)
        assert not table.start(other, worker)
        assert one.holder is None


async def test_a_lane_knows_which_jobs_stand_in_it() -> None:
    lane = Lane(1)
    one, other = job(1), job(2)
    assert lane.put(one)
    assert one.queued_in is lane
    assert not lane.put(other)
    assert other.queued_in is None
    assert await lane.take() is one
    assert one.queued_in is None


async def test_a_lane_full_of_the_dead_takes_the_living() -> None:
    table, lane = InWork({"a": 1}), Lane(2)
    for number in (1, 2):
        one = job(number)
        table.add(one)
        assert lane.put(one)
        table.enter_lane(one, "a")
    assert not lane.put(job(3))
    table.answer(one, FAILED)
    assert lane.put(other := job(3))
    assert (await lane.take()).lease.msg_id == 1
    assert await lane.take() is other


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
    assert table.quantity() == 16
    assert table.leaving() == tuple(jobs)
    for one in jobs:
        table.remove(one)
    assert table.leaving() == ()
    assert table.quantity() == 8
