# ruff: noqa: A002, N802 - tests bear the IDs of the conformance list; an id is an id
"""DynamicSupervisor: how children end, are restarted, terminated and forgotten; after
dynamic_supervisor_test (ex_dyn).
"""

import pytest
import trio

from supervisors import (
    ChildSpec,
    Crashed,
    DynamicSupervisor,
    FailedToStartChild,
    Ignore,
    Killed,
    MaxChildren,
    Normal,
    NotFound,
    Registry,
    Shutdown,
    Stop,
    Supervisor,
    open_tree,
)
from tests.unit.supervisors.actors import (
    INTENSITY,
    MANY,
    Do,
    Switch,
    boom,
    child,
    crash,
    end,
    fails_from_the_second_on,
    puppet,
)


@pytest.mark.parametrize(
    ("restart", "stays"),
    [("temporary", (0, 0, 0)), ("transient", (0, 0, 1)), ("permanent", (1, 1, 1))],
)
async def test_P_DY_05_restart_types(autojump_clock, restart, stays):
    reasons = (Shutdown(), Shutdown("signal"), Crashed(ValueError("whatever")))
    for reason, count in zip(reasons, stays, strict=True):
        async with open_tree(DynamicSupervisor) as top:
            ref = await DynamicSupervisor.start_child(top, puppet("a", restart=restart))
            await end(ref, reason)
            infos = await DynamicSupervisor.which_children(top)
            assert len([i for i in infos if i.ref is not None]) == count
            assert ref not in [i.ref for i in infos]


@pytest.mark.parametrize(("shutdown", "reason"), [("brutal_kill", Killed()), (1.0, Shutdown())])
async def test_P_DY_06_terminate_child(autojump_clock, shutdown, reason):
    async with open_tree(DynamicSupervisor) as top:
        ref = await DynamicSupervisor.start_child(top, puppet("a", shutdown=shutdown))
        await DynamicSupervisor.terminate_child(top, ref)
        assert await ref.wait() == reason
        with pytest.raises(NotFound):
            await DynamicSupervisor.terminate_child(top, ref)
        assert (await DynamicSupervisor.count_children(top)).specs == 0


async def test_children_of_a_dynamic_supervisor_are_stopped_all_at_once(autojump_clock):
    async with open_tree(DynamicSupervisor) as top:
        for _ in range(5):
            await DynamicSupervisor.start_child(top, puppet("a", stopping=0.9))
        before = trio.current_time()
    assert trio.current_time() - before == pytest.approx(0.9)


async def test_a_dynamic_supervisor_gives_up_too(autojump_clock):
    async with open_tree(lambda: DynamicSupervisor(**INTENSITY)) as top:
        for _ in range(3):
            await DynamicSupervisor.start_child(top, puppet("a"))
        for info in await DynamicSupervisor.which_children(top):
            info.ref.cast(boom)
        assert await top.wait() == Shutdown()


async def test_ex_dyn_init_may_say_ignore_or_stop(autojump_clock):
    class Ignored(DynamicSupervisor):
        async def init(self):
            return Ignore()

    class Refusing(DynamicSupervisor):
        async def init(self):
            return Stop(Shutdown("no"))

    async with open_tree(Supervisor) as top:
        spec = ChildSpec("d", Ignored, type="supervisor", restart="temporary")
        assert await Supervisor.start_child(top, spec) is None
        with pytest.raises(FailedToStartChild) as caught:
            await Supervisor.start_child(top, ChildSpec("d", Refusing, type="supervisor"))
        assert caught.value.reason == Shutdown("no")


async def add(top, id="a", journal=None, **options):
    ref = await DynamicSupervisor.start_child(top, puppet(id, journal, **options))
    assert ref is not None
    return ref


async def test_ex_dyn_stop(autojump_clock):
    async with open_tree(DynamicSupervisor) as top:
        ref = await add(top)
        await top.stop()
        assert await top.wait() == Normal()
        assert await ref.wait() == Shutdown()


async def numbers(top):
    """(specs, active, supervisors, workers)."""
    c = await DynamicSupervisor.count_children(top)
    return c.specs, c.active, c.supervisors, c.workers


async def test_ex_dyn_restarting_on_init_children_counted_in_max_children(autojump_clock):
    one = Switch()
    async with open_tree(lambda: DynamicSupervisor(max_children=1, **MANY)) as top:
        ref = await add(top, init=one.init)
        one.mode = "fail"
        await crash(ref)
        assert await numbers(top) == (1, 0, 0, 1)
        with pytest.raises(MaxChildren):
            await add(top)


async def test_ex_dyn_restarting_on_exit_children_counted_in_max_children(autojump_clock):
    async with open_tree(lambda: DynamicSupervisor(max_children=1, **MANY)) as top:
        await crash(await add(top))
        assert await numbers(top) == (1, 1, 0, 1)
        with pytest.raises(MaxChildren):
            await add(top)


async def refs(top):
    return [info.ref for info in await DynamicSupervisor.which_children(top)]


@pytest.mark.parametrize(
    ("restart", "reason", "stays"),
    [
        ("permanent", Normal(), True),
        ("permanent", Shutdown("x"), True),
        ("permanent", Killed(), True),
        ("transient", Killed(), True),
        ("temporary", Killed(), False),
    ],
)
async def test_ex_dyn_who_is_restarted_comes_back_with_the_same_spec(
    autojump_clock, restart, reason, stays
):
    async with open_tree(lambda: DynamicSupervisor(**MANY)) as top:
        bystander = await add(top, "bystander")
        ref = await add(top, "a", restart=restart)
        await end(ref, reason)
        others = [r for r in await refs(top) if r != bystander]
        assert len(others) == (1 if stays else 0)
        assert bystander.is_alive
        assert ref not in others
        assert [r.name for r in others] == ["a"] * len(others)


async def test_ex_dyn_a_restart_that_fails_is_tried_again(autojump_clock):
    one = Switch()
    async with open_tree(lambda: DynamicSupervisor(max_restarts=2, max_seconds=1000)) as top:
        ref = await add(top, init=one.init)
        one.mode = "fail"
        ref.kill()
        await trio.sleep(0.05)
        (info,) = await DynamicSupervisor.which_children(top)  # answered between two tries
        one.mode = "ok"
        assert (info.ref, info.restarting) == (None, True)
        await trio.sleep(1)
        assert await numbers(top) == (1, 1, 0, 1)
        assert top.is_alive


@pytest.mark.parametrize("limit", [0, 1, 10])
async def test_ex_dyn_child_triggers_maximum_intensity_when_trying_again(autojump_clock, limit):
    one = Switch(pause=0.0)
    async with open_tree(lambda: DynamicSupervisor(max_restarts=limit, max_seconds=1000)) as top:
        bystander = await add(top, "bystander")
        ref = await add(top, init=one.init)
        one.mode = "fail"
        ref.kill()
        assert await top.wait() == Shutdown()
        assert await bystander.wait() == Shutdown()
    assert len(one.starts) == 1 + limit


async def test_sup_hanging_restart_loop_simple_the_supervisor_can_be_stopped(autojump_clock):
    one = Switch()
    async with open_tree(lambda: DynamicSupervisor(**MANY)) as top:
        ref = await add(top, init=one.init)
        one.mode = "fail"
        await crash(ref)
        await trio.sleep(2)
        assert await add(top, "other")  # it answers meanwhile
        before = trio.current_time()
    assert trio.current_time() - before <= 1.0
    assert await top.wait() == Shutdown()


async def test_sup_simple_one_for_one_all_children_share_one_count(autojump_clock):
    async with open_tree(lambda: DynamicSupervisor(max_restarts=2, max_seconds=1000)) as top:
        three = [await add(top, f"{n}") for n in range(3)]
        for ref in three[:2]:
            await crash(ref)
        assert top.is_alive
        three[2].cast(boom)
        assert await top.wait() == Shutdown()


async def test_dyn_children_begin_anew_when_their_supervisor_is_restarted(autojump_clock):
    async with open_tree(
        lambda: Supervisor([ChildSpec("d", DynamicSupervisor, type="supervisor")])
    ) as top:
        dyn = await child(top, "d")
        ref = await add(dyn)
        dyn.kill()
        assert await dyn.wait() == Killed()
        await trio.sleep(0.1)
        assert not ref.is_alive
        assert await refs(await child(top, "d")) == []


async def test_dyn_a_child_that_crashes_by_a_link_to_another_is_restarted_too(autojump_clock):
    async with open_tree(lambda: DynamicSupervisor(**MANY)) as top:
        a, b = await add(top, "a", trap=False), await add(top, "b", trap=False)
        await a.call(Do(lambda me: me.link(b)))
        a.cast(boom)
        await b.wait()
        await trio.sleep(0.1)
        assert await numbers(top) == (2, 2, 0, 2)
        assert not {a, b} & set(await refs(top))


async def test_ex_dyn_terminate_child_knows_its_own_children_only(autojump_clock):
    specs = [
        ChildSpec("one", DynamicSupervisor, type="supervisor"),
        ChildSpec("two", DynamicSupervisor, type="supervisor"),
        puppet("sibling"),
    ]
    names = Registry("names")
    async with open_tree(lambda: Supervisor([names.child_spec(), *specs])) as top:
        one, two = await child(top, "one"), await child(top, "two")
        others = await add(two)
        for stranger in (others, one, top, await child(top, "sibling"), names.via("nobody")):
            with pytest.raises(NotFound):
                await DynamicSupervisor.terminate_child(one, stranger)
            assert stranger.name == "nobody" or stranger.is_alive


async def test_dyn_terminate_child_by_name(autojump_clock):
    names = Registry("names")
    specs = [names.child_spec(), ChildSpec("d", DynamicSupervisor, type="supervisor")]
    async with open_tree(lambda: Supervisor(specs)) as top:
        dyn = await child(top, "d")
        ref = await add(dyn, name=names.via("A"))
        await DynamicSupervisor.terminate_child(dyn, names.via("A"))
        assert await ref.wait() == Shutdown()
        assert await numbers(dyn) == (0, 0, 0, 0)


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
async def test_ex_dyn_terminate_child_forgets_every_kind_and_restarts_none(autojump_clock, restart):
    journal = []
    async with open_tree(lambda: DynamicSupervisor(max_restarts=0)) as top:
        ref = await add(top, "a", journal, restart=restart)
        await DynamicSupervisor.terminate_child(top, ref)
        await trio.sleep(1)
        assert await numbers(top) == (0, 0, 0, 0)
    assert journal == [("start", "a"), ("stop", "a", Shutdown())]


async def test_dyn_terminate_child_that_has_just_crashed(autojump_clock):
    """Its end is not yet handled: it is terminated, and not restarted."""
    async with open_tree(lambda: DynamicSupervisor(**MANY)) as top:
        ref = await add(top)
        ref.kill()
        await DynamicSupervisor.terminate_child(top, ref)
        await trio.sleep(1)
        assert not ref.is_alive
        assert await numbers(top) == (0, 0, 0, 0)


async def test_ex_dyn_terminates_a_restarting_child_by_its_old_ref(autojump_clock):
    starts = []
    async with open_tree(lambda: DynamicSupervisor(max_restarts=10**6)) as top:
        spec = puppet("a", init=fails_from_the_second_on(starts))
        ref = await DynamicSupervisor.start_child(top, spec)
        ref.cast(boom)
        await trio.sleep(1)
        await DynamicSupervisor.terminate_child(top, ref)
        with pytest.raises(NotFound):
            await DynamicSupervisor.terminate_child(top, ref)
        assert (await DynamicSupervisor.count_children(top)).specs == 0
        tried = len(starts)
        await trio.sleep(1)
        assert len(starts) == tried


async def test_ex_dyn_a_child_whose_restart_says_ignore_is_forgotten(autojump_clock):
    starts = []

    def init(me):
        starts.append(me)
        return Ignore() if len(starts) > 1 else None

    async with open_tree(lambda: DynamicSupervisor(max_children=1)) as top:
        ref = await DynamicSupervisor.start_child(top, puppet("a", init=init))
        await crash(ref)
        assert await DynamicSupervisor.which_children(top) == []
        assert (await DynamicSupervisor.count_children(top)).specs == 0
        assert await DynamicSupervisor.start_child(top, puppet("b"))  # the only place is free


@pytest.mark.parametrize("reason", [Normal(), Shutdown(), Shutdown("x")])
async def test_ex_dyn_a_transient_child_that_ends_in_order_is_forgotten(autojump_clock, reason):
    async with open_tree(lambda: DynamicSupervisor(max_children=1)) as top:
        ref = await DynamicSupervisor.start_child(top, puppet("a", restart="transient"))
        await end(ref, reason)
        assert await DynamicSupervisor.which_children(top) == []
        assert (await DynamicSupervisor.count_children(top)).specs == 0
        assert await DynamicSupervisor.start_child(top, puppet("b"))  # the only place is free
