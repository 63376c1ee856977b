"""A node's beat harms nobody, whatever the store does, and ends with word of the stop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import trio

from nexus_actors.operations.heartbeat import BEAT, Heartbeat
from nexus_actors.storage.errors import StorageRefused
from nexus_actors.storage.nodes import SILENCE, NodeReport
from nexus_actors.storage.outages import Outages
from supervisors import ActorRef, open_tree

REPORT = NodeReport(
    node="one",
    name="nexus@host",
    host="host",
    version="1",
    pid=7,
    queue="q",
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    state="ready",
    why=None,
    in_flight=3,
    concurrency={},
    restarts=0,
    last_error=None,
)


@dataclass
class Store:
    """Notes what it is told, and when; does first as it is told to."""

    states: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    hangs: bool = False
    fails: Exception | None = None

    async def beat(self, report: NodeReport) -> None:
        await trio.lowlevel.checkpoint()
        if self.fails is not None:
            raise self.fails
        if self.hangs:
            await trio.sleep_forever()
        self.states.append(report.state)
        self.times.append(trio.current_time())


@asynccontextmanager
async def beating(store: Store, outages: Outages | None = None) -> AsyncIterator[ActorRef]:
    told = outages or Outages()

    def report() -> NodeReport:
        waits = bool(told.describe(0.0))
        return replace(REPORT, state="degraded" if waits else "ready")

    async with open_tree(lambda: Heartbeat(store=store, report=report, outages=told)) as ref:
        yield ref


async def test_it_beats_often_enough_to_be_seen_and_tells_of_an_orderly_stop(
    autojump_clock: Any,
) -> None:
    store = Store()
    async with beating(store):
        await trio.sleep(20.5)
    assert store.states == ["ready"] * 11 + ["stopped"]
    pauses = [after - before for before, after in zip(store.times, store.times[1:], strict=False)]
    assert max(pauses) <= BEAT < SILENCE / 3


async def test_who_is_killed_says_nothing(autojump_clock: Any) -> None:
    store = Store()
    async with beating(store) as ref:
        await trio.sleep(1)
        ref.kill()
        await ref.wait()
    assert store.states == ["ready"]


async def test_a_store_that_hangs_or_refuses_is_waited_for_and_then_told_the_truth_at_once(
    autojump_clock: Any,
) -> None:
    store, outages = Store(hangs=True), Outages()
    async with beating(store, outages):
        await trio.sleep(10)
        assert "no answer in time" in str(outages.describe(0.0)["Heartbeat"]["error"])
        store.fails = StorageRefused("no")
        await trio.sleep(10)
        assert outages.describe(0.0)["Heartbeat"]["error"] == "no"
        store.fails, store.hangs = None, False
        await trio.sleep(2 * BEAT)
        assert outages.describe(0.0) == {}
        assert store.states[:2] == ["degraded", "ready"]
        assert store.times[0] == store.times[1]
        store.hangs = True
        await trio.sleep(3 * BEAT)  # a beat is under way
        stopped_from = trio.current_time()
    assert trio.current_time() - stopped_from <= BEAT
    assert "stopped" not in store.states


async def test_a_beat_that_is_under_way_at_the_stop_does_not_come_after_its_word(
    autojump_clock: Any,
) -> None:
    store = Store(hangs=True)
    async with beating(store):
        await trio.sleep(BEAT / 2)
        store.hangs = False
        before = trio.current_time()
    assert store.states == ["stopped"]
    assert trio.current_time() == before
