# ruff: noqa: N802, A002 - tests bear the IDs of the conformance list; an id is an id
"""GenServer: calls, casts, timeouts, ends; links and monitors."""

import math

import pytest
import trio
import trio.lowlevel

from supervisors import (
    BadReturnValue,
    CallingSelf,
    CallTimeout,
    Continue,
    Crashed,
    Down,
    Exit,
    FailedToStartChild,
    Ignore,
    Killed,
    NoProc,
    NoProcess,
    NoReply,
    Normal,
    Registry,
    Reply,
    ServerExited,
    Shutdown,
    StartIgnored,
    Stop,
    Supervisor,
    Timeout,
    open_tree,
)
from tests.unit.supervisors.actors import Do, Puppet, boom, puppet


async def start(top, id, journal=None, **options):
    ref = await Supervisor.start_child(top, puppet(id, journal, restart="temporary", **options))
    assert ref is not None
    return ref


async def test_P_GS_01_starts(autojump_clock):
    async with open_tree(Puppet) as ref:
        assert ref.is_alive
    with pytest.raises(StartIgnored):
        async with open_tree(puppet("a", init=lambda _: Ignore())):
            pytest.fail("ignored")
    with pytest.raises(FailedToStartChild) as caught:
        async with open_tree(puppet("a", init=lambda _: Stop(Shutdown("stopped")))):
            pytest.fail("stopped")
    assert caught.value.reason == Shutdown("stopped")


async def test_P_GS_03_the_answer_may_come_later(autojump_clock):
    async with open_tree(Puppet) as ref, trio.open_nursery() as nursery:
        answers = []

        async def ask():
            answers.append(await ref.call(Do(lambda _: NoReply())))

        nursery.start_soon(ask)
        await trio.sleep(1)
        assert await ref.call(Do(lambda me: setattr(me, "other", me.caller) or "meanwhile"))
        assert answers == []
        first = await _first_caller(ref)
        ref.send(lambda _: first.reply("late"))
        await trio.sleep(0.1)
        assert answers == ["late"]


async def _first_caller(ref):
    """The oldest call that waits."""
    return next(iter(ref._process.unanswered))


async def test_P_GS_04_a_timeout_does_not_affect_the_server(autojump_clock):
    async def slow(_):
        await trio.sleep(0.1)
        return "late"

    async with open_tree(puppet("server")) as ref:
        with pytest.raises(CallTimeout, match=r"0\.03 s \(Do to server\)"):
            await ref.call(Do(slow), timeout=0.03)
        assert await ref.call(Do(lambda _: "next")) == "next"
        assert await ref.call(Do(lambda _: "last")) == "last"  # the late answer has hurt nobody


async def test_P_GS_05_calls_that_cannot_be_answered(autojump_clock):
    names = Registry("names")
    async with open_tree(Puppet) as ref:
        with pytest.raises(ServerExited) as caught:
            await ref.call(Do(lambda me: me.ref.stop()))
        assert isinstance(caught.value.__cause__, CallingSelf)
    with pytest.raises(NoProcess):
        await ref.call(Do(boom))
    with pytest.raises(NoProcess):
        await names.via("nobody").call(Do(boom))
    names.via("nobody").cast("dropped")
    ref.cast("dropped")


async def test_calling_self_is_detected_without_waiting(autojump_clock):
    async def call_self(me):
        try:
            await me.ref.call(Do(boom))
        except CallingSelf:
            return "detected"

    async with open_tree(Puppet) as ref:
        before = trio.current_time()
        assert await ref.call(Do(call_self)) == "detected"
        assert trio.current_time() == before


async def test_P_GS_08_server_timeout(autojump_clock):
    async with open_tree(Puppet) as ref:
        await ref.call(Do(lambda _: Reply(None, timeout=1.0)))
        await trio.sleep(0.5)
        assert await ref.call(Do(lambda me: list(me.got))) == []
        await trio.sleep(5)  # that call took the timeout back
        assert await ref.call(Do(lambda me: Reply(list(me.got), timeout=1.0))) == []
        await trio.sleep(1.5)
        assert await ref.call(Do(lambda me: list(me.got))) == [Timeout()]


async def test_P_GS_09_bad_return(autojump_clock):
    journal = []

    class Bad(Puppet):
        async def handle_call(self, request, caller):
            return "garbage"

    async with open_tree(lambda: Bad("bad", journal)) as ref:
        with pytest.raises(ServerExited) as caught:
            await ref.call(Do(boom))
    reason = caught.value.reason
    assert isinstance(reason, Crashed)
    assert isinstance(reason.exception, BadReturnValue)
    assert reason.exception.value == "garbage"
    assert caught.value.__cause__ is reason.exception
    assert journal[-1] == ("stop", "bad", reason)


async def test_P_GS_10_stop(autojump_clock):
    names = Registry("names")
    async with open_tree(lambda: Supervisor([names.child_spec()])) as top:
        ref = await start(top, "a")
        await ref.stop()
        assert await ref.wait() == Normal()
        ref = await start(top, "a")
        await ref.stop(Shutdown("other"))
        assert await ref.wait() == Shutdown("other")
        await start(top, "a", name=names.via("A"))
        await names.via("A").stop()
        with pytest.raises(NoProcess):
            await names.via("A").stop()
        with pytest.raises(NoProcess):
            await ref.stop()


async def test_stop_tells_when_it_did_not_go_as_asked(autojump_clock):
    async with open_tree(Supervisor) as top:
        slow = await start(top, "slow", stopping=10)
        with pytest.raises(CallTimeout):
            await slow.stop(timeout=1)
        other = await start(top, "other", stopping=10)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_stop_fails, other)
            await trio.sleep(1)
            other.kill()


async def _stop_fails(ref):
    with pytest.raises(ServerExited) as caught:
        await ref.stop()
    assert caught.value.reason == Killed()


@pytest.mark.parametrize("reason", [Shutdown("reason"), Shutdown(), Crashed(ValueError("crashed"))])
async def test_P_GS_11_the_caller_learns_the_reason(autojump_clock, reason):
    async with open_tree(Supervisor) as top:
        parent = await start(top, "parent")
        server = await start(top, "server")
        await parent.call(Do(lambda me: me.link(server)))
        with pytest.raises(ServerExited) as caught:
            await server.call(Do(lambda _: Stop(reason)))
        assert caught.value.reason == reason
        assert await parent.call(Do(lambda me: me.got)) == [Exit(server, reason)]


async def test_P_GS_12_continue_comes_before_any_message(autojump_clock):
    journal = []

    def init(me):
        me.ref.cast(lambda me: me.journal.append("message"))
        return Continue("x")

    async with open_tree(lambda: Puppet("a", journal, init=init)) as ref:
        await ref.call(Do(lambda _: Reply(None, continue_with="y")))
    assert journal[:3] == [("continue", "x"), "message", ("continue", "y")]


async def test_P_GS_13_stop_with_a_reply(autojump_clock):
    journal = []
    async with open_tree(lambda: Puppet("a", journal)) as ref:
        assert await ref.call(Do(lambda _: Stop(Normal(), reply="bye"))) == "bye"
        assert await ref.wait() == Normal()
    assert journal == [("start", "a"), ("stop", "a", Normal())]


async def stuck(_):
    await trio.sleep_forever()


async def test_waiting_callers_fail_at_once_when_the_server_dies(autojump_clock):
    async with open_tree(Supervisor) as top, trio.open_nursery() as nursery:
        ref = await start(top, "a")

        async def ask():
            with pytest.raises(ServerExited) as caught:
                await ref.call(Do(stuck), timeout=math.inf)
            assert caught.value.reason == Killed()

        for _ in range(3):
            nursery.start_soon(ask)
        await trio.sleep(1)
        ref.kill()


async def test_a_busy_actor_does_not_starve_the_others(autojump_clock):
    turns = []

    def again(me):
        me.ref.cast(again)

    async with open_tree(Supervisor) as top:
        ref = await start(top, "busy")
        ref.cast(again)
        for _ in range(3):
            await trio.lowlevel.checkpoint()
            turns.append(1)
        ref.kill()
        assert await ref.wait() == Killed()
    assert len(turns) == 3


async def test_messages_from_the_same_sender_keep_their_order(autojump_clock):
    async with open_tree(lambda: Puppet("a")) as ref:
        for n in range(500):
            ref.send(n)
        assert await ref.call(Do(lambda me: me.got)) == list(range(500))


async def test_a_timer_sends_once_unless_cancelled_and_dies_with_its_actor(autojump_clock):
    async with open_tree(Supervisor) as top:
        ref = await start(top, "a")
        await ref.call(Do(lambda me: me.send_after(1.0, "one") and None))
        two = await ref.call(Do(lambda me: me.send_after(1.0, "two")))
        two.cancel()
        await trio.sleep(2)
        assert await ref.call(Do(lambda me: me.got)) == ["one"]
        await ref.call(Do(lambda me: me.send_after(10**6, "never") and None))
        before = trio.current_time()
    assert trio.current_time() == before


# --- links and monitors ---


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


async def test_link_to_the_dead(autojump_clock):
    async with open_tree(Supervisor) as top:
        dead, a = await start(top, "dead"), await start(top, "a")
        await dead.stop()
        await a.call(Do(lambda me: me.link(dead)))
        assert await a.call(Do(lambda me: me.got)) == [Exit(dead, NoProc())]
