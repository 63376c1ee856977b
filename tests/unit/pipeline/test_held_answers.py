"""Answers that are held: which of them is tried, and when."""

import trio
import trio.testing

from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Failure
from nexus_actors.pipeline.held_answers import KINDS, LONGEST_PAUSE, HeldAnswers
from nexus_actors.storage.requests import Lease
from nexus_actors.work.in_work import InWork
from nexus_actors.work.job import Job


def job(number: int, agent_id: str = "a") -> Job:
    name = f"r{number}"
    body = LLMRequest(request_id=name, complexity="simple", messages=(), agent_id=agent_id)
    return Job(lease=Lease(number, 1), body=body, request_id=name)


async def tried(held: HeldAnswers, times: int) -> list[str | None]:
    """Which are due, if all are refused again."""
    ids = []
    for _ in range(times):
        one = await held.next()
        ids.append(one.request_id)
        held.postpone(one)
    return ids


async def test_each_kind_is_tried_by_itself_in_turn_with_growing_pauses(
    autojump_clock: trio.testing.MockClock,
) -> None:
    held = HeldAnswers()
    for one in (job(1), job(2)):
        held.add(one, "check a")
    held.add(job(3), "check b")
    held.add(job(4, "another"), "check a")
    assert await tried(held, 6) == ["r1", "r3", "r4", "r2", "r3", "r4"]
    before = trio.current_time()
    await tried(held, 30)
    assert 9 * LONGEST_PAUSE / 2 < trio.current_time() - before <= 10 * LONGEST_PAUSE


async def test_one_that_gets_through_lets_its_kind_go_and_those_of_its_condition_be_tried(
    autojump_clock: trio.testing.MockClock,
) -> None:
    held = HeldAnswers()
    one, two, same, other = job(1), job(2), job(3, "another"), job(4)
    for it in (one, two, same):
        held.add(it, "check a")
    held.add(other, "check b")
    await tried(held, 40)
    while await held.next() is not same:
        held.postpone(await held.next())
    held.postpone(same)
    assert held.release(one) == [two]
    before = trio.current_time()
    assert await held.next() is same
    assert trio.current_time() == before
    assert set(held) == {same, other}
    assert held.release(one) == []


async def test_one_whose_condition_is_another_by_now_is_of_another_kind(
    autojump_clock: trio.testing.MockClock,
) -> None:
    held = HeldAnswers()
    one, two = job(1), job(2)
    held.add(one, "check a")
    held.add(two, "check b")
    held.add(one, "check b")
    assert held.release(two) == [one]
    assert len(held) == 0


async def test_there_are_so_many_kinds_whatever_is_said(
    autojump_clock: trio.testing.MockClock,
) -> None:
    held = HeldAnswers()
    jobs = [job(n) for n in range(3 * KINDS)]
    for one in jobs:
        held.add(one, f"foreign text {one.request_id}")
    assert held.release(jobs[0]) == []
    assert held.release(jobs[-1]) == jobs[KINDS:-1]


async def test_who_waits_hears_of_the_first_that_is_held() -> None:
    held = HeldAnswers()
    async with trio.open_nursery() as nursery:

        async def wait() -> None:
            assert (await held.next()).request_id == "r1"

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        held.add(job(1), "check")


async def test_those_set_apart_count_by_their_bytes_alone() -> None:
    table = InWork({"p": 1}, batch_size=1, memory_bytes=10_000)
    jobs = [job(n) for n in range(50)]
    room = 0

    def on_room() -> None:
        nonlocal room
        room += 1

    table.on_room = on_room
    for one in jobs[:2]:
        table.add(one)
        table.answer(one, Failure(type="timeout", message="", retryable=False))
    assert table.is_full
    table.set_apart(jobs[0])
    assert not table.is_full
    assert room == 1
    for one in jobs[2:]:
        table.add(one)
        table.answer(one, Failure(type="timeout", message="", retryable=False))
        table.set_apart(one)
    assert table.quantity() == 2
    assert table.places == 8
    table.weigh(jobs[1], 10_000)
    assert table.is_full
    for one in jobs:
        table.remove(one)
    assert table.places == 9
    assert table.bytes_left == 10_000
