# ruff: noqa: A001, A002, N802 - tests bear the IDs of the conformance list; an id is an id
"""Significant children and auto_shutdown; after supervisor_SUITE (sup)."""

import pytest
import trio

from supervisors import (
    ChildSpec,
    Crashed,
    DynamicSupervisor,
    Ignore,
    Killed,
    Normal,
    Shutdown,
    Stop,
    Supervisor,
    errors,
    open_tree,
)
from tests.unit.supervisors.actors import (
    INTENSITY,
    MANY,
    Switch,
    boom,
    child,
    children,
    counts,
    crash,
    end,
    fails_from_the_second_on,
    puppet,
    supervisor,
)

ENDS = {
    "kill": lambda ref: ref.kill(),
    "crash": lambda ref: ref.cast(boom),
    "normal": lambda ref: ref.cast(lambda _: Stop(Normal())),
}
ANY = {"auto_shutdown": "any_significant", **MANY}
ALL = {"auto_shutdown": "all_significant", **MANY}
KINDS = ["transient", "temporary"]


def one(restart, **options):
    return lambda: Supervisor([puppet("a", restart=restart)], **{**INTENSITY, **options})


@pytest.mark.parametrize("auto", ["never", "any_significant", "all_significant"])
@pytest.mark.parametrize("how", ENDS)
async def test_P_SI_01_insignificant_children_end_alone(autojump_clock, auto, how):
    async with open_tree(one("temporary", auto_shutdown=auto)) as top:
        ENDS[how](await child(top, "a"))
        await trio.sleep(1)
        assert top.is_alive
        await Supervisor.start_child(top, puppet("b", restart="temporary"))
        await Supervisor.terminate_child(top, "b")
        assert top.is_alive


def one_significant(auto, restart="temporary"):
    specs = [puppet(id, restart=restart, significant=True) for id in "ab"]
    specs.append(puppet("c", restart="temporary"))
    return lambda: Supervisor(specs, auto_shutdown=auto, **INTENSITY)


@pytest.mark.parametrize("how", ENDS)
async def test_P_SI_02_any_significant(autojump_clock, how):
    async with open_tree(one_significant("any_significant")) as top:
        refs = await children(top)
        ENDS[how](refs["a"])
        assert await top.wait() == Shutdown()
        assert not any(ref.is_alive for ref in refs.values())


async def test_P_SI_03_all_significant(autojump_clock):
    async with open_tree(one_significant("all_significant")) as top:
        refs = await children(top)
        await end(refs["a"], Normal())
        assert top.is_alive
        assert refs["c"].is_alive
        await end(refs["b"], Normal())
        assert await top.wait() == Shutdown()
        assert not refs["c"].is_alive


async def test_P_SI_04_significant_transient(autojump_clock):
    async with open_tree(one_significant("any_significant", "transient")) as top:
        for how in ("kill", "crash"):
            ENDS[how](await child(top, "a"))
            await trio.sleep(1)
            assert (await child(top, "a")).is_alive
        ENDS["normal"](await child(top, "a"))
        assert await top.wait() == Shutdown()


async def test_P_SI_03_one_that_waits_for_its_restart_is_not_the_last_to_end(autojump_clock):
    starts = []

    async def slow_once(me):
        starts.append(me)
        if len(starts) == 2:  # the first restart: b ends meanwhile
            b.cast(lambda _: Stop(Normal()))
            await trio.sleep(1)
            raise ValueError("not yet")

    specs = [
        puppet("a", restart="transient", significant=True, init=slow_once),
        puppet("b", restart="transient", significant=True),
    ]
    async with open_tree(
        lambda: Supervisor(specs, auto_shutdown="all_significant", **INTENSITY)
    ) as top:
        b = await child(top, "b")
        await crash(await child(top, "a"))
        await trio.sleep(2)
        assert len(starts) == 3
        assert await counts(top) == (2, 1, 0, 2)
        await end(await child(top, "a"), Normal())
        assert await top.wait() == Shutdown()


def significant(id, restart="transient", **options):
    return puppet(id, restart=restart, significant=True, **options)


@pytest.mark.parametrize("auto", [ANY, ALL], ids=["any", "all"])
@pytest.mark.parametrize("restart", KINDS)
@pytest.mark.parametrize("reason", [Normal(), Shutdown(), Shutdown("x")])
async def test_sup_significant_an_orderly_end_shuts_down(autojump_clock, auto, restart, reason):
    specs = [puppet("plain"), significant("a", restart)]
    async with open_tree(lambda: Supervisor(specs, **auto)) as top:
        refs = await children(top)
        await end(refs["a"], reason)
        assert await top.wait() == Shutdown()
        assert await refs["plain"].wait() == Shutdown()


@pytest.mark.parametrize("auto", [ANY, ALL], ids=["any", "all"])
@pytest.mark.parametrize("reason", [Killed(), Crashed(ValueError())])
async def test_sup_significant_transient_a_crash_is_a_restart(autojump_clock, auto, reason):
    async with open_tree(lambda: Supervisor([significant("a")], **auto)) as top:
        ref = await child(top, "a")
        await end(ref, reason)
        assert await child(top, "a") != ref


@pytest.mark.parametrize("reason", [Killed(), Crashed(ValueError())])
async def test_sup_significant_temporary_a_crash_is_an_end(autojump_clock, reason):
    specs = [significant("a", "temporary"), significant("b", "temporary")]
    async with open_tree(lambda: Supervisor(specs, **ALL)) as top:
        refs = await children(top)
        await end(refs["a"], reason)
        assert top.is_alive
        await end(refs["b"], reason)
        assert await top.wait() == Shutdown()


@pytest.mark.parametrize("auto", [ANY, ALL], ids=["any", "all"])
@pytest.mark.parametrize("restart", KINDS)
async def test_sup_significant_one_that_is_terminated_by_hand_does_not_count(
    autojump_clock, auto, restart
):
    async with open_tree(lambda: Supervisor([significant("a", restart)], **auto)) as top:
        await Supervisor.terminate_child(top, "a")
        await trio.sleep(1)
        assert top.is_alive


async def test_sup_all_significant_who_was_terminated_by_hand_is_not_waited_for(autojump_clock):
    specs = [significant("a"), significant("b"), puppet("plain")]
    async with open_tree(lambda: Supervisor(specs, **ALL)) as top:
        await Supervisor.terminate_child(top, "a")
        await end(await child(top, "b"), Normal())
        assert await top.wait() == Shutdown()


async def test_sup_all_significant_who_never_ran_is_not_waited_for(autojump_clock):
    specs = [significant("a", init=lambda _: Ignore()), significant("b")]
    async with open_tree(lambda: Supervisor(specs, **ALL)) as top:
        await trio.sleep(1)
        assert top.is_alive
        await end(await child(top, "b"), Normal())
        assert await top.wait() == Shutdown()


async def test_sup_all_significant_one_that_is_started_again_counts_again(autojump_clock):
    specs = [significant("a"), significant("b")]
    async with open_tree(lambda: Supervisor(specs, **ALL)) as top:
        await end(await child(top, "a"), Normal())
        again = await Supervisor.restart_child(top, "a")
        await end(await child(top, "b"), Normal())
        assert top.is_alive
        late = await Supervisor.start_child(top, significant("late", "temporary"))
        await end(again, Normal())
        assert top.is_alive
        await end(late, Normal())
        assert await top.wait() == Shutdown()


@pytest.mark.parametrize("auto", [ANY, ALL], ids=["any", "all"])
@pytest.mark.parametrize("restart", KINDS)
@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_sup_significant_bystander(autojump_clock, auto, restart, strategy):
    """A significant child the strategy takes down with others has not ended by itself."""
    specs = [puppet("1"), significant("a", restart)]
    async with open_tree(lambda: Supervisor(specs, strategy=strategy, **auto)) as top:
        before = await children(top)
        await crash(before["1"])
        await trio.sleep(1)
        assert top.is_alive
        assert not before["a"].is_alive
        assert list(await children(top)) == (["1", "a"] if restart == "transient" else ["1"])


@pytest.mark.parametrize("auto", [ANY, ALL], ids=["any", "all"])
async def test_sup_significant_a_restart_that_fails_is_no_end(autojump_clock, auto):
    one = Switch()
    async with open_tree(lambda: Supervisor([significant("a", init=one.init)], **auto)) as top:
        one.mode = "fail"
        await crash(await child(top, "a"))
        await trio.sleep(1)
        assert top.is_alive
        await Supervisor.terminate_child(top, "a")
        await trio.sleep(1)
        assert top.is_alive


@pytest.mark.parametrize("auto", [ANY, ALL], ids=["any", "all"])
async def test_a_significant_restart_that_is_ignored_is_no_end(autojump_clock, auto):
    one = Switch()
    async with open_tree(lambda: Supervisor([significant("a", init=one.init)], **auto)) as top:
        one.mode = "ignore"
        await crash(await child(top, "a"))
        await trio.sleep(1)
        assert top.is_alive
        assert await children(top) == {"a": None}


@pytest.mark.parametrize("restart", KINDS)
async def test_sup_significant_escalation(autojump_clock, restart):
    """A significant supervisor that shuts down takes its own supervisor along, and so on up."""
    low = supervisor("low", [significant("leaf")], restart=restart, significant=True, **ANY)
    mid = supervisor("mid", [low, puppet("other")], restart=restart, significant=True, **ANY)
    async with open_tree(lambda: Supervisor([mid, puppet("beside")], **ANY)) as top:
        beside = await child(top, "beside")
        mid_ref = await child(top, "mid")
        low_ref = await child(mid_ref, "low")
        await end(await child(low_ref, "leaf"), Normal())
        for ref in (low_ref, mid_ref, top, beside):
            assert await ref.wait() == Shutdown()


async def test_sup_significant_a_permanent_supervisor_that_shuts_down_is_restarted(autojump_clock):
    low = supervisor("low", [significant("leaf")], **ANY)
    async with open_tree(lambda: Supervisor([low], **MANY)) as top:
        first = await child(top, "low")
        await end(await child(first, "leaf"), Normal())
        assert await first.wait() == Shutdown()
        await trio.sleep(0.1)
        second = await child(top, "low")
        assert second != first
        assert (await child(second, "leaf")).is_alive


async def test_sup_significant_one_that_gives_up_shuts_down_too(autojump_clock):
    """Too many restarts end a transient supervisor with Shutdown, which is an orderly end."""
    low = supervisor("low", [puppet("leaf")], max_restarts=0, restart="transient", significant=True)
    async with open_tree(lambda: Supervisor([low], **ANY)) as top:
        await crash(await child(await child(top, "low"), "leaf"))
        assert await top.wait() == Shutdown()


async def test_sup_significant_stops_in_reverse_order(autojump_clock):
    journal = []
    specs = [puppet("1", journal), significant("a", journal=journal), puppet("2", journal)]
    async with open_tree(lambda: Supervisor(specs, **ANY)) as top:
        await end(await child(top, "a"), Normal())
        await top.wait()
    assert [entry for entry in journal if entry[0] == "stop"] == [
        ("stop", "a", Normal()),
        ("stop", "2", Shutdown()),
        ("stop", "1", Shutdown()),
    ]


def test_sup_significant_bad_combinations():
    with pytest.raises(errors.InvalidSignificant):
        ChildSpec("a", Supervisor, type="supervisor", significant=True)
    with pytest.raises(errors.InvalidSignificant):
        Supervisor([significant("a")], auto_shutdown="never")


async def test_ex_dyn_refuses_significant_children(autojump_clock):
    async with open_tree(DynamicSupervisor) as top:
        with pytest.raises(errors.InvalidSignificant):
            await DynamicSupervisor.start_child(top, significant("a"))
        assert await DynamicSupervisor.which_children(top) == []


async def test_sup_all_significant_one_that_is_being_restarted_has_not_ended(autojump_clock):
    starts = []
    specs = [
        puppet("a", init=fails_from_the_second_on(starts), restart="transient", significant=True),
        puppet("b", restart="transient", significant=True),
    ]
    async with open_tree(
        lambda: Supervisor(specs, auto_shutdown="all_significant", max_restarts=10**6)
    ) as top:
        b = await child(top, "b")
        starts[0].cast(boom)
        await trio.sleep(1.05)
        b.cast(lambda _: Stop(Normal()))
        await trio.sleep(1)
        assert top.is_alive
        assert await children(top) == {"a": None, "b": None}
