"""Who leads prunes, and nobody else; whoever waits for a round that never comes is told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, get_args

import structlog
import trio
import trio.testing

from nexus_actors.operations.leader import LOOK, Leadership
from nexus_actors.operations.pruner import INTERVAL, OVERDUE, Pruner
from nexus_actors.settings.model import RetentionSettings
from nexus_actors.storage.errors import StorageUnavailable
from nexus_actors.storage.nodes import Chore, Term, Turn
from nexus_actors.storage.outages import Outages
from nexus_actors.storage.retention import Kept
from supervisors import open_tree
from tests.unit.parts import settings

ALL = get_args(Kept)


@dataclass
class Store:
    """One chore, and what was pruned under which term."""

    leader: str | None = None
    number: int = 0
    idle: float = 0.0
    looks: int = 0
    rounds: int = 0
    pruned: list[tuple[Kept, int]] = field(default_factory=list)
    looked_through: list[Kept] = field(default_factory=list)
    refused: Kept | None = None
    lost_at: Kept | None = None
    """Another takes over while this is pruned."""

    async def take(self, chore: Chore, *, node: str, running: float) -> Turn:
        await trio.lowlevel.checkpoint()
        self.looks += 1
        assert running == 77
        if self.leader not in (None, node):
            return Turn(None, self.idle)
        if self.leader is None:
            self.leader, self.number = node, self.number + 1
        return Turn(Term(chore, "q", node, self.number), self.idle)

    async def hold(self, term: Term) -> bool:
        return (self.leader, self.number) == (term.node, term.number)

    async def end(self, term: Term) -> None:
        self.rounds += await self.hold(term)

    async def leave(self, term: Term) -> None:
        if await self.hold(term):
            self.leader = None

    async def prune(self, what: Kept, term: Term, *, seconds: float, count: int, batch: int) -> int:
        await trio.lowlevel.checkpoint()
        self.looked_through.append(what)
        if what == self.lost_at:
            self.leader = "another"
        if what == self.refused:
            raise StorageUnavailable("no")
        if await self.hold(term):
            self.pruned.append((what, term.number))
        return 0


@asynccontextmanager
async def pruning(store: Store, outages: Outages | None = None) -> AsyncIterator[None]:
    def retention() -> RetentionSettings:
        return settings(retention={"dead_days": 1.0}).retention

    def pruner() -> Pruner:
        leadership = Leadership(
            chores=store, node="one", running=lambda: 77, outages=outages or Outages()
        )
        return Pruner(settings=retention, store=store, leadership=leadership)

    async with open_tree(pruner):
        yield


async def test_the_leader_prunes_at_once_and_then_every_interval_and_leaves_at_the_stop(
    autojump_clock: Any,
) -> None:
    store = Store()
    async with pruning(store):
        await trio.sleep(1)
        assert store.pruned == [(it, 1) for it in ALL]
        assert store.rounds == 1
        await trio.sleep(INTERVAL - 2)
        assert store.rounds == 1
        await trio.sleep(2 * LOOK)
        assert store.rounds == 2
        assert store.leader == "one"
    assert store.leader is None


async def test_another_node_prunes_only_once_it_leads(autojump_clock: Any) -> None:
    store = Store(leader="another")
    async with pruning(store):
        await trio.sleep(2 * INTERVAL)
        assert store.pruned == []
        assert store.looks > 2 * INTERVAL / LOOK / 2
        store.leader = None
        await trio.sleep(2 * LOOK)
        assert store.rounds == 1
        store.leader = "another"
        await trio.sleep(INTERVAL)
    assert store.leader == "another"
    assert len(store.pruned) == len(ALL)


async def test_who_loses_the_lead_in_a_round_ends_it(autojump_clock: Any) -> None:
    store = Store(lost_at="journal")
    async with pruning(store):
        await trio.sleep(1)
    assert [what for what, _ in store.pruned] == ["requests", "results"]
    assert store.looked_through == ["requests", "results", "journal"]
    assert store.rounds == 0


async def test_a_round_in_which_a_kind_was_refused_is_not_complete(autojump_clock: Any) -> None:
    store = Store(refused="results")
    async with pruning(store):
        await trio.sleep(1)
    assert [what for what, _ in store.pruned] == [it for it in ALL if it != "results"]
    assert store.rounds == 0


async def test_it_is_reported_when_nobody_has_pruned_for_an_hour(autojump_clock: Any) -> None:
    store, outages = Store(leader="another", idle=OVERDUE), Outages()
    async with pruning(store, outages):
        await trio.sleep(1)
        assert outages.describe(0.0) == {}
        store.idle = OVERDUE + 1
        await trio.sleep(2 * LOOK)
        told = outages.describe(trio.current_time())["pruning"]
        assert told["error"] == "nobody has completed a round for 3600 s"
        assert 0 < told["seconds"] <= 2 * LOOK
        store.idle = 0
        await trio.sleep(LOOK)
        assert outages.describe(0.0) == {}


async def test_a_look_that_finds_the_chore_locked_is_no_change_of_who_leads(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """As after a statement that was given up while the server goes on with it."""
    store = Store()
    with structlog.testing.capture_logs() as logs:
        async with pruning(store):
            await trio.sleep(2 * LOOK)
            store.leader = "locked"
            await trio.sleep(2 * LOOK)
            store.leader = "one"
            await trio.sleep(2 * LOOK)
    told = [it["term"] for it in logs if it["event"] == "this node leads"]
    assert told == [1]
