# ruff: noqa: N802 - tests bear the IDs of the conformance list
"""async_stream: order, back pressure, timeouts, and what is left when the block is left."""

import itertools

import pytest
import trio

from supervisors import (
    Crashed,
    Exited,
    Killed,
    MaxChildren,
    NoProcess,
    Ok,
    Shutdown,
    TaskSupervisor,
    TaskTimeout,
    open_tree,
)
from supervisors.errors import InvalidShutdown
from tests.unit.supervisors.actors import Do
from tests.unit.supervisors.task_tree import BOOM, fail, got, nap, owner_and_tasks, slow_to_end

stream = TaskSupervisor.async_stream
BOTH = pytest.mark.parametrize("stream", [stream, TaskSupervisor.async_stream_nolink])
FOREVER = 1_000_000.0


async def outcomes_of(context, count=None):
    """All of them, or the first so many."""
    taken = []
    async with context as outcomes:
        async for outcome in outcomes:
            taken.append(outcome)
            if len(taken) == count:
                break
    return taken


async def fail_with(error):
    await trio.sleep(0.1)
    raise error


def oks(*values):
    return [Ok(float(value)) for value in values]


# --- order ---


@BOTH
@pytest.mark.parametrize("concurrency", [2, 4, 8])
@pytest.mark.parametrize("seconds", [(1.0, 2.0, 3.0, 4.0), (4.0, 3.0, 2.0, 1.0)])
async def test_P_TK_01_a_stream_is_in_the_order_of_its_items(
    autojump_clock, stream, concurrency, seconds
):
    async with open_tree(TaskSupervisor) as tasks:
        context = stream(tasks, seconds, nap, max_concurrency=concurrency)
        assert await outcomes_of(context) == oks(*seconds)
        assert await TaskSupervisor.children(tasks) == []


async def test_unordered_it_is_in_that_of_the_ends(autojump_clock):
    seconds = (4.0, 3.0, 2.0, 1.0)
    async with open_tree(TaskSupervisor) as tasks:
        one = stream(tasks, seconds, nap, ordered=False, max_concurrency=1)
        assert await outcomes_of(one) == oks(4, 3, 2, 1)
        four = stream(tasks, seconds, nap, ordered=False, max_concurrency=4)
        assert await outcomes_of(four) == oks(1, 2, 3, 4)


async def test_of_no_items_there_are_no_outcomes(autojump_clock):
    async with open_tree(TaskSupervisor) as tasks:
        assert await outcomes_of(stream(tasks, [], nap)) == []


@pytest.mark.parametrize("trap", [True, False])
async def test_a_stream_sends_its_owner_no_message(autojump_clock, trap):
    async with owner_and_tasks(trap=trap) as (owner, tasks):
        for count in (None, 1):
            context = stream(tasks, [1.0, 2.0, 3.0], nap)
            taken = await owner.call(Do(lambda _, c=context, n=count: outcomes_of(c, n)))
            assert taken == oks(1, 2, 3)[:count]
        assert await got(owner) == []
        assert owner._process.on_exit == {}
        assert not owner._process.links


# --- back pressure ---


@pytest.mark.parametrize("ordered", [True, False])
async def test_no_more_items_are_taken_ahead_than_may_run(autojump_clock, ordered):
    taken, delivered, running = [], [], set()

    def items():
        for number in range(20):
            taken.append(number)
            yield number

    async def run(number):
        running.add(number)
        assert len(running) <= 3
        await trio.sleep(10 if number == 5 else 1)
        running.discard(number)
        return number

    async with open_tree(TaskSupervisor) as tasks:
        context = stream(tasks, items(), run, max_concurrency=3, ordered=ordered, timeout=FOREVER)
        async with context as outcomes:
            assert taken == []
            async for outcome in outcomes:
                assert len(taken) <= len(delivered) + 3
                delivered.append(outcome.value)
                await trio.sleep(0.3)
    assert sorted(delivered) == taken == list(range(20))
    assert (delivered == taken) is ordered


async def test_items_without_end_can_be_streamed(autojump_clock):
    async with open_tree(TaskSupervisor) as tasks:
        context = stream(tasks, itertools.count(1.0), nap, timeout=FOREVER)
        assert await outcomes_of(context, 3) == oks(1, 2, 3)
        assert await TaskSupervisor.children(tasks) == []


# --- failures ---


@pytest.mark.parametrize("trap", [True, False])
async def test_P_TK_02_without_links_a_crash_is_an_outcome(autojump_clock, trap):
    async with owner_and_tasks(trap=trap) as (owner, tasks):
        context = TaskSupervisor.async_stream_nolink(tasks, [BOOM] * 4, fail_with)
        taken = await owner.call(Do(lambda _: outcomes_of(context)))
        assert taken == [Exited(Crashed(BOOM))] * 4
        assert await got(owner) == []


async def test_P_TK_01_linked_a_crash_is_an_outcome_to_one_who_traps_exits(autojump_clock):
    async with owner_and_tasks(trap=True) as (owner, tasks):
        context = stream(tasks, [BOOM] * 4, fail_with)
        taken = await owner.call(Do(lambda _: outcomes_of(context)))
        assert taken == [Exited(Crashed(BOOM))] * 4
        assert await got(owner) == []


async def test_P_TK_01_linked_a_crash_ends_one_who_does_not(autojump_clock):
    journal = []
    async with owner_and_tasks() as (owner, tasks):

        async def run(what):
            await (fail(BOOM, 1.0) if what == "fail" else slow_to_end(journal, 1.0))

        owner.cast(lambda _: outcomes_of(stream(tasks, ["wait", "fail"], run)))
        assert await owner.wait() == Crashed(BOOM)
        assert journal == ["cleaned up"]
        assert await TaskSupervisor.children(tasks) == []


@pytest.mark.parametrize("trap", [True, False])
async def test_P_TK_01_linked_tasks_end_with_a_killed_owner(autojump_clock, trap):
    async with owner_and_tasks(trap=trap) as (owner, tasks):
        owner.cast(lambda _: outcomes_of(stream(tasks, [FOREVER] * 3, nap, timeout=FOREVER)))
        await trio.sleep(1)
        refs = await TaskSupervisor.children(tasks)
        owner.kill()
        await owner.wait()
        assert [ref.is_alive for ref in refs] == [False] * 3


async def test_linked_tasks_end_with_an_owner_that_was_given_up(autojump_clock):
    async def unkillable(_):
        with trio.CancelScope(shield=True):
            await outcomes_of(stream(tasks, [FOREVER] * 3, nap, timeout=FOREVER))

    for trap in (True, False):
        async with owner_and_tasks(trap=trap) as (owner, tasks):
            owner.cast(unkillable)
            await trio.sleep(1)
            refs = await TaskSupervisor.children(tasks)
            owner._process.kill()
            owner._process.abandon()
            assert [await ref.wait() for ref in refs] == [Killed()] * 3


async def test_what_the_items_raise_comes_out_and_ends_the_tasks(autojump_clock):
    def items():
        yield FOREVER
        raise BOOM

    async with open_tree(TaskSupervisor) as tasks:
        with pytest.raises(ValueError, match="boom"):
            await outcomes_of(stream(tasks, items(), nap))
        assert await TaskSupervisor.children(tasks) == []


@BOTH
async def test_P_DY_03_max_children_is_an_error_that_ends_the_tasks(autojump_clock, stream):
    async with open_tree(lambda: TaskSupervisor(max_children=1)) as tasks:
        with pytest.raises(MaxChildren):
            await outcomes_of(stream(tasks, [FOREVER] * 3, nap, max_concurrency=2))
        assert await TaskSupervisor.children(tasks) == []


async def test_an_item_that_could_not_be_started_has_an_outcome_too(autojump_clock):
    async with (
        open_tree(lambda: TaskSupervisor(max_children=1)) as tasks,
        stream(tasks, [1.0, 2.0], nap) as outcomes,
    ):
        with pytest.raises(MaxChildren):
            await anext(outcomes)
        assert [outcome async for outcome in outcomes] == [Ok(1.0), Exited(Shutdown())]


async def test_P_AD_02_without_a_supervisor_there_is_no_stream(autojump_clock):
    async with open_tree(TaskSupervisor) as tasks:
        pass
    with pytest.raises(NoProcess):
        await outcomes_of(stream(tasks, [1.0], nap))


# --- timeouts ---


@pytest.mark.parametrize("concurrency", [2, 4, 8])
async def test_on_timeout_kill_task_makes_it_an_outcome(autojump_clock, concurrency):
    options = {"max_concurrency": concurrency, "timeout": 5.0, "on_timeout": "kill_task"}
    async with open_tree(TaskSupervisor) as tasks:
        match await outcomes_of(stream(tasks, [10.0, 1.0, 10.0, 1.0], nap, **options)):
            case [
                Exited(Shutdown(TaskTimeout())),
                Ok(1.0),
                Exited(Shutdown(TaskTimeout())),
                Ok(1.0),
            ]:
                pass
            case other:
                pytest.fail(f"{other}")


async def test_on_timeout_kill_task_unordered(autojump_clock):
    options = {"ordered": False, "timeout": 5.0, "on_timeout": "kill_task"}
    async with owner_and_tasks() as (owner, tasks):
        context = stream(tasks, [10.0, 1.0, 10.0, 1.0], nap, **options)
        taken = await owner.call(Do(lambda _: outcomes_of(context)), timeout=100)
        assert taken[:2] == oks(1, 1)
        assert [type(outcome.reason.detail) for outcome in taken[2:]] == [TaskTimeout] * 2
        assert await got(owner) == []  # and it lives: no signal came by the links


@BOTH
@pytest.mark.parametrize("timeout", [0.0, 5.0])
async def test_on_timeout_exit_raises_and_ends_the_others(autojump_clock, stream, timeout):
    async with open_tree(TaskSupervisor) as tasks:
        start = trio.current_time()
        with pytest.raises(TaskTimeout):
            await outcomes_of(stream(tasks, [FOREVER] * 3, nap, timeout=timeout))
        assert trio.current_time() - start == pytest.approx(timeout)
        assert await TaskSupervisor.children(tasks) == []


async def test_the_time_of_a_task_runs_also_while_the_consumer_is_away(autojump_clock):
    async with (
        open_tree(TaskSupervisor) as tasks,
        stream(tasks, [1.0, 8.0], nap, on_timeout="kill_task") as outcomes,
    ):
        assert await anext(outcomes) == Ok(1.0)
        await trio.sleep(20)
        assert await TaskSupervisor.children(tasks) == []
        late = await anext(outcomes)
        assert isinstance(late.reason.detail, TaskTimeout)


async def test_a_task_that_ignores_its_timeout_is_given_up(autojump_clock, caplog):
    async def unkillable(_):
        with trio.CancelScope(shield=True):
            await trio.sleep(100)
        return "too late"

    async with owner_and_tasks() as (owner, tasks):
        start = trio.current_time()
        context = stream(tasks, [1], unkillable, timeout=1.0, on_timeout="kill_task")
        (outcome,) = await owner.call(Do(lambda _: outcomes_of(context)), timeout=100)
        assert owner.is_alive
        assert isinstance(outcome.reason.detail, TaskTimeout)
        assert trio.current_time() - start < 10
    assert "unkillable" in caplog.text


# --- leaving ---


@BOTH
@pytest.mark.parametrize("how", ["break", "raise", "cancel"])
async def test_however_the_block_is_left_no_task_is(autojump_clock, stream, how):
    journal, leaving = [], trio.CancelScope()

    async def run(seconds):
        return await nap(0.0) if seconds == 0 else await slow_to_end(journal, seconds)

    async with owner_and_tasks() as (owner, tasks):

        async def leave(_):
            with leaving:
                async with stream(tasks, [0.0, 1.0, 2.0], run) as outcomes:
                    async for outcome in outcomes:
                        assert outcome == Ok(0.0)
                        if how == "raise":
                            raise BOOM
                        if how == "cancel":
                            leaving.cancel()
                        break
                    await trio.lowlevel.checkpoint()

        async def catch(me):
            try:
                await leave(me)
            except ValueError as error:
                return error
            return None

        assert await owner.call(Do(catch)) is (BOOM if how == "raise" else None)
        assert journal == ["cleaned up"] * 2
        assert await TaskSupervisor.children(tasks) == []
        assert await got(owner) == []  # alive, and told nothing


async def test_what_does_not_end_in_time_is_killed(autojump_clock):
    async with open_tree(TaskSupervisor) as tasks:
        async with stream(
            tasks, [0.0, 3.0], lambda s: slow_to_end([], s) if s else nap(s), shutdown=1.0
        ) as outcomes:
            assert await anext(outcomes) == Ok(0.0)
            (ref,) = await TaskSupervisor.children(tasks)
        assert await ref.wait() == Killed()


async def test_cancelled_in_its_wait_the_stream_goes_on_after(autojump_clock):
    async with open_tree(TaskSupervisor) as tasks, stream(tasks, [2.0, 4.0], nap) as outcomes:
        with trio.move_on_after(1.0) as scope:
            await anext(outcomes)
        assert scope.cancelled_caught
        assert [outcome async for outcome in outcomes] == oks(2, 4)


@pytest.mark.parametrize("ordered", [True, False])
async def test_cancelled_in_a_start_that_item_has_an_outcome_too(autojump_clock, ordered):
    ran = []

    async def run(number):
        ran.append(number)

    async with open_tree(TaskSupervisor) as tasks, trio.open_nursery() as nursery:
        stuck = await TaskSupervisor.start_child(tasks, slow_to_end, [], 2.0)
        async with stream(tasks, [1, 2], run, ordered=ordered, max_concurrency=1) as outcomes:
            nursery.start_soon(TaskSupervisor.terminate_child, tasks, stuck)
            await trio.sleep(0.5)  # from now on the supervisor is busy for a while
            with trio.move_on_after(1.0):
                await anext(outcomes)
            assert [outcome async for outcome in outcomes] == [Exited(Shutdown()), Ok(None)]
    assert ran == [2]


async def test_after_its_block_a_stream_is_closed(autojump_clock):
    async with open_tree(TaskSupervisor) as tasks:
        async with stream(tasks, [1.0], nap) as outcomes:
            pass
        with pytest.raises(trio.ClosedResourceError):
            await anext(outcomes)


@pytest.mark.parametrize(
    "options",
    [
        {"max_concurrency": 0},
        {"max_concurrency": 1.5},
        {"timeout": -1.0},
        {"on_timeout": "ignore"},
    ],
)
def test_options_out_of_range_are_refused_at_once(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        stream(None, [], nap, **options)


def test_P_CS_03_a_wrong_shutdown_is_refused_at_once():
    with pytest.raises(InvalidShutdown):
        stream(None, [], nap, shutdown="unknown")
