"""An actor reached from a thread that is not its own: refused, and nothing has changed."""

import asyncio
import queue

import pytest
import trio
import trio.testing

from supervisors import (
    ChildSpec,
    GenServer,
    MailboxBound,
    NoProcess,
    Normal,
    Registry,
    Supervisor,
    TaskSupervisor,
    WrongThread,
    open_tree,
    system,
)
from supervisors._core.actor_ref import Caller
from supervisors._core.mailbox import CAST, Mailbox
from supervisors._core.reasons import Shutdown
from tests.unit.supervisors.actors import Do, child, puppet

NAMES = Registry("Names")

WAYS = {
    "cast": lambda ref, actor, caller: ref.cast("x"),
    "send": lambda ref, actor, caller: ref.send("x"),
    "exit": lambda ref, actor, caller: ref.exit(Shutdown()),
    "kill": lambda ref, actor, caller: ref.kill(),
    "request to stop": lambda ref, actor, caller: ref._process.request_stop(Normal()),
    "reply": lambda ref, actor, caller: caller.reply(1),
    "fail": lambda ref, actor, caller: caller.fail(ValueError()),
    "send_after": lambda ref, actor, caller: actor.send_after(0, "x"),
    "spawn_link": lambda ref, actor, caller: actor.spawn_link(trio.sleep_forever),
    "link": lambda ref, actor, caller: actor.link(ref),
    "monitor": lambda ref, actor, caller: actor.monitor(ref),
    "unlink": lambda ref, actor, caller: actor.unlink(actor.other),
    "demonitor": lambda ref, actor, caller: actor.demonitor(actor.watch),
    "cancel a timer": lambda ref, actor, caller: actor.timer.cancel(),
    "cancel a linked task": lambda ref, actor, caller: actor.task.cancel(),
    "exit, normally": lambda ref, actor, caller: ref.exit(Normal()),
    "register": lambda ref, actor, caller: NAMES.register("k", ref),
    "unregister": lambda ref, actor, caller: NAMES.unregister("held", ref),
    "update_value": lambda ref, actor, caller: NAMES.update_value("held", ref, lambda value: 2),
    "put_meta": lambda ref, actor, caller: NAMES.put_meta("k", 1),
    "delete_meta": lambda ref, actor, caller: NAMES.delete_meta("stored"),
    "cast by name": lambda ref, actor, caller: NAMES.via("held").cast("x"),
    "install": lambda ref, actor, caller: system.install(ref, lambda event: None),
    "remove": lambda ref, actor, caller: system.remove(ref, actor.tracer),
}

ASKING = {
    "call": lambda ref, task: ref.call(Do(lambda actor: 1)),
    "call by name": lambda ref, task: NAMES.via("held").call(Do(lambda actor: 1)),
    "stop": lambda ref, task: ref.stop(),
    "wait": lambda ref, task: ref.wait(),
    "get_state": lambda ref, task: system.get_state(ref),
    "suspend": lambda ref, task: system.suspend(ref),
    "poll a task": lambda ref, task: task.poll(),
    "shut a task down": lambda ref, task: task.shutdown(),
    "lock": lambda ref, task: hold(NAMES),
}


async def hold(names):
    async with names.lock("k"):
        await trio.lowlevel.checkpoint()


def prepare(actor):
    """Give it one of each thing that could be taken away from it."""
    NAMES.register("held", actor.ref, 1)
    NAMES.put_meta("stored", 1)
    actor.timer = actor.send_after(3600, "late")
    actor.task = actor.spawn_link(trio.sleep_forever)
    actor.tracer = lambda event: None
    system.install(actor.ref, actor.tracer)
    return actor


def plain(function):
    function()


def with_a_trio_of_its_own(function):
    async def main():
        function()

    trio.run(main)


def describe(ref):
    process = ref._process
    return (
        len(process.mailbox),
        process.mailbox.reader,
        process.stop_reason,
        process.doomed,
        dict(process.timers),
        dict(process.tasks),
        dict(process.links),
        dict(process.monitors),
        list(process.tracers),
        NAMES.select(),
        NAMES.meta("stored"),
        NAMES.meta("k"),
        len(NAMES._locks),
        [task._scope.cancel_called for task in process.tasks],
    )


@pytest.mark.parametrize("busy", [False, True])
@pytest.mark.parametrize("thread", [plain, with_a_trio_of_its_own])
async def test_it_is_refused_and_nothing_has_changed(thread, busy):
    found = {name: await tried(way, thread, busy) for name, way in WAYS.items()}
    expected = {"refused": True, "changed": [], "settled": False, "then": 7}
    assert [(name, it) for name, it in found.items() if it != expected] == []


async def tried(way, thread, busy):
    """What came of it, and of what the actor consists that is not as before."""
    kept = []
    specs = [NAMES.child_spec(), puppet("a"), puppet("b")]
    async with open_tree(lambda: Supervisor(specs)) as top:
        ref, other = await child(top, "a"), await child(top, "b")
        actor = await ref.call(Do(prepare))
        actor.other, actor.watch = other, actor.monitor(other)
        actor.link(other)
        until = trio.Event()
        if busy:
            ref.cast(lambda actor: until.wait())

        caller = Caller(ref._process, None, Do(lambda actor: None), 5.0)
        await trio.testing.wait_all_tasks_blocked()
        before = describe(ref)

        def attempt():
            try:
                way(ref, actor, caller)
            except WrongThread as error:
                kept.append(str(error))

        await trio.to_thread.run_sync(thread, attempt)
        after = describe(ref)
        settled = caller.settled
        until.set()
        return {
            "refused": ["trio.from_thread" in it for it in kept] == [True],
            "changed": [it for it in zip(before, after, strict=True) if it[0] != it[1]],
            "settled": settled,
            "then": await ref.call(Do(lambda actor: 7)),
        }


@pytest.mark.parametrize("loop", [trio.run, lambda ask: asyncio.run(ask())])
async def test_who_would_wait_elsewhere_is_refused(loop):
    refused = []
    specs = [NAMES.child_spec(), puppet("a"), ChildSpec("tasks", TaskSupervisor)]
    async with open_tree(lambda: Supervisor(specs)) as top:
        ref = await child(top, "a")
        await ref.call(Do(prepare))
        task = await TaskSupervisor.async_nolink(await child(top, "tasks"), trio.sleep_forever)
        await trio.testing.wait_all_tasks_blocked()
        before = describe(ref)

        async def elsewhere():
            for way, ask in ASKING.items():
                try:
                    await ask(ref, task)
                except WrongThread:
                    refused.append(way)

        await trio.to_thread.run_sync(loop, elsewhere)
        assert refused == list(ASKING)
        assert describe(ref) == before
        assert await ref.call(Do(lambda actor: 7)) == 7
        assert await task.poll(0) is None
        ref.kill()  # whoever waits for its end, in an event of its own, is woken
        await ref.wait()
        assert top.is_alive


class Bounded(GenServer):
    mailbox_bound = MailboxBound(1, "drop_oldest")

    async def handle_cast(self, message):
        await message.wait()


async def test_a_bounded_mailbox_drops_nothing_for_one_that_is_refused():
    async with open_tree(Bounded) as ref:
        until = trio.Event()
        ref.cast(until)
        await trio.testing.wait_all_tasks_blocked()
        ref.cast(until)
        with pytest.raises(WrongThread):
            await trio.to_thread.run_sync(ref.cast, "x")
        mailbox = ref._process.mailbox
        assert (len(mailbox), mailbox.dropped) == (1, 0)
        until.set()


async def test_actors_of_two_threads_are_not_tied():
    refused = []
    async with open_tree(lambda: Supervisor([NAMES.child_spec(), puppet("a")])) as top:
        here = await child(top, "a")
        before = describe(here)

        async def elsewhere():
            async with open_tree(lambda: Supervisor([puppet("b")])) as below:
                there = await child(below, "b")
                actor = await there.call(Do(lambda actor: actor))
                for tie in (
                    lambda: actor.link(here),
                    lambda: actor.unlink(here),
                    lambda: actor.monitor(here),
                    lambda: NAMES.register("k", there),
                ):
                    try:
                        tie()
                    except WrongThread as error:
                        refused.append(error)
                refused.append(describe(there)[6:8])

        await trio.to_thread.run_sync(trio.run, elsewhere)
        assert len(refused) == 5
        assert refused[-1] == ({}, {})
        assert describe(here) == before


async def test_the_dead_are_as_harmless_from_elsewhere_as_from_here():
    async with open_tree(lambda: Supervisor([puppet("a", restart="temporary")])) as top:
        ref = await child(top, "a")
        await ref.stop()

        async def elsewhere():
            ref.cast("x")
            ref.kill()
            ref.exit(Shutdown())
            assert await ref.wait() == Normal()
            with pytest.raises(NoProcess):
                await ref.call(Do(lambda actor: 1))

        await trio.to_thread.run_sync(trio.run, elsewhere)


def test_a_reader_whose_run_is_over_is_not_woken_and_not_lost():
    async def main():
        return trio.lowlevel.current_task()

    mailbox = Mailbox()
    mailbox.reader = task = trio.run(main)
    with pytest.raises(WrongThread):
        mailbox.put((CAST, "x", None))
    assert (len(mailbox), mailbox.reader) == (0, task)


def test_the_host_of_a_guest_run_gets_through():
    """Its thread is the right one."""
    ticks, outcomes, ready, answers = queue.Queue(), [], [], []

    async def main():
        async with open_tree(lambda: Supervisor([puppet("a")])) as top:
            ref = await child(top, "a")
            over = trio.Event()
            await trio.testing.wait_all_tasks_blocked()
            ready.append((ref, trio.lowlevel.current_trio_token(), over))
            await over.wait()
            answers.append(await ref.call(Do(lambda actor: actor.got)))

    trio.lowlevel.start_guest_run(
        main, run_sync_soon_threadsafe=ticks.put, done_callback=outcomes.append
    )
    while not ready:
        ticks.get(timeout=60)()
    ref, token, over = ready[0]
    ref.cast(lambda actor: actor.got.append("cast"))
    token.run_sync_soon(over.set)
    while not outcomes:
        ticks.get(timeout=60)()
    outcomes[0].unwrap()
    assert answers == [["cast"]]


async def test_by_trio_from_thread_it_gets_through():
    async with open_tree(lambda: Supervisor([puppet("a")])) as top:
        ref = await child(top, "a")

        def work():
            trio.from_thread.run_sync(ref.cast, lambda actor: None)
            return trio.from_thread.run(ref.call, Do(lambda actor: 7))

        assert await trio.to_thread.run_sync(work) == 7
