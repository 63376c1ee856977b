"""Registry.lock: one task at a time under one key."""

import pytest
import trio

from supervisors import Registry, RegistryNotRunning, UnhashableKey
from tests.unit.supervisors.actors import Do, child, crash
from tests.unit.supervisors.registries import running

pytestmark = pytest.mark.parametrize("kind", ["unique", "duplicate"])


class Holder:
    """A task that holds a lock until told, and writes down when it got it and when it left."""

    def __init__(self, registry, name, journal, *, raises=False):
        self.registry = registry
        self.name = name
        self.journal = journal
        self.raises = raises
        self.done = trio.Event()

    async def run(self, key="key"):
        async with self.registry.lock(key):
            self.journal.append(f"{self.name} in")
            try:
                await self.done.wait()
                if self.raises:
                    raise RuntimeError(self.name)
            finally:
                self.journal.append(f"{self.name} out")

    async def __call__(self, _):
        """To be run by a puppet."""
        await self.run()


async def test_different_keys_do_not_wait_for_each_other(autojump_clock, kind):
    registry, journal = Registry("registry", kind), []
    one, two = Holder(registry, "one", journal), Holder(registry, "two", journal)
    async with running(registry, ids=""), trio.open_nursery() as nursery:
        nursery.start_soon(one.run, 1)
        nursery.start_soon(two.run, 2)
        await trio.sleep(1)
        assert sorted(journal) == ["one in", "two in"]
        one.done.set()
        two.done.set()
    assert not registry._locks


async def test_the_same_key_is_had_in_the_order_of_asking(autojump_clock, kind):
    registry, journal = Registry("registry", kind), []
    holders = [Holder(registry, str(n), journal) for n in range(4)]
    async with running(registry, ids=""), trio.open_nursery() as nursery:
        for holder in holders:
            nursery.start_soon(holder.run)
            await trio.sleep(1)
        for n, holder in enumerate(holders):
            assert journal[-1] == f"{n} in"
            holder.done.set()
            await trio.sleep(1)
    assert journal == ["0 in", "0 out", "1 in", "1 out", "2 in", "2 out", "3 in", "3 out"]
    assert not registry._locks


async def test_one_that_leaves_and_asks_again_waits_its_turn(autojump_clock, kind):
    registry, journal = Registry("registry", kind), []

    async def take_turns(name):
        for _ in range(3):
            async with registry.lock("key"):
                journal.append(name)
                await trio.sleep(1)

    async with running(registry, ids=""), trio.open_nursery() as nursery:
        nursery.start_soon(take_turns, "a")
        await trio.sleep(0.5)
        nursery.start_soon(take_turns, "b")
    assert journal == ["a", "b", "a", "b", "a", "b"]


async def test_it_is_released_when_the_block_raises(autojump_clock, kind):
    registry, journal = Registry("registry", kind), []
    bad, good = Holder(registry, "bad", journal, raises=True), Holder(registry, "good", journal)

    async def fail():
        with pytest.raises(RuntimeError, match="bad"):
            await bad.run()

    async with running(registry, ids=""), trio.open_nursery() as nursery:
        nursery.start_soon(fail)
        await trio.sleep(1)
        nursery.start_soon(good.run)
        await trio.sleep(1)
        assert journal == ["bad in"]
        bad.done.set()
        good.done.set()
    assert journal == ["bad in", "bad out", "good in", "good out"]
    assert not registry._locks


async def test_it_is_released_when_its_holder_is_killed(autojump_clock, kind):
    registry, journal = Registry("registry", kind), []
    async with running(registry) as (_, a, b):
        a.cast(Holder(registry, "a", journal))
        await trio.sleep(1)
        b.cast(Holder(registry, "b", journal))
        await trio.sleep(1)
        assert journal == ["a in"]
        a.kill()
        await a.wait()
        await trio.sleep(1)
        assert journal == ["a in", "a out", "b in"]
        b.kill()
        await b.wait()
        assert not registry._locks  # released before anyone hears of the end


async def test_a_linked_task_that_holds_it_gives_it_back_with_its_actor(autojump_clock, kind):
    registry, journal = Registry("registry", kind), []
    async with running(registry) as (_, a, _):
        await a.call(Do(lambda me: me.spawn_link(Holder(registry, "task", journal).run) and None))
        await trio.sleep(1)
        a.kill()
        await a.wait()
        assert journal == ["task in", "task out"]
        assert not registry._locks


async def test_one_that_waits_may_be_killed(autojump_clock, kind):
    registry, journal = Registry("registry", kind), []
    first, last = Holder(registry, "first", journal), Holder(registry, "last", journal)
    async with running(registry) as (_, a, _), trio.open_nursery() as nursery:
        nursery.start_soon(first.run)
        await trio.sleep(1)
        a.cast(Holder(registry, "a", journal))
        await trio.sleep(1)
        nursery.start_soon(last.run)
        await trio.sleep(1)
        a.kill()
        await a.wait()
        first.done.set()
        last.done.set()
    assert journal == ["first in", "first out", "last in", "last out"]
    assert not registry._locks


async def test_a_waiter_cancelled_in_the_moment_it_gets_it_passes_it_on(autojump_clock, kind):
    registry, journal = Registry("registry", kind), []
    first, last = Holder(registry, "first", journal), Holder(registry, "last", journal)
    scope = trio.CancelScope()

    async def leave_and_cancel_the_next():
        await first.run()
        scope.cancel()  # no checkpoint since it was released: the next has it, but has not run

    async def second():
        with scope:
            await Holder(registry, "second", journal).run()

    async with running(registry, ids=""), trio.open_nursery() as nursery:
        nursery.start_soon(leave_and_cancel_the_next)
        await trio.sleep(1)
        nursery.start_soon(second)
        await trio.sleep(1)
        nursery.start_soon(last.run)
        await trio.sleep(1)
        first.done.set()
        last.done.set()
    assert scope.cancelled_caught
    assert journal == ["first in", "first out", "second in", "second out", "last in", "last out"]
    assert not registry._locks


async def test_one_that_asks_while_cancelled_leaves_the_locks_of_others_alone(autojump_clock, kind):
    registry = Registry("registry", kind)

    async def ask_cancelled():
        with trio.CancelScope() as scope:
            scope.cancel()
            async with registry.lock("key"):
                pytest.fail("it was cancelled")

    async def come_and_go():
        async with registry.lock("key"):
            pass

    async with running(registry, ids=""):
        await ask_cancelled()
        assert not registry._locks
        for _ in range(50):  # the order in which trio runs what is ready is random
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask_cancelled)
                for _ in range(3):
                    nursery.start_soon(come_and_go)
            assert not registry._locks


async def test_many_tasks_at_once_never_meet(autojump_clock, kind):
    registry = Registry("registry", kind)
    inside = set()

    async def visit(n):
        with trio.move_on_after(n % 7):
            async with registry.lock(n % 3):
                assert n % 3 not in inside
                inside.add(n % 3)
                try:
                    await trio.sleep(n % 5)
                finally:
                    inside.discard(n % 3)

    async with running(registry, ids=""), trio.open_nursery() as nursery:
        for n in range(300):
            nursery.start_soon(visit, n)
    assert not registry._locks


async def test_its_holder_cannot_have_it_twice(autojump_clock, kind):
    registry = Registry("registry", kind)
    async with running(registry, ids=""):
        async with registry.lock("key"):
            with pytest.raises(RuntimeError, match="re-acquire"):
                async with registry.lock("key"):
                    pytest.fail("twice")
            async with registry.lock("other"):
                assert set(registry._locks) == {"key", "other"}
        assert not registry._locks


async def test_its_keys_are_not_those_of_the_entries(autojump_clock, kind):
    registry = Registry("registry", kind)
    async with running(registry) as (_, a, b):
        registry.register("key", a)
        async with registry.lock("key"):
            registry.register("other", b)
        assert registry.count() == 2
        with pytest.raises(UnhashableKey):
            async with registry.lock([]):
                pytest.fail("no key")


async def test_a_restart_of_the_registry_lets_nobody_in_beside_the_holder(autojump_clock, kind):
    registry, journal = Registry("registry", kind), []
    holders = [Holder(registry, str(n), journal) for n in range(3)]
    async with running(registry) as (top, _, _), trio.open_nursery() as nursery:
        nursery.start_soon(holders[0].run)
        await trio.sleep(1)
        nursery.start_soon(holders[1].run)
        await trio.sleep(1)
        own = await child(top, "registry")
        own.kill()
        await own.wait()
        with pytest.raises(RegistryNotRunning):
            await holders[2].run()
        await trio.sleep(1)
        nursery.start_soon(holders[2].run)
        await trio.sleep(1)
        assert journal == ["0 in"]
        for holder in holders:
            holder.done.set()
    assert journal == ["0 in", "0 out", "1 in", "1 out", "2 in", "2 out"]
    assert not registry._locks


async def test_after_a_crash_of_the_registry_its_locks_still_work(autojump_clock, kind):
    registry = Registry("registry", kind)
    async with running(registry) as (top, _, _):
        await crash(await child(top, "registry"))
        async with registry.lock("key"):
            assert list(registry._locks) == ["key"]
        assert not registry._locks
