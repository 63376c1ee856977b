"""The timekeeper: deadlines of calls and timers, one heap for all."""

import pytest
import trio
import trio.lowlevel

from supervisors import (
    CallTimeout,
    Supervisor,
    open_tree,
)
from supervisors._core.timekeeper import COMPACT_FROM, Timekeeper
from tests.unit.supervisors.actors import Do, Puppet, start


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


def timers(ref, *plan):
    """Start one for each (seconds, info) and return them."""
    return ref.call(Do(lambda me: [me.send_after(seconds, info) for seconds, info in plan]))


def got(ref):
    return ref.call(Do(lambda me: list(me.got)))


async def test_timers_come_in_the_order_of_their_deadlines(autojump_clock):
    async with open_tree(Puppet) as ref:
        await timers(ref, (3, "c"), (1, "a"), (2, "b1"), (2, "b2"), (2, "b3"), (0, "now"))
        await trio.sleep(0.5)
        assert await got(ref) == ["now"]
        await trio.sleep(3)
        assert await got(ref) == ["now", "a", "b1", "b2", "b3", "c"]


async def test_an_earlier_one_that_is_made_later_comes_in_time(autojump_clock):
    async with open_tree(Puppet) as ref:
        await timers(ref, (100, "late"))
        await trio.sleep(1)  # the timekeeper sleeps until the first
        await timers(ref, (1, "early"))
        await trio.sleep(1.5)
        assert await got(ref) == ["early"]


async def test_a_cancelled_timer_does_not_come(autojump_clock):
    async with open_tree(Puppet) as ref:
        [timer, sent] = await timers(ref, (10, "never"), (1, "sent"))
        await trio.sleep(4)
        assert timer.cancel() == 6.0
        assert timer.cancel() is None
        assert sent.cancel() is None
        await trio.sleep(20)
        assert await got(ref) == ["sent"]
        assert ref._process.timers == {}


async def test_what_is_settled_leaves_the_heap_and_what_lives_stays(autojump_clock):
    async with open_tree(Puppet) as ref:
        await timers(ref, (50, "alive"), (40, "also"))
        for _ in range(5):
            for timer in await timers(ref, *[(30, "never")] * COMPACT_FROM):
                timer.cancel()
        heap = Timekeeper.current()._heap
        assert len(heap) < 3 * COMPACT_FROM  # of five times as many
        await trio.sleep(60)
        assert await got(ref) == ["also", "alive"]


async def test_many_calls_leave_little_behind(autojump_clock):
    async with open_tree(Puppet) as ref:
        request = Do(lambda _: None)
        for _ in range(10_000):
            await ref.call(request)
        assert len(Timekeeper.current()._heap) <= 2 * COMPACT_FROM


async def test_timers_die_with_their_process(autojump_clock):
    async with open_tree(Puppet) as ref:
        [timer] = await timers(ref, (10, "never"))
        await ref.stop()
        assert timer.settled
        assert timer.cancel() is None


async def test_a_timeout_of_zero_does_not_wait(autojump_clock):
    async with open_tree(Puppet) as ref:
        gate = trio.Event()
        ref.cast(lambda _: gate.wait())
        began = trio.current_time()
        with pytest.raises(CallTimeout):
            await ref.call(Do(lambda _: None), timeout=0)
        assert trio.current_time() == began
        gate.set()


async def test_a_negative_time_is_refused(autojump_clock):
    async def start(me):
        with pytest.raises(ValueError, match="at least 0"):
            me.send_after(-1, "never")

    async with open_tree(Puppet) as ref:
        await ref.call(Do(start))


def test_each_trio_run_has_its_own():
    async def main():
        async with open_tree(Puppet) as ref:
            await timers(ref, (1, "info"))
            await trio.sleep(2)
            assert await got(ref) == ["info"]
            assert Timekeeper.current() is ref._process.timekeeper
            return Timekeeper.current()

    first = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    second = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert first is not second
