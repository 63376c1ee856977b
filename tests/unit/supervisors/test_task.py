# ruff: noqa: N802 - tests bear the IDs of the conformance list
"""A task and its owner: await, poll, shutdown, messages, links."""

import pytest
import trio

from supervisors import (
    AlreadyAwaited,
    Crashed,
    Down,
    Exited,
    ExitWith,
    Killed,
    NoProc,
    Normal,
    NotOwner,
    Ok,
    Shutdown,
    TaskExited,
    TaskResult,
    TaskSupervisor,
    TaskTimeout,
    open_tree,
)
from tests.unit.supervisors.actors import Do
from tests.unit.supervisors.task_tree import (
    BOOM,
    ask,
    fail,
    got,
    have,
    nap,
    owner_and_tasks,
    slow_to_end,
)

BOTH = pytest.mark.parametrize("start", [TaskSupervisor.async_, TaskSupervisor.async_nolink])


# --- results and messages ---


async def test_P_TK_01_a_task_is_a_child_linked_to_its_owner_and_awaited_once(autojump_clock):
    async with owner_and_tasks() as (owner, tasks):
        task = await have(owner, TaskSupervisor.async_, tasks, nap, 1.0)
        assert await TaskSupervisor.children(tasks) == [task.ref]
        assert owner._process in task.ref._process.links
        assert await ask(owner, task.result) == 1.0
        with pytest.raises(AlreadyAwaited):
            await ask(owner, task.poll)
        assert await TaskSupervisor.children(tasks) == []


async def at_once():
    return 1.0


@BOTH
@pytest.mark.parametrize("what", [(nap, 1.0), (at_once,)])
async def test_P_TK_01_not_awaited_it_sends_the_result_then_the_down(autojump_clock, start, what):
    async with owner_and_tasks() as (owner, tasks):
        task = await have(owner, start, tasks, *what)
        if what[0] is nap:
            assert await got(owner) == []
        await task.ref.wait()
        assert await got(owner) == [
            TaskResult(task, 1.0),
            Down(task.monitor, task.ref, Normal()),
        ]
        with pytest.raises(AlreadyAwaited):
            await ask(owner, task.result)
        assert await ask(owner, task.shutdown) == Exited(NoProc())
        assert owner._process.monitors == {}


@pytest.mark.parametrize("seconds", [0.0, 1.0])
async def test_P_TK_01_awaited_it_leaves_no_message(autojump_clock, seconds):
    async with owner_and_tasks() as (owner, tasks):

        async def start_and_await(_):
            task = await TaskSupervisor.async_(tasks, nap, seconds)
            result = await task.result()
            if seconds:  # it was awaited when it ended: then there is nothing to skip
                assert len(owner._process.mailbox) == 0
            return result

        assert await owner.call(Do(start_and_await)) == seconds
        assert await got(owner) == []
        assert owner._process.monitors == {}


async def test_P_TK_01_awaited_after_its_end_it_takes_the_messages_back(autojump_clock):
    async with owner_and_tasks() as (owner, tasks):

        async def start_wait_await(_):
            task = await TaskSupervisor.async_(tasks, nap, 1.0)
            await trio.sleep(2)
            assert len(owner._process.mailbox) == 2
            return await task.result()

        assert await owner.call(Do(start_wait_await)) == 1.0
        assert await got(owner) == []
        assert len(owner._process.mailbox) == 0


async def test_P_TK_02_a_failure_not_awaited_is_a_down_alone(autojump_clock):
    async with owner_and_tasks() as (owner, tasks):
        task = await have(owner, TaskSupervisor.async_nolink, tasks, fail, BOOM, 1.0)
        await task.ref.wait()
        assert await got(owner) == [Down(task.monitor, task.ref, Crashed(BOOM))]
        assert owner.is_alive


async def test_P_TK_02_a_failure_awaited_is_an_error_with_the_exception_as_its_cause(
    autojump_clock, caplog
):
    async with owner_and_tasks() as (owner, tasks):
        task = await have(owner, TaskSupervisor.async_nolink, tasks, fail, BOOM, 1.0)
        assert owner._process not in task.ref._process.links
        with pytest.raises(TaskExited) as info:
            await ask(owner, task.result)
        assert info.value.reason == Crashed(BOOM)
        assert info.value.__cause__ is BOOM
        assert await got(owner) == []
        assert owner.is_alive
    assert [r.context for r in caplog.records] == ["child_terminated"]


async def test_demonitored_it_sends_nothing_more(autojump_clock):
    async with owner_and_tasks() as (owner, tasks):
        done = await have(owner, TaskSupervisor.async_, tasks, nap, 1.0)
        never = await have(owner, TaskSupervisor.async_, tasks, nap, 1.0)

        async def demonitor(me):
            me.demonitor(never.monitor)
            await trio.sleep(2)
            # what handle_info(TaskResult) would do: the Down waits in the mailbox by now
            me.handle_info = first_only

        async def first_only(info):
            me = owner._process.actor
            with pytest.raises(AlreadyAwaited):
                await info.task.result()
            me.got.append(info)
            me.demonitor(info.task.monitor)

        await owner.call(Do(demonitor))
        assert await got(owner) == [TaskResult(done, 1.0)]


# --- await ---


async def test_await_times_out_and_gives_the_outcome_up(autojump_clock):
    async with owner_and_tasks() as (owner, tasks):
        task = await have(owner, TaskSupervisor.async_, tasks, nap, 10.0)
        start = trio.current_time()
        with pytest.raises(TaskTimeout, match="no result within 2 s"):
            await ask(owner, lambda: task.result(2.0))
        assert trio.current_time() - start == pytest.approx(2.0)
        with pytest.raises(AlreadyAwaited):
            await ask(owner, lambda: task.result(20.0))
        assert task.ref.is_alive
        assert await task.ref.wait() == Normal()
        assert await got(owner) == []


async def test_after_a_timeout_it_can_be_shut_down(autojump_clock):
    async with owner_and_tasks() as (owner, tasks):
        task = await have(owner, TaskSupervisor.async_, tasks, nap, 10.0)
        with pytest.raises(TaskTimeout):
            await ask(owner, lambda: task.result(0.0))
        assert await ask(owner, task.shutdown) is None
        assert not task.ref.is_alive
        assert owner.is_alive


async def test_a_cancelled_await_leaves_the_task_to_be_awaited_again(autojump_clock):
    async with owner_and_tasks() as (owner, tasks):
        task = await have(owner, TaskSupervisor.async_, tasks, nap, 3.0)

        async def twice():
            with trio.move_on_after(1.0) as scope:
                await task.result()
            assert scope.cancelled_caught
            return await task.result()

        assert await ask(owner, twice) == 3.0
        assert await got(owner) == []


async def test_an_await_cancelled_after_the_end_changes_nothing(autojump_clock):
    async with owner_and_tasks() as (owner, tasks):
        task = await have(owner, TaskSupervisor.async_, tasks, nap, 1.0)

        async def cancelled(_):
            await trio.sleep(2)
            with trio.move_on_at(-1):
                await task.result()
            assert len(owner._process.mailbox) == 2

        await owner.call(Do(cancelled))
        assert await got(owner) == [TaskResult(task, 1.0), Down(task.monitor, task.ref, Normal())]


@pytest.mark.parametrize("order", ["cancel, end", "end, cancel"])
async def test_an_await_cancelled_as_the_task_ends_loses_nothing(autojump_clock, order):
    async with owner_and_tasks() as (owner, tasks):
        release = trio.Event()

        async def wait_for_it():
            await release.wait()
            return "done"

        task = await have(owner, TaskSupervisor.async_, tasks, wait_for_it)
        scope = trio.CancelScope()

        async def give_up():
            with scope:
                return await task.result()

        async with trio.open_nursery() as nursery:
            answers = []

            async def run():
                answers.append(await ask(owner, give_up))

            nursery.start_soon(run)
            await trio.sleep(1)
            for what in order.split(", "):
                scope.cancel() if what == "cancel" else release.set()
        messages = [TaskResult(task, "done"), Down(task.monitor, task.ref, Normal())]
        assert (answers, await got(owner)) in [(["done"], []), ([None], messages)]


@pytest.mark.parametrize("reason", [Normal(), Shutdown(), Shutdown("x"), Crashed(BOOM)])
async def test_await_says_why_a_task_ended_without_a_result(autojump_clock, reason):
    async with open_tree(TaskSupervisor) as tasks:
        stopped = await TaskSupervisor.async_(tasks, trio.sleep_forever)
        stopped.ref.exit(reason)
        if reason == Normal():  # which is no signal
            await stopped.ref.stop()
        exited = await TaskSupervisor.async_(tasks, fail, ExitWith(reason))
        for task in (stopped, exited):
            with pytest.raises(TaskExited) as info:
                await task.result()
            assert info.value.reason == reason
            assert info.value.__cause__ is (BOOM if reason == Crashed(BOOM) else None)


@pytest.mark.parametrize("how", ["result", "poll", "shutdown"])
async def test_only_the_owner_may_ask(autojump_clock, how):
    async with owner_and_tasks() as (owner, tasks):
        mine = await TaskSupervisor.async_(tasks, nap, 1.0)
        its = await have(owner, TaskSupervisor.async_, tasks, nap, 1.0)
        with pytest.raises(NotOwner):
            await getattr(its, how)()
        with pytest.raises(NotOwner):
            await ask(owner, getattr(mine, how))
        assert await mine.result() == 1.0


async def test_plain_code_owns_tasks_too(autojump_clock):
    async with open_tree(TaskSupervisor) as tasks:
        task = await TaskSupervisor.async_(tasks, nap, 1.0)
        assert await task.result() == 1.0
        task = await TaskSupervisor.async_(tasks, fail, BOOM)
        with pytest.raises(TaskExited) as info:
            await task.result()
        assert info.value.__cause__ is BOOM


# --- poll ---


async def test_poll_gives_none_and_leaves_the_task_as_it_was(autojump_clock):
    async with open_tree(TaskSupervisor) as tasks:
        task = await TaskSupervisor.async_(tasks, nap, 3.0)
        assert await task.poll(0.0) is None
        assert await task.poll(1.0) is None
        assert await task.poll() == Ok(3.0)
        with pytest.raises(AlreadyAwaited):
            await task.poll()


async def test_poll_gives_an_outcome_that_is_there_without_waiting(autojump_clock):
    async with open_tree(TaskSupervisor) as tasks:
        done = await TaskSupervisor.async_(tasks, nap, 1.0)
        failed = await TaskSupervisor.async_(tasks, fail, BOOM)
        stopped = await TaskSupervisor.async_(tasks, trio.sleep_forever)
        await stopped.ref.stop()
        await trio.sleep(2)
        assert await done.poll(0.0) == Ok(1.0)
        assert await failed.poll(0.0) == Exited(Crashed(BOOM))
        assert await stopped.poll(0.0) == Exited(Normal())


# --- shutdown ---


async def test_shutdown_gives_none_for_a_task_that_ended_as_told(autojump_clock):
    async with owner_and_tasks() as (owner, tasks):
        for how in (5.0, "brutal_kill"):
            task = await have(owner, TaskSupervisor.async_, tasks, trio.sleep_forever)
            assert await ask(owner, lambda task=task, how=how: task.shutdown(how)) is None
            assert not task.ref.is_alive
        assert await got(owner) == []  # neither message nor, through the link, an end
        assert owner._process.monitors == {}


@pytest.mark.parametrize("how", [5.0, "brutal_kill"])
async def test_shutdown_of_the_dead_says_how_they_ended(autojump_clock, how):
    async with open_tree(TaskSupervisor) as tasks:

        async def ended(function, *args, end=lambda _: None):
            task = await TaskSupervisor.async_(tasks, function, *args)
            await trio.sleep(1)
            end(task.ref)
            await task.ref.wait()
            return await task.shutdown(how)

        asleep = trio.sleep_forever
        asked = [Shutdown(), Killed()]
        expected = {reason: Exited(reason) for reason in asked}
        expected[asked[how == "brutal_kill"]] = None
        assert await ended(nap, 0.5) == Ok(0.5)
        assert await ended(fail, BOOM) == Exited(Crashed(BOOM))
        assert await ended(asleep, end=lambda ref: ref.exit(Shutdown("x"))) == Exited(Shutdown("x"))
        assert await ended(asleep, end=lambda ref: ref.exit(Shutdown())) == expected[Shutdown()]
        assert await ended(asleep, end=lambda ref: ref.kill()) == expected[Killed()]


async def test_shutdown_kills_what_does_not_end_in_time(autojump_clock):
    journal = []
    async with open_tree(TaskSupervisor) as tasks:
        task = await TaskSupervisor.async_(tasks, slow_to_end, journal, 3.0)
        start = trio.current_time()
        assert await task.shutdown(1.0) == Exited(Killed())
        assert trio.current_time() - start == pytest.approx(3.0)
        task = await TaskSupervisor.async_(tasks, slow_to_end, journal, 3.0)
        assert await task.shutdown(4.0) is None
    assert journal == ["cleaned up"] * 2


async def test_shutdown_gives_a_result_that_came_all_the_same(autojump_clock):
    async def stubborn():
        with trio.CancelScope(shield=True):
            await trio.sleep(1)
        return "done"

    async with owner_and_tasks() as (owner, tasks):
        task = await have(owner, TaskSupervisor.async_, tasks, stubborn)
        assert await ask(owner, task.shutdown) == Ok("done")
        assert await got(owner) == []


async def test_a_cancelled_shutdown_leaves_the_end_to_be_heard_of(autojump_clock):
    async with owner_and_tasks() as (owner, tasks):
        task = await have(owner, TaskSupervisor.async_, tasks, slow_to_end, [], 3.0)

        async def impatient():
            with trio.move_on_after(1.0):
                await task.shutdown()

        await ask(owner, impatient)
        assert await task.ref.wait() == Shutdown()
        assert await got(owner) == [Down(task.monitor, task.ref, Shutdown())]
