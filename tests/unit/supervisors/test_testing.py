"""The helpers for tests of users."""

import pytest
import trio

from supervisors import Exit, NoProc, Normal, Shutdown, Supervisor, open_tree
from supervisors.testing import (
    Received,
    Recorder,
    Watch,
    down,
    is_answering,
    supervised,
    wait_until,
)
from tests.unit.supervisors.actors import Do, Puppet, boom, child, crash, puppet


async def test_supervised_stops_it_in_order(autojump_clock):
    journal = []
    async with supervised(puppet("a", journal)) as ref:
        assert ref.is_alive
    assert journal == [("start", "a"), ("stop", "a", Shutdown())]


@pytest.mark.parametrize("when", ["meanwhile", "at the end"])
async def test_supervised_fails_the_test_if_it_crashed(autojump_clock, when):
    class Bad(Puppet):
        async def terminate(self, reason):
            if when == "at the end":
                raise RuntimeError("boom")

    async def use():
        async with supervised(Bad) as ref:
            if when == "meanwhile":
                await crash(ref)

    with pytest.raises(AssertionError, match="crashed") as caught:
        await use()
    assert isinstance(caught.value.__cause__, RuntimeError)
    async with supervised(Bad, may_crash=True) as ref:
        await crash(ref)


async def test_supervised_lets_a_supervisor_deal_with_crashes(autojump_clock):
    async with supervised(lambda: Supervisor([puppet("a")])) as top:
        await crash(await child(top, "a"))
        assert (await child(top, "a")).is_alive


async def test_supervised_lets_the_blocks_own_error_through(autojump_clock):
    async def use():
        async with supervised(Puppet) as ref:
            await crash(ref)
            raise LookupError

    with pytest.raises(LookupError):
        await use()


async def test_down_tells_the_reason_or_times_out(autojump_clock):
    async with open_tree(Puppet) as ref:
        began = trio.current_time()
        with pytest.raises(TimeoutError):
            await down(ref, timeout=7)
        assert trio.current_time() == began + 7
        await ref.stop()
        assert await down(ref) == Normal()


async def test_wait_until_waits_in_virtual_time(autojump_clock):
    began = trio.current_time()
    await wait_until(lambda: trio.current_time() >= began + 2)
    with pytest.raises(TimeoutError):
        await wait_until(lambda: False, timeout=1)
    assert trio.current_time() == pytest.approx(began + 3, abs=0.1)


async def test_a_recorder_keeps_what_it_gets(autojump_clock):
    async with open_tree(Puppet) as other, open_tree(Recorder) as ref:
        ref.cast(1)
        ref.send(2)
        other.cast(lambda _: ref.exit(Shutdown()))
        await trio.sleep(1)
        assert await ref.call(Received()) == [1, 2, Exit(other, Shutdown())]
        await other.stop()
        await ref.call(Watch(other))
        assert (await ref.call(Received()))[-1].reason == NoProc()


async def test_is_answering(autojump_clock):
    async with open_tree(Puppet) as ref:
        assert await is_answering(ref, Do(lambda _: None))
        assert not await is_answering(ref, Do(lambda _: trio.Event().wait()))
        ref.kill()
        assert not await is_answering(ref, Do(boom))
