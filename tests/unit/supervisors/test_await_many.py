"""Task.await_many: one timeout for all, results in order, the first failure counts."""

import pytest
import trio

from supervisors import (
    AlreadyAwaited,
    Crashed,
    Down,
    Exited,
    Killed,
    NoProc,
    Normal,
    NotOwner,
    Ok,
    Task,
    TaskExited,
    TaskSupervisor,
    TaskTimeout,
    open_tree,
)
from tests.unit.supervisors.task_tree import (
    BOOM,
    ask,
    fail,
    got,
    have,
    nap,
    owner_and_tasks,
)


async def start_nap(tasks, seconds):
    return await TaskSupervisor.async_nolink(tasks, nap, seconds)


async def test_results_come_in_the_order_of_the_tasks_after_the_slowest(autojump_clock):
    async with open_tree(TaskSupervisor) as tasks:
        began = trio.current_time()
        many = [await start_nap(tasks, seconds) for seconds in (3.0, 1.0, 2.0)]
        assert await Task.await_many(many) == [3.0, 1.0, 2.0]
        assert trio.current_time() == began + 3


async def test_none_one_twice_and_some_that_have_ended(autojump_clock):
    async with open_tree(TaskSupervisor) as tasks:
        assert await Task.await_many([]) == []
        one = await start_nap(tasks, 1.0)
        await one.ref.wait()
        assert await Task.await_many(iter([one, one])) == [1.0, 1.0]


async def test_the_timeout_is_one_for_all_and_all_outcomes_are_given_up(autojump_clock):
    async with open_tree(TaskSupervisor) as tasks:
        began = trio.current_time()
        many = [await start_nap(tasks, seconds) for seconds in (1.0, 8.0, 9.0)]
        with pytest.raises(TaskTimeout, match="and 1 more: no result within 5 s"):
            await Task.await_many(many)
        assert trio.current_time() == began + 5
        assert [task.ref.is_alive for task in many] == [False, True, True]
        for task in many:
            with pytest.raises(AlreadyAwaited):
                await task.poll()
        assert await many[0].shutdown() == Exited(NoProc())
        assert await many[1].shutdown() is None
        assert await many[2].ref.wait() == Normal()


async def test_the_first_to_fail_raises_at_once_and_the_others_go_on(autojump_clock):
    async with open_tree(TaskSupervisor) as tasks:
        began = trio.current_time()
        later = await TaskSupervisor.async_nolink(tasks, fail, LookupError("later"), 2.0)
        first = await TaskSupervisor.async_nolink(tasks, fail, BOOM, 1.0)
        other = await start_nap(tasks, 3.0)
        with pytest.raises(TaskExited) as caught:
            await Task.await_many([other, later, first])
        assert trio.current_time() == began + 1
        assert caught.value.__cause__ is BOOM
        assert caught.value.reason == Crashed(BOOM)
        with pytest.raises(AlreadyAwaited):
            await other.result()
        assert await other.ref.wait() == Normal()


async def test_one_that_had_failed_before_raises_at_once(autojump_clock):
    async with open_tree(TaskSupervisor) as tasks:
        slow = await start_nap(tasks, 3.0)
        failed = await start_nap(tasks, 9.0)
        failed.ref.kill()
        await failed.ref.wait()
        began = trio.current_time()
        with pytest.raises(TaskExited) as caught:
            await Task.await_many([slow, failed])
        assert caught.value.reason == Killed()
        assert trio.current_time() == began


async def test_of_two_that_fail_in_the_same_instant_it_is_the_first(autojump_clock):
    async with open_tree(TaskSupervisor) as tasks:
        many = [await start_nap(tasks, 9.0) for _ in range(2)]

        async def end_them():
            await trio.sleep(1)
            for task in reversed(many):
                task.ref._process.finish(Crashed(LookupError(task.ref.pid)))
                task.ref.kill()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(end_them)
            with pytest.raises(TaskExited) as caught:
                await Task.await_many(many)
        assert caught.value.__cause__.args == (many[1].ref.pid,)


async def test_whoever_is_not_the_owner_gets_nothing_and_takes_nothing(autojump_clock):
    async with owner_and_tasks() as (owner, tasks):
        theirs = await have(owner, TaskSupervisor.async_nolink, tasks, nap, 1.0)
        ours = await start_nap(tasks, 1.0)
        with pytest.raises(NotOwner):
            await Task.await_many([ours, theirs])
        assert await ours.result() == 1.0
        taken = ours
        fresh = await start_nap(tasks, 1.0)
        with pytest.raises(AlreadyAwaited):
            await Task.await_many([fresh, taken])
        assert await fresh.result() == 1.0


async def test_cancelled_the_tasks_can_still_be_awaited(autojump_clock):
    async with open_tree(TaskSupervisor) as tasks:
        many = [await start_nap(tasks, seconds) for seconds in (1.0, 3.0)]
        with trio.move_on_after(2):
            await Task.await_many(many)
        assert not any(task.ref._process.on_exit.keys() - {task._actor} for task in many)
        assert await many[0].poll() == Ok(1.0)
        assert await many[1].result() == 3.0


async def test_one_that_another_task_of_the_owner_took_meanwhile(autojump_clock):
    async with open_tree(TaskSupervisor) as tasks:
        many = [await start_nap(tasks, seconds) for seconds in (1.0, 3.0)]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(many[0].result)
            with pytest.raises(AlreadyAwaited):
                await Task.await_many(many)
        assert await many[1].result() == 3.0


async def test_an_actor_gets_no_messages_of_those_it_awaited(autojump_clock):
    async with owner_and_tasks(trap=True) as (owner, tasks):
        start = TaskSupervisor.async_nolink
        many = [await have(owner, start, tasks, nap, seconds) for seconds in (1.0, 1.0, 3.0)]
        bad = await have(owner, start, tasks, fail, BOOM, 2.0)
        assert await ask(owner, lambda: Task.await_many(many[:2])) == [1.0, 1.0]
        with pytest.raises(TaskExited):
            await ask(owner, lambda: Task.await_many([many[2], bad]))
        await trio.sleep(5)
        assert not [info for info in await got(owner) if isinstance(info, Down)]
        assert owner._process.monitors == {}


async def test_a_linked_owner_ends_with_the_first_and_its_other_tasks_with_it(autojump_clock):
    async with owner_and_tasks() as (owner, tasks):
        bad = await have(owner, TaskSupervisor.async_, tasks, fail, BOOM, 1.0)
        other = await have(owner, TaskSupervisor.async_, tasks, nap, 9.0)
        owner.cast(lambda _: Task.await_many([other, bad], timeout=60))
        assert await owner.wait() == Crashed(BOOM)
        assert await other.ref.wait() == Crashed(BOOM)
