"""Links, monitors, exit signals: what Erlang's own suites and documentation say of them (erts)."""

import pytest
import trio

from supervisors import (
    ChildSpec,
    Crashed,
    Down,
    Exit,
    GenServer,
    Killed,
    NoProc,
    Normal,
    Registry,
    ServerExited,
    Shutdown,
    Stop,
    Supervisor,
    open_tree,
)
from tests.unit.supervisors.actors import Do, boom
from tests.unit.supervisors.suite_actors import got, start

REASONS = [Shutdown(), Shutdown("x"), Killed(), NoProc(), Crashed(ValueError("x"))]


async def link(a, b):
    await a.call(Do(lambda me: me.link(b)))


async def monitor(a, b):
    return await a.call(Do(lambda me: me.monitor(b)))


# --- links ---


@pytest.mark.parametrize("reason", REASONS)
async def test_every_abnormal_reason_spreads_as_it_is(autojump_clock, reason):
    async with open_tree(Supervisor) as top:
        a = await start(top, "a")
        deaf, traps = await start(top, "deaf", trap=False), await start(top, "traps")
        await link(a, deaf)
        await link(a, traps)
        a.cast(lambda _: Stop(reason))
        assert await deaf.wait() == reason
        assert await got(traps) == [Exit(a, reason)]


async def test_a_normal_end_is_told_to_those_who_trap(autojump_clock):
    async with open_tree(Supervisor) as top:
        a, traps = await start(top, "a"), await start(top, "traps")
        await link(traps, a)
        await a.stop()
        assert await got(traps) == [Exit(a, Normal())]


async def test_a_link_works_both_ways(autojump_clock):
    async with open_tree(Supervisor) as top:
        a, b = await start(top, "a", trap=False), await start(top, "b", trap=False)
        await link(a, b)
        b.cast(boom)
        assert await a.wait() == await b.wait()


async def test_two_links_between_the_same_two_are_one(autojump_clock):
    async with open_tree(Supervisor) as top:
        a, b = await start(top, "a"), await start(top, "b")
        for one, other in ((a, b), (a, b), (b, a)):
            await link(one, other)
        await a.stop(Shutdown("x"))
        assert await got(b) == [Exit(a, Shutdown("x"))]
        a, b = await start(top, "a"), await start(top, "other b")
        for one, other in ((a, b), (b, a)):
            await link(one, other)
        await b.call(Do(lambda me: me.unlink(a)))  # one unlink, from either side, ends it
        await a.stop(Shutdown("x"))
        assert await got(b) == []


async def test_unlink_of_who_is_not_linked_or_dead_is_nothing(autojump_clock):
    names = Registry("names")
    async with open_tree(lambda: Supervisor([names.child_spec()])) as top:
        a, b = await start(top, "a"), await start(top, "b")
        await a.call(Do(lambda me: me.unlink(b)))
        await b.stop()
        await a.call(Do(lambda me: me.unlink(b)))
        await a.call(Do(lambda me: me.unlink(names.via("nobody"))))
        assert await got(a) == []


async def test_a_link_to_oneself_is_nothing(autojump_clock):
    async with open_tree(Supervisor) as top:
        a = await start(top, "a")
        await a.call(Do(lambda me: me.link(me.ref)))
        await a.call(Do(lambda me: me.unlink(me.ref)))
        await a.stop()
        assert await a.wait() == Normal()


async def test_death_runs_along_a_chain_of_links(autojump_clock):
    """kill becomes killed at the first link, and stays that, past whoever does not trap."""
    async with open_tree(Supervisor) as top:
        chain = [await start(top, f"{n}", trap=False) for n in range(5)]
        last = await start(top, "last")
        for one, other in zip(chain, [*chain[1:], last], strict=True):
            await link(one, other)
        chain[0].kill()
        assert [await ref.wait() for ref in chain] == [Killed()] * 5
        assert await got(last) == [Exit(chain[-1], Killed())]


async def test_a_ring_of_links_ends_once(autojump_clock):
    async with open_tree(Supervisor) as top:
        ring = [await start(top, f"{n}", trap=False) for n in range(4)]
        for one, other in zip(ring, ring[1:] + ring[:1], strict=True):
            await link(one, other)
        ring[2].exit(Shutdown("around"))
        assert [await ref.wait() for ref in ring] == [Shutdown("around")] * 4


async def test_a_link_to_the_dead_or_to_nobody_is_a_signal_noproc(autojump_clock):
    names = Registry("names")
    async with open_tree(lambda: Supervisor([names.child_spec()])) as top:
        traps, deaf = await start(top, "traps"), await start(top, "deaf", trap=False)
        await link(traps, names.via("nobody"))
        (message,) = await got(traps)
        assert message.reason == NoProc()
        deaf.cast(lambda me: me.link(names.via("nobody")))
        assert not isinstance(await deaf.wait(), Normal)


async def test_one_linked_to_a_supervisor_hears_of_its_end_and_not_the_reverse(autojump_clock):
    async with open_tree(Supervisor) as top:
        a = await start(top, "a")
        sub = await Supervisor.start_child(
            top, spec_of(lambda: Supervisor(max_restarts=0), "sub", type="supervisor")
        )
        await link(a, sub)
        stranger = await start(top, "stranger")
        await link(stranger, sub)
        stranger.cast(boom)
        await stranger.wait()
        await trio.sleep(1)
        assert sub.is_alive  # a supervisor traps, and this was no child of its own
        await sub.stop(Shutdown("x"))
        assert await got(a) == [Exit(sub, Shutdown("x"))]


def spec_of(factory, id, **options):  # noqa: A002
    return ChildSpec(id, factory, restart="temporary", **options)


async def test_the_crash_of_one_linked_sibling_restarts_both(autojump_clock):
    async with open_tree(lambda: Supervisor(max_restarts=2)) as top:
        a = await start(top, "a", restart="permanent", trap=False)
        b = await start(top, "b", restart="permanent", trap=False)
        await link(a, b)
        a.cast(boom)
        await a.wait()
        await b.wait()
        await trio.sleep(0.1)
        refs = [info.ref for info in await Supervisor.which_children(top)]
        assert all(ref.is_alive for ref in refs)
        assert a not in refs
        assert b not in refs


# --- exit signals ---


@pytest.mark.parametrize("reason", [*REASONS, Normal()])
async def test_exit_to_one_who_traps_is_a_message_with_its_sender(autojump_clock, reason):
    """Also Killed: only kill() is the signal that nobody traps."""
    async with open_tree(Supervisor) as top:
        a, b = await start(top, "a"), await start(top, "b")
        await a.call(Do(lambda _: b.exit(reason)))
        assert await got(b) == [Exit(a, reason)]
        assert b.is_alive


@pytest.mark.parametrize("reason", REASONS)
async def test_exit_to_one_who_does_not_trap_is_its_end(autojump_clock, reason):
    journal = []
    async with open_tree(Supervisor) as top:
        a, b = await start(top, "a"), await start(top, "b", journal, trap=False)
        await a.call(Do(lambda _: b.exit(reason)))
        assert await b.wait() == reason
    assert journal == [("start", "b")]


async def test_exit_needs_no_link_and_makes_none(autojump_clock):
    async with open_tree(Supervisor) as top:
        a, b = await start(top, "a", trap=False), await start(top, "b", trap=False)
        await a.call(Do(lambda _: b.exit(Shutdown())))
        await b.wait()
        await trio.sleep(1)
        assert a.is_alive


async def test_exit_to_oneself_when_trapping_is_a_message(autojump_clock):
    async with open_tree(Supervisor) as top:
        a = await start(top, "a")
        for reason in (Normal(), Shutdown()):
            await a.call(Do(lambda me, reason=reason: me.ref.exit(reason)))
        assert await got(a) == [Exit(a, Normal()), Exit(a, Shutdown())]


async def test_messages_and_signals_of_one_sender_keep_their_order(autojump_clock):
    async with open_tree(Supervisor) as top:
        a, b = await start(top, "a"), await start(top, "b")

        def act(_):
            b.send("one")
            b.exit(Shutdown("two"))
            b.send("three")

        await a.call(Do(act))
        assert await got(b) == ["one", Exit(a, Shutdown("two")), "three"]


async def test_the_last_words_come_before_the_exit_and_the_down(autojump_clock):
    async with open_tree(Supervisor) as top:
        a, b = await start(top, "a"), await start(top, "b")
        await link(a, b)
        down = await monitor(b, a)

        def last_words(_):
            b.send("farewell")
            return Stop(Shutdown("x"))

        a.cast(last_words)
        await a.wait()
        first, *rest = await got(b)
        assert first == "farewell"
        assert set(rest) == {Exit(a, Shutdown("x")), Down(down, a, Shutdown("x"))}


async def test_by_default_exits_of_others_are_dropped(autojump_clock):
    class Bare(GenServer):
        trap_exit = True

    async with open_tree(Supervisor) as top:
        a = await start(top, "a")
        bare = await Supervisor.start_child(top, spec_of(Bare, "bare"))
        await a.call(Do(lambda me: me.link(bare)))
        a.cast(boom)
        await a.wait()
        await trio.sleep(1)
        assert bare.is_alive


async def test_signals_that_come_during_init_are_handled_after_it(autojump_clock):
    async def init(me):
        me.link(other)
        other.cast(lambda _: Stop(Shutdown("x")))
        await other.wait()
        await trio.sleep(1)

    async with open_tree(Supervisor) as top:
        other = await start(top, "other")
        ref = await start(top, "a", init=init)
        assert await got(ref) == [Exit(other, Shutdown("x"))]


@pytest.mark.parametrize("trap", [True, False])
async def test_the_death_of_a_linked_server_during_a_call_to_it(autojump_clock, trap):
    """Who traps gets the error and the message; who does not ends by the link, no terminate."""
    journal, errors = [], []

    async def ask(me):
        try:
            await server.call(Do(boom))
        except ServerExited as error:
            errors.append(error)
            await trio.sleep(1)

    async with open_tree(Supervisor) as top:
        server = await start(top, "server")
        client = await start(top, "client", journal, trap=trap)
        await link(client, server)
        client.cast(ask)
        reason = await server.wait()
        if trap:
            assert await got(client) == [Exit(server, reason)]
            assert len(errors) == 1
        else:
            assert await client.wait() == reason
            assert journal == [("start", "client")]


# --- monitors ---


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


async def test_a_supervisor_can_be_monitored(autojump_clock):
    async with open_tree(Supervisor) as top:
        watcher = await start(top, "watcher")
        sub = await Supervisor.start_child(top, spec_of(Supervisor, "sub", type="supervisor"))
        m = await monitor(watcher, sub)
        sub.kill()
        await sub.wait()
        assert await got(watcher) == [Down(m, sub, Killed())]
