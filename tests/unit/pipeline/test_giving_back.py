"""What is on its way back to the store is the Router's, whoever put it there."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio

from nexus_actors.contract.request import LLMRequest
from nexus_actors.pipeline.router import Router
from nexus_actors.routing import Candidate
from nexus_actors.shared import Shared
from nexus_actors.storage.errors import StorageUnavailable
from nexus_actors.storage.requests import GiveBack, Lease
from nexus_actors.work.in_work import InWork
from nexus_actors.work.job import Job, Wait
from supervisors import ChildSpec, Supervisor, open_tree
from tests.unit.parts import shared


class Store:
    """Takes back what it is given, unless it is away."""

    closed = False

    def __init__(self) -> None:
        self.away = False
        self.returned: list[GiveBack] = []

    async def give_back(self, returns: Sequence[GiveBack]) -> None:
        await trio.sleep(0.01)
        if self.away:
            raise StorageUnavailable("away")
        self.returned += returns


def job(number: int) -> Job:
    body = LLMRequest(request_id=f"r{number}", complexity="simple", messages=())
    return Job(lease=Lease(number, 1), body=body, request_id=body.request_id)


@asynccontextmanager
async def routing(table: InWork, store: Any) -> AsyncIterator[Shared]:
    to_router, bell = trio.open_memory_channel[None](1)
    table.connect(to_router, to_router)
    around = shared(table, store=store)
    spec = ChildSpec("router", lambda: Router(around, bell))
    async with open_tree(lambda: Supervisor([spec])):
        yield around


async def test_what_a_drain_put_on_its_way_is_given_back_however_long_the_store_is_away(
    autojump_clock: Any,
) -> None:
    """Also what was not routed yet, and though the consumer is started again by then."""
    table, store = InWork({"p": 4}), Store()
    store.away = True
    async with routing(table, store):
        await trio.sleep(1)
        table.drain()
        unrouted, assigned = job(1), job(2)
        table.add(assigned)
        table.assign(assigned, "p")
        table.add(unrouted)
        for one in (unrouted, assigned):
            table.leave(one)
        await trio.sleep(30)
        table.resume()
        await trio.sleep(30)
        assert table.leaving() == (unrouted, assigned)
        store.away = False
        await trio.sleep(5)
        assert len(table) == 0
        assert [it.request_id for it in store.returned] == ["r1", "r2"]
        assert [(it.waits_for, it.delay) for it in store.returned] == [(None, 0.0)] * 2


async def test_a_router_that_starts_gives_back_what_it_finds_on_its_way(
    autojump_clock: Any,
) -> None:
    table, store = InWork({"p": 4}), Store()
    table.add(one := job(1))
    table.leave(one)
    async with routing(table, store):
        await trio.sleep(5)
        assert len(table) == 0
        assert [it.request_id for it in store.returned] == ["r1"]


async def test_what_has_to_wait_is_remembered_so_that_its_like_can_be_overtaken(
    autojump_clock: Any,
) -> None:
    """Where there is no room, until there is; where it may not be called yet, until it may."""
    table, store = InWork({"p": 1, "q": 1}), Store()
    for number in (1, 2):
        table.add(held := job(number))
        table.assign(held, "p")
    async with routing(table, store) as around:
        no_room, later = job(3), job(4)
        no_room.candidates, later.candidates = (Candidate("p", "m"),), (Candidate("q", "m"),)
        later.pauses[later.candidate] = Wait("throttled", "q/m", trio.current_time() + 9)
        for one in (no_room, later):
            one.routes = around.routes
            table.add(one)
        await trio.sleep(1)
        told = [(it.waits_for, it.reason, it.detail, round(it.delay)) for it in store.returned]
        assert told == [("p", "provider_full", "p", 0), (None, "throttled", "q/m", 9)]
        now = trio.current_time()
        assert around.overtaken.examples({"q"}, now) == [3, 4]
        assert around.overtaken.examples({"p", "q"}, now + 7) == [4]
        assert around.overtaken.examples({"p", "q"}, now + 9) == []
