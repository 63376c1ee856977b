# ruff: noqa: A002, N802 - tests bear the IDs of the conformance list; an id is an id
"""Links: what Erlang's own suites and documentation say of them (erts)."""

import pytest
import trio
import trio.lowlevel

from supervisors import (
    ChildSpec,
    Crashed,
    Exit,
    Killed,
    NoProc,
    NoProcess,
    Normal,
    Registry,
    ServerExited,
    Shutdown,
    Stop,
    Supervisor,
    open_tree,
)
from supervisors.testing import supervised
from tests.unit.supervisors.actors import Do, Puppet, boom, child, got, puppet, start

REASONS = [Shutdown(), Shutdown("x"), Killed(), NoProc(), Crashed(ValueError("x"))]


async def pair(top, **options):
    """a, linked to b."""
    a, b = await start(top, "a"), await start(top, "b", **options)
    await a.call(Do(lambda me: me.link(b)))
    return a, b


async def test_P_LM_01_a_normal_end_does_not_spread(autojump_clock):
    async with open_tree(Supervisor) as top:
        a, b = await pair(top, trap=False)
        await a.stop()
        await trio.sleep(1)
        assert b.is_alive


async def test_an_abnormal_end_spreads_to_those_who_do_not_trap(autojump_clock):
    async with open_tree(Supervisor) as top:
        a, b = await pair(top, trap=False)
        a.cast(boom)
        assert await b.wait() == await a.wait()
        a, b = await pair(top, trap=False)
        await a.call(Do(lambda me: me.unlink(b)))
        a.cast(boom)
        await a.wait()
        await trio.sleep(1)
        assert b.is_alive


async def test_P_LM_02_one_who_traps_is_told_killed(autojump_clock):
    async with open_tree(Supervisor) as top:
        a, b = await pair(top)
        a.kill()
        await a.wait()
        assert await b.call(Do(lambda me: me.got)) == [Exit(a, Killed())]


async def test_P_LM_03_a_normal_exit_signal(autojump_clock):
    async with open_tree(Supervisor) as top:
        deaf, trapping = await start(top, "a", trap=False), await start(top, "b")
        deaf.exit(Normal())
        trapping.exit(Normal())
        await trio.sleep(1)
        assert deaf.is_alive
        assert await trapping.call(Do(lambda me: me.got)) == [Exit(None, Normal())]


async def test_link_to_the_dead(autojump_clock):
    async with open_tree(Supervisor) as top:
        dead, a = await start(top, "dead"), await start(top, "a")
        await dead.stop()
        await a.call(Do(lambda me: me.link(dead)))
        assert await a.call(Do(lambda me: me.got)) == [Exit(dead, NoProc())]


async def link(a, b):
    await a.call(Do(lambda me: me.link(b)))


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


def spec_of(factory, id, **options):
    return ChildSpec(id, factory, restart="temporary", **options)


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


async def test_one_that_was_given_up_neither_links_nor_monitors(autojump_clock):
    outcome = []

    async def outlive(me):
        with trio.CancelScope(shield=True):
            await trio.sleep(60)
        for tie in (me.monitor, me.link):
            with pytest.raises(NoProcess):
                tie(other)
            outcome.append(tie.__name__)

    async with supervised(Puppet) as other:
        async with open_tree(lambda: Supervisor([puppet("a")])) as top:
            ref = await child(top, "a")
            ref.cast(outlive)
            await trio.sleep(1)
            await Supervisor.terminate_child(top, "a")
            assert not ref.is_alive
            await trio.sleep(100)
        assert outcome == ["monitor", "link"]
        assert not other._process.watchers
        assert not other._process.links
