"""Whom the watchdog names, and when nobody: real programs on real time."""

import gc
import queue
import re
import sys
import time

import pytest
import trio

from supervisors import ChildSpec, Continue, GenServer, Supervisor, open_tree
from supervisors.watchdog.loop_view import LoopView
from tests.unit.supervisors.actors import Do, child, puppet
from tests.unit.supervisors.alarm import (
    NO_BLOCK_LASTS,
    THRESHOLD,
    give_it_all_the_time,
    listening,
    watched,
)

linux = pytest.mark.skipif(sys.platform != "linux", reason="a thread's CPU time is told on Linux")


@pytest.fixture
def alarm(monkeypatch):
    give_it_all_the_time(monkeypatch)
    with listening() as handler:
        yield handler


# --- who ---


@pytest.mark.parametrize(
    ("callback", "way"),
    [("handle_call", "sleep"), ("handle_cast", "compute"), ("handle_info", "sleep")],
)
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
        event = await alarm.named()
    message = "Do" if callback == "handle_call" else "function"
    assert event.seconds >= THRESHOLD
    assert 0 < event.caused_seconds <= event.seconds
    assert (event.process, event.class_name) == ("slow", "Puppet")
    assert (event.handler, event.message) == (callback, message)
    (early,) = alarm.early
    assert f"it is in slow (Puppet) in {callback} of {message}, at " in early
    assert re.search(rf"alarm\.py:\d+ Alarm\.{way}$", early)
    assert f"slow (Puppet) in {callback} of {message}, at" in alarm.lines[-1]


async def test_it_is_said_once_while_it_lasts(alarm, monkeypatch):
    look = LoopView.look
    looks = []

    def count(view):
        looks.append(len(alarm.early))
        return look(view)

    def work(_):
        while looks.count(1) < 3:  # so often was looked since it was said
            time.sleep(0.01)

    monkeypatch.setattr(LoopView, "look", count)
    async with open_tree(watched(puppet("slow"))) as top:
        (await child(top, "slow")).cast(work)
        await alarm.named()
    assert len(alarm.early) == 1


async def test_the_line_is_that_of_the_code_that_went_into_the_standard_library(alarm):
    def wait_for_a_queue(_):
        while not alarm.noticed.is_set():
            try:
                queue.Queue().get(timeout=0.05)
            except queue.Empty:
                continue

    async with open_tree(watched(puppet("slow"))) as top:
        (await child(top, "slow")).cast(wait_for_a_queue)
        event = await alarm.named()
    path, _, place = event.where.partition(":")
    assert path == __file__
    assert place.endswith("wait_for_a_queue")


async def test_a_linked_task_that_blocks_is_named(alarm):
    async def poll():
        await trio.lowlevel.checkpoint()
        alarm.sleep()

    async with open_tree(watched(puppet("slow", init=lambda me: me.spawn_link(poll) and None))):
        event = await alarm.named()
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
        event = await alarm.named()
    assert event.process == "slow"
    assert event.handler.endswith("part")


@pytest.mark.parametrize("callback", ["init", "terminate", "handle_continue"])
async def test_the_other_callbacks_are_named_too(alarm, callback):
    class Slow(GenServer):
        trap_exit = True

        async def init(self):
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
        event = await alarm.named()
    message = "Continue" if callback == "handle_continue" else None
    assert (event.process, event.handler, event.message) == ("slow", callback, message)


async def test_a_constructor_that_blocks_is_the_supervisors_own_work(alarm):
    class Slow(GenServer):
        def __init__(self):
            alarm.sleep()

    async with open_tree(watched()) as top:
        await Supervisor.start_child(top, ChildSpec("slow", Slow))
        event = await alarm.named()
    assert (event.process, event.class_name, event.handler) == ("top", "Supervisor", None)
    assert "Alarm.sleep" in event.where


async def test_a_plain_trio_task_that_blocks_is_named(alarm):
    async def plain():
        alarm.sleep()

    async with open_tree(watched()), trio.open_nursery() as nursery:
        nursery.start_soon(plain)
        event = await alarm.named()
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
        await alarm.named()
    assert {event.process for event in alarm.events if event.cause == "step"} == {"slow"}
    assert len(alarm.early) == 1


async def test_one_that_is_slow_but_awaits_is_not_reported(alarm):
    async def wait(_):
        await trio.sleep(3 * THRESHOLD)

    async with open_tree(watched(puppet("waits"))) as top:
        waits = await child(top, "waits")
        await waits.call(Do(wait), timeout=NO_BLOCK_LASTS)
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
        await alarm.named()
    assert alarm.lines
    assert not any("secret_token" in line for line in alarm.lines)


# --- what is nobody's ---


@linux
async def test_a_call_that_held_the_interpreters_lock_is_told_apart(alarm):
    def hold(_):
        sum(range(2 * 10**7))

    async with open_tree(watched(puppet("slow"), threshold=THRESHOLD / 4)) as top:
        slow = await child(top, "slow")
        found = []
        while not found:
            await slow.call(Do(hold), timeout=NO_BLOCK_LASTS)
            await trio.sleep(0.1)  # the thread pauses: only late can it learn of the next
            found = [e for e in alarm.events if e.cause == "lock" and e.process == "slow"]
    assert (found[0].handler, found[0].message) == ("handle_call", "Do")
    assert found[0].where.endswith("hold")


async def test_another_thread_that_holds_the_lock_is_laid_to_nobody():
    with listening() as alarm:
        async with open_tree(watched(puppet("innocent"), threshold=THRESHOLD / 4)):
            while not any(event.cause == "stall" for event in alarm.events):
                await trio.to_thread.run_sync(sum, range(2 * 10**7))
            event = await alarm.verdict("stall")
    assert (event.process, event.handler, event.where) == (None, None, None)
    assert not any("innocent" in line for line in alarm.lines)


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
