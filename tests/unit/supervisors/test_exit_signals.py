"""Exit signals, to those who trap them and to those who do not (erts)."""

import pytest
import trio

from supervisors import (
    ChildSpec,
    Crashed,
    Down,
    Exit,
    FailedToStartChild,
    GenServer,
    Killed,
    NoProc,
    Normal,
    Shutdown,
    Stop,
    Supervisor,
    open_tree,
)
from tests.unit.supervisors.actors import (
    Do,
    boom,
    child,
    got,
    puppet,
    start,
    supervisor,
)

REASONS = [Shutdown(), Shutdown("x"), Killed(), NoProc(), Crashed(ValueError("x"))]


async def test_gs_an_exit_signal_during_init_fails_the_start_with_its_reason(autojump_clock):
    async def init(me):
        me.ref.exit(Shutdown("meanwhile"))
        await trio.sleep(10)

    async with open_tree(Supervisor) as top:
        with pytest.raises(FailedToStartChild) as caught:
            await start(top, "a", init=init, trap=False)
        assert caught.value.reason == Shutdown("meanwhile")


async def test_gs_who_traps_since_its_init_gets_signals_as_messages(autojump_clock):
    def init(me):
        me.trap_exit = True

    async with open_tree(Supervisor) as top:
        ref = await start(top, "a", trap=False, init=init)
        ref.exit(Shutdown())
        await trio.sleep(1)
        assert len(await got(ref)) == 1


@pytest.mark.parametrize("end", [lambda ref: ref.kill(), lambda ref: ref.exit(Shutdown())])
async def test_gs_terminate_does_not_run_for_signals_that_are_not_trapped(autojump_clock, end):
    journal = []
    async with open_tree(Supervisor) as top:
        ref = await start(top, "a", journal, trap=False)
        end(ref)
        await ref.wait()
    assert journal == [("start", "a")]


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


async def link(a, b):
    await a.call(Do(lambda me: me.link(b)))


async def monitor(a, b):
    return await a.call(Do(lambda me: me.monitor(b)))


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


def spec_of(factory, id, **options):  # noqa: A002
    return ChildSpec(id, factory, restart="temporary", **options)


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


async def test_an_exit_signal_of_a_stranger_is_nothing_to_a_supervisor(autojump_clock):
    async with open_tree(lambda: Supervisor([supervisor("sub", [puppet("w")])])) as top:
        stranger = await start(top, "stranger")
        sub = await child(top, "sub")
        for reason in (Normal(), Shutdown(), Killed(), Crashed(ValueError())):
            await stranger.call(Do(lambda _, reason=reason: sub.exit(reason)))
        await trio.sleep(1)
        assert sub.is_alive
        assert (await child(sub, "w")).is_alive


@pytest.mark.parametrize("reason", [Shutdown(), Normal(), Crashed(ValueError())])
async def test_a_root_that_traps_terminates_when_its_owner_tells_it_to_exit(autojump_clock, reason):
    journal = []
    async with open_tree(puppet("a", journal)) as ref:
        ref.exit(reason)
        with trio.fail_after(1):
            assert await ref.wait() == reason
    assert journal[-1] == ("stop", "a", reason)


async def test_an_exit_signal_from_a_stranger_does_not_end_a_nested_supervisor(autojump_clock):
    sub = ChildSpec("sub", Supervisor, type="supervisor")
    async with open_tree(lambda: Supervisor([sub])) as top:
        ref = await child(top, "sub")
        ref.exit(Shutdown())
        await trio.sleep(1)
        assert ref.is_alive


async def test_an_exit_signal_normal_to_oneself_ends_one_who_does_not_trap(autojump_clock):
    async with open_tree(Supervisor) as top:
        ref = await start(top, "a", trap=False)
        ref.cast(lambda me: me.ref.exit(Normal()))
        with trio.fail_after(1):
            assert await ref.wait() == Normal()


@pytest.mark.parametrize("garbage", [None, "x", ValueError, ValueError("x")])
async def test_what_is_no_exit_reason_is_refused(autojump_clock, garbage):
    async with open_tree(Supervisor) as top:
        ref = await start(top, "a", trap=False)
        with pytest.raises(TypeError):
            await ref.stop(garbage, timeout=1)
        with pytest.raises(TypeError):
            ref.exit(garbage)
        ref.cast(lambda _: Stop(garbage))
        with trio.fail_after(1):
            assert isinstance(await ref.wait(), Crashed)
