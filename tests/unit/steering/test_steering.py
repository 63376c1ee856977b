"""What is read is obeyed at once, and holds on while the store is away."""

from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import trio

from nexus_actors.contract.request import LLMRequest
from nexus_actors.routing import Candidate
from nexus_actors.steering.desired import Desired
from nexus_actors.steering.steering import INTERVAL, Callbacks, Scope, Steering
from nexus_actors.storage.control import ControlRow
from nexus_actors.storage.errors import StorageUnavailable
from nexus_actors.storage.outages import Outages
from nexus_actors.storage.requests import Lease
from nexus_actors.work.in_work import InWork
from nexus_actors.work.job import Assigned, Job, Leaving, Unrouted
from supervisors import ChildSpec, Supervisor, open_tree
from tests.unit.parts import control_row


@dataclass
class Store:
    """The rows, and what was released."""

    rows: list[ControlRow] = field(default_factory=list)
    away: bool = False
    reads: int = 0
    released: list[tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=list)

    async def read(self, nodes: Collection[str]) -> Sequence[ControlRow]:
        await trio.lowlevel.checkpoint()
        self.reads += 1
        assert list(nodes) == ["id", "name"]
        if self.away:
            raise StorageUnavailable("away")
        return list(self.rows)

    async def release(self, lanes: Collection[str], providers: Collection[str], most: int) -> int:
        await trio.lowlevel.checkpoint()
        self.released.append((tuple(lanes), tuple(providers)))
        return 0


@dataclass
class Hints:
    """Tells when it is told to."""

    tell: Callable[[], None] = lambda: None
    is_consumer: bool = True

    @contextmanager
    def subscribe(self, name: str, listener: Callable[[str | None], None]) -> Iterator[None]:
        assert name == "nexus_control"
        self.tell = lambda: listener("")
        yield

    def announce(self) -> None:
        self.is_consumer = True

    def withdraw(self) -> None:
        self.is_consumer = False


@dataclass
class World:
    """What Steering moves."""

    store: Store = field(default_factory=Store)
    hints: Hints = field(default_factory=Hints)
    desired: Desired = field(default_factory=Desired)
    in_work: InWork = field(default_factory=lambda: InWork({"p": 2, "q": 2}))
    outages: Outages = field(default_factory=Outages)
    pulled: list[str] = field(default_factory=list)

    async def set(self, *rows: ControlRow) -> None:
        """As an operator would."""
        self.store.rows = list(rows)
        self.hints.tell()
        await trio.sleep(0.01)


@asynccontextmanager
async def steering(**parts: Any) -> AsyncIterator[World]:
    world = World(**parts)
    world.in_work.is_stopped = world.desired.stops
    callbacks = Callbacks(
        resize=lambda: world.pulled.append("resize"),
        set_level=lambda: world.pulled.append("set_level"),
    )

    def actor() -> Steering:
        return Steering(
            scope=Scope(nodes=("id", "name"), queue="ai_requests", callbacks=callbacks),
            store=world.store,
            hints=world.hints,  # type: ignore[arg-type] # as much of them as it uses
            desired=world.desired,
            in_work=world.in_work,
            outages=world.outages,
        )

    async with open_tree(lambda: Supervisor([ChildSpec("Steering", actor)])):
        yield world


def job(number: int, provider: str, agent: str | None = None) -> Job:
    body = LLMRequest(request_id=f"r{number}", agent_id=agent, complexity="simple", messages=())
    one = Job(lease=Lease(number, 1), body=body, request_id=body.request_id)
    one.candidates = (Candidate(provider, "m"),)
    return one


async def test_what_holds_is_known_once_it_has_started(autojump_clock: Any) -> None:
    async with steering(store=Store(rows=[control_row("pause", "provider", "p")])) as world:
        assert world.desired.known
        assert world.desired.stops("p")
        assert not world.desired.stops("q")


async def test_a_start_waits_a_moment_for_a_store_that_is_away_and_nothing_is_known_till_it_is_back(
    autojump_clock: Any,
) -> None:
    store = Store(rows=[control_row("pause", "provider", "p")], away=True)
    async with steering(store=store) as world:
        await trio.sleep(10)
        assert not world.desired.known
        store.away = False
        await trio.sleep(5)
        assert world.desired.known
        assert world.desired.stops("p")


async def test_what_was_not_begun_is_the_routers_again_and_what_runs_goes_on(
    autojump_clock: Any,
) -> None:
    async with steering() as world:
        table = world.in_work
        jobs = {name: job(n, name) for n, name in enumerate(("p", "q"))}
        running, theirs = job(7, "p"), job(8, "q", agent="batch-1")
        for one in (running, *jobs.values(), theirs):
            table.add(one)
            table.assign(one, one.candidate.provider)
        worker: Any = object()
        assert await table.take("p", worker) is running
        agents = control_row("pause", "agent", "batch-*")
        await world.set(control_row("pause", "provider", "p"), agents)
        assert isinstance(jobs["p"].place, Unrouted)
        assert isinstance(theirs.place, Unrouted)
        assert isinstance(jobs["q"].place, Assigned)
        assert table.held("p") == (running,)


async def test_nothing_is_taken_for_a_paused_provider_until_it_is_resumed(
    autojump_clock: Any,
) -> None:
    async with steering() as world:
        await world.set(control_row("pause", "provider", "p"))
        table, one = world.in_work, job(1, "p")
        assert set(table.demand()) == {"q"}
        assert table.quantity() > 4  # what would only wait is leased, so that it says why
        worker: Any = object()
        table.add(one)
        table.assign(one, "p")
        with trio.move_on_after(30) as scope:
            await table.take("p", worker)
        assert scope.cancelled_caught
        async with trio.open_nursery() as nursery:
            nursery.start_soon(table.take, "p", worker)
            await trio.sleep(1)
            assert table.running == 0
            await world.set()
        assert table.held("p") == (one,)


async def test_a_pause_whose_time_is_over_ends_though_the_store_is_away(
    autojump_clock: Any,
) -> None:
    until = datetime(2026, 1, 1, 1, tzinfo=UTC)
    soon = control_row("pause", "provider", "p", until=until, seconds_left=30.0)
    later = control_row("pause", "provider", "q", until=until.replace(minute=1), seconds_left=60.0)
    async with steering(store=Store(rows=[soon, later])) as world:
        world.store.away = True
        await trio.sleep(29)
        assert world.desired.stops("p")
        await trio.sleep(3)
        assert not world.desired.stops("p")
        await trio.sleep(27)
        assert world.desired.stops("q")
        await trio.sleep(3)
        assert not world.desired.stops("q")


async def test_rows_are_read_though_nobody_tells(autojump_clock: Any) -> None:
    async with steering() as world:
        world.store.rows = [control_row("pause", "provider", "p")]
        await trio.sleep(INTERVAL + 0.1)
        assert world.desired.stops("p")


async def test_who_waits_for_a_pause_that_is_over_is_looked_for_for_a_minute(
    autojump_clock: Any,
) -> None:
    """A node that had not heard of it may have put a request there meanwhile."""
    fallback = control_row("pause", "provider", "p", value="fallback")
    async with steering() as world:
        await trio.sleep(70)
        world.store.released.clear()
        await trio.sleep(30)
        assert world.store.released == []
        await world.set(fallback, control_row("pause", "agent", "a"))
        await world.set(fallback)
        await trio.sleep(100)
        assert 25 < len(world.store.released) < 40
        assert world.store.released[-1] == (("paused provider p (fallback)",), ("p",))


async def test_after_the_store_was_away_it_is_looked_for_who_waits_for_what_ended_meanwhile(
    autojump_clock: Any,
) -> None:
    until = datetime(2026, 1, 1, 1, tzinfo=UTC)
    soon = control_row("pause", "provider", "p", until=until, seconds_left=5.0)
    async with steering(store=Store(rows=[soon])) as world:
        await trio.sleep(1)
        world.store.away, world.store.rows = True, []
        await trio.sleep(120)
        world.store.released.clear()
        world.store.away = False
        await trio.sleep(10)
        assert world.store.released[0] == ((), ())


async def test_what_waits_for_a_pause_of_all_is_looked_for_when_it_becomes_one_of_this_node_alone(
    autojump_clock: Any,
) -> None:
    async with steering(store=Store(rows=[control_row("pause", "provider", "p")])) as world:
        await trio.sleep(100)
        world.store.released.clear()
        await world.set(control_row("pause", "provider", "p", node="id"))
        assert set(world.store.released) == {((), ())}


async def test_no_word_of_an_operator_opens_what_is_being_stopped(autojump_clock: Any) -> None:
    async with steering() as world:
        await world.set(control_row("drain", "node", node="id"))
        world.in_work.stopping = True
        await world.set()
        assert (world.in_work.draining, world.hints.is_consumer) == (True, False)


async def test_a_node_drains_and_goes_on_as_it_is_told_and_over_a_restart_of_the_actor(
    autojump_clock: Any,
) -> None:
    async with steering() as world:
        table, one = world.in_work, job(1, "p")
        table.add(one)
        table.assign(one, "p")
        await world.set(control_row("drain", "node", node="id"))
        assert isinstance(one.place, Leaving)
        assert (table.draining, world.hints.is_consumer) == (True, False)
        table.resume()  # as the pipeline does when it starts anew
    async with steering(store=world.store, desired=world.desired, in_work=table) as again:
        assert (table.draining, again.hints.is_consumer) == (True, False)
        await again.set()
        assert (table.draining, again.hints.is_consumer) == (False, True)


async def test_workers_and_log_are_as_they_are_wanted_from_the_start_on_and_at_each_change(
    autojump_clock: Any,
) -> None:
    async with steering() as world:
        assert sorted(world.pulled) == ["resize", "set_level"]
        world.pulled.clear()
        await world.set(control_row("concurrency", "provider", "p", value="9"))
        assert world.pulled == ["resize"]
        await world.set(control_row("log_level", "node", value="debug"))
        assert world.pulled == ["resize", "set_level", "resize"]
        assert world.desired.concurrency_of("p") is None
        await trio.sleep(100)
        assert len(world.pulled) == 3
