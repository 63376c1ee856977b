"""The watchdog in real programs, on real time: each block lasts until it was noticed."""

import gc
import logging
import queue
import sys
import threading
import time

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock

from supervisors import ChildSpec, GenServer, Supervisor, Watchdog, open_tree, run, telemetry
from supervisors.telemetry import LoopBlocked
from supervisors.watchdog import THREAD_NAME
from tests.unit.supervisors.actors import Do, Puppet, child, puppet

THRESHOLD = 0.2
NO_BLOCK_LASTS = 60.0


class Alarm(logging.Handler):
    """What the watchdog says: its lines, those in which it is not over yet, and its events."""

    def __init__(self):
        super().__init__()
        self.lines = []
        self.early = []
        self.noticed = threading.Event()
        self.events = []

    def emit(self, record):
        text = record.getMessage()
        if text.startswith("the loop "):
            self.lines.append(text)
        if text.startswith("the loop is blocked"):
            self.early.append(text)
            self.noticed.set()

    def sleep(self):
        """Block the loop until the watchdog has said so."""
        limit = time.monotonic() + NO_BLOCK_LASTS
        while not self.noticed.is_set() and time.monotonic() < limit:
            time.sleep(0.01)

    def compute(self):
        """The same without a rest."""
        limit = time.monotonic() + NO_BLOCK_LASTS
        while not self.noticed.is_set() and time.monotonic() < limit:
            pass

    async def verdict(self, cause):
        """The first event with this cause."""
        while True:
            for event in self.events:
                if event.cause == cause:
                    return event
            await trio.sleep(0.01)


@pytest.fixture
def alarm():
    handler = Alarm()
    logger = logging.getLogger("supervisors")
    logger.addHandler(handler)
    with telemetry.attached("alarm", LoopBlocked, handler.events.append):
        yield handler
    logger.removeHandler(handler)


def watched(*specs, threshold=THRESHOLD):
    dog = ChildSpec("dog", lambda: Watchdog(threshold))
    return lambda: Supervisor([dog, *specs], name="top")


def threads():
    return [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]


async def thread_count_is(number):
    while len(threads()) != number:
        await trio.sleep(0.001)


# --- who ---


@pytest.mark.parametrize("way", ["sleep", "compute"])
@pytest.mark.parametrize("callback", ["handle_call", "handle_cast", "handle_info"])
async def test_a_callback_that_blocks_is_named(alarm, callback, way):
    def work(_):
        getattr(alarm, way)()

    async with open_tree(watched(puppet("slow"), puppet("other"))) as top:
        slow = await child(top, "slow")
        match callback:
            case "handle_call":
                await slow.call(Do(work), timeout=NO_BLOCK_LASTS)
            case "handle_cast":
                slow.cast(work)
            case "handle_info":
                slow.send(work)
        event = await alarm.verdict("step")
    message = "Do" if callback == "handle_call" else "function"
    assert event.seconds >= THRESHOLD
    assert 0 < event.caused_seconds <= event.seconds
    assert (event.process, event.class_name) == ("slow", "Puppet")
    assert (event.handler, event.message) == (callback, message)
    (early,) = alarm.early
    assert f"by slow (Puppet) in {callback} of {message}, at {__file__}:" in early
    assert early.endswith(f"Alarm.{way}")
    assert f"by slow (Puppet) in {callback} of {message}, at" in alarm.lines[-1]


async def test_the_line_is_that_of_the_code_that_went_into_the_standard_library(alarm):
    def wait_for_a_queue(_):
        while not alarm.noticed.is_set():
            try:
                queue.Queue().get(timeout=0.05)
            except queue.Empty:
                continue

    async with open_tree(watched(puppet("slow"))) as top:
        (await child(top, "slow")).cast(wait_for_a_queue)
        event = await alarm.verdict("step")
    path, _, place = event.where.partition(":")
    assert path == __file__
    assert place.endswith("wait_for_a_queue")


async def test_a_linked_task_that_blocks_is_named(alarm):
    async def poll():
        await trio.lowlevel.checkpoint()
        alarm.sleep()

    async with open_tree(watched(puppet("slow", init=lambda me: me.spawn_link(poll) and None))):
        event = await alarm.verdict("step")
    assert event.process == "slow"
    assert event.handler.endswith("poll")
    assert event.message is None
    assert "in its task" in alarm.early[0]


async def test_a_task_of_a_nursery_of_an_actors_is_named_with_the_actor(alarm):
    async def part():
        alarm.sleep()

    async def work(_):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(part)

    async with open_tree(watched(puppet("slow"))) as top:
        (await child(top, "slow")).cast(work)
        event = await alarm.verdict("step")
    assert event.process == "slow"
    assert event.handler.endswith("part")


@pytest.mark.parametrize("callback", ["init", "terminate", "handle_continue"])
async def test_the_other_callbacks_are_named_too(alarm, callback):
    class Slow(GenServer):
        trap_exit = True

        async def init(self):
            from supervisors import Continue

            if callback == "init":
                alarm.sleep()
            return Continue("secret")

        async def handle_continue(self, argument):
            if callback == "handle_continue":
                alarm.sleep()

        async def terminate(self, reason):
            if callback == "terminate":
                alarm.sleep()

    async with open_tree(watched()) as top:
        await Supervisor.start_child(top, ChildSpec("slow", Slow))
        await Supervisor.terminate_child(top, "slow")
        event = await alarm.verdict("step")
    message = "Continue" if callback == "handle_continue" else None
    assert (event.process, event.handler, event.message) == ("slow", callback, message)


async def test_a_constructor_that_blocks_is_the_supervisors_own_work(alarm):
    class Slow(GenServer):
        def __init__(self):
            alarm.sleep()

    async with open_tree(watched()) as top:
        await Supervisor.start_child(top, ChildSpec("slow", Slow))
        event = await alarm.verdict("step")
    assert (event.process, event.class_name, event.handler) == ("top", "Supervisor", None)
    assert "Alarm.sleep" in event.where


async def test_a_plain_trio_task_that_blocks_is_named(alarm):
    async def plain():
        alarm.sleep()

    async with open_tree(watched()), trio.open_nursery() as nursery:
        nursery.start_soon(plain)
        event = await alarm.verdict("step")
    assert event.process is None
    assert event.handler.endswith("plain")


async def test_one_that_waits_beside_the_one_that_blocks_is_not_named(alarm):
    async def wait(_):
        while not alarm.events:
            await trio.sleep(0.01)

    async with open_tree(watched(puppet("waits"), puppet("slow"), puppet("waits too"))) as top:
        (await child(top, "waits")).cast(wait)
        (await child(top, "waits too")).cast(wait)
        await trio.sleep(0.01)
        (await child(top, "slow")).cast(lambda _: alarm.sleep())
        await alarm.verdict("step")
    assert {event.process for event in alarm.events if event.cause == "step"} == {"slow"}
    assert len(alarm.early) == 1


async def test_one_that_is_slow_but_awaits_is_not_reported(alarm):
    async with open_tree(watched(puppet("waits"))) as top:
        waits = await child(top, "waits")
        await waits.call(Do(lambda _: trio.sleep(3 * THRESHOLD)), timeout=NO_BLOCK_LASTS)
    assert [line for line in alarm.lines if "waits" in line] == []


async def test_what_is_shorter_than_the_threshold_is_not_reported(alarm):
    async with open_tree(watched(puppet("slow"), threshold=NO_BLOCK_LASTS)) as top:
        await (await child(top, "slow")).call(Do(lambda _: time.sleep(2 * THRESHOLD)))
    assert alarm.lines == []


async def test_no_message_is_logged(alarm):
    def secret_token(_):
        alarm.sleep()

    async with open_tree(watched(puppet("slow"))) as top:
        await (await child(top, "slow")).call(Do(secret_token), timeout=NO_BLOCK_LASTS)
        await alarm.verdict("step")
    assert alarm.lines
    assert not any("secret_token" in line for line in alarm.lines)


# --- what is nobody's ---


@pytest.mark.skipif(sys.platform != "linux", reason="a thread's CPU time is read on Linux only")
async def test_a_call_that_held_the_interpreters_lock_is_told_apart(alarm):
    def hold(_):
        sum(range(2 * 10**7))

    async with open_tree(watched(puppet("slow"), threshold=THRESHOLD / 4)) as top:
        slow = await child(top, "slow")
        while not any(event.cause == "lock" for event in alarm.events):
            await slow.call(Do(hold), timeout=NO_BLOCK_LASTS)
            await trio.sleep(0.1)  # the thread pauses: only late can it learn of the next
        event = await alarm.verdict("lock")
    assert (event.process, event.handler, event.message) == ("slow", "handle_call", "Do")
    assert event.where.endswith("hold")
    assert alarm.early == []


async def test_another_thread_that_holds_the_lock_is_laid_to_nobody(alarm):
    async with open_tree(watched(puppet("innocent"), threshold=THRESHOLD / 4)):
        while not any(event.cause == "stall" for event in alarm.events):
            await trio.to_thread.run_sync(sum, range(2 * 10**7))
        event = await alarm.verdict("stall")
    assert (event.process, event.handler, event.where) == (None, None, None)
    assert alarm.early == []


async def test_the_garbage_collector_is_laid_to_nobody(alarm):
    class Knot:
        def __init__(self):
            self.self = self

        def __del__(self):
            sum(range(2 * 10**7))  # as long as it takes to go through a great many objects

    def collect(_):
        Knot()
        gc.collect()

    async with open_tree(watched(puppet("innocent"), threshold=THRESHOLD / 4)) as top:
        innocent = await child(top, "innocent")
        while not any(event.cause == "collector" for event in alarm.events):
            await innocent.call(Do(collect), timeout=NO_BLOCK_LASTS)
            await trio.sleep(0.1)
        event = await alarm.verdict("collector")
    assert (event.process, event.handler, event.where) == (None, None, None)


# --- virtual time ---


async def test_a_virtual_clock_is_neither_moved_nor_held(autojump_clock):
    async with open_tree(watched(threshold=0.002)):
        await trio.sleep(3600)
        assert trio.current_time() == 3600
        await trio.to_thread.run_sync(time.sleep, 0.05)
        assert trio.current_time() == 3600


def test_a_clock_that_waits_for_quiet_before_it_jumps_gets_its_quiet():
    async def main():
        async with open_tree(watched(threshold=0.01)):
            with trio.fail_after(7200):
                await trio.sleep(3600)

    trio.run(main, clock=MockClock(autojump_threshold=0.1))


# --- the thread ---


@pytest.mark.parametrize("way", ["stop", "terminate_child", "delete the tree"])
async def test_the_thread_ends_with_its_actor(way, autojump_clock):
    async with open_tree(watched(threshold=NO_BLOCK_LASTS)) as top:
        await thread_count_is(1)
        match way:
            case "stop":
                await Supervisor.start_child(top, puppet("last"))
                await Supervisor.terminate_child(top, "dog")
                await thread_count_is(0)
                dog = await Supervisor.restart_child(top, "dog")
                await thread_count_is(1)
                dog.kill()
            case "terminate_child":
                await Supervisor.terminate_child(top, "dog")
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
        assert (await alarm.verdict("step")).process == "slow"
        assert len(alarm.early) == 1


async def test_a_thread_that_fails_crashes_its_actor(monkeypatch, caplog, alarm):
    monkeypatch.setattr("supervisors.loop_view.LoopView.look", lambda _: 1 / 0)
    async with open_tree(watched(puppet("slow"), threshold=0.002)) as top:
        dog = await child(top, "dog")
        await dog.wait()
        monkeypatch.undo()
        await thread_count_is(1)
    assert "child dog: ZeroDivisionError" in caplog.text


def test_the_thread_ends_with_a_program_that_is_interrupted():
    def interrupt(_):
        raise KeyboardInterrupt

    later = puppet("a", init=lambda me: me.send_after(0.01, interrupt) and None)
    with pytest.raises(BaseExceptionGroup) as caught:
        run(watched(later))
    assert caught.group_contains(KeyboardInterrupt)
    for thread in threads():
        thread.join()


@pytest.mark.parametrize("gone", [trio.RunFinishedError, OSError])
async def test_the_thread_ends_with_the_loop(gone, monkeypatch):
    class Gone:
        def run_sync_soon(self, *args, **options):
            raise gone

    monkeypatch.setattr(trio.lowlevel, "current_trio_token", Gone)
    async with open_tree(watched(threshold=0.002)):
        await thread_count_is(1)
        while threads():  # it asks only a loop that does not rest
            time.sleep(0.001)


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


__all__ = ["Puppet"]
