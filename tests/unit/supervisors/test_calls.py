"""Calls, casts, replies and stops as in gen_server_SUITE (gs) and gen_server_test (ex_gs)."""

import contextlib
import math

import pytest
import trio

from supervisors import (
    CallingSelf,
    CallTimeout,
    Crashed,
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
    Stop,
    Supervisor,
    open_tree,
)
from tests.unit.supervisors.actors import Do, Puppet, boom, puppet
from tests.unit.supervisors.suite_actors import got, start


async def hang(_):
    await trio.sleep_forever()


async def sleep_one(_):
    await trio.sleep(1)


# --- replies ---


async def test_gs_call_the_first_of_two_replies_counts(autojump_clock):
    def twice(me):
        me.caller.reply("one")
        me.caller.reply("two")
        return Reply("three")

    async with open_tree(Puppet) as ref:
        assert await ref.call(Do(twice)) == "one"
        assert await ref.call(Do(lambda _: "next")) == "next"


async def test_gs_reply_before_noreply_answers_while_the_handler_goes_on(autojump_clock):
    async def reply_and_work(me):
        me.caller.reply("early")
        await trio.sleep(5)
        return NoReply()

    async with open_tree(Puppet) as ref:
        before = trio.current_time()
        assert await ref.call(Do(reply_and_work)) == "early"
        assert trio.current_time() == before


async def test_gs_reply_may_come_from_another_process(autojump_clock):
    async with open_tree(Supervisor) as top:
        other = await start(top, "other")

        def delegate(me):
            caller = me.caller
            other.cast(lambda _: caller.reply("by another"))
            return NoReply()

        server = await start(top, "server")
        assert await server.call(Do(delegate)) == "by another"


async def test_gs_a_reply_stands_though_the_server_crashes_next(autojump_clock):
    def reply_and_crash(me):
        me.caller.reply("done")
        raise ValueError("after the reply")

    async with open_tree(Puppet) as ref:
        assert await ref.call(Do(reply_and_crash)) == "done"
        assert isinstance(await ref.wait(), Crashed)


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


async def test_gs_call_with_a_timeout_of_zero_or_none_at_all(autojump_clock):
    async with open_tree(Puppet) as ref:
        with pytest.raises(CallTimeout):
            await ref.call(Do(sleep_one), timeout=0)

        async def long(_):
            await trio.sleep(10**6)
            return "at last"

        assert await ref.call(Do(long), timeout=math.inf) == "at last"


async def test_gs_call_the_default_timeout_is_five_seconds(autojump_clock):
    async with open_tree(Puppet) as ref:
        before = trio.current_time()
        with pytest.raises(CallTimeout) as caught:
            await ref.call(Do(hang))
        assert trio.current_time() - before == pytest.approx(5.0)
        assert caught.value.timeout == 5.0
        ref.kill()


async def test_gs_call_with_a_huge_message_queue_is_answered_in_turn(autojump_clock):
    async with open_tree(Supervisor) as top:
        client, server = await start(top, "client"), await start(top, "server")

        async def ask(me):
            for n in range(10_000):
                me.ref.send(n)
            return [await server.call(Do(lambda _, n=n: n)) for n in range(10)]

        assert await client.call(Do(ask)) == list(range(10))
        assert await got(client) == list(range(10_000))


async def test_two_servers_that_call_each_other_end_by_the_timeout(autojump_clock):
    async with open_tree(Supervisor) as top:
        a, b = await start(top, "a"), await start(top, "b")
        a.cast(lambda _: b.call(Do(lambda _: a.call(Do(boom), timeout=1.0)), timeout=2.0))
        assert isinstance(await b.wait(), Crashed)
        reason = await a.wait()
    assert isinstance(reason, Crashed)
    assert isinstance(reason.exception, ServerExited)


# --- servers that end before they answer ---


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


async def test_a_call_during_init_waits_for_it(autojump_clock):
    names = Registry("names")
    answers = []

    async def ask():
        answers.append(await names.via("A").call(Do(lambda _: "ready")))

    async with open_tree(lambda: Supervisor([names.child_spec()])) as top:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: start(top, "a", name=names.via("A"), init=sleep_one))
            await trio.sleep(0.5)
            nursery.start_soon(ask)
            await trio.sleep(0.1)
            assert answers == []
        assert answers == ["ready"]


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


# --- casts and messages to nobody ---


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


async def test_a_name_means_whoever_has_it_at_each_use(autojump_clock):
    names = Registry("names")
    via = names.via("A")
    async with open_tree(lambda: Supervisor([names.child_spec()])) as top:
        assert await via.wait() == NoProc()
        for word in ("first", "second"):
            ref = await start(top, "a", name=via)
            await ref.call(Do(lambda me, word=word: setattr(me, "word", word)))
            assert await via.call(Do(lambda me: me.word)) == word
            await via.stop()
        with pytest.raises(NoProcess):
            await via.call(Do(boom))


# --- stop ---


async def test_gs_stop_handles_first_what_came_before(autojump_clock):
    journal = []
    async with open_tree(lambda: Puppet("a", journal)) as ref:
        for n in range(100):
            ref.cast(lambda _, n=n: journal.append(n))
        await ref.stop()
    assert journal == [("start", "a"), *range(100), ("stop", "a", Normal())]


@pytest.mark.parametrize("trap", [True, False])
@pytest.mark.parametrize("reason", [Normal(), Shutdown("x"), Crashed(ValueError("other"))])
async def test_gs_stop_runs_terminate_with_any_reason(autojump_clock, trap, reason):
    journal = []
    async with open_tree(lambda: Puppet("a", journal, trap=trap)) as ref:
        await ref.stop(reason)
        assert await ref.wait() == reason
    assert journal[-1] == ("stop", "a", reason)


async def test_gs_stop_of_one_that_terminates_too_slowly(autojump_clock):
    async with open_tree(lambda: Puppet(stopping=10)) as ref:
        before = trio.current_time()
        with pytest.raises(CallTimeout):
            await ref.stop(Shutdown("x"), timeout=1)
        assert trio.current_time() - before == pytest.approx(1)
        assert ref.is_alive
        assert await ref.wait() == Shutdown("x")  # the request stands


async def test_gs_stop_tells_a_crash_of_terminate(autojump_clock):
    class Bad(Puppet):
        async def terminate(self, reason):
            raise ValueError("bad end")

    async with open_tree(Bad) as ref:
        with pytest.raises(ServerExited) as caught:
            await ref.stop()
        assert isinstance(caught.value.__cause__, ValueError)


async def test_gs_stop_asked_twice_the_first_reason_wins(autojump_clock):
    outcome = []

    async def stop(reason):
        try:
            await ref.stop(reason)
            outcome.append((reason, "as asked"))
        except ServerExited as error:
            outcome.append((reason, error.reason))

    async with open_tree(lambda: Puppet(stopping=1)) as ref, trio.open_nursery() as nursery:
        nursery.start_soon(stop, Shutdown("one"))
        await trio.sleep(0.5)
        nursery.start_soon(stop, Shutdown("two"))
    assert sorted(outcome, key=str) == [
        (Shutdown("one"), "as asked"),
        (Shutdown("two"), Shutdown("one")),
    ]


async def test_ex_gs_stop_of_oneself_is_refused(autojump_clock):
    async def stop_self(me):
        with pytest.raises(CallingSelf):
            await me.ref.stop()
        return "still here"

    async with open_tree(Puppet) as ref:
        assert await ref.call(Do(stop_self)) == "still here"


async def test_gs_stop_of_one_that_crashes_before_it_comes_to_it(autojump_clock):
    async with open_tree(Puppet) as ref:
        ref.cast(boom)
        with pytest.raises(ServerExited) as caught:
            await ref.stop()
        assert isinstance(caught.value.__cause__, RuntimeError)


async def test_a_permanent_child_that_is_stopped_by_hand_is_restarted(autojump_clock):
    async with open_tree(Supervisor) as top:
        ref = await start(top, "a", restart="permanent")
        await ref.stop()
        await trio.sleep(0.1)
        (info,) = await Supervisor.which_children(top)
        assert info.ref not in (None, ref)
