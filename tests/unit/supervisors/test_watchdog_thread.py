"""The watchdog's thread: what it leaves alone, what it reads, and that it ends."""

import gc
import sys
import threading
import time

import pytest
import trio
from trio.testing import MockClock

from supervisors import Shutdown, Supervisor, Watchdog, open_tree, run
from supervisors.watchdog.loop_view import LoopView
from supervisors.watchdog.watchdog import THREAD_NAME, _Meter
from tests.unit.supervisors.actors import child, puppet
from tests.unit.supervisors.alarm import NO_BLOCK_LASTS, give_it_all_the_time, listening, watched


@pytest.fixture
def alarm(monkeypatch):
    give_it_all_the_time(monkeypatch)
    with listening() as handler:
        yield handler


def threads():
    return [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]


async def thread_count_is(number):
    while len(threads()) != number:
        await trio.sleep(0.001)


# --- virtual time ---


async def test_a_virtual_clock_is_neither_moved_nor_held(autojump_clock):
    async with open_tree(watched(threshold=0.002)):
        await trio.sleep(3600)
        assert trio.current_time() == 3600
        await trio.to_thread.run_sync(time.sleep, 0.05)
        assert trio.current_time() == 3600


def test_a_clock_that_waits_for_quiet_before_it_jumps_gets_its_quiet():
    async def main():
        async with open_tree(watched(threshold=0.3)):
            with trio.fail_after(7200):
                await trio.sleep(3600)

    trio.run(main, clock=MockClock(autojump_threshold=0.4))


# --- the thread ---


@pytest.mark.parametrize("way", ["terminated", "killed", "stopped", "with the tree"])
async def test_the_thread_ends_with_its_actor(way, autojump_clock):
    async with open_tree(watched(threshold=NO_BLOCK_LASTS)) as top:
        dog = await child(top, "dog")
        await thread_count_is(1)
        match way:
            case "terminated":
                await Supervisor.terminate_child(top, "dog")
            case "killed":
                top.kill()
            case "stopped":
                await dog.stop(Shutdown())
                await thread_count_is(1)  # it was restarted
    await thread_count_is(0)
    assert not any("_Meter" in repr(callback) for callback in gc.callbacks)


@pytest.mark.parametrize("way", ["kill", "crash"])
async def test_a_watchdog_that_dies_is_restarted_with_one_thread(way, alarm):
    async with open_tree(watched(puppet("slow"))) as top:
        dog = await child(top, "dog")
        await thread_count_is(1)
        (first,) = threads()
        dog.kill() if way == "kill" else dog.cast("what it does not take")
        while first.is_alive() or len(threads()) != 1:
            await trio.sleep(0.001)
        (await child(top, "slow")).cast(lambda _: alarm.sleep())
        assert (await alarm.named()).process == "slow"
        assert len(alarm.early) == 1


async def test_a_thread_that_fails_crashes_its_actor(monkeypatch, caplog, alarm):
    failures = [ZeroDivisionError()]
    look = LoopView.look

    def fail_once(view):
        if failures:
            raise failures.pop()
        return look(view)

    monkeypatch.setattr(LoopView, "look", fail_once)
    async with open_tree(watched(puppet("slow"))) as top:
        while "child dog: ZeroDivisionError" not in caplog.text:
            await trio.sleep(0.001)
        (await child(top, "slow")).cast(lambda _: alarm.sleep())
        assert (await alarm.named()).process == "slow"


def test_the_thread_ends_with_a_program_that_is_interrupted():
    def interrupt(_):
        raise KeyboardInterrupt

    later = puppet("a", init=lambda me: me.send_after(0.01, interrupt) and None)
    with pytest.raises(KeyboardInterrupt):
        run(watched(later))
    for thread in threads():
        thread.join()


@pytest.mark.parametrize("gone", [trio.RunFinishedError, OSError])
async def test_the_thread_ends_with_the_loop(gone, monkeypatch):
    made = trio.Event()

    class Gone:
        def __init__(self):
            made.set()

        def run_sync_soon(self, *args, **options):
            raise gone

    monkeypatch.setattr(trio.lowlevel, "current_trio_token", Gone)
    async with open_tree(watched(threshold=0.002)):
        await made.wait()
        while threads():  # only a loop that does not rest is asked
            time.sleep(0.001)  # noqa: ASYNC251 - so it must not rest


@pytest.mark.parametrize("wrong", [0, -1, float("inf"), float("nan"), "1", None, True])
def test_a_threshold_is_seconds_above_zero(wrong):
    with pytest.raises(ValueError, match="threshold must be finite seconds above zero"):
        Watchdog(wrong)


async def test_an_unexpected_message_is_harmless(alarm, caplog):
    async with open_tree(watched()) as top:
        dog = await child(top, "dog")
        dog.send("a stray one")
        await trio.sleep(0.01)
        assert dog.is_alive
    assert "dog got an unexpected str" in caplog.text


# --- what it reads ---


@pytest.mark.skipif(sys.platform != "linux", reason="a thread's CPU time is told on Linux")
async def test_the_cpu_time_is_that_of_the_loops_thread():
    meter = _Meter()
    before = time.thread_time()
    seen = await trio.to_thread.run_sync(lambda: meter.read().cpu)
    assert before < seen < time.thread_time()


def test_a_collection_that_is_just_over_counts_before_it_is_added_up():
    meter = _Meter()
    assert meter.read().collecting == 0
    meter.collect("start", {})
    while meter.read().collecting == 0:
        """The clock may be coarse."""
    seen = meter.read().collecting
    meter.collect("stop", {})
    over = meter.read().collecting
    assert over >= seen
    assert meter.read().collecting == over
