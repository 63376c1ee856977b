# ruff: noqa: N802 - tests bear the IDs of the conformance list
"""To stop an actor, from outside and by what a callback returns; after gen_server_SUITE (gs)."""

import math

import pytest
import trio
import trio.lowlevel

from supervisors import (
    CallingSelf,
    CallTimeout,
    Crashed,
    Killed,
    NoProcess,
    Normal,
    Registry,
    ServerExited,
    Shutdown,
    Stop,
    Supervisor,
    open_tree,
)
from tests.unit.supervisors.actors import (
    Do,
    Puppet,
    boom,
    puppet,
    start,
)


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


async def _stop_fails(ref):
    with pytest.raises(ServerExited) as caught:
        await ref.stop()
    assert caught.value.reason == Killed()


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


async def test_P_GS_13_stop_with_a_reply(autojump_clock):
    journal = []
    async with open_tree(lambda: Puppet("a", journal)) as ref:
        assert await ref.call(Do(lambda _: Stop(Normal(), reply="bye"))) == "bye"
        assert await ref.wait() == Normal()
    assert journal == [("start", "a"), ("stop", "a", Normal())]


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


async def test_gs_stop_with_a_reply_answers_after_terminate(autojump_clock):
    journal = []
    async with open_tree(puppet("a", journal, stopping=0.3)) as ref:
        before = trio.current_time()
        assert await ref.call(Do(lambda _: Stop(Normal(), reply="bye"))) == "bye"
        assert journal[-1] == ("stop", "a", Normal())
        assert trio.current_time() - before == pytest.approx(0.3)


async def test_gs_stop_with_a_reply_answers_though_terminate_crashes(autojump_clock):
    class Bad(Puppet):
        async def terminate(self, reason):
            raise ValueError("bad end")

    async with open_tree(Bad) as ref:
        assert await ref.call(Do(lambda _: Stop(Normal(), reply="bye"))) == "bye"


@pytest.mark.parametrize("timeout", ["invalid", None, -1, math.nan])
async def test_gs_stop3_a_bad_timeout_is_refused_before_anything_happens(autojump_clock, timeout):
    handled = []
    async with open_tree(Puppet) as ref:
        with pytest.raises((ValueError, TypeError)):
            await ref.call(Do(lambda _: handled.append("call")), timeout=timeout)
        with pytest.raises((ValueError, TypeError)):
            await ref.stop(Shutdown("other"), timeout=timeout)
        await trio.sleep(1)
        assert ref.is_alive
    assert handled == []
