"""What an earlier process left, on virtual time."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import trio
import trio.testing

from nexus_actors.pipeline import recovery
from nexus_actors.pipeline.recovery import Recovery
from nexus_actors.storage.outages import Outages
from nexus_actors.storage.ports import Finish, Lease, StorageStrained
from nexus_actors.work.in_work import InWork
from nexus_actors.work.kept_answers import KeptAnswers
from tests.unit.pipeline.test_result_publisher import Spool


class Straining:
    """A store that does not do some of them in its time."""

    def __init__(self, *slow: str) -> None:
        self.slow = slow
        self.together: list[int] = []
        self.failed: list[int] = []

    async def reclaim(self, requests: Mapping[str, int]) -> dict[str, Lease]:
        return {name: Lease(msg_id, 1) for name, msg_id in requests.items()} if requests else {}

    async def finish(self, batch: Sequence[Finish]) -> set[Lease]:
        if any(it.request_id in self.slow for it in batch):
            self.failed.append(len(batch))
            await trio.sleep(10)
            raise StorageStrained("no answer in time")
        self.together.append(len(batch))
        return {it.lease for it in batch}

    async def record_late(self, batch: Sequence[Finish]) -> int:
        return len(batch)


async def recovered(store: Any, left: Sequence[Finish]) -> list[str | None]:
    """Which of these were taken into work."""
    in_work, spool = InWork({"p": 1}), Spool(full=False)
    kept: Any = spool
    patience = Outages().patience("ResultPublisher")
    await Recovery(
        batch_size=10,
        store=store,
        kept=KeptAnswers(kept, in_work),
        in_work=in_work,
        patience=patience,
    ).run(left)
    return [job.request_id for job in in_work.answered()]


def end(number: int, result: str = "{}") -> Finish:
    """What is left of one request."""
    return Finish(
        lease=Lease(number, 1),
        request_id=f"r{number}",
        result=result,
        succeeded=True,
        dead_reason=None,
        dead_detail=None,
    )


@pytest.mark.parametrize("slow", [("r0",), ("r5",), ("r9", "r2")])
async def test_those_that_take_too_long_cost_their_time_twice(
    autojump_clock: trio.testing.MockClock, slow: tuple[str, ...]
) -> None:
    store = Straining(*slow)
    assert set(await recovered(store, [end(n) for n in range(10)])) == set(slow)
    assert store.failed == [10, *(1 for _ in slow)]


async def test_no_statement_is_larger_than_a_batch_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "BATCH_BYTES", 5000)
    store = Straining()
    large = f'"{"x" * 1000}"'
    await recovered(store, [end(n, large) for n in range(4)])
    assert store.together == [2, 2]
    await recovered(store, [end(4, large * 10)])
    assert store.together == [2, 2, 1]
