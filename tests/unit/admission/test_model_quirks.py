"""The actor that keeps the table of quirks and the store's alike, before a store that is told how
to behave."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio

from nexus_actors.admission.model_quirks import FIRST_READ, INTERVAL, ModelQuirks
from nexus_actors.admission.quirks import Quirks
from nexus_actors.storage.errors import StorageRefused, StorageUnavailable
from nexus_actors.storage.outages import Outages
from nexus_actors.storage.quirks import QUIRKS_CHANNEL, Quirk
from supervisors import open_tree

SEED = Quirk(provider="p", model="m", field="seed", reason="refused")


@dataclass
class Store:
    """Holds quirks; does first what it is told."""

    rows: list[Quirk] = field(default_factory=list)
    missed: list[Quirk] = field(default_factory=list)
    """Added just before LISTEN stands, so nobody is notified of them."""
    reads: int = 0
    hangs: bool = False
    fails: Exception | None = None
    listens: bool = True
    listener: Callable[[str | None], None] = lambda _: None

    async def read(self) -> list[Quirk]:
        await self._behave()
        self.reads += 1
        return list(self.rows)

    async def learn(self, quirk: Quirk) -> None:
        await self._behave()
        self.rows.append(quirk)

    async def _behave(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.hangs:
            await trio.sleep_forever()
        if self.fails is not None:
            raise self.fails

    @contextmanager
    def listen(self, queue: str, callback: Callable[[], None]) -> Iterator[None]:
        raise NotImplementedError
        yield

    @contextmanager
    def subscribe(self, name: str, listener: Callable[[str | None], None]) -> Iterator[None]:
        assert name == QUIRKS_CHANNEL
        self.listener = listener
        if self.listens:
            trio.lowlevel.spawn_system_task(self._connect, listener)
        yield

    async def _connect(self, listener: Callable[[str | None], None]) -> None:
        await trio.lowlevel.checkpoint()
        self.rows += self.missed
        listener(None)


@asynccontextmanager
async def running(
    store: Store, quirks: Quirks, outages: Outages | None = None
) -> AsyncIterator[None]:
    def actor() -> ModelQuirks:
        return ModelQuirks(store=store, hints=store, quirks=quirks, outages=outages or Outages())

    async with open_tree(actor):
        yield


def known(quirks: Quirks) -> set[str]:
    return set(quirks.without("p", "m", "", trio.current_time()))


async def test_the_first_call_goes_by_what_is_stored(autojump_clock: Any) -> None:
    quirks = Quirks()
    async with running(Store([SEED]), quirks):
        assert known(quirks) == {"seed"}


async def test_a_store_that_does_not_answer_holds_up_nobody(autojump_clock: Any) -> None:
    store = Store([SEED], hangs=True)
    before = trio.current_time()
    async with running(store, Quirks()):
        assert trio.current_time() - before <= FIRST_READ


async def test_a_first_read_that_was_cut_off_is_repeated_though_nobody_says_so(
    autojump_clock: Any,
) -> None:
    store, quirks = Store([SEED], hangs=True, listens=False), Quirks()

    async def recover() -> None:
        await trio.sleep(FIRST_READ / 2)
        store.hangs = False

    async with trio.open_nursery() as nursery:
        nursery.start_soon(recover)
        async with running(store, quirks):
            await trio.sleep(1)
            assert known(quirks) == {"seed"}


async def test_a_store_that_is_away_at_first_is_read_when_it_is_back(autojump_clock: Any) -> None:
    store, quirks, outages = Store([SEED]), Quirks(), Outages()
    store.fails = StorageUnavailable("away")
    async with running(store, quirks, outages):
        await trio.sleep(5)
        assert "ModelQuirks" in outages.describe(trio.current_time())
        store.fails = None
        await trio.sleep(2)
        assert known(quirks) == {"seed"}
        assert outages.describe(trio.current_time()) == {}


async def test_it_is_read_again_when_it_changed_and_once_in_a_while(autojump_clock: Any) -> None:
    store, quirks = Store(), Quirks()
    async with running(store, quirks):
        await trio.sleep(1)
        store.rows.append(SEED)
        store.listener("")
        await trio.sleep(1)
        assert known(quirks) == {"seed"}
        store.rows.clear()
        await trio.sleep(INTERVAL + 1)
        assert known(quirks) == set()


async def test_what_changed_between_the_first_read_and_listen_is_known_soon(
    autojump_clock: Any,
) -> None:
    store, quirks = Store(missed=[SEED]), Quirks()
    async with running(store, quirks):
        assert known(quirks) == set()
        await trio.sleep(INTERVAL / 10)
        assert known(quirks) == {"seed"}


async def test_what_was_learnt_while_the_store_was_away_is_stored_by_a_successor_too(
    autojump_clock: Any,
) -> None:
    store, quirks = Store(fails=StorageUnavailable("away")), Quirks()
    async with running(store, quirks):
        quirks.learn(SEED, trio.current_time())
        await trio.sleep(5)
    store.fails = None
    async with running(store, quirks):
        await trio.sleep(1)
        assert [it.field for it in store.rows] == ["seed"]
        assert known(quirks) == {"seed"}
        assert quirks.unwritten() == ()


async def test_what_the_store_refuses_is_not_tried_for_ever(
    autojump_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    store, quirks = Store(), Quirks()
    async with running(store, quirks):
        store.fails = StorageRefused("too long")
        quirks.learn(SEED, trio.current_time())
        await trio.sleep(5)
        assert quirks.unwritten() == ()
        store.fails = None
        await trio.sleep(5)
        assert store.rows == []
