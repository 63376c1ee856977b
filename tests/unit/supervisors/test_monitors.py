# ruff: noqa: A002, N802 - tests bear the IDs of the conformance list; an id is an id
"""Monitors: what Erlang's own suites and documentation say of them (erts)."""

import pytest
import trio
import trio.lowlevel

from supervisors import (
    ChildSpec,
    Crashed,
    Down,
    Killed,
    NoProc,
    Normal,
    Registry,
    Shutdown,
    Stop,
    Supervisor,
    open_tree,
)
from supervisors.testing import supervised
from tests.unit.supervisors.actors import (
    Do,
    Puppet,
    got,
    start,
)

REASONS = [Shutdown(), Shutdown("x"), Killed(), NoProc(), Crashed(ValueError("x"))]


async def test_P_LM_04_monitor_of_the_dead(autojump_clock):
    async with open_tree(Supervisor) as top:
        dead, watcher = await start(top, "a"), await start(top, "b")
        await dead.stop()
        monitor = await watcher.call(Do(lambda me: me.monitor(dead)))
        assert await watcher.call(Do(lambda me: me.got)) == [Down(monitor, dead, NoProc())]


async def test_down_comes_after_the_last_words_and_once_the_name_is_free(autojump_clock):
    names = Registry("names")
    async with open_tree(lambda: Supervisor([names.child_spec()])) as top:
        watcher = await start(top, "watcher")
        ref = await start(top, "a", name=names.via("A"))
        seen = []

        async def note(me):
            seen.append(names.whereis("A"))

        def last_words(me):
            watcher.send("last words")
            return Stop(Normal())

        monitor = await watcher.call(Do(lambda me: me.monitor(ref)))
        gone = await watcher.call(Do(lambda me: me.monitor(ref)))
        await watcher.call(Do(lambda me: me.demonitor(gone)))
        ref.cast(last_words)
        assert await ref.wait() == Normal()
        await watcher.call(Do(note))
        got = await watcher.call(Do(lambda me: me.got))
        assert got == ["last words", Down(monitor, ref, Normal())]
        assert seen == [None]


async def monitor(a, b):
    return await a.call(Do(lambda me: me.monitor(b)))


@pytest.mark.parametrize("reason", [*REASONS, Normal()])
async def test_down_carries_the_reason_whether_one_traps_or_not(autojump_clock, reason):
    async with open_tree(Supervisor) as top:
        a = await start(top, "a")
        for trap in (True, False):
            watcher = await start(top, f"watcher {trap}", trap=trap)
            m = await monitor(watcher, a)
            await a.stop(reason)
            assert await got(watcher) == [Down(m, a, reason)]
            a = await start(top, "a")


async def test_each_monitor_has_its_own_down(autojump_clock):
    async with open_tree(Supervisor) as top:
        a, watcher = await start(top, "a"), await start(top, "watcher")
        monitors = [await monitor(watcher, a) for _ in range(3)]
        dropped = await monitor(watcher, a)
        await watcher.call(Do(lambda me: me.demonitor(dropped)))
        a.kill()
        await a.wait()
        await trio.sleep(1)
        downs = await got(watcher)
        assert len(downs) == 3
        assert {down.monitor for down in downs} == set(monitors)


async def test_a_monitor_is_one_way(autojump_clock):
    async with open_tree(Supervisor) as top:
        a, watcher = await start(top, "a", trap=False), await start(top, "watcher", trap=False)
        await monitor(watcher, a)
        watcher.kill()
        await watcher.wait()
        await trio.sleep(1)
        assert a.is_alive


async def test_demonitor_again_or_of_the_dead_or_by_another_is_nothing(autojump_clock):
    async with open_tree(Supervisor) as top:
        a, watcher, other = [await start(top, word) for word in ("a", "watcher", "other")]
        m = await monitor(watcher, a)
        await other.call(Do(lambda me: me.demonitor(m)))
        await a.stop()
        assert await got(watcher) == [Down(m, a, Normal())]
        for _ in range(2):
            await watcher.call(Do(lambda me: me.demonitor(m)))
        assert len(await got(watcher)) == 1


async def test_monitor_by_name(autojump_clock):
    names = Registry("names")
    via = names.via("A")
    async with open_tree(lambda: Supervisor([names.child_spec()])) as top:
        watcher = await start(top, "watcher")
        nobody = await monitor(watcher, via)
        assert await got(watcher) == [Down(nobody, via, NoProc())]
        ref = await start(top, "a", name=via)
        m = await monitor(watcher, via)
        await ref.stop()
        again = await start(top, "a", name=via)  # it watched the first, not the name
        assert (await got(watcher))[1:] == [Down(m, via, Normal())]
        assert again.is_alive


async def test_one_may_monitor_itself(autojump_clock):
    async with open_tree(Supervisor) as top:
        a = await start(top, "a")
        await monitor(a, a)
        await a.stop()
        assert await a.wait() == Normal()


def spec_of(factory, id, **options):
    return ChildSpec(id, factory, restart="temporary", **options)


async def test_a_supervisor_can_be_monitored(autojump_clock):
    async with open_tree(Supervisor) as top:
        watcher = await start(top, "watcher")
        sub = await Supervisor.start_child(top, spec_of(Supervisor, "sub", type="supervisor"))
        m = await monitor(watcher, sub)
        sub.kill()
        await sub.wait()
        assert await got(watcher) == [Down(m, sub, Killed())]


async def test_demonitor_with_flush_takes_a_down_that_is_already_here(autojump_clock):
    async with open_tree(Supervisor) as top:
        a, dead = await start(top, "a"), await start(top, "dead")
        await dead.stop()
        await a.call(Do(lambda me: me.demonitor(me.monitor(dead), flush=True)))
        assert await a.call(Do(lambda me: me.got)) == []


class EqualToAll:
    """Like `unittest.mock.ANY`."""

    def __eq__(self, other):
        return True

    __hash__ = None


async def test_a_flush_takes_the_down_and_not_what_claims_to_equal_it(autojump_clock):
    async def watch(me):
        me.send_after(0, EqualToAll())
        await trio.sleep(1)  # so that it comes before the Down
        monitor = me.monitor(other)
        await other.stop()
        await trio.sleep(1)
        me.demonitor(monitor, flush=True)

    async with supervised(Puppet) as other, supervised(Puppet) as ref:
        await ref.call(Do(watch))
        got = await ref.call(Do(lambda me: me.got))
    assert [type(info) for info in got] == [EqualToAll]
