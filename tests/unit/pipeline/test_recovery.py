"""What an earlier process left, on virtual time."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from nexus_actors.pipeline import result_publisher
from nexus_actors.pipeline.result_publisher import ResultPublisher
from nexus_actors.storage.errors import StorageStrained, StorageUnavailable
from nexus_actors.storage.requests import Finish, Lease
from nexus_actors.work.in_work import InWork
from supervisors import ChildSpec, Supervisor, open_tree
from tests.unit.parts import shared
from tests.unit.pipeline.test_result_publisher import Spool


class Straining:
    """A store that does not do some of them in its time."""

    def __init__(self, *slow: str) -> None:
        self.slow = slow
        self.together: list[int] = []
        self.failed: list[int] = []
        self.away = False

    async def reclaim(self, requests: Mapping[str, int]) -> dict[str, Lease]:
        return {name: Lease(msg_id, 1) for name, msg_id in requests.items()} if requests else {}

    async def finish(self, batch: Sequence[Finish]) -> set[Lease]:
        if self.away:
            raise StorageUnavailable("away")
        if any(it.request_id in self.slow for it in batch):
            self.failed.append(len(batch))
            await trio.sleep(10)
            raise StorageStrained("no answer in time")
        self.together.append(len(batch))
        return {it.lease for it in batch}

    async def rehearse(self, item: Finish, *, lease_of: str | None = None) -> bool:
        raise StorageStrained("no answer in time")

    async def record_late(self, batch: Sequence[Finish]) -> int:
        return len(batch)


@asynccontextmanager
async def recovering(
    store: object, left: Sequence[Finish], *, look_every: float = 0.01
) -> AsyncIterator[InWork]:
    """A publisher that begins with these in its spool, once something may be leased."""
    in_work, spool = InWork({"p": 1}), Spool(full=False)
    spool.update({it.request_id: it for it in left})
    to_publisher, answered = trio.open_memory_channel[None](1)
    in_work.connect(to_publisher, to_publisher)
    around = shared(in_work, store=store, spool=spool, batch_size=10)
    spec = ChildSpec("publisher", lambda: ResultPublisher(around, answered))
    async with open_tree(lambda: Supervisor([spec])):
        while not in_work.recovered:
            await trio.sleep(look_every)
        yield in_work


def end(number: int, result: str = "{}") -> Finish:
    """What is left of one request."""
    return Finish(
        lease=Lease(number, 1),
        request_id=f"r{number}",
        result=result,
    )


@pytest.mark.parametrize("slow", [("r0",), ("r5",), ("r9", "r2")])
async def test_those_that_take_too_long_hold_up_leasing_twice(
    autojump_clock: trio.testing.MockClock, slow: tuple[str, ...]
) -> None:
    store, began = Straining(*slow), trio.current_time()
    async with recovering(store, [end(n) for n in range(10)]) as in_work:
        assert {job.request_id for job in in_work.answered()} == set(slow)
        assert (store.failed[0], set(store.failed[1:])) == (10, {1})
        assert trio.current_time() - began < 10.0 * (1 + len(slow)) + 5.0


async def test_one_that_alone_takes_too_long_holds_up_leasing_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with recovering(store := Straining("r0"), [end(0)]) as in_work:
        assert store.failed == [1]
        assert len(in_work.answered()) == 1


async def test_nothing_is_leased_while_the_store_is_away(
    autojump_clock: trio.testing.MockClock,
) -> None:
    store = Straining()
    store.away = True
    with trio.move_on_after(600) as waited:
        async with recovering(store, [end(0)], look_every=0.5):
            pass
    assert waited.cancelled_caught
    store.away = False
    async with recovering(store, [end(0)]) as in_work:
        assert len(in_work) == 0


async def test_no_statement_is_larger_than_a_batch_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_publisher, "BATCH_BYTES", 5000)
    store = Straining()
    large = f'"{"x" * 1000}"'
    async with recovering(store, [end(n, large) for n in range(4)]):
        assert store.together == [2, 2]
    async with recovering(store, [end(4, large * 10)]):
        assert store.together == [2, 2, 1]
