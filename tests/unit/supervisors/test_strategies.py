# ruff: noqa: A001, A002, N802 - tests bear the IDs of the conformance list; an id is an id
"""Strategies: who goes down with whom, and comes back; after supervisor_SUITE (sup)."""

import pytest
import trio

from supervisors import (
    ChildRunning,
    ChildSpec,
    Normal,
    Shutdown,
    Supervisor,
    open_tree,
)
from supervisors.supervision.strategies import affected
from tests.unit.supervisors.actors import (
    INTENSITY,
    MANY,
    Do,
    Switch,
    boom,
    child,
    children,
    counts,
    crash,
    end,
    puppet,
    supervisor,
)


def test_affected():
    assert affected("one_for_one", "b", "abcd") == ["b"]
    assert affected("one_for_all", "b", "abcd") == ["a", "b", "c", "d"]
    assert affected("rest_for_one", "b", "abcd") == ["b", "c", "d"]


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


async def test_sup_one_for_all_other_child_fails_restart(autojump_clock):
    """The first had been started again; it is stopped before both are tried anew."""
    journal = []
    two = Switch()
    specs = [puppet("1", journal), puppet("2", journal, init=two.init)]
    async with open_tree(lambda: Supervisor(specs, strategy="one_for_all", **MANY)) as top:
        first = await child(top, "1")
        two.mode = "fail"
        journal.clear()
        first.kill()
        await trio.sleep(0.15)  # the second has failed once
        two.mode = "ok"
        await trio.sleep(1)
        assert journal == [
            ("stop", "2", Shutdown()),
            ("start", "1"),
            ("stop", "1", Shutdown()),
            ("start", "1"),
            ("start", "2"),
        ]
        assert all(ref.is_alive for ref in (await children(top)).values())


async def test_sup_rest_for_one_other_child_fails_restart(autojump_clock):
    """What was started again before the one that fails stays up; the rest follows it."""
    three = Switch()
    journal = []
    specs = [puppet("1"), puppet("2", journal), puppet("3", init=three.init), puppet("4", journal)]
    async with open_tree(lambda: Supervisor(specs, strategy="rest_for_one", **MANY)) as top:
        before = await children(top)
        three.mode = "fail"
        journal.clear()
        before["2"].kill()
        await trio.sleep(0.15)
        during = await children(top)
        assert during["1"] == before["1"]
        assert during["2"] not in (None, before["2"])
        assert (during["3"], during["4"]) == (None, None)
        three.mode = "ok"
        await trio.sleep(1)
        after = await children(top)
        assert (after["1"], after["2"]) == (before["1"], during["2"])
        assert all(ref.is_alive for ref in after.values())
    assert journal[:3] == [("stop", "4", Shutdown()), ("start", "2"), ("start", "4")]


async def test_one_for_all_starts_those_too_who_had_ended_or_been_terminated(autojump_clock):
    ignoring = Switch()
    ignoring.mode = "ignore"
    specs = [
        puppet("1"),
        puppet("transient", restart="transient"),
        puppet("terminated"),
        puppet("ignoring", init=ignoring.init),
        puppet("temporary", restart="temporary"),
    ]
    async with open_tree(lambda: Supervisor(specs, strategy="one_for_all", **MANY)) as top:
        await end(await child(top, "transient"), Normal())
        await Supervisor.terminate_child(top, "terminated")
        ids = ["1", "transient", "terminated", "ignoring"]
        assert [id for id, ref in (await children(top)).items() if ref is None] == ids[1:]
        ignoring.mode = "ok"
        await crash(await child(top, "1"))
        await trio.sleep(1)
        after = await children(top)
        assert list(after) == ids
        assert all(ref.is_alive for ref in after.values())


async def test_one_for_all_one_who_ignores_its_restart_holds_up_nobody(autojump_clock):
    two = Switch()
    specs = [puppet("1"), puppet("2", init=two.init), puppet("3")]
    async with open_tree(lambda: Supervisor(specs, strategy="one_for_all", **MANY)) as top:
        two.mode = "ignore"
        await crash(await child(top, "3"))
        await trio.sleep(1)
        after = await children(top)
        assert after["2"] is None
        assert after["1"].is_alive
        assert after["3"].is_alive


async def test_one_for_one_a_restart_that_is_ignored_is_not_tried_again(autojump_clock):
    one = Switch()
    async with open_tree(lambda: Supervisor([puppet("1", init=one.init)], **MANY)) as top:
        one.mode = "ignore"
        await crash(await child(top, "1"))
        await trio.sleep(10)
        assert await children(top) == {"1": None}
        assert len(one.starts) == 2


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_transient_siblings_the_strategy_stops_are_started_again(autojump_clock, strategy):
    specs = [puppet("1"), puppet("2", restart="transient")]
    async with open_tree(lambda: Supervisor(specs, strategy=strategy, **INTENSITY)) as top:
        before = await children(top)
        await crash(before["1"])
        after = await children(top)
        assert after["2"] != before["2"]
        assert after["2"].is_alive


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
@pytest.mark.parametrize("restart", ["transient", "temporary"])
async def test_an_end_that_needs_no_restart_leaves_the_siblings_alone(
    autojump_clock, strategy, restart
):
    specs = [puppet("1", restart=restart), puppet("2"), puppet("3", restart=restart)]
    async with open_tree(lambda: Supervisor(specs, strategy=strategy, max_restarts=0)) as top:
        before = await children(top)
        await end(before["1"], Normal())
        await end(before["3"], Shutdown())
        assert (await children(top))["2"] == before["2"]
        assert before["2"].is_alive


async def test_sup_temporary_bystander_at_its_limit(autojump_clock):
    """Were the temporary sibling restarted, the one restart allowed would not do."""
    for strategy in ("one_for_all", "rest_for_one"):
        specs = [puppet("1"), puppet("2", restart="temporary")]
        async with open_tree(
            lambda specs=specs, strategy=strategy: Supervisor(
                specs, strategy=strategy, max_restarts=1
            )
        ) as top:
            await end(await child(top, "1"), Normal())
            assert list(await children(top)) == ["1"]


async def test_the_first_of_rest_for_one_takes_all_the_last_only_itself(autojump_clock):
    specs = [puppet(id) for id in "123"]
    async with open_tree(lambda: Supervisor(specs, strategy="rest_for_one", **INTENSITY)) as top:
        before = await children(top)
        await crash(before["3"])
        middle = await children(top)
        assert [id for id in before if before[id] != middle[id]] == ["3"]
        await crash(middle["1"])
        after = await children(top)
        assert [id for id in before if middle[id] != after[id]] == ["1", "2", "3"]


async def test_sup_tree_children_started_on_demand_are_gone_after_a_restart(autojump_clock):
    """Of the supervisor itself: it begins with its own list again."""
    async with open_tree(
        lambda: Supervisor([supervisor("sub", [puppet("static")])], **MANY)
    ) as top:
        sub = await child(top, "sub")
        await Supervisor.start_child(sub, puppet("dynamic"))
        sub.kill()
        await sub.wait()
        await trio.sleep(0.1)
        assert list(await children(await child(top, "sub"))) == ["static"]
