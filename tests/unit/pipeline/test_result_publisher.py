"""The publisher on virtual time, while the store is away."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
import trio
import trio.testing

from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Answer, Failure, Usage
from nexus_actors.pipeline.held_answers import LONGEST_PAUSE
from nexus_actors.pipeline.result_publisher import FLUSH_TIMEOUT, ResultPublisher
from nexus_actors.storage.errors import (
    SpoolError,
    StorageError,
    StorageRefused,
    StorageStrained,
    StorageUnavailable,
)
from nexus_actors.storage.outages import Outages
from nexus_actors.storage.refused_answers import is_unstorable
from nexus_actors.storage.requests import Finish, Lease
from nexus_actors.work.in_work import InWork
from nexus_actors.work.job import Job
from supervisors import ChildSpec, Supervisor, open_tree
from tests.unit.parts import shared


class Away:
    """A store that cannot be reached."""

    closed = False

    async def reclaim(self, requests: object) -> object:
        await trio.sleep(0.01)
        raise StorageUnavailable("away")

    finish = reclaim


class Spool(dict[str | None, Finish]):
    """One without threads, which virtual time does not wait for."""

    def __init__(self, *, full: bool) -> None:
        self.full = full

    def unpublished(self) -> Sequence[Finish]:
        return tuple(self.values())

    async def keep(self, answers: Sequence[Finish]) -> None:
        if self.full:
            raise SpoolError("full")
        self.update({it.request_id: it for it in answers})

    async def discard(self, published: Sequence[str]) -> None:
        for request_id in published:
            self.pop(request_id, None)


@pytest.mark.parametrize("full", [False, True])
async def test_a_stop_waits_for_the_store_only_if_answers_would_be_lost(
    autojump_clock: trio.testing.MockClock, full: bool
) -> None:
    in_work = InWork({"p": 4})
    in_work.recovered = True
    store: Any = Away()
    spool: Any = Spool(full=full)
    around = shared(in_work, store=store, spool=spool, batch_size=10)
    to_publisher, answered = trio.open_memory_channel[None](1)
    in_work.connect(to_publisher, to_publisher)

    def publisher() -> ResultPublisher:
        return ResultPublisher(around, answered)

    spec = ChildSpec("publisher", publisher, shutdown=2 * FLUSH_TIMEOUT)
    async with open_tree(lambda: Supervisor([spec])):
        body = LLMRequest(request_id="r", complexity="simple", messages=())
        job = Job(lease=Lease(1, 1), body=body, request_id="r")
        job.step("validate", "ok")
        in_work.add(job)
        in_work.answer(job, Failure(type="provider_error", message="no", retryable=False))
        await trio.sleep(5)
        began = trio.current_time()
    assert (trio.current_time() - began < 3) is not full
    assert ("r" in spool) is not full


class Slow:
    """A store that never does one of them in its time, and the others at once."""

    closed = False

    def __init__(self) -> None:
        self.ended: dict[str | None, float] = {}
        self.together: list[int] = []
        self.repaired = False

    async def reclaim(self, requests: Mapping[str, int]) -> dict[str, Lease]:
        return {name: Lease(msg_id, 1) for name, msg_id in requests.items()}

    async def finish(self, batch: Sequence[Finish]) -> set[Lease]:
        if any(it.request_id == "r0" for it in batch) and not self.repaired:
            self.together.append(len(batch))
            await trio.sleep(10)
            raise StorageUnavailable("no answer in time")
        await trio.sleep(0.01)
        self.ended |= {it.request_id: trio.current_time() for it in batch}
        return {it.lease for it in batch}


def publishing(
    store: object, in_work: InWork, outages: Outages | None = None, *, full: bool = False
) -> ChildSpec:
    """A publisher of what is answered in this table."""
    in_work.recovered = True
    to_publisher, answered = trio.open_memory_channel[None](1)
    to_router, _ = trio.open_memory_channel[None](1)
    in_work.connect(to_router, to_publisher)
    around = replace(
        shared(in_work, store=store, spool=Spool(full=full), batch_size=10),
        outages=outages or Outages(),
    )
    return ChildSpec(
        "publisher", lambda: ResultPublisher(around, answered), shutdown=2 * FLUSH_TIMEOUT
    )


async def test_one_that_the_store_cannot_do_in_its_time_is_tried_beside_the_others(
    autojump_clock: trio.testing.MockClock,
) -> None:
    in_work, store, outages = InWork({"p": 4}), Slow(), Outages()
    spec = publishing(store, in_work, outages)

    async def told(number: int) -> float:
        """Seconds that the next one takes."""
        job = answered(in_work, number)
        began = trio.current_time()
        while job in in_work:
            await trio.sleep(0.01)
        return trio.current_time() - began

    async with open_tree(lambda: Supervisor([spec])):
        slow = answered(in_work, 0)
        await trio.sleep(1)
        for number in range(1, 6):  # behind it
            answered(in_work, number)
        assert max([await told(number) for number in range(6, 9)]) < 35
        assert outages.describe(0.0)["ResultPublisher"]["error"] == "no answer in time"
        assert store.together == [1] * len(store.together)
        tried = len(store.together)
        took: list[float] = []
        while len(store.together) < tried + 4:
            took.append(await told(len(took) + 9))
        assert max(took) < 0.1
        store.repaired = True
        while slow in in_work:
            await trio.sleep(0.1)
        await trio.sleep(0.1)
        assert outages.describe(0.0) == {}


class Straining(Slow):
    """A store that does not do some of them in its time."""

    def __init__(self, *slow: str) -> None:
        super().__init__()
        self.slow = slow

    async def finish(self, batch: Sequence[Finish]) -> set[Lease]:
        if any(it.request_id in self.slow for it in batch):
            self.together.append(len(batch))
            await trio.sleep(10)
            raise StorageStrained("no answer in time")
        await trio.sleep(0.01)
        self.ended |= {it.request_id: trio.current_time() for it in batch}
        return {it.lease for it in batch}


@pytest.mark.parametrize("slow", [("r0",), ("r5",), ("r9",), ("r2", "r7")])
async def test_those_that_take_too_long_cost_the_others_their_time_twice_and_the_next_ones_once(
    autojump_clock: trio.testing.MockClock, slow: tuple[str, ...]
) -> None:
    in_work, store, began = InWork({"p": 20}), Straining(*slow), trio.current_time()
    spec = publishing(store, in_work)
    async with open_tree(lambda: Supervisor([spec])):
        for number in range(10):
            answered(in_work, number)
        await trio.sleep(5)
        for number in range(10, 14):  # while it is being tried
            answered(in_work, number)
        while len(store.ended) < 14 - len(slow):
            await trio.sleep(0.1)
    assert store.together[0] == 10
    assert set(store.together[1:]) <= {1}
    assert max(store.ended.values()) - began < 10 * (1 + len(slow)) + 1
    assert max(store.ended[f"r{number}"] for number in range(10, 12)) - began < 21


class Objecting(Slow):
    """A store that refuses the first three, whatever they say."""

    async def finish(self, batch: Sequence[Finish]) -> set[Lease]:
        await trio.sleep(0.01)
        if any(it.lease.msg_id < 3 for it in batch) and not self.repaired:
            raise StorageRefused("no")
        return {it.lease for it in batch}

    async def rehearse(self, item: Finish, *, lease_of: str | None = None) -> bool:
        return bool(await self.finish([item]))


@pytest.mark.parametrize("full", [False, True])
async def test_what_is_held_is_in_the_way_of_no_leasing_only_if_it_is_durable(
    autojump_clock: trio.testing.MockClock, full: bool
) -> None:
    in_work, store = InWork({"p": 1}), Objecting()
    spec = publishing(store, in_work, full=full)
    async with open_tree(lambda: Supervisor([spec])):
        for number in range(3):
            answered(in_work, number)
        await trio.sleep(1)
        assert in_work.is_full  # nothing has got through
        answered(in_work, 3)
        await trio.sleep(1)
        assert len(in_work.answered()) == 3
        assert in_work.is_full is full
        store.repaired = True
        await trio.sleep(10)
        assert len(in_work) == 0


class Once(Slow):
    """A store whose condition is over by the time that a placeholder is tried."""

    def __init__(self) -> None:
        super().__init__()
        self.refusals = 1
        self.replaced: list[bool] = []

    async def finish(self, batch: Sequence[Finish]) -> set[Lease]:
        await trio.sleep(0.01)
        if self.refusals > 0:
            self.refusals -= 1
            raise StorageRefused("no")
        self.replaced += [
            is_unstorable(it) or "message" not in (it.failure or {"message": ""}) for it in batch
        ]
        return {it.lease for it in batch}

    async def rehearse(self, item: Finish, *, lease_of: str | None = None) -> bool:
        await trio.sleep(0.01)
        return True


@pytest.mark.parametrize("refusals", [1, 2])
async def test_an_answer_is_replaced_only_if_it_is_refused_twice_while_a_placeholder_is_not(
    autojump_clock: trio.testing.MockClock, refusals: int
) -> None:
    in_work, store = InWork({"p": 1}), Once()
    store.refusals = refusals
    spec = publishing(store, in_work)
    async with open_tree(lambda: Supervisor([spec])):
        answered(in_work, 1)
        await trio.sleep(1)
    assert store.replaced == [refusals == 2]


class Lost(Once):
    """One that is not ours when the first placeholder is tried, and then again."""

    async def reclaim(self, requests: Mapping[str, int]) -> dict[str, Lease]:
        return {name: Lease(msg_id, 2) for name, msg_id in requests.items()}

    async def rehearse(self, item: Finish, *, lease_of: str | None = None) -> bool:
        if "paid" in (item.result or ""):
            raise StorageRefused("no")
        return item.lease.read_ct == 2

    async def record_late(self, batch: Sequence[Finish]) -> int:
        return len(batch)


@pytest.mark.parametrize("refusals", [2, 3])
async def test_a_refusal_counts_only_where_a_placeholder_was_seen_to_pass(
    autojump_clock: trio.testing.MockClock, refusals: int
) -> None:
    in_work, store = InWork({"p": 1}), Lost()
    store.refusals = refusals
    spec = publishing(store, in_work)
    async with open_tree(lambda: Supervisor([spec])):
        answered(in_work, 1, PAID)
        await trio.sleep(1)
    assert store.replaced == [refusals == 3]


class Wavering(Slow):
    """A store that does not do one in its time, then refuses it; each time for another reason."""

    def __init__(self, *said: type[StorageError] | None, conditions: Sequence[int] = ()) -> None:
        super().__init__()
        self.said = said
        self.conditions = conditions
        self.tried = 0
        self.replaced: list[bool] = []

    async def finish(self, batch: Sequence[Finish]) -> set[Lease]:
        await trio.sleep(0.01)
        if any(it.request_id == "r0" for it in batch):
            self.tried += 1
            if error := self.said[min(self.tried, len(self.said)) - 1]:
                raise error("no")
            self.replaced += [is_unstorable(it) for it in batch]
        return {it.lease for it in batch}

    async def rehearse(self, item: Finish, *, lease_of: str | None = None) -> bool:
        await trio.sleep(0.01)
        if self.tried in self.conditions or "paid" in (item.result or ""):
            raise StorageRefused("no")
        return True


async def test_what_was_held_for_a_condition_is_refused_twice_anew_before_it_is_replaced(
    autojump_clock: trio.testing.MockClock,
) -> None:
    no = StorageRefused
    in_work, store = InWork({"p": 4}), Wavering(no, no, no, None, conditions=[2])
    spec = publishing(store, in_work)
    async with open_tree(lambda: Supervisor([spec])):
        answered(in_work, 0, PAID)
        await trio.sleep(5)
    assert (store.tried, store.replaced) == (4, [False])


async def test_it_is_held_for_one_reason(autojump_clock: trio.testing.MockClock) -> None:
    slow, always = StorageStrained, range(4, 1000)
    in_work, store = InWork({"p": 4}), Wavering(slow, slow, slow, StorageRefused, conditions=always)
    spec = publishing(store, in_work)
    async with open_tree(lambda: Supervisor([spec])):
        for number in range(2):
            answered(in_work, number)
        await trio.sleep(100)
        assert len(in_work) == 1
    assert 10 < store.tried < 100 / LONGEST_PAUSE + 10


async def test_an_answer_that_is_replaced_takes_the_memory_of_what_replaces_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    in_work = InWork({"p": 4}, memory_bytes=50_000)
    left: list[float] = []

    class Looking(Wavering):
        async def finish(self, batch: Sequence[Finish]) -> set[Lease]:
            left.append(in_work.bytes_left)
            return await super().finish(batch)

    store = Looking(StorageRefused, StorageRefused, None)
    spec = publishing(store, in_work)
    async with open_tree(lambda: Supervisor([spec])):
        large = replace(PAID, response="paid" * 25_000)
        answered(in_work, 0, large)
        await trio.sleep(5)
    assert store.replaced == [True]
    assert [it > 0 for it in left] == [False, False, True]


PAID = Answer(
    response="paid",
    provider="p",
    model="m",
    usage=Usage(prompt_tokens=1, completion_tokens=1, total_tokens=2),
    cost=1.0,
)
FAILED = Failure(type="provider_error", message="no", retryable=False)


def answered(in_work: InWork, number: int, outcome: Answer | Failure = FAILED) -> Job:
    """A job that has its outcome."""
    body = LLMRequest(request_id=f"r{number}", complexity="simple", messages=())
    job = Job(lease=Lease(number, 1), body=body, request_id=body.request_id)
    job.step("validate", "ok")
    in_work.add(job)
    in_work.answer(job, outcome)
    return job
