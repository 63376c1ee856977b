"""Bounded mailboxes, order, and how many messages an actor may handle before others run."""

import pytest
import trio
import trio.lowlevel

from supervisors import (
    CallTimeout,
    Continue,
    Down,
    Killed,
    MailboxBound,
    MailboxFull,
    Normal,
    Reply,
    Shutdown,
    Supervisor,
    open_tree,
)
from supervisors._core.mailbox import FAIR_SHARE
from supervisors.errors import InvalidMailboxLimit, InvalidWhenFull
from tests.unit.supervisors.actors import Do, Puppet, start


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


class Refusing(Puppet):
    mailbox_bound = MailboxBound(2)


async def hold(ref):
    """Keep it busy until the event is set."""
    gate = trio.Event()
    ref.cast(lambda _: gate.wait())
    await trio.testing.wait_all_tasks_blocked()
    return gate


def got(ref):
    return ref.call(Do(lambda me: list(me.got)))


async def test_a_full_one_that_refuses(autojump_clock):
    async with open_tree(Refusing) as ref:
        gate = await hold(ref)
        for number in range(4):
            ref.send(number)
        began = trio.current_time()
        with pytest.raises(MailboxFull, match="holds 2 unread messages"):
            await ref.call(Do(lambda _: None))
        assert trio.current_time() == began
        ref.cast(lambda me: me.got.append("never"))
        assert ref._process.mailbox.dropped == 4
        gate.set()
        await trio.sleep(1)
        assert await got(ref) == [0, 1]  # there is room again
        ref.send(5)
        assert await got(ref) == [0, 1, 5]


class Dropping(Puppet):
    mailbox_bound = MailboxBound(2, "drop_oldest")


async def test_a_full_one_that_drops_the_oldest(autojump_clock):
    async with open_tree(Dropping) as ref, trio.open_nursery() as nursery:
        gate = await hold(ref)
        told = []

        async def ask():
            with pytest.raises(MailboxFull):
                await got(ref)
            told.append(ref)

        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        ref.send(1)
        assert told == []
        for number in (2, 3):
            ref.send(number)
        await trio.testing.wait_all_tasks_blocked()
        assert told == [ref]
        assert ref._process.mailbox.dropped == 2
        gate.set()
        await trio.sleep(1)
        assert await got(ref) == [2, 3]


@pytest.mark.parametrize("cls", [Refusing, Dropping])
async def test_signals_always_get_in_and_do_not_count(autojump_clock, cls):
    async with open_tree(Puppet) as other, open_tree(cls) as ref:
        await ref.call(Do(lambda me: me.monitor(other) and None))
        await ref.call(Do(lambda me: me.link(other)))
        await ref.call(Do(lambda me: me.send_after(1, "timer") and None))
        gate = await hold(ref)
        await other.stop(Shutdown())
        await trio.sleep(2)
        for number in range(3):
            ref.send(number)
        signals = len(ref._process.mailbox) - 2
        assert signals == 3
        gate.set()
        await trio.sleep(1)
        names = [type(info).__name__ for info in await got(ref)]
        assert names == ["Down", "Exit", "str", "int", "int"]
        assert ref._process.mailbox._signals == 0
        ref.send(8)
        ref.send(9)
        ref.send(10)
        await trio.sleep(1)
        assert (await got(ref))[5:] == ([8, 9] if cls is Refusing else [9, 10])


async def test_a_full_one_still_stops(autojump_clock):
    async with open_tree(Refusing) as ref:
        gate = await hold(ref)
        for number in range(3):
            ref.send(number)
        with pytest.raises(CallTimeout):
            await ref.stop(timeout=1)
        gate.set()
        assert await ref.wait() == Normal()
        assert ref._process.actor.got == [0, 1]


async def test_a_flushed_down_no_longer_counts(autojump_clock):
    async def flush(me):
        monitor = me.monitor(other)  # dead: its Down is there at once
        me.demonitor(monitor, flush=True)

    async with open_tree(Puppet) as other, open_tree(Refusing) as ref:
        await other.stop()
        await ref.call(Do(flush))
        assert ref._process.mailbox._signals == 0
        assert not any(isinstance(info, Down) for info in await got(ref))


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, None])
def test_a_limit_is_a_number_of_messages(limit):
    with pytest.raises(InvalidMailboxLimit):
        MailboxBound(limit)


def test_a_policy_is_one_of_two():
    with pytest.raises(InvalidWhenFull):
        MailboxBound(1, "drop_newest")


class Steps(trio.abc.Instrument):
    """How many messages it had after each step of its task."""

    def __init__(self, ref):
        self.ref, self.counts = ref, []

    def after_task_step(self, task):
        if task is self.ref._process.task:
            self.counts.append(len(self.ref._process.actor.got))


async def test_after_a_fair_share_of_messages_others_run(autojump_clock):
    async with open_tree(Puppet) as ref:
        steps = Steps(ref)
        for number in range(3 * FAIR_SHARE):
            ref.send(number)
        trio.lowlevel.add_instrument(steps)
        await got(ref)
        trio.lowlevel.remove_instrument(steps)
        assert steps.counts[0] == FAIR_SHARE - 1
        assert steps.counts[1:3] == [2 * FAIR_SHARE - 1, 3 * FAIR_SHARE - 1]


async def test_one_that_only_continues_lets_others_run(autojump_clock):
    class Counting(Puppet):
        async def handle_continue(self, argument):
            self.journal.append(argument)
            return Continue(argument - 1) if argument else None

    journal = []
    async with open_tree(lambda: Counting("a", journal)) as ref:
        await ref.call(Do(lambda _: Reply(None, continue_with=10_000)))
        await trio.lowlevel.checkpoint()
        ref.kill()
        await ref.wait()
    assert 0 < len(journal) < 10_000
