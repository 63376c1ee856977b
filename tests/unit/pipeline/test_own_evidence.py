"""Whose fault it is that a result is refused, where the store says the same of all."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
import trio.testing

from nexus_actors.contract.encode import encode_result
from nexus_actors.contract.result import Answer, LLMResult, Usage
from nexus_actors.pipeline.result_poller import DELIVERIES, ResultPoller
from nexus_actors.settings.model import QueueSettings
from nexus_actors.storage.errors import StorageRefused
from nexus_actors.storage.outages import Outages
from nexus_actors.storage.requests import Lease
from nexus_actors.storage.results import JobResult, ResultMessage


class Objecting:
    """A store that refuses one row for its value, and whatever there is of another."""

    def __init__(self, results: Sequence[ResultMessage]) -> None:
        self.results = results
        self.set_apart: list[str | None] = []
        self.objects = "bad value"

    async def read(self, quantity: int, visibility_timeout: float) -> Sequence[ResultMessage]:
        return self.results

    async def store(self, rows: Sequence[JobResult]) -> None:
        if any(self.objects in row.output or row.request_id == "tenant" for row in rows):
            raise StorageRefused("raise (P0001), in function objection")

    async def rehearse(self, row: JobResult) -> None:
        await self.store([row])

    async def postpone(self, row: JobResult, delay: float, reason: str) -> None:
        pass

    async def release(self, *, refused: bool = False) -> None:
        pass

    async def set_aside(
        self, message: ResultMessage, reason: str, request_id: str | None = None
    ) -> None:
        self.set_apart.append(request_id)


def message(number: int, request_id: str, text: str) -> ResultMessage:
    """A result that has been delivered as often as it may be."""
    answer = Answer(
        response=text,
        provider="p",
        model="m",
        usage=Usage(prompt_tokens=1, completion_tokens=1, total_tokens=2),
        cost=0.0,
    )
    result = LLMResult(
        request_id=request_id,
        agent_id=None,
        complexity="simple",
        task_type=None,
        outcome=answer,
        latency_ms=1,
        attempts=1,
        timestamp=datetime.now(UTC),
    )
    return ResultMessage(Lease(number, DELIVERIES), encode_result(result))


@pytest.mark.parametrize("first", ["value", "tenant"])
async def test_a_result_is_set_aside_on_its_own_evidence(
    autojump_clock: trio.testing.MockClock, first: str
) -> None:
    value, tenant = message(1, "value", "bad value"), message(2, "tenant", "fine")
    store: Any = Objecting([value, tenant] if first == "value" else [tenant, value])
    hints: Any = None
    poller = ResultPoller(queue=QueueSettings, store=store, hints=hints, outages=Outages())
    await poller._move()
    assert store.set_apart == ["value"]


async def test_what_is_refused_of_every_real_row_is_the_tables_fault_until_another_is_stored(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Though a row with next to nothing in it would pass."""
    store: Any = Objecting([message(1, "one", "bad value"), message(2, "two", "bad value")])
    hints: Any = None
    outages = Outages()
    poller = ResultPoller(queue=QueueSettings, store=store, hints=hints, outages=outages)
    for _ in range(3):
        await poller._move()
    assert store.set_apart == []
    assert "in function objection" in str(outages.describe(0.0)["ResultPoller"]["error"])
    bad, store.results = store.results, [message(3, "three", "fine")]
    await poller._move()
    store.results = bad
    await poller._move()
    assert store.set_apart == ["one", "two"]
