# ruff: noqa: N802 - tests bear the IDs of the conformance list
"""The task supervisor: its children, their limits, restarts and ends."""

from functools import partial

import pytest
import trio

from supervisors import (
    ChildSpec,
    Crashed,
    DynamicSupervisor,
    Exited,
    Killed,
    MaxChildren,
    NoProcess,
    Normal,
    NotFound,
    Registry,
    ServerExited,
    Shutdown,
    SpecError,
    Supervisor,
    TaskSupervisor,
    open_tree,
)
from tests.unit.supervisors.actors import child, counts, puppet
from tests.unit.supervisors.task_tree import BOOM, fail, nap, slow_to_end

STARTS = pytest.mark.parametrize(
    "start", [TaskSupervisor.async_, TaskSupervisor.async_nolink, TaskSupervisor.start_child]
)


def ref_of(started):
    return getattr(started, "ref", started)


@STARTS
async def test_P_TK_01_each_start_makes_a_child(autojump_clock, start):
    async with open_tree(TaskSupervisor) as tasks:
        assert await TaskSupervisor.children(tasks) == []
        assert await counts(tasks) == (0, 0, 0, 0)
        refs = [ref_of(await start(tasks, nap, seconds)) for seconds in (1.0, 2.0)]
        assert await TaskSupervisor.children(tasks) == [refs[1], refs[0]]
        assert await counts(tasks) == (2, 2, 0, 2)
        await trio.sleep(1.5)
        assert await TaskSupervisor.children(tasks) == [refs[1]]


async def test_start_child_passes_arguments_on_and_drops_the_result(autojump_clock):
    got = []

    async def note(*args, **options):
        got.append((args, options))
        return "nobody's"

    async with open_tree(TaskSupervisor) as tasks:
        ref = await TaskSupervisor.start_child(tasks, partial(note, key="word"), 1, 2)
        assert ref.name.endswith("note")
        assert await ref.wait() == Normal()
    assert got == [((1, 2), {"key": "word"})]


@STARTS
async def test_P_DY_03_max_children(autojump_clock, start):
    async with open_tree(lambda: TaskSupervisor(max_children=1)) as tasks:
        first = ref_of(await start(tasks, trio.sleep_forever))
        with pytest.raises(MaxChildren):
            await start(tasks, nap, 1.0)
        assert await TaskSupervisor.children(tasks) == [first]
        await TaskSupervisor.terminate_child(tasks, first)
        await start(tasks, nap, 1.0)


async def test_P_TK_04_terminate_child_then_again(autojump_clock):
    async with open_tree(TaskSupervisor) as tasks:
        ref = await TaskSupervisor.start_child(tasks, trio.sleep_forever)
        await TaskSupervisor.terminate_child(tasks, ref)
        assert await ref.wait() == Shutdown()
        assert await TaskSupervisor.children(tasks) == []
        with pytest.raises(NotFound):
            await TaskSupervisor.terminate_child(tasks, ref)


@STARTS
async def test_a_stop_gives_each_task_its_shutdown(autojump_clock, start):
    journal = []
    async with open_tree(Supervisor) as top:
        spec = ChildSpec("tasks", TaskSupervisor, type="supervisor")
        tasks = await Supervisor.start_child(top, spec)
        brutal = await start(tasks, trio.sleep_forever, shutdown="brutal_kill")
        quick = await start(tasks, slow_to_end, journal, 1.0, shutdown=2.0)
        slow = await start(tasks, slow_to_end, journal, 4.0, shutdown=3.0)
        began = trio.current_time()
        await Supervisor.terminate_child(top, "tasks")
        assert trio.current_time() - began == pytest.approx(4.0)
        reasons = [await ref_of(task).wait() for task in (brutal, quick, slow)]
        assert reasons == [Killed(), Shutdown(), Killed()]


async def test_start_child_restarts_as_it_is_told(autojump_clock):
    runs = []

    async def run(how):
        runs.append(how)
        await trio.sleep(1)
        if how == "transient" and runs.count(how) == 1:
            raise BOOM

    async with open_tree(lambda: TaskSupervisor(max_restarts=10)) as tasks:
        for how in ("permanent", "transient", "temporary"):
            await TaskSupervisor.start_child(tasks, run, how, restart=how)
        await trio.sleep(2.5)
        assert sorted(runs) == ["permanent"] * 3 + ["temporary"] + ["transient"] * 2
        (permanent,) = await TaskSupervisor.children(tasks)
        permanent.exit(Shutdown())
        await permanent.wait()
        await trio.sleep(0.1)
        assert runs[-1] == "permanent"
        assert len(runs) == 7


async def test_too_many_restarts_end_the_supervisor_and_its_tasks(autojump_clock):
    async with open_tree(lambda: TaskSupervisor(max_restarts=2)) as tasks:
        task = await TaskSupervisor.async_(tasks, trio.sleep_forever)
        await TaskSupervisor.start_child(tasks, fail, BOOM, restart="transient")
        assert await task.poll() == Exited(Shutdown())
        assert await tasks.wait() == Shutdown()


async def test_crashes_of_tasks_are_no_restarts(autojump_clock):
    async with open_tree(lambda: TaskSupervisor(max_restarts=0)) as tasks:
        for _ in range(5):
            task = await TaskSupervisor.async_nolink(tasks, fail, BOOM)
            assert await task.poll() == Exited(Crashed(BOOM))
        assert tasks.is_alive


async def test_it_goes_by_a_name_and_lives_beside_others(autojump_clock):
    names = Registry("names")
    specs = [
        names.child_spec(),
        ChildSpec("a", TaskSupervisor, type="supervisor", name=names.via("a")),
        ChildSpec("b", lambda: TaskSupervisor(name="b"), type="supervisor"),
    ]
    async with open_tree(lambda: Supervisor(specs)) as top:
        task = await TaskSupervisor.async_(names.via("a"), nap, 1.0)
        assert await TaskSupervisor.children(await child(top, "b")) == []
        assert await TaskSupervisor.children(names.via("a")) == [task.ref]
        assert await task.result() == 1.0


async def test_it_is_a_dynamic_supervisor_too(autojump_clock):
    async with open_tree(TaskSupervisor) as tasks:
        ref = await DynamicSupervisor.start_child(tasks, puppet("a", restart="temporary"))
        task = await TaskSupervisor.start_child(tasks, trio.sleep_forever)
        assert await TaskSupervisor.children(tasks) == [task, ref]
        await DynamicSupervisor.terminate_child(tasks, task)
        assert await counts(tasks) == (1, 1, 0, 1)


async def test_P_AD_02_without_a_supervisor_there_is_no_task(autojump_clock):
    async with open_tree(TaskSupervisor) as tasks:
        pass
    for ask in (
        partial(TaskSupervisor.async_, tasks, nap, 1.0),
        partial(TaskSupervisor.async_nolink, tasks, nap, 1.0),
        partial(TaskSupervisor.start_child, tasks, nap, 1.0),
        partial(TaskSupervisor.children, tasks),
    ):
        with pytest.raises(NoProcess):
            await ask()


async def test_a_supervisor_killed_takes_its_tasks_along(autojump_clock):
    async with open_tree(TaskSupervisor) as tasks:
        task = await TaskSupervisor.async_(tasks, trio.sleep_forever)
        tasks.kill()
        assert await task.poll() == Exited(Killed())


async def test_a_supervisor_that_ends_meanwhile_fails_the_start(autojump_clock):
    failed = []

    async def fails(start, *args):
        with pytest.raises(ServerExited) as info:
            await start(tasks, *args)
        failed.append(info.value.reason)

    async with open_tree(TaskSupervisor) as tasks:
        stuck = await TaskSupervisor.start_child(tasks, slow_to_end, [], 2.0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fails, TaskSupervisor.terminate_child, stuck)
            await trio.sleep(1)
            nursery.start_soon(fails, TaskSupervisor.async_, nap, 1.0)
            await trio.sleep(0.1)
            tasks.kill()
    assert failed == [Killed()] * 2


@pytest.mark.parametrize(
    "options", [{"shutdown": "soon"}, {"shutdown": -1.0}, {"restart": "sometimes"}]
)
async def test_P_CS_03_a_wrong_option_starts_nothing(autojump_clock, options):
    async with open_tree(TaskSupervisor) as tasks:
        with pytest.raises(SpecError):
            await TaskSupervisor.start_child(tasks, nap, 1.0, **options)
        assert await TaskSupervisor.children(tasks) == []


@pytest.mark.parametrize(
    "options", [{"max_children": -1}, {"max_restarts": -1}, {"max_seconds": 0}]
)
def test_P_DY_07_options_out_of_range_are_refused(options):
    with pytest.raises(SpecError):
        TaskSupervisor(**options)
