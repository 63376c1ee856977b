"""What need not wait is leased before what would only go back to wait, in turns with the rest."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import trio

from nexus_actors.contract.errors import ErrorType, Refusal
from nexus_actors.contract.request import LLMRequest
from nexus_actors.routing import Candidate
from nexus_actors.storage.errors import StorageStrained
from nexus_actors.storage.requests import Delivery, Lease, Others, Previous
from nexus_actors.work.in_work import InWork
from nexus_actors.work.job import Job, Wait
from nexus_actors.work.overtaking import EACH, MEMORY, MOST, REST, SHARE, Overtaken, Overtaking
from tests.unit.parts import delivery

LATER = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def job(number: int, provider: str = "full", **fields: Any) -> Job:
    told = {"complexity": "simple", "messages": (), **fields}
    body = LLMRequest(request_id=f"r{number}", **told)
    made = Job(lease=Lease(number, 1), body=body, request_id=body.request_id)
    made.set_candidates([Candidate(provider, "m")])
    return made


class Store:
    """Finds what it is told to, and takes a while."""

    def __init__(self) -> None:
        self.found: list[list[int]] = []
        self.asked: list[tuple[Sequence[int], int, datetime | None]] = []
        self.fails: Exception | None = None
        self.gone: set[int] = set()

    async def find_others(
        self, examples: Sequence[int], most: int, *, since: datetime | None, by_agent: bool
    ) -> Others:
        self.asked.append((tuple(examples), most, since))
        await trio.sleep(0.01)
        if self.fails is not None:
            raise self.fails
        found = self.found.pop(0) if self.found else []
        return Others(found, LATER + timedelta(seconds=len(self.asked)))

    async def take(self, msg_ids: Sequence[int]) -> list[Delivery]:
        return [delivery(msg_id) for msg_id in msg_ids if msg_id not in self.gone]


def overtaking(store: Any) -> tuple[Overtaking, Overtaken]:
    """Of a process where `full` has no room, and `free` has."""
    table = InWork({"full": 1, "free": 4})
    for number in (101, 102):
        table.add(held := job(number))
        table.assign(held, "full")
    overtaken = Overtaken()
    return Overtaking(store, table, overtaken), overtaken


async def pause() -> None:
    """Until it may be looked again."""
    await trio.sleep(SHARE * 0.01)


async def test_those_of_others_and_all_in_their_order_take_turns(autojump_clock: Any) -> None:
    store = Store()
    store.found = [[7, 8], [], [9]]
    others, overtaken = overtaking(store)
    assert await others.lease(99, store.take) == []  # nothing has gone back to wait
    overtaken.add(job(1))
    told = []
    for _ in range(5):
        told.append([it.lease.msg_id for it in await others.lease(99, store.take)])
        await pause()
    # After some that were leased it is not their turn; after none that were found it is.
    assert told == [[7, 8], [], [], [9], []]
    assert [most for _, most, _ in store.asked] == [8, 8, 8]  # what the others want, no more


async def test_it_looks_on_where_all_were_leased_that_it_found(autojump_clock: Any) -> None:
    store = Store()
    store.found, store.gone = [[], [7, 8], []], {8}
    others, overtaken = overtaking(store)
    await others.lease(99, store.take)
    overtaken.add(job(1))
    for _ in range(4):
        await others.lease(99, store.take)
        await pause()
    first = LATER + timedelta(seconds=1)
    assert [since for _, _, since in store.asked] == [None, first, first]


async def test_looking_takes_a_small_part_of_the_time(autojump_clock: Any) -> None:
    store = Store()
    others, overtaken = overtaking(store)
    await others.lease(99, store.take)
    overtaken.add(job(1))
    until = trio.current_time() + 0.9 * MEMORY
    while trio.current_time() < until:
        await others.lease(99, store.take)
        await trio.sleep(0.001)
    assert len(store.asked) * 0.01 <= MEMORY / SHARE


async def test_all_is_forgotten_and_looked_at_again_before_long(autojump_clock: Any) -> None:
    store = Store()
    others, overtaken = overtaking(store)
    await others.lease(99, store.take)
    overtaken.add(job(1))
    await others.lease(99, store.take)
    await trio.sleep(MEMORY)
    await others.lease(99, store.take)
    overtaken.add(job(2))
    await others.lease(99, store.take)
    assert store.asked == [((1,), 8, None), ((2,), 8, None)]


async def test_what_the_store_refuses_is_left_to_the_usual_way(autojump_clock: Any) -> None:
    store = Store()
    store.fails = StorageStrained("too slow")
    others, overtaken = overtaking(store)
    for _ in range(20):
        await others.lease(99, store.take)
        overtaken.add(job(1))
        assert await others.lease(99, store.take) == []
        await trio.sleep(REST / 20)
    assert len(store.asked) == 1


async def test_what_waits_for_room_is_an_example_until_there_is_some() -> None:
    overtaken = Overtaken()
    overtaken.add(job(1))
    overtaken.add(job(2, "other"))
    assert overtaken.examples({"free"}, 0.0) == [1, 2]
    assert overtaken.examples({"full"}, 0.0) == [2]
    assert overtaken.examples({"free"}, 0.0) == [2]


async def test_what_waits_for_a_moment_is_an_example_till_then() -> None:
    """Its provider may have room: it may only not be called."""
    overtaken = Overtaken()
    later = job(1)
    later.wait = Wait("throttled", until=5.0)
    overtaken.add(later)
    assert overtaken.examples({"full"}, 4.9) == [1]
    assert overtaken.examples({"full"}, 5.0) == []


async def test_what_waits_for_a_pause_is_an_example_for_a_moment_though_its_provider_has_room(
    autojump_clock: Any,
) -> None:
    overtaken = Overtaken()
    paused = job(1)
    paused.wait = Wait("paused", lane="paused agent a")
    overtaken.add(paused)
    now = trio.current_time()
    assert overtaken.examples({"full"}, now) == [1]
    assert overtaken.examples({"full"}, now + MEMORY) == []


async def test_one_that_has_failed_somewhere_is_no_example_of_those_that_have_not() -> None:
    overtaken = Overtaken()
    again, elsewhere = job(1), job(2)
    again.prior_attempts, elsewhere.used_before = 1, ("p/m",)
    overtaken.add(again)
    overtaken.add(elsewhere)
    assert overtaken.is_empty


async def test_no_more_is_remembered_than_is_of_use() -> None:
    overtaken = Overtaken()
    for number in range(10):
        overtaken.add(job(number))
    assert overtaken.examples(set(), 0.0) == list(range(10 - EACH, 10))
    for number in range(100, 100 + MOST):
        overtaken.add(job(number, model=f"m{number}"))
    assert overtaken.examples(set(), 0.0) == list(range(100, 100 + MOST))


async def test_of_many_alike_the_small_ones_are_remembered() -> None:
    """The store cannot tell at once what a large one is like."""
    overtaken = Overtaken()
    for number in range(2 * EACH):
        large = job(number)
        large.size = 100_000 if number else 100
        overtaken.add(large)
    told = overtaken.examples(set(), 0.0)
    assert len(told) == EACH
    assert 0 in told


async def test_one_that_goes_on_with_an_answer_or_was_refused_is_no_example() -> None:
    overtaken = Overtaken()
    goes_on, refused = job(1), job(2)
    goes_on.previous = Previous("full", "m")
    refused.body = Refusal(type=ErrorType.INVALID_REQUEST, message="no")
    overtaken.add(goes_on)
    overtaken.add(refused)
    assert overtaken.is_empty


async def test_the_agent_makes_a_difference_only_where_a_route_asks_for_it() -> None:
    for overtaken, kinds in ((Overtaken(), EACH), (Overtaken(lambda: True), 6)):
        for number in range(6):
            overtaken.add(job(number, agent_id=f"a{number}"))
        assert len(overtaken.examples(set(), 0.0)) == kinds
