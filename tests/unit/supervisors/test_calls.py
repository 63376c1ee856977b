# ruff: noqa: N802 - tests bear the IDs of the conformance list
"""Calls, casts and replies, after gen_server_SUITE (gs) and gen_server_test (ex_gs)."""

import math

import pytest
import trio
import trio.lowlevel

from supervisors import (
    CallTimeout,
    NoProc,
    NoProcess,
    NoReply,
    Registry,
    Reply,
    Supervisor,
    open_tree,
)
from tests.unit.supervisors.actors import Do, Puppet, boom, got, start


async def _first_caller(ref):
    """The oldest call that waits."""
    return next(iter(ref._process.unanswered))


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


async def sleep_one(_):
    await trio.sleep(1)


async def test_gs_call_with_a_timeout_of_zero_or_none_at_all(autojump_clock):
    async with open_tree(Puppet) as ref:
        with pytest.raises(CallTimeout):
            await ref.call(Do(sleep_one), timeout=0)

        async def long(_):
            await trio.sleep(10**6)
            return "at last"

        assert await ref.call(Do(long), timeout=math.inf) == "at last"


async def hang(_):
    await trio.sleep_forever()


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
