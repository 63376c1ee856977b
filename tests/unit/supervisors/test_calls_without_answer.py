# ruff: noqa: N802 - tests bear the IDs of the conformance list
"""Calls without answer: nobody there, too late, an end before it; after gen_server_SUITE (gs)."""

import contextlib
import gc
import math
import weakref

import pytest
import trio
import trio.lowlevel

from supervisors import (
    CallingSelf,
    CallTimeout,
    Crashed,
    DynamicSupervisor,
    Exit,
    FailedToStartChild,
    GenServer,
    Ignore,
    Killed,
    NoProcess,
    NoReply,
    Normal,
    Registry,
    Reply,
    ServerExited,
    Shutdown,
    Stop,
    Supervisor,
    open_tree,
)
from supervisors.supervision.administration import CountChildren
from supervisors.testing import supervised
from tests.unit.supervisors.actors import Do, Puppet, boom, got, puppet, start


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


async def test_gs_a_reply_stands_though_the_server_crashes_next(autojump_clock):
    def reply_and_crash(me):
        me.caller.reply("done")
        raise ValueError("after the reply")

    async with open_tree(Puppet) as ref:
        assert await ref.call(Do(reply_and_crash)) == "done"
        assert isinstance(await ref.wait(), Crashed)


async def sleep_one(_):
    await trio.sleep(1)


async def test_ex_gs_call_a_late_reply_reaches_nobody(autojump_clock):
    """Neither the caller's mailbox nor its next call."""

    async def ask(me):
        with pytest.raises(CallTimeout):
            await server.call(Do(sleep_one), timeout=0.5)
        first = await server.call(Do(lambda _: "first"), timeout=5)
        return first, await server.call(Do(lambda _: "second"))

    async with open_tree(Supervisor) as top:
        client, server = await start(top, "client"), await start(top, "server")
        assert await client.call(Do(ask)) == ("first", "second")
        await trio.sleep(5)
        assert await got(client) == []


async def test_gs_call_a_cancelled_call_is_handled_but_answers_nobody(autojump_clock):
    handled = []

    async def slow(_):
        await trio.sleep(1)
        handled.append(True)
        return "late"

    async with open_tree(Puppet) as ref:
        with trio.move_on_after(0.5):
            await ref.call(Do(slow))
        assert await ref.call(Do(lambda _: "next")) == "next"
    assert handled == [True]


async def test_gs_call_a_caller_that_is_killed_hurts_nobody(autojump_clock):
    async with open_tree(Supervisor) as top:
        server, client = await start(top, "server"), await start(top, "client")
        client.cast(lambda _: server.call(Do(sleep_one)))
        await trio.sleep(0.5)
        client.kill()
        assert await client.wait() == Killed()
        assert await server.call(Do(lambda _: "alive")) == "alive"


async def test_two_servers_that_call_each_other_end_by_the_timeout(autojump_clock):
    async with open_tree(Supervisor) as top:
        a, b = await start(top, "a"), await start(top, "b")
        a.cast(lambda _: b.call(Do(lambda _: a.call(Do(boom), timeout=1.0)), timeout=2.0))
        assert isinstance(await b.wait(), Crashed)
        reason = await a.wait()
    assert isinstance(reason, Crashed)
    assert isinstance(reason.exception, ServerExited)


@pytest.mark.parametrize("reason", [Normal(), Shutdown(), Shutdown("x"), Crashed(ValueError())])
async def test_gs_crash_a_stop_without_a_reply_fails_the_call(autojump_clock, reason):
    async with open_tree(Puppet) as ref:
        with pytest.raises(ServerExited) as caught:
            await ref.call(Do(lambda _: Stop(reason)))
        assert caught.value.reason == reason
        assert caught.value.server == ref.name


async def test_calls_still_in_the_mailbox_fail_with_the_reason_of_the_end(autojump_clock):
    failed = []

    async def ask(ref):
        with pytest.raises(ServerExited) as caught:
            await ref.call(Do(lambda _: "never"), timeout=math.inf)
        failed.append(caught.value.reason)

    async with open_tree(Puppet) as ref, trio.open_nursery() as nursery:
        ref.cast(sleep_one)
        ref.cast(lambda _: Stop(Shutdown("over")))
        await trio.sleep(0.5)
        for _ in range(3):
            nursery.start_soon(ask, ref)
    assert failed == [Shutdown("over")] * 3


@pytest.mark.parametrize(
    ("result", "reason"),
    [(Stop(Shutdown("no")), Shutdown("no")), (Ignore(), Normal())],
    ids=["stop", "ignore"],
)
async def test_a_call_during_an_init_that_fails_fails_too(autojump_clock, result, reason):
    names = Registry("names")

    async def init(_):
        await trio.sleep(1)
        return result

    async def attempt():
        with contextlib.suppress(FailedToStartChild):
            await Supervisor.start_child(top, spec)

    async with open_tree(lambda: Supervisor([names.child_spec()])) as top:
        spec = puppet("a", restart="temporary", name=names.via("A"), init=init)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(attempt)
            await trio.sleep(0.5)
            with pytest.raises(ServerExited) as caught:
                await names.via("A").call(Do(boom))
            assert caught.value.reason == reason


async def test_ex_gs_casts_and_messages_to_the_dead_are_silent(autojump_clock):
    names = Registry("names")
    async with open_tree(lambda: Supervisor([names.child_spec()])) as top:
        ref = await start(top, "a", name=names.via("A"))
        await ref.stop()
        for dead in (ref, names.via("A"), names.via("nobody")):
            dead.cast("x")
            dead.send("x")
            dead.exit(Shutdown())
            dead.kill()
        assert top.is_alive
        assert await ref.wait() == Normal()


async def test_a_call_that_failed_leaves_nothing_of_its_caller_behind(autojump_clock):
    class Local:
        pass

    async def give_up(ref):
        local = Local()
        with pytest.raises(CallTimeout):
            await ref.call(Do(lambda _: NoReply()), timeout=1.0)
        return weakref.ref(local)

    async with supervised(Puppet) as ref:
        gc.disable()
        try:
            assert (await give_up(ref))() is None
        finally:
            gc.enable()


async def test_who_waits_for_itself_is_told(autojump_clock):
    class Waits(GenServer):
        async def handle_call(self, request, caller):
            try:
                await self.ref.wait()
            except CallingSelf as error:
                return Reply(str(error))

    async with open_tree(Waits) as ref:
        assert "cannot call itself" in await ref.call("now")


@pytest.mark.parametrize(
    ("root", "request_"),
    [
        (Puppet, Do(lambda _: None)),
        (Supervisor, CountChildren()),
        (DynamicSupervisor, CountChildren()),
    ],
)
async def test_who_calls_in_the_instant_of_a_kill_is_answered(autojump_clock, root, request_):
    told = []

    async def ask(ref):
        try:
            await ref.call(request_, timeout=math.inf)
        except ServerExited as error:
            told.append(error)

    class Killer(trio.abc.Instrument):
        """Kills when the call has woken the server, before the server can run."""

        def after_task_step(self, _):
            if len(ref._process.mailbox):
                ref.kill()

    async with open_tree(root) as ref, trio.open_nursery() as nursery:
        await trio.sleep(1)
        killer = Killer()
        trio.lowlevel.add_instrument(killer)
        nursery.start_soon(ask, ref)
        await ref.wait()
        trio.lowlevel.remove_instrument(killer)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert told
