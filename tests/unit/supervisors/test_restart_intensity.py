# ruff: noqa: N802, A001, A002 - tests bear the IDs of the conformance list; an id is an id
"""Restart type and exit reason, strategies, intensity, significant children."""

import pytest
import trio

from supervisors import (
    ChildRestarting,
    ChildRunning,
    ChildSpec,
    Crashed,
    Killed,
    Normal,
    Shutdown,
    Stop,
    Supervisor,
    open_tree,
)
from tests.unit.supervisors.actors import (
    INTENSITY,
    Do,
    boom,
    child,
    children,
    counts,
    crash,
    end,
    puppet,
)


def one(restart, **options):
    return lambda: Supervisor([puppet("a", restart=restart)], **{**INTENSITY, **options})


async def test_P_RX_01_permanent_normal(autojump_clock):
    async with open_tree(one("permanent")) as top:
        ref = await child(top, "a")
        await end(ref, Normal())
        assert await child(top, "a") != ref
        assert await counts(top) == (1, 1, 0, 1)


async def test_P_RX_02_transient_normal(autojump_clock):
    async with open_tree(one("transient")) as top:
        await end(await child(top, "a"), Normal())
        assert await children(top) == {"a": None}
        assert await counts(top) == (1, 0, 0, 1)


async def test_P_RX_03_temporary_normal(autojump_clock):
    async with open_tree(one("temporary")) as top:
        await end(await child(top, "a"), Normal())
        assert await children(top) == {}
        assert await counts(top) == (0, 0, 0, 0)


async def test_P_RX_04_permanent_shutdown(autojump_clock):
    async with open_tree(one("permanent")) as top:
        first = await child(top, "a")
        await end(first, Shutdown())
        second = await child(top, "a")
        await end(second, Shutdown("info"))
        assert len({first, second, await child(top, "a")}) == 3


async def test_P_RX_05_transient_shutdown(autojump_clock):
    async with open_tree(one("transient")) as top:
        await end(await child(top, "a"), Shutdown())
        assert await children(top) == {"a": None}
        ref = await Supervisor.restart_child(top, "a")
        assert ref is not None
        await end(ref, Shutdown("info"))
        assert await children(top) == {"a": None}


@pytest.mark.parametrize("restart", ["permanent", "transient"])
@pytest.mark.parametrize("reason", [Killed(), Crashed(ValueError())])
async def test_P_RX_07_abnormal(autojump_clock, restart, reason):
    async with open_tree(one(restart)) as top:
        ref = await child(top, "a")
        await end(ref, reason)
        assert await child(top, "a") != ref


async def test_P_RX_08_temporary_abnormal(autojump_clock):
    async with open_tree(one("temporary")) as top:
        await crash(await child(top, "a"))
        assert await counts(top) == (0, 0, 0, 0)


# --- strategies ---


def three(strategy, **options):
    return lambda: Supervisor(
        [puppet(id) for id in "123"], strategy=strategy, **{**INTENSITY, **options}
    )


@pytest.mark.parametrize(
    ("strategy", "kept"),
    [
        pytest.param("one_for_one", {"1", "3"}, id="P_SG_01"),
        pytest.param("one_for_all", set(), id="P_SG_02"),
        pytest.param("rest_for_one", {"1"}, id="P_SG_03"),
    ],
)
async def test_P_SG_01_02_03_who_goes_down_with_the_second(autojump_clock, strategy, kept):
    async with open_tree(three(strategy)) as top:
        before = await children(top)
        await crash(before["2"])
        after = await children(top)
        assert {id for id in before if before[id] == after[id]} == kept
        assert {id for id in before if before[id].is_alive} == kept
        assert all(ref.is_alive for ref in after.values())
        assert await counts(top) == (3, 3, 0, 3)


def starts_once(starts):
    """An init that fails from the second time on."""

    def init(actor):
        starts.append(actor.ref)
        if len(starts) > 1:
            raise RuntimeError("cannot start again")

    return init


async def test_P_SG_05_one_for_one_escalation(autojump_clock):
    starts = []
    specs = [puppet("1", init=starts_once(starts)), puppet("2")]
    async with open_tree(lambda: Supervisor(specs, max_restarts=4, max_seconds=3600)) as top:
        two = await child(top, "2")
        await crash(starts[0])
        assert await top.wait() == Shutdown()
        assert await two.wait() == Shutdown()
        assert len(starts) == 1 + 4


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_P_SG_06_escalation_of_groups(autojump_clock, strategy):
    starts, ones = [], []
    specs = [
        puppet("1", init=lambda me: ones.append(me.ref)),
        puppet("2", init=starts_once(starts)),
    ]
    async with open_tree(
        lambda: Supervisor(specs, strategy=strategy, max_restarts=4, max_seconds=3600)
    ) as top:
        ones[0].cast(boom)
        assert await top.wait() == Shutdown()
        assert await starts[0].wait() == Shutdown()
        assert len(starts) == 1 + 4
        assert not any(ref.is_alive for ref in ones + starts)


async def test_P_SG_07_only_the_worker_below_is_replaced(autojump_clock):
    def branch(id):
        specs = [puppet("w1"), puppet("w2")]
        return ChildSpec(id, lambda: Supervisor(specs, **INTENSITY), type="supervisor")

    async def everyone(top):
        found = {}
        for id, sup in (await children(top)).items():
            found[id] = sup
            for worker, ref in (await children(sup)).items():
                found[id, worker] = ref
        return found

    async with open_tree(
        lambda: Supervisor([branch(id) for id in "abc"], strategy="one_for_all", **INTENSITY)
    ) as top:
        before = await everyone(top)
        await crash(before["b", "w1"])
        after = await everyone(top)
        assert {key for key in before if before[key] != after[key]} == {("b", "w1")}


async def test_P_SG_08_child_life_cycle(autojump_clock):
    def count(actor):
        actor.n = getattr(actor, "n", 0) + 1
        return actor.n

    async with open_tree(Supervisor) as top:
        assert await counts(top) == (0, 0, 0, 0)
        ref = await Supervisor.start_child(top, puppet("a"))
        assert [await ref.call(Do(count)), await ref.call(Do(count))] == [1, 2]
        with pytest.raises(ChildRunning):
            await Supervisor.delete_child(top, "a")
        assert await counts(top) == (1, 1, 0, 1)
        await Supervisor.terminate_child(top, "a")
        assert await counts(top) == (1, 0, 0, 1)
        again = await Supervisor.restart_child(top, "a")
        assert again != ref
        assert await again.call(Do(count)) == 1
        await Supervisor.terminate_child(top, "a")
        await Supervisor.delete_child(top, "a")
        assert await counts(top) == (0, 0, 0, 0)


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_temporary_siblings_go_down_with_the_group_and_stay_down(autojump_clock, strategy):
    specs = [puppet("1"), puppet("2", restart="temporary"), puppet("3")]
    async with open_tree(lambda: Supervisor(specs, strategy=strategy, **INTENSITY)) as top:
        before = await children(top)
        await crash(before["1"])
        assert list(await children(top)) == ["1", "3"]
        assert not before["2"].is_alive


async def test_it_keeps_answering_while_a_restart_is_retried(autojump_clock):
    starts = []

    async def init(actor):
        starts.append(actor.ref)
        if 1 < len(starts) < 50:
            await trio.sleep(0.1)
            raise RuntimeError("not yet")

    specs = [puppet("a", init=init), puppet("b")]
    async with open_tree(lambda: Supervisor(specs, max_restarts=100, max_seconds=3600)) as top:
        starts[0].cast(boom)
        await trio.sleep(1)
        seen = [i for i in await Supervisor.which_children(top) if i.id == "a"]
        assert seen[0].ref is None
        assert seen[0].restarting
        with pytest.raises(ChildRestarting):
            await Supervisor.restart_child(top, "a")
        await Supervisor.terminate_child(top, "a")  # ends the retries
        count = len(starts)
        await trio.sleep(10)
        assert len(starts) == count
        assert top.is_alive


async def test_stopping_while_a_retry_is_pending(autojump_clock):
    async def init(actor):
        starts.append(actor.ref)
        if len(starts) > 1:
            await trio.sleep(0.1)
            raise RuntimeError("never")

    starts = []
    async with open_tree(
        lambda: Supervisor([puppet("a", init=init)], max_restarts=10**6, max_seconds=3600)
    ) as top:
        starts[0].cast(boom)
        await trio.sleep(1.05)
    assert await top.wait() == Shutdown()
    assert not any(ref.is_alive for ref in starts)


# --- intensity ---


async def test_P_IN_01_restarts_far_apart_are_free(autojump_clock):
    async with open_tree(one("permanent", max_restarts=1, max_seconds=1.0)) as top:
        for _ in range(4):
            ref = await child(top, "a")
            await crash(ref)
            assert await child(top, "a") != ref
            await trio.sleep(2.1)
        await Supervisor.terminate_child(top, "a")
        await Supervisor.delete_child(top, "a")
        assert await counts(top) == (0, 0, 0, 0)


async def test_P_IN_02_exactly_intensity_restarts_are_allowed(autojump_clock):
    journal = []
    specs = [puppet(id, journal) for id in "abd"]
    async with open_tree(lambda: Supervisor(specs, **INTENSITY)) as top:
        for _ in range(2):
            await crash(await child(top, "b"))
            assert top.is_alive
        journal.clear()
        await crash(await child(top, "b"))
        assert await top.wait() == Shutdown()
        assert journal[1:] == [("stop", "d", Shutdown()), ("stop", "a", Shutdown())]


async def test_P_IN_03_intensity_zero(autojump_clock):
    journal = []
    specs = [puppet("a", journal), puppet("b", journal)]
    async with open_tree(lambda: Supervisor(specs, max_restarts=0, max_seconds=3600)) as top:
        (await child(top, "a")).cast(boom)
        assert await top.wait() == Shutdown()
        assert journal.count(("start", "a")) == 1
        assert journal[-1] == ("stop", "b", Shutdown())


async def test_a_supervisor_that_gave_up_is_restarted_by_its_own(autojump_clock):
    inner = ChildSpec("inner", one("permanent", max_restarts=0), type="supervisor")
    async with open_tree(lambda: Supervisor([inner])) as top:
        first = await child(top, "inner")
        (await child(first, "a")).cast(boom)
        assert await first.wait() == Shutdown()
        await trio.sleep(0.01)
        second = await child(top, "inner")
        assert second != first
        assert (await child(second, "a")).is_alive


# --- significant children ---

ENDS = {
    "kill": lambda ref: ref.kill(),
    "crash": lambda ref: ref.cast(boom),
    "normal": lambda ref: ref.cast(lambda _: Stop(Normal())),
}


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


def significant(auto, restart="temporary"):
    specs = [puppet(id, restart=restart, significant=True) for id in "ab"]
    specs.append(puppet("c", restart="temporary"))
    return lambda: Supervisor(specs, auto_shutdown=auto, **INTENSITY)


@pytest.mark.parametrize("how", ENDS)
async def test_P_SI_02_any_significant(autojump_clock, how):
    async with open_tree(significant("any_significant")) as top:
        refs = await children(top)
        ENDS[how](refs["a"])
        assert await top.wait() == Shutdown()
        assert not any(ref.is_alive for ref in refs.values())


async def test_P_SI_03_all_significant(autojump_clock):
    async with open_tree(significant("all_significant")) as top:
        refs = await children(top)
        await end(refs["a"], Normal())
        assert top.is_alive
        assert refs["c"].is_alive
        await end(refs["b"], Normal())
        assert await top.wait() == Shutdown()
        assert not refs["c"].is_alive


async def test_P_SI_04_significant_transient(autojump_clock):
    async with open_tree(significant("any_significant", "transient")) as top:
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
