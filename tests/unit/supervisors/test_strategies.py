# ruff: noqa: A001 - an id is an id
"""Strategies, intensity and escalation in their corners, after supervisor_SUITE (sup)."""

import pytest
import trio

from supervisors import (
    ChildSpec,
    Continue,
    Crashed,
    Killed,
    NoProc,
    Normal,
    Shutdown,
    Stop,
    Supervisor,
    open_tree,
    tree,
)
from tests.unit.supervisors.actors import (
    INTENSITY,
    Puppet,
    boom,
    child,
    children,
    crash,
    end,
    puppet,
)
from tests.unit.supervisors.suite_actors import Switch, start, supervisor

MANY = {"max_restarts": 10**6, "max_seconds": 3600.0}


# --- groups ---


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


async def test_rest_for_one_counts_children_started_later_as_the_rest(autojump_clock):
    async with open_tree(
        lambda: Supervisor([puppet("1")], strategy="rest_for_one", **INTENSITY)
    ) as top:
        two = await start(top, "2", restart="permanent")
        await crash(await child(top, "1"))
        assert await two.wait() == Shutdown()
        assert (await child(top, "2")).is_alive


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


# --- counting ---


async def test_two_crashes_at_once_are_one_restart_of_a_group_and_two_of_singles(autojump_clock):
    for strategy, survives in (("one_for_all", True), ("one_for_one", False)):
        specs = [puppet("1"), puppet("2")]
        async with open_tree(
            lambda specs=specs, strategy=strategy: Supervisor(
                specs, strategy=strategy, max_restarts=1, max_seconds=1000
            )
        ) as top:
            refs = await children(top)
            refs["1"].kill()
            refs["2"].kill()
            await trio.sleep(1)
            assert top.is_alive == survives


async def test_a_restart_exactly_one_period_old_still_counts(autojump_clock):
    for pause, survives in ((10.0, False), (10.5, True)):
        async with open_tree(
            lambda: Supervisor([puppet("1")], max_restarts=1, max_seconds=10)
        ) as top:
            first = await child(top, "1")
            first.kill()
            await first.wait()
            await trio.sleep(pause)
            second = await child(top, "1")
            second.kill()
            await second.wait()
            await trio.sleep(1)
            assert top.is_alive == survives


async def test_the_window_slides(autojump_clock):
    """Three restarts in any ten seconds: at 0, 4, 8, 12, 16 there are never four."""
    async with open_tree(lambda: Supervisor([puppet("1")], max_restarts=3, max_seconds=10)) as top:
        for _ in range(10):
            await crash(await child(top, "1"))
            await trio.sleep(4)
        await crash(await child(top, "1"))  # the third since eight seconds ago
        assert top.is_alive
        (await child(top, "1")).cast(boom)
        assert await top.wait() == Shutdown()


async def test_all_children_share_one_count(autojump_clock):
    specs = [puppet(id) for id in "123"]
    async with open_tree(lambda: Supervisor(specs, max_restarts=2, max_seconds=1000)) as top:
        for id in "12":
            await crash(await child(top, id))
        (await child(top, "3")).cast(boom)
        assert await top.wait() == Shutdown()


async def test_ends_that_lead_to_no_restart_do_not_count(autojump_clock):
    async with open_tree(lambda: Supervisor(max_restarts=0)) as top:
        for _ in range(10):
            await crash(await start(top, "temporary"))
        ref = await start(top, "transient", restart="transient")
        await end(ref, Shutdown("x"))
        assert top.is_alive


@pytest.mark.parametrize("reason", [Normal(), Shutdown(), Killed(), NoProc(), Crashed(OSError())])
async def test_every_end_of_a_permanent_child_counts(autojump_clock, reason):
    async with open_tree(lambda: Supervisor([puppet("1")], max_restarts=1)) as top:
        await end(await child(top, "1"), reason)
        assert top.is_alive
        ref = await child(top, "1")
        ref.cast(lambda _: Stop(reason))
        assert await top.wait() == Shutdown()


async def test_one_that_stops_right_after_its_start_uses_up_the_restarts(autojump_clock):
    starts = []

    class Short(Puppet):
        async def init(self):
            starts.append(self.ref)
            return Continue()

        async def handle_continue(self, argument):
            return Stop(Normal())

    async with open_tree(lambda: Supervisor([ChildSpec("1", Short)], **INTENSITY)) as top:
        assert await top.wait() == Shutdown()
    assert len(starts) == 1 + INTENSITY["max_restarts"]


async def test_retries_of_a_failed_restart_count_against_the_same_limit(autojump_clock):
    one = Switch()
    specs = [puppet("1", init=one.init), puppet("2")]
    async with open_tree(lambda: Supervisor(specs, max_restarts=3, max_seconds=1000)) as top:
        await crash(await child(top, "2"))  # one of three
        one.mode = "fail"
        (await child(top, "1")).cast(boom)
        assert await top.wait() == Shutdown()
    assert len(one.starts) == 1 + 2


async def test_a_restarted_supervisor_begins_to_count_anew(autojump_clock):
    async with open_tree(
        lambda: Supervisor(
            [supervisor("sub", [puppet("1")], max_restarts=1, max_seconds=1000)],
            max_restarts=2,
            max_seconds=1000,
        )
    ) as top:
        for _ in range(2):
            sub = await child(top, "sub")
            await crash(await child(sub, "1"))
            assert sub.is_alive
            (await child(sub, "1")).cast(boom)
            assert await sub.wait() == Shutdown()
            await trio.sleep(0.1)
        (node,) = (await tree(top)).children
        assert (node.recent_restarts, node.restarts) == (0, 2)


# --- escalation ---


async def test_escalation_through_three_levels(autojump_clock):
    starts = []
    leaf = puppet("leaf", init=lambda me: starts.append(me.ref))
    low = supervisor("low", [leaf], max_restarts=1, max_seconds=1000)
    mid = supervisor("mid", [low, puppet("other")], max_restarts=1, max_seconds=1000)
    top_spec = ChildSpec("top", lambda: Supervisor([mid], max_restarts=0), type="supervisor")
    async with open_tree(top_spec) as top:
        first_mid = await child(top, "mid")
        other = await child(first_mid, "other")
        for n in range(4):  # 2 lives of the leaf x 2 lives of low x 1 of mid
            assert len(starts) == n + 1
            assert first_mid.is_alive
            starts[-1].cast(boom)
            await trio.sleep(0.1)
        assert await top.wait() == Shutdown()
        assert await first_mid.wait() == Shutdown()
        assert await other.wait() == Shutdown()
    assert len(starts) == 4


@pytest.mark.parametrize(("restart", "comes_back"), [("permanent", True), ("transient", False)])
async def test_a_supervisor_that_gives_up_ends_with_shutdown(autojump_clock, restart, comes_back):
    """So a transient one is not restarted: OTP's own pitfall."""
    sub = supervisor("sub", [puppet("1")], max_restarts=0, restart=restart)
    async with open_tree(lambda: Supervisor([sub], **INTENSITY)) as top:
        ref = await child(top, "sub")
        (await child(ref, "1")).cast(boom)
        assert await ref.wait() == Shutdown()
        await trio.sleep(0.1)
        now = (await children(top))["sub"]
        assert (now is not None) == comes_back
        assert top.is_alive


async def test_a_group_of_supervisors_goes_down_with_one_that_gives_up(autojump_clock):
    subs = [supervisor(id, [puppet("w")], max_restarts=0) for id in "abc"]
    async with open_tree(lambda: Supervisor(subs, strategy="one_for_all", **INTENSITY)) as top:
        before = await children(top)
        workers = [await child(ref, "w") for ref in before.values()]
        workers[1].cast(boom)
        await before["b"].wait()
        await trio.sleep(0.1)
        after = await children(top)
        assert all(before[id] != after[id] for id in "abc")
        assert [await ref.wait() for ref in (workers[0], workers[2])] == [Shutdown(), Shutdown()]
        assert all([(await child(ref, "w")).is_alive for ref in after.values()])
