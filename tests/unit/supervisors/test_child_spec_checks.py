"""A specification says at once, and where it is written, all that is wrong with it."""

import copy
import gc
import math
import pickle
import weakref
from dataclasses import replace
from functools import partial

import pytest
import trio

from supervisors import (
    ChildSpec,
    DynamicSupervisor,
    GenServer,
    InvalidSpecification,
    MailboxBound,
    Registry,
    SpecError,
    Supervisor,
    Task,
    TaskSupervisor,
    errors,
    open_tree,
)
from tests.unit.supervisors.actors import child, puppet

WRONG = {
    "id": ("", errors.MissingId),
    "start": (3, errors.InvalidStart),
    "restart": ("prmanent", errors.InvalidRestartType),
    "shutdown": (-1, errors.InvalidShutdown),
    "type": ("wrker", errors.InvalidChildType),
    "significant": (1, errors.InvalidSignificant),
    "start_timeout": (0, errors.InvalidStartTimeout),
    "name": ("a", errors.InvalidName),
}


def kinds(error):
    return [type(one) for one in error.broken]


def test_all_that_is_wrong_with_a_child_is_told_at_once():
    with pytest.raises(InvalidSpecification) as caught:
        ChildSpec(**{field: value for field, (value, _) in WRONG.items()})
    assert kinds(caught.value) == [kind for _, kind in WRONG.values()]
    for _, kind in WRONG.values():
        assert kind.what in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_an_id_is_anything_hashable_but_nothing():
    for right in ("a", 0, ("a", 1)):
        assert ChildSpec(right, GenServer).id == right
    for wrong, kind in ((None, errors.MissingId), (["a"], errors.InvalidId)):
        with pytest.raises(kind):
            ChildSpec(wrong, GenServer)


@pytest.mark.parametrize("field", WRONG)
def test_one_fault_is_its_own_error(field):
    value, kind = WRONG[field]
    right = {"id": "a", "start": GenServer, "restart": "transient"}
    with pytest.raises(kind):
        ChildSpec(**{**right, field: value})


def test_all_that_is_wrong_with_a_supervisor_is_reported_at_once():
    significant = puppet("a", restart="temporary", significant=True)
    with pytest.raises(InvalidSpecification) as caught:
        Supervisor(
            [significant, "child", significant],
            strategy="none",
            max_restarts=-1,
            max_seconds=0,
        )
    assert kinds(caught.value) == [
        errors.InvalidStrategy,
        errors.InvalidIntensity,
        errors.InvalidPeriod,
        errors.InvalidSignificant,
        errors.InvalidChildSpec,
        errors.InvalidSignificant,
        errors.DuplicateChildId,
    ]
    with pytest.raises(InvalidSpecification) as caught:
        DynamicSupervisor(-1, math.inf, -1, extra_arguments=3, strategy="all", auto_shutdown="x")
    assert kinds(caught.value) == [
        errors.InvalidIntensity,
        errors.InvalidPeriod,
        errors.InvalidStrategy,
        errors.InvalidAutoShutdown,
        errors.InvalidExtraArguments,
        errors.InvalidMaxChildren,
    ]
    with pytest.raises(InvalidSpecification):
        MailboxBound(0, "sometimes")


async def nothing():
    pass


def test_all_that_is_wrong_with_a_task_is_told_at_once():
    with pytest.raises(InvalidSpecification) as caught:
        Task.child_spec("", "no function", restart="x", shutdown=-1)
    assert kinds(caught.value) == [
        errors.MissingId,
        errors.InvalidStart,
        errors.InvalidRestartType,
        errors.InvalidShutdown,
    ]


async def test_it_is_refused_in_the_caller_before_anything_is_sent(autojump_clock):
    names = Registry("names")
    nobody = names.via("nobody")  # who would be told NoProcess if it were sent
    faults = [
        lambda to: Supervisor.start_child(to, "child"),
        lambda to: DynamicSupervisor.start_child(to, "child"),
        lambda to: TaskSupervisor.async_(to, "no function", shutdown=-1),
        lambda to: TaskSupervisor.async_nolink(to, None),
        lambda to: TaskSupervisor.start_child(to, "no function", restart="x"),
    ]
    for fault in faults:
        with pytest.raises(SpecError):
            await fault(nobody)
    with pytest.raises(SpecError):
        async with TaskSupervisor.async_stream(nobody, [], "no function"):
            pytest.fail("not even without items")
    for kind in (Supervisor, DynamicSupervisor):
        async with open_tree(kind) as top:
            seen = len(top._process.mailbox)
            coroutine = kind.start_child(top, puppet("a", restart="temporary", significant=True))
            with pytest.raises(errors.InvalidSignificant):
                coroutine.send(None)
            assert len(top._process.mailbox) == seen


def test_a_shutdown_nobody_chose_follows_the_type():
    worker = ChildSpec("a", Supervisor)
    assert (worker.shutdown, worker.grace) == (5, 5)
    supervisor = replace(worker, type="supervisor")
    assert (supervisor.shutdown, supervisor.grace) == (math.inf, math.inf)
    assert replace(supervisor, type="worker").shutdown == 5
    for copied in (copy.copy, copy.deepcopy, lambda spec: pickle.loads(pickle.dumps(spec))):  # noqa: S301
        assert replace(copied(worker), type="supervisor").grace == math.inf
    chosen = ChildSpec("a", Supervisor, shutdown=5.0)
    assert replace(chosen, type="supervisor").shutdown == 5
    assert replace(chosen, type="supervisor", shutdown=None).shutdown == math.inf
    assert worker == chosen


async def test_also_that_of_a_spec_which_a_supervisor_gave_back(autojump_clock):
    async with open_tree(lambda: Supervisor([ChildSpec("a", GenServer)])) as top:
        spec = await Supervisor.get_childspec(top, "a")
    assert replace(spec, type="supervisor").grace == math.inf


class Argument:
    pass


class Taker(GenServer):
    def __init__(self, argument):
        pass


async def wait_without(argument):
    del argument
    await trio.sleep_forever()


STARTS = {
    "partial": lambda argument: partial(Taker, argument),
    "lambda": lambda argument: lambda: Taker(argument),
    "default": lambda argument: lambda a=argument: Taker(a),
}


@pytest.mark.parametrize("kind", [Supervisor, DynamicSupervisor])
@pytest.mark.parametrize("start", STARTS)
async def test_a_temporary_childs_arguments_are_not_kept(kind, start, autojump_clock):
    async with open_tree(kind) as top:
        argument = Argument()
        kept = weakref.ref(argument)
        spec = ChildSpec("a", STARTS[start](argument), restart="temporary")
        ref = await kind.start_child(top, spec)
        del spec, argument
        gc.collect()
        assert kept() is None
        assert ref.is_alive
        if kind is Supervisor:
            left = await Supervisor.get_childspec(top, "a")
            assert (left.id, left.restart) == ("a", "temporary")
            with pytest.raises(errors.SupervisorsError, match="temporary"):
                left.start()


async def test_nor_those_of_static_ones_and_of_tasks(autojump_clock):
    argument = Argument()
    kept = weakref.ref(argument)
    specs = [ChildSpec("a", partial(Taker, argument), restart="temporary")]
    specs.append(ChildSpec("tasks", TaskSupervisor, type="supervisor"))
    async with open_tree(partial(Supervisor, specs)) as top:
        assert (await child(top, "a")).is_alive
        tasks = await child(top, "tasks")
        task = await TaskSupervisor.start_child(tasks, wait_without, argument)
        await TaskSupervisor.async_nolink(tasks, wait_without, argument)
        await trio.sleep(1)
        # the block of open_tree has no spec any more, and this function none either
        specs.clear()
        del argument
        gc.collect()
        assert kept() is None
        assert task.is_alive


async def test_others_keep_what_they_are_restarted_with(autojump_clock):
    argument = Argument()
    kept = weakref.ref(argument)
    async with open_tree(Supervisor) as top:
        ref = await Supervisor.start_child(top, ChildSpec("a", partial(Taker, argument)))
        del argument
        gc.collect()
        assert kept() is not None
        ref.kill()
        await ref.wait()
        assert (await child(top, "a")).is_alive
