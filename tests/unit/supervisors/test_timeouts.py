# ruff: noqa: N802 - tests bear the IDs of the conformance list
"""Server timeouts and continuations, after gen_server_SUITE (gs) and gen_server_test (ex_gs)."""

import math

import pytest
import trio
import trio.lowlevel

from supervisors import (
    Continue,
    Crashed,
    NoReply,
    Reply,
    Shutdown,
    Supervisor,
    Timeout,
    open_tree,
)
from tests.unit.supervisors.actors import (
    Chained,
    Do,
    Puppet,
    boom,
    by_call,
    by_cast,
    by_continue,
    by_info,
    got,
    puppet,
    start,
)

KINDS = ["call", "call without reply", "cast", "info", "continue"]


async def test_P_GS_08_server_timeout(autojump_clock):
    async with open_tree(Puppet) as ref:
        await ref.call(Do(lambda _: Reply(None, timeout=1.0)))
        await trio.sleep(0.5)
        assert await ref.call(Do(lambda me: list(me.got))) == []
        await trio.sleep(5)  # that call took the timeout back
        assert await ref.call(Do(lambda me: Reply(list(me.got), timeout=1.0))) == []
        await trio.sleep(1.5)
        assert await ref.call(Do(lambda me: list(me.got))) == [Timeout()]


async def test_P_GS_12_continue_comes_before_any_message(autojump_clock):
    journal = []

    def init(me):
        me.ref.cast(lambda me: me.journal.append("message"))
        return Continue("x")

    async with open_tree(lambda: Puppet("a", journal, init=init)) as ref:
        await ref.call(Do(lambda _: Reply(None, continue_with="y")))
    assert journal[:3] == [("continue", "x"), "message", ("continue", "y")]


def timeout_from(kind, timeout):
    """A function that makes callback `kind` of a server return this timeout."""
    result = NoReply(timeout=timeout)
    return {
        "call": lambda ref: ref.call(Do(lambda _: Reply(None, timeout=timeout))),
        "call without reply": lambda ref: by_call(ref, lambda: result),
        "cast": lambda ref: by_cast(ref, lambda: result),
        "info": lambda ref: by_info(ref, lambda: result),
        "continue": lambda ref: by_continue(ref, lambda: result),
    }[kind]


@pytest.mark.parametrize("kind", KINDS)
async def test_gs_call_cast_info_a_timeout_in_every_return(autojump_clock, kind):
    actor = Chained()  # looked at from outside, because a call would take the timeout back
    async with open_tree(lambda: actor) as ref:
        await timeout_from(kind, 1.0)(ref)
        await trio.sleep(0.98)
        assert actor.got == []
        await trio.sleep(0.1)
        assert actor.got == [Timeout()]
        await trio.sleep(10)
        assert actor.got == [Timeout()]  # it is given once, not again and again


async def test_gs_init_may_ask_for_a_timeout(autojump_clock):
    async with open_tree(puppet("a", init=lambda _: NoReply(timeout=1.0))) as ref:
        await trio.sleep(1.5)
        assert await got(ref) == [Timeout()]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "message",
    [
        lambda ref: ref.cast(lambda _: None),
        lambda ref: ref.send(lambda _: None),
        lambda ref: ref.send("anything"),
    ],
)
async def test_gs_any_message_takes_the_timeout_back(autojump_clock, kind, message):
    async with open_tree(Chained) as ref:
        await timeout_from(kind, 1.0)(ref)
        await trio.sleep(0.5)
        message(ref)
        await trio.sleep(10)
        assert Timeout() not in await got(ref)


async def test_gs_a_timeout_of_zero_comes_after_what_is_in_the_mailbox(autojump_clock):
    async with open_tree(Puppet) as ref:
        ref.cast(lambda _: NoReply(timeout=0))
        ref.send("first")
        await trio.sleep(1)
        assert await got(ref) == ["first"]
        ref.cast(lambda _: NoReply(timeout=0))
        await trio.sleep(1)
        assert await got(ref) == ["first", Timeout()]


async def test_gs_the_last_return_decides_the_timeout(autojump_clock):
    actor = Puppet()
    async with open_tree(lambda: actor) as ref:
        ref.cast(lambda _: NoReply(timeout=1.0))
        ref.cast(lambda _: NoReply(timeout=5.0))
        await trio.sleep(4)
        assert actor.got == []
        await trio.sleep(1.5)
        assert actor.got == [Timeout()]


async def test_gs_call_delayed_answer_from_the_timeout(autojump_clock):
    class Delayed(Puppet):
        async def handle_call(self, request, caller):
            self.waiting = caller
            return NoReply(timeout=1.0)

        async def handle_info(self, info):
            self.waiting.reply("delayed")

    async with open_tree(Delayed) as ref:
        before = trio.current_time()
        assert await ref.call(Do(boom)) == "delayed"
        assert trio.current_time() - before == pytest.approx(1.0)


async def test_ex_gs_continuations_chain_before_any_message(autojump_clock):
    journal = []

    def then(word, after):
        def step(me):
            me.journal.append(word)
            return after

        return step

    last = then("three", None)
    two = then("two", NoReply(continue_with=last))
    one = then("one", Continue(two))

    def init(me):
        me.ref.send(lambda me: me.journal.append("message"))
        return Continue(one)

    async with open_tree(lambda: Chained("a", journal, init=init)):
        await trio.sleep(1)
    assert journal == ["one", "two", "three", "message", ("stop", "a", Shutdown())]


async def test_ex_gs_the_reply_goes_out_before_the_continuation(autojump_clock):
    async def slow(me):
        await trio.sleep(5)

    async with open_tree(Chained) as ref:
        before = trio.current_time()
        assert await ref.call(Do(lambda _: Reply("now", continue_with=slow))) == "now"
        assert trio.current_time() == before
        assert await ref.call(Do(lambda _: "later"), timeout=math.inf) == "later"
        assert trio.current_time() - before == pytest.approx(5)


async def test_ex_gs_a_continuation_may_give_the_reply(autojump_clock):
    def ask(me):
        caller = me.caller
        return NoReply(continue_with=lambda _: caller.reply("from the continuation"))

    async with open_tree(Chained) as ref:
        assert await ref.call(Do(ask)) == "from the continuation"


async def test_ex_gs_a_start_whose_continuation_crashes_has_succeeded(autojump_clock):
    async with open_tree(Supervisor) as top:
        ref = await start(top, "a", init=lambda _: Continue("crash"))
        assert ref is not None

    class Crashing(Puppet):
        async def handle_continue(self, argument):
            raise ValueError(argument)

    async with open_tree(lambda: Crashing(init=lambda _: Continue("crash"))) as ref:
        assert isinstance(await ref.wait(), Crashed)
