# ruff: noqa: N802 - tests bear the IDs of the conformance list
"""Tasks and their owners' ends; a task as a process among others."""

from contextvars import ContextVar
from dataclasses import replace

import pytest
import trio

from supervisors import (
    ChildInfo,
    ChildSpec,
    Crashed,
    DynamicSupervisor,
    Exit,
    Exited,
    Killed,
    Normal,
    Ok,
    Registry,
    Shutdown,
    Stop,
    Supervisor,
    Task,
    TaskSupervisor,
    open_tree,
    tree,
)
from supervisors._core.named_ref import NamedRef
from supervisors.testing import Received, Recorder, Watch
from tests.unit.supervisors.actors import child, counts
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

# --- links ---


async def test_P_TK_01_a_crash_ends_an_owner_that_does_not_trap(autojump_clock, caplog):
    async with owner_and_tasks() as (owner, tasks):
        await have(owner, TaskSupervisor.async_, tasks, fail, BOOM, 1.0)
        assert await owner.wait() == Crashed(BOOM)
        await trio.sleep(0.1)
    assert [r.context for r in caplog.records] == ["child_terminated"] * 2


async def test_P_TK_01_a_crash_ends_an_owner_in_its_await(autojump_clock, caplog):
    async with owner_and_tasks() as (owner, tasks):

        async def start_and_await(_):
            task = await TaskSupervisor.async_(tasks, fail, BOOM, 1.0)
            await task.result()

        owner.cast(start_and_await)
        assert await owner.wait() == Crashed(BOOM)
        await trio.sleep(0.1)
    assert [r.context for r in caplog.records] == ["child_terminated"] * 2


async def test_P_TK_01_an_owner_that_traps_gets_exit_and_outcome(autojump_clock):
    async with owner_and_tasks(trap=True) as (owner, tasks):
        task = await have(owner, TaskSupervisor.async_, tasks, fail, BOOM, 1.0)
        assert await ask(owner, task.poll) == Exited(Crashed(BOOM))
        assert await got(owner) == [Exit(task.ref, Crashed(BOOM))]
        task = await have(owner, TaskSupervisor.async_, tasks, nap, 1.0)
        assert await ask(owner, task.poll) == Ok(1.0)
        assert (await got(owner))[1:] == [Exit(task.ref, Normal())]


@pytest.mark.parametrize("linked", [True, False])
async def test_P_TK_02_only_a_linked_task_ends_with_its_owner(autojump_clock, linked):
    async with owner_and_tasks() as (owner, tasks):
        start = TaskSupervisor.async_ if linked else TaskSupervisor.async_nolink
        task = await have(owner, start, tasks, nap, 10.0)
        owner.kill()
        assert await task.ref.wait() == (Killed() if linked else Normal())


async def test_a_normal_end_of_the_owner_is_no_signal_to_the_task(autojump_clock):
    async with owner_and_tasks() as (owner, tasks):
        task = await have(owner, TaskSupervisor.async_, tasks, nap, 10.0)
        owner.cast(lambda _: Stop(Normal()))
        await owner.wait()
        assert await task.ref.wait() == Normal()


async def test_a_task_may_own_tasks(autojump_clock):
    async with open_tree(TaskSupervisor) as tasks:
        refs = []

        async def inner():
            await trio.sleep_forever()

        async def outer():
            quick = await TaskSupervisor.async_(tasks, nap, 1.0)
            refs.append((await TaskSupervisor.async_(tasks, inner)).ref)
            return await quick.result()

        async def failing():
            await outer()
            raise BOOM

        assert await (await TaskSupervisor.async_(tasks, outer)).result() == 1.0
        assert refs[0].is_alive
        assert await (await TaskSupervisor.async_(tasks, failing)).poll() == Exited(Crashed(BOOM))
        assert await refs[1].wait() == Crashed(BOOM)


# --- a task as a process ---


async def test_a_task_is_seen_named_watched_and_stopped_as_any_process(autojump_clock):
    names = Registry("names")
    specs = [names.child_spec(), ChildSpec("tasks", TaskSupervisor, type="supervisor")]
    async with open_tree(lambda: Supervisor(specs)) as top, open_tree(Recorder) as recorder:
        tasks = await child(top, "tasks")
        task = await TaskSupervisor.async_(tasks, nap, 10.0)
        names.register("nap", task.ref)
        assert names.via("nap").pid == task.ref.pid
        await recorder.call(Watch(task.ref))
        (node,) = (await tree(tasks)).children
        assert (node.name, node.status, node.current_message) == ("nap", "busy", "Run")
        assert await DynamicSupervisor.which_children(tasks) == [
            ChildInfo("nap", task.ref, "worker")
        ]
        assert await counts(tasks) == (1, 1, 0, 1)
        await names.via("nap").stop(Shutdown("enough"))
        assert names.whereis("nap") is None
        (down,) = await recorder.call(Received())
        assert down.reason == Shutdown("enough")
        assert await task.poll() == Exited(Shutdown("enough"))


async def test_a_task_told_to_stop_before_its_first_step_does_not_run(autojump_clock):
    class StopsAtOnce(NamedRef):
        name = "early"

        def _claim(self, process):
            process.request_stop(Shutdown("early"))

    async def never():
        pytest.fail("it ran")

    spec = replace(Task.child_spec("early", never), name=StopsAtOnce(None))
    async with open_tree(Supervisor) as top:
        ref = await Supervisor.start_child(top, spec)
        assert await ref.wait() == Shutdown("early")


async def test_a_task_that_was_given_up_as_unkillable_has_no_result_any_more(autojump_clock):
    async def unkillable():
        with trio.CancelScope(shield=True):
            await trio.sleep(100)
        return "too late"

    async with owner_and_tasks() as (owner, tasks):
        task = await have(owner, TaskSupervisor.async_, tasks, unkillable)
        assert await ask(owner, lambda: task.shutdown(1.0)) == Exited(Killed())
        await trio.sleep(200)
        assert task._actor.outcome == Exited(Killed())
        assert await got(owner) == []


async def test_a_task_sees_the_context_variables_of_its_starter(autojump_clock):
    request = ContextVar("request", default="none")

    async def read():
        was = request.get()
        request.set("changed")
        return was

    async def read_twice():
        return await (await TaskSupervisor.async_(tasks, read)).result(), request.get()

    async with open_tree(TaskSupervisor) as tasks:
        request.set("first")
        task = await TaskSupervisor.async_(tasks, read_twice)
        request.set("second")
        assert await task.result() == ("first", "first")
        assert await (await TaskSupervisor.async_(tasks, read)).result() == "second"
        assert request.get() == "second"


async def test_a_start_that_is_cancelled_starts_nothing(autojump_clock):
    ran = []

    async def note():
        ran.append("it ran")

    async with owner_and_tasks() as (owner, tasks):
        stuck = await TaskSupervisor.start_child(tasks, slow_to_end, [], 2.0)

        async def impatient():
            async with trio.open_nursery() as nursery:
                # the supervisor is busy with the stop of the one when it is asked for the other
                nursery.start_soon(TaskSupervisor.terminate_child, tasks, stuck)
                with trio.move_on_after(1.0) as scope:
                    await trio.sleep(0.1)
                    await TaskSupervisor.async_(tasks, note)
                assert scope.cancelled_caught

        await ask(owner, impatient)
        await trio.sleep(5)
        assert ran == []
        assert await TaskSupervisor.children(tasks) == []
        assert await got(owner) == []
        assert owner.is_alive


async def test_a_task_whose_owner_is_gone_at_its_start_does_not_run(autojump_clock):
    ran = []

    async def note():
        ran.append("it ran")

    async with owner_and_tasks() as (owner, tasks):
        stuck = await TaskSupervisor.start_child(tasks, slow_to_end, [], 2.0)

        async def shielded(_):
            with trio.CancelScope(shield=True):  # so that it is the owner's end that counts
                await TaskSupervisor.async_nolink(tasks, note)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(TaskSupervisor.terminate_child, tasks, stuck)
            await trio.sleep(1)
            owner.cast(shielded)
            await trio.sleep(0.1)
            owner._process.kill()
            owner._process.abandon()
        await trio.sleep(5)
        assert ran == []


async def test_a_task_can_be_supervised_directly(autojump_clock):
    runs = []

    async def note(what):
        runs.append(what)

    spec = Task.child_spec("migration", note, "ran")
    assert (spec.restart, spec.shutdown, spec.type) == ("temporary", 5.0, "worker")
    async with open_tree(lambda: Supervisor([spec])) as top:
        await trio.sleep(1)
        assert await counts(top) == (0, 0, 0, 0)
        assert runs == ["ran"]
