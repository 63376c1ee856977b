"""A node shows what is looked at, for as long as somebody looks, and carries out orders once."""

import json
import logging
import threading
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio
import trio.lowlevel

from nexus_actors.operations import observer_backend
from nexus_actors.operations.control import CommandRefused
from nexus_actors.operations.crashes import LONGEST_TEXT, MOST, Crashes
from nexus_actors.operations.observer_backend import IDLE, PERIOD, ObserverBackend
from nexus_actors.operations.orders import Orders
from nexus_actors.storage.errors import StorageUnavailable
from nexus_actors.storage.outages import Outages
from nexus_actors.storage.sights import LOOKS_CHANNEL, Order
from supervisors import ChildSpec, GenServer, Supervisor, open_tree
from tests.service import find


@dataclass
class Store:
    """What is looked at, the orders that wait, and what was written."""

    looked_at: list[str] = field(default_factory=list)
    waiting: list[Order] = field(default_factory=list)
    looks_made: int = 0
    shown: list[dict[str, Any]] = field(default_factory=list)
    ended: list[tuple[int, str]] = field(default_factory=list)
    fails: bool = False
    ends_fail: int = 0
    loses: bool = False
    hear: Callable[[str | None], None] = print

    async def looks(self, node: str) -> Sequence[str]:
        await trio.lowlevel.checkpoint()
        if self.fails:
            raise StorageUnavailable("away")
        self.looks_made += 1
        return list(self.looked_at)

    async def show(self, node: str, sights: Mapping[str, str | None]) -> Collection[str]:
        await trio.lowlevel.checkpoint()
        self.shown.append({what: body and json.loads(body) for what, body in sights.items()})
        return [] if self.loses else list(sights)

    async def take(self, node: str) -> Order | None:
        await trio.lowlevel.checkpoint()
        return self.waiting.pop(0) if self.waiting else None

    async def end(self, number: int, outcome: str) -> None:
        await trio.lowlevel.checkpoint()
        if self.ends_fail:
            self.ends_fail -= 1
            raise StorageUnavailable("away")
        if number not in dict(self.ended):
            self.ended.append((number, outcome))

    @contextmanager
    def subscribe(self, name: str, listener: Callable[[str | None], None]) -> Iterator[None]:
        assert name == LOOKS_CHANNEL
        self.hear = listener
        yield


@pytest.fixture(autouse=True)
def _in_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """For which the clock of these tests would not wait."""

    async def here(function: Callable[[Any], str], value: object) -> str:
        await trio.lowlevel.checkpoint()
        return function(value)

    monkeypatch.setattr(observer_backend, "off_loop", here)


async def secret() -> object:
    raise RuntimeError("boom")


async def tree() -> object:
    return {"tree": "\0\ud800", "limit": float("inf"), 3: ("a", None)}


async def large() -> object:
    return "x" * (observer_backend.LARGEST + 1)


async def inspect(name: str) -> object:
    if name != "Router":
        raise CommandRefused("no actor is called that")
    return {"name": name}


async def restart(
    arguments: Mapping[str, Any], first: Callable[[], Awaitable[None]]
) -> Mapping[str, Any]:
    if arguments["actor"] == "broken":
        raise RuntimeError("sk-secret")
    if arguments["actor"] in ("nobody", "Admin.Supervisor"):
        raise CommandRefused(f"no actor is called {arguments['actor']}")
    await first()
    if arguments["actor"] == "Database":
        await trio.sleep_forever()  # its end takes along who waits
    return {"actor": arguments["actor"], "ended": arguments["now"]}


async def reload(_arguments: Mapping[str, Any]) -> object:
    return {"ok": True, "changes": [{"path": "queue.batch_size"}], "needs_restart": []}


@asynccontextmanager
async def observed(store: Store, outages: Outages | None = None) -> AsyncIterator[None]:
    hints: Any = store
    backend = ObserverBackend(
        node="one",
        store=store,
        hints=hints,
        sights={"tree": tree, "status": secret, "config": large},
        inspect=inspect,
        orders=Orders({"reload": reload}, restart),
        outages=outages or Outages(),
    )
    async with open_tree(lambda: backend):
        await trio.lowlevel.checkpoint()
        yield


def order(number: int, action: Any, actor: str = "", *, now: bool = False) -> Order:
    return Order(number=number, action=action, actor=actor, now=now, by="joe", why=None)


async def test_it_does_nothing_while_nobody_looks_and_shows_at_once_when_somebody_does(
    autojump_clock: Any,
) -> None:
    store = Store()
    async with observed(store):
        await trio.sleep(10 * IDLE - 1)
        assert store.looks_made == 10
        assert store.shown == []
        store.looked_at = ["tree"]
        store.hear("another")
        await trio.sleep(0.1)
        assert store.shown == []
        store.hear("one")
        await trio.sleep(0.1)
        assert len(store.shown) == 1
        await trio.sleep(5 * PERIOD)
        assert len(store.shown) == 6
        store.looked_at = []
        await trio.sleep(2 * IDLE)
        assert len(store.shown) == 6


async def test_what_has_not_changed_is_not_written_again_unless_it_is_gone(
    autojump_clock: Any,
) -> None:
    store = Store(["actor Router"])
    async with observed(store):
        await trio.sleep(2.5 * PERIOD)
        store.loses = True
        await trio.sleep(2 * PERIOD)
    router = {"name": "Router"}
    assert [it["actor Router"] for it in store.shown] == [router, None, None, None, router]


async def test_what_is_shown_at_once_is_bounded_the_largest_go_first(
    autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observer_backend, "MOST", 60)
    store = Store(["tree", "actor Router"])
    async with observed(store):
        await trio.sleep(0.1)
    assert store.shown == [
        {
            "tree": {"error": "what is looked at has more than 60 characters in all"},
            "actor Router": {"name": "Router"},
        }
    ]


async def test_a_sight_becomes_text_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    threads: list[int] = []

    class Heavy:
        def __str__(self) -> str:
            threads.append(threading.get_ident())
            return "heavy"

    @dataclass
    class Tree:
        heavy: Heavy

    text = await observer_backend.off_loop(observer_backend._text, {"tree": Tree(Heavy())})
    assert json.loads(text) == {"tree": {"heavy": "heavy"}}
    assert threads != [threading.get_ident()]


async def test_a_sight_that_cannot_be_shown_hides_no_other(autojump_clock: Any) -> None:
    store = Store(["tree", "status", "config", "actor Router", "actor Nobody"])
    async with observed(store):
        await trio.sleep(0.1)
    assert store.shown[0] == {
        "tree": {"tree": "\ufffd\ufffd", "limit": None, "3": ["a", None]},
        "status": {"error": "it cannot be shown; the node's log says why"},
        "config": {"error": "it has 1,048,579 characters, more than is shown"},
        "actor Router": {"name": "Router"},
        "actor Nobody": {"error": "no actor is called that"},
    }


async def test_orders_are_carried_out_once_and_what_came_of_each_is_reported(
    autojump_clock: Any,
) -> None:
    store = Store()
    store.waiting = [
        order(1, "restart", "Router", now=True),
        order(2, "restart", "Router"),
        order(3, "restart", "nobody"),
        order(4, "restart", "broken"),
        order(5, "reload"),
    ]
    async with observed(store):
        await trio.sleep(2 * IDLE)
        assert store.ended == [
            (1, "Router has ended, and is started anew"),
            (2, "Router ends its work first; then it is started anew"),
            (3, "refused: no actor is called nobody"),
            (4, "refused: it failed; the node's log says why"),
            (5, "changed: queue.batch_size"),
        ]
        store.waiting = [order(6, "restart", "Database", now=True)]
        store.hear(None)
        await trio.sleep(0.1)
    # Its end takes along who would tell, so that is told before.
    assert store.ended[5][1].startswith("Database is ended, and started anew")


async def test_an_order_that_ends_who_takes_them_costs_no_other(autojump_clock: Any) -> None:
    store = Store()
    store.waiting = [order(1, "restart", "Database"), order(2, "restart", "Router", now=True)]
    async with observed(store):
        await trio.sleep(2 * IDLE)
        assert [number for number, _ in store.ended] == [1]
    async with observed(store):  # as it is started anew
        await trio.sleep(0.1)
    assert store.ended[1] == (2, "Router has ended, and is started anew")


async def test_an_outcome_is_told_again_until_it_is_stored(autojump_clock: Any) -> None:
    store = Store(ends_fail=3)
    store.waiting = [order(n, "restart", "Router", now=True) for n in (1, 2)]
    async with observed(store):
        await trio.sleep(IDLE)
    assert [number for number, _ in store.ended] == [1, 2]


async def test_an_order_that_is_refused_is_not_foretold_as_done(autojump_clock: Any) -> None:
    store = Store()
    store.waiting = [order(1, "restart", "Admin.Supervisor")]
    async with observed(store):
        await trio.sleep(0.1)
    assert store.ended == [(1, "refused: no actor is called Admin.Supervisor")]


async def test_a_store_that_is_away_is_waited_for(autojump_clock: Any) -> None:
    store, outages = Store(["tree"], fails=True), Outages()
    async with observed(store, outages):
        await trio.sleep(10)
        assert outages.has("ObserverBackend")
        store.fails = False
        await trio.sleep(2)
        assert not outages.has("ObserverBackend")
        assert store.shown


class Crashing(GenServer):
    async def handle_cast(self, message: object) -> None:
        raise RuntimeError(f"\x1b[31m{'x' * 10_000} {message}")


async def test_the_last_crashes_are_kept_and_cut(autojump_clock: Any) -> None:
    crashes = Crashes()
    child = ChildSpec("Crashing", Crashing)
    with crashes.kept():
        logging.getLogger("supervisors").error("not a crash")
        async with open_tree(lambda: Supervisor([child], name="Root", max_restarts=1000)) as root:
            for n in range(MOST + 3):
                actor = await find(root, "Crashing")
                actor.cast(f"number {n}")
                await actor.wait()
                await trio.sleep(1)
    kept = crashes.newest_first()
    assert len(kept) == MOST
    assert {it.actor for it in kept} == {"Crashing"}
    assert f"number {MOST + 2}" in kept[0].text
    assert "RuntimeError" in kept[0].reason
    assert all("\x1b" not in it.text and len(it.text) <= LONGEST_TEXT for it in kept)
    logging.getLogger("supervisors").error("", extra={"offender": "Late", "reason": ""})
    assert len([it for it in crashes.newest_first() if it.actor == "Late"]) == 0


@pytest.mark.parametrize("action", ["stop", "start"])
async def test_an_order_that_nobody_knows_is_refused(action: Any) -> None:
    told: list[str] = []

    async def foretell(outcome: str) -> None:
        told.append(outcome)

    outcome = await Orders({}, restart).carry_out(order(1, action, "Router"), foretell=foretell)
    assert outcome.startswith("refused: ")
    assert told == []
