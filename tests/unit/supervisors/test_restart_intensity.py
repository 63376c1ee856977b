# ruff: noqa: A001, N802 - tests bear the IDs of the conformance list; an id is an id
"""How many restarts in what time, and what comes of one too many; after supervisor_SUITE (sup)."""

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
from supervisors.errors import InvalidIntensity
from supervisors.supervision.restart_intensity import RestartIntensity
from tests.unit.supervisors.actors import (
    INTENSITY,
    Puppet,
    boom,
    child,
    children,
    counts,
    crash,
    end,
    puppet,
    start,
    supervisor,
)


def test_restart_intensity_is_a_sliding_window():
    window = RestartIntensity(2, 10.0)
    assert [window.allow(t) for t in (0, 5, 9.9)] == [True, True, False]
    assert window.allow(16)
    assert window.recent(100) == 0


def one(restart, **options):
    return lambda: Supervisor([puppet("a", restart=restart)], **{**INTENSITY, **options})


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


async def test_the_intensity_can_be_changed_and_what_was_before_counts(autojump_clock):
    async with open_tree(one("permanent", max_restarts=1, max_seconds=3600)) as top:
        await Supervisor.set_intensity(top, 3, 3600)
        for _ in range(3):
            await crash(await child(top, "a"))
            assert top.is_alive
        await Supervisor.set_intensity(top, 4, 3600)
        await crash(await child(top, "a"))
        assert top.is_alive
        with pytest.raises(InvalidIntensity):
            await Supervisor.set_intensity(top, -1, 3600)
        await crash(await child(top, "a"))
        assert await top.wait() == Shutdown()


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


async def test_rest_for_one_counts_children_started_later_as_the_rest(autojump_clock):
    async with open_tree(
        lambda: Supervisor([puppet("1")], strategy="rest_for_one", **INTENSITY)
    ) as top:
        two = await start(top, "2", restart="permanent")
        await crash(await child(top, "1"))
        assert await two.wait() == Shutdown()
        assert (await child(top, "2")).is_alive


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
