# ruff: noqa: A002, N802 - tests bear the IDs of the conformance list; an id is an id
"""DynamicSupervisor: its starts and limits, after dynamic_supervisor_test (ex_dyn) and the cases of
supervisor_SUITE for simple_one_for_one (sup).
"""

import pytest
import trio

from supervisors import (
    AlreadyStarted,
    ChildSpec,
    DynamicSupervisor,
    FailedToStartChild,
    Ignore,
    MaxChildren,
    Normal,
    Registry,
    Shutdown,
    StartTimeout,
    Stop,
    Supervisor,
    errors,
    open_tree,
)
from tests.unit.supervisors.actors import (
    MANY,
    Puppet,
    boom,
    child,
    end,
    puppet,
    supervisor,
)


async def test_P_DY_01_what_a_start_may_return(autojump_clock):
    async with open_tree(DynamicSupervisor) as top:
        ref = await DynamicSupervisor.start_child(top, puppet("a"))
        assert await DynamicSupervisor.start_child(top, ChildSpec("b", Ignore)) is None
        assert (
            await DynamicSupervisor.start_child(top, puppet("b", init=lambda _: Ignore())) is None
        )
        with pytest.raises(FailedToStartChild):
            await DynamicSupervisor.start_child(top, ChildSpec("c", lambda: "garbage"))
        with pytest.raises(errors.InvalidChildSpec):
            await DynamicSupervisor.start_child(top, "no spec")
        assert [i.ref for i in await DynamicSupervisor.which_children(top)] == [ref]


async def test_P_DY_02_a_start_that_raises(autojump_clock):
    async with open_tree(DynamicSupervisor) as top:
        for spec in (ChildSpec("a", lambda: 1 / 0), puppet("a", init=lambda _: 1 / 0)):
            with pytest.raises(FailedToStartChild) as caught:
                await DynamicSupervisor.start_child(top, spec)
            cause = caught.value.__cause__
            assert isinstance(cause, ZeroDivisionError)
            assert cause.__traceback__ is not None
        assert top.is_alive


async def test_P_DY_03_max_children(autojump_clock):
    journal = []
    async with open_tree(lambda: DynamicSupervisor(max_children=0)) as top:
        with pytest.raises(MaxChildren):
            await DynamicSupervisor.start_child(top, puppet("a", journal))
    assert journal == []


@pytest.mark.parametrize(
    ("error", "wrong"),
    [
        (errors.InvalidIntensity, {"max_restarts": -1}),
        (errors.InvalidPeriod, {"max_seconds": 0}),
        (errors.InvalidMaxChildren, {"max_children": -1}),
    ],
)
def test_P_DY_07_flags(error, wrong):
    with pytest.raises(error):
        DynamicSupervisor(**wrong)


async def add(top, id="a", journal=None, **options):
    ref = await DynamicSupervisor.start_child(top, puppet(id, journal, **options))
    assert ref is not None
    return ref


async def test_ex_dyn_can_be_supervised_and_found_by_name(autojump_clock):
    names = Registry("names")
    specs = [
        names.child_spec(),
        ChildSpec("plain", DynamicSupervisor, type="supervisor"),
        ChildSpec("named", DynamicSupervisor, type="supervisor", name=names.via("dyn")),
    ]
    async with open_tree(lambda: Supervisor(specs)) as top:
        for ref in (await child(top, "plain"), names.via("dyn")):
            assert await DynamicSupervisor.which_children(ref) == []
            assert await add(ref)
        with pytest.raises(AlreadyStarted) as caught:
            await Supervisor.start_child(
                top, ChildSpec("plain", DynamicSupervisor, type="supervisor")
            )
        assert caught.value.ref == await child(top, "plain")


async def numbers(top):
    """(specs, active, supervisors, workers)."""
    c = await DynamicSupervisor.count_children(top)
    return c.specs, c.active, c.supervisors, c.workers


async def test_ex_dyn_a_start_that_fails_keeps_nothing_and_takes_no_place(autojump_clock):
    names = Registry("names")

    async def slow(_):
        await trio.sleep(100)

    async with open_tree(
        lambda: Supervisor(
            [
                names.child_spec(),
                ChildSpec("d", lambda: DynamicSupervisor(max_children=1), type="supervisor"),
            ]
        )
    ) as top:
        dyn = await child(top, "d")
        failures = [
            (FailedToStartChild, puppet("a", init=boom)),
            (FailedToStartChild, puppet("a", init=lambda _: Stop(Normal()))),
            (FailedToStartChild, ChildSpec("a", lambda: "garbage")),
            (StartTimeout, puppet("a", init=slow, start_timeout=1.0)),
            (AlreadyStarted, puppet("a", name=names.via("taken"))),
            (errors.InvalidChildSpec, {}),
            (errors.InvalidSignificant, puppet("a", restart="transient", significant=True)),
        ]
        names.register("taken", top)
        for error, spec in failures:
            with pytest.raises(error):
                await DynamicSupervisor.start_child(dyn, spec)
            assert await numbers(dyn) == (0, 0, 0, 0)
        assert await DynamicSupervisor.start_child(dyn, ChildSpec("a", Ignore)) is None
        assert await add(dyn)


async def refs(top):
    return [info.ref for info in await DynamicSupervisor.which_children(top)]


async def test_ex_dyn_ids_need_not_be_unique(autojump_clock):
    async with open_tree(DynamicSupervisor) as top:
        same = [await add(top, "same") for _ in range(3)]
        assert sorted(await refs(top), key=hash) == sorted(same, key=hash)
        await DynamicSupervisor.terminate_child(top, same[1])
        assert set(await refs(top)) == {same[0], same[2]}


async def test_ex_dyn_counts_workers_and_supervisors(autojump_clock):
    async with open_tree(DynamicSupervisor) as top:
        await add(top)
        await DynamicSupervisor.start_child(top, supervisor("s", [puppet("w")]))
        assert await numbers(top) == (2, 2, 1, 1)


async def test_ex_dyn_max_children_a_place_is_free_once_a_child_is_gone(autojump_clock):
    async with open_tree(lambda: DynamicSupervisor(max_children=2, **MANY)) as top:
        first = await add(top)
        second = await add(top, restart="temporary")
        with pytest.raises(MaxChildren) as caught:
            await add(top)
        assert caught.value.limit == 2
        await DynamicSupervisor.terminate_child(top, first)
        await add(top)
        await end(second, Shutdown())
        await add(top)
        with pytest.raises(MaxChildren):
            await add(top)


async def test_sup_count_children_sees_who_is_dead_before_the_supervisor_does(autojump_clock):
    async with open_tree(lambda: DynamicSupervisor(**MANY)) as top:
        spec = ChildSpec("a", Puppet, restart="temporary")
        many = [await DynamicSupervisor.start_child(top, spec) for _ in range(100)]
        for ref in many[:40]:
            ref.kill()
        for ref in many[:40]:
            await ref.wait()
        assert (await numbers(top))[1] == 60
        assert len(await refs(top)) == 60


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"strategy": "unknown"}, errors.InvalidStrategy),
        ({"auto_shutdown": "any_significant"}, errors.InvalidAutoShutdown),
    ],
)
def test_ex_dyn_with_non_ok_init_each_flag_has_its_error(wrong, error):
    with pytest.raises(error):
        DynamicSupervisor(**wrong)
