# ruff: noqa: A001, N802 - tests bear the IDs of the conformance list; an id is an id
"""How supervisors stop their children: order, grace, reasons; after supervisor_SUITE (sup)."""

import math

import pytest
import trio
import trio.lowlevel

from supervisors import (
    AlreadyStarted,
    ChildSpec,
    Crashed,
    DynamicSupervisor,
    Exit,
    Killed,
    Normal,
    Registry,
    Shutdown,
    Stop,
    Supervisor,
    open_tree,
)
from tests.unit.supervisors.actors import (
    Do,
    Puppet,
    child,
    children,
    counts,
    ends_with,
    got,
    puppet,
    start,
    supervisor,
)


async def test_P_TS_07_each_child_keeps_its_own_reason(autojump_clock):
    class Own(Puppet):
        """Ends in its own way when it is asked."""

        async def terminate(self, reason):
            return Shutdown("oops")

    async with open_tree(DynamicSupervisor) as top:
        spec = ChildSpec("a", Own, shutdown=math.inf)
        refs = [await DynamicSupervisor.start_child(top, spec) for _ in range(3)]
    assert [await ref.wait() for ref in refs] == [Shutdown("oops")] * 3
    assert await top.wait() == Shutdown()


async def test_P_TS_01_infinity_is_legal_for_both_types(autojump_clock):
    specs = [
        ChildSpec("sup", Supervisor, type="supervisor", shutdown=math.inf),
        puppet("worker", shutdown=math.inf, stopping=5000),
    ]
    async with open_tree(lambda: Supervisor(specs)) as top:
        refs = await children(top)
    assert [await ref.wait() for ref in refs.values()] == [Shutdown(), Shutdown()]
    assert await top.wait() == Shutdown()


async def test_P_TS_04_stops_are_sequential_in_reverse(autojump_clock):
    journal = []
    specs = [puppet(id, journal, stopping=0.3, restart="temporary") for id in "abc"]
    async with open_tree(lambda: Supervisor(specs)):
        before = trio.current_time()
    assert trio.current_time() - before == pytest.approx(0.9)
    assert [entry[1] for entry in journal[3:]] == ["c", "b", "a"]


async def sleep_forever(_):
    await trio.sleep_forever()


async def test_one_that_does_not_trap_ends_at_once_without_terminate(autojump_clock):
    journal = []
    async with open_tree(lambda: Supervisor([puppet("a", journal, trap=False)])) as top:
        ref = await child(top, "a")
        ref.cast(sleep_forever)
        before = trio.current_time()
    assert trio.current_time() == before
    assert await ref.wait() == Shutdown()
    assert journal == [("start", "a")]


async def test_one_that_traps_handles_what_came_before_the_request(autojump_clock):
    seen = []
    async with open_tree(lambda: Supervisor([puppet("a")])) as top:
        ref = await child(top, "a")
        for n in range(200):
            ref.cast(lambda _, n=n: seen.append(n))
    assert seen == list(range(200))


async def test_stop_of_a_supervisor_stops_its_children(autojump_clock):
    journal = []
    async with open_tree(lambda: Supervisor([puppet("a", journal)])) as top:
        await top.stop()
        assert journal[-1] == ("stop", "a", Shutdown())
        assert await top.wait() == Normal()


async def test_a_name_is_taken_until_the_very_end(autojump_clock):
    names = Registry("names")
    name = names.via("a")
    specs = [names.child_spec(), puppet("a", name=name, stopping=0.5, restart="temporary")]
    async with open_tree(lambda: Supervisor(specs)) as top:
        ref = await child(top, "a")
        ref.cast(lambda _: Stop(Normal()))
        await trio.sleep(0.1)
        with pytest.raises(AlreadyStarted):
            await Supervisor.start_child(top, puppet("b", name=name))
        await ref.wait()
        assert await Supervisor.start_child(top, puppet("b", name=name))


@pytest.mark.parametrize("reason", [Shutdown(), Shutdown("x"), Normal(), Crashed(ValueError())])
async def test_children_are_asked_with_shutdown_whatever_ends_their_supervisor(
    autojump_clock, reason
):
    journal = []
    async with open_tree(lambda: Supervisor([puppet("a", journal)])) as top:
        top.exit(reason)
        assert await top.wait() == reason
    assert journal[-1] == ("stop", "a", Shutdown())


@pytest.mark.parametrize(
    "reason", [Shutdown(), Shutdown("oops"), Normal(), Killed(), Crashed(ValueError())]
)
async def test_a_childs_own_reason_is_told_and_changes_nothing_for_the_supervisor(
    autojump_clock, reason
):
    async with open_tree(
        lambda: Supervisor([puppet("first"), ends_with(reason), puppet("last")])
    ) as top:
        refs = await children(top)
    assert await refs["a"].wait() == reason
    assert await top.wait() == Shutdown()
    assert await refs["first"].wait() == await refs["last"].wait() == Shutdown()


async def test_graces_add_up_one_after_the_other(autojump_clock):
    specs = [
        puppet("quick"),
        puppet("slow", stopping=100, shutdown=3.0),
        puppet("brutal", stopping=100, shutdown="brutal_kill"),
        puppet("slower", stopping=100, shutdown=2.0),
    ]
    async with open_tree(lambda: Supervisor(specs)) as top:
        refs = await children(top)
        before = trio.current_time()
    assert trio.current_time() - before == pytest.approx(5.0)
    assert [await refs[id].wait() for id in refs] == [Shutdown(), Killed(), Killed(), Killed()]


async def test_a_grace_of_zero_asks_and_kills_in_the_same_instant(autojump_clock):
    async with open_tree(lambda: Supervisor([puppet("a", shutdown=0, stopping=1.0)])) as top:
        ref = await child(top, "a")
        before = trio.current_time()
    assert trio.current_time() == before
    assert await ref.wait() == Killed()


async def test_a_child_that_ignores_the_request_is_killed_after_its_grace(autojump_clock):
    async with open_tree(Supervisor) as top:
        ref = await start(top, "a", shutdown=2.0)
        ref.cast(sleep_forever)
        await trio.sleep(1)
        before = trio.current_time()
        await Supervisor.terminate_child(top, "a")
        assert trio.current_time() - before == pytest.approx(2.0)
        assert await ref.wait() == Killed()


async def test_infinity_waits_as_long_as_it_takes(autojump_clock):
    async with open_tree(
        lambda: Supervisor([puppet("a", shutdown=math.inf, stopping=10**6)])
    ) as top:
        ref = await child(top, "a")
        before = trio.current_time()
    assert trio.current_time() - before == pytest.approx(10**6)
    assert await ref.wait() == Shutdown()


async def test_terminate_child_reaches_a_grandchild_in_order(autojump_clock):
    journal = []
    leaves = [puppet(id, journal, stopping=0.5) for id in "ab"]
    async with open_tree(lambda: Supervisor([supervisor("sub", leaves)])) as top:
        sub = await child(top, "sub")
        journal.clear()
        before = trio.current_time()
        await Supervisor.terminate_child(top, "sub")
        assert trio.current_time() - before == pytest.approx(1.0)
        assert journal == [("stop", "b", Shutdown()), ("stop", "a", Shutdown())]
        assert await sub.wait() == Shutdown()
        assert await counts(top) == (1, 0, 1, 0)


async def test_a_whole_tree_stops_depth_first_in_reverse(autojump_clock):
    journal = []

    def leaf(id):  # noqa: A002
        return puppet(id, journal)

    left = supervisor("left", [leaf("l1"), leaf("l2")])
    right = supervisor("right", [leaf("r1"), supervisor("deep", [leaf("d1")]), leaf("r2")])
    async with open_tree(lambda: Supervisor([leaf("a"), left, right, leaf("z")])):
        journal.clear()
    assert [entry[1] for entry in journal] == ["z", "r2", "d1", "r1", "l2", "l1", "a"]


async def test_a_trapping_child_is_told_of_others_and_terminated_by_its_parent(autojump_clock):
    """The supervisor's request is no message; the end of a linked sibling is one."""
    journal = []
    async with open_tree(Supervisor) as top:
        a, b = await start(top, "a", journal), await start(top, "b")
        await a.call(Do(lambda me: me.link(b)))
        await b.stop(Shutdown("b"))
        assert await got(a) == [Exit(b, Shutdown("b"))]
        await Supervisor.terminate_child(top, "a")
        assert journal[-1] == ("stop", "a", Shutdown())


async def test_sup_child_unlink(autojump_clock):
    """A child that cut its link does not hang the supervisor that terminates it."""
    async with open_tree(Supervisor) as top:
        ref = await start(top, "naughty")
        await ref.call(Do(lambda me: me.unlink(top)))
        await Supervisor.terminate_child(top, "naughty")
        assert not ref.is_alive
        ref = await start(top, "naughty again")
        await ref.call(Do(lambda me: me.unlink(top)))
    assert await ref.wait() == Shutdown()


async def test_a_child_may_stop_its_own_supervisor_from_beside(autojump_clock):
    async def stop_it(me):
        me.spawn_link(sub_ref.stop)

    async with open_tree(
        lambda: Supervisor([supervisor("sub", [puppet("w")], restart="temporary")])
    ) as top:
        sub_ref = await child(top, "sub")
        worker = await child(sub_ref, "w")
        worker.cast(stop_it)
        assert await sub_ref.wait() == Normal()
        assert await worker.wait() == Shutdown()


async def test_ex_dyn_terminates_mixed_children_each_by_its_own_grace(autojump_clock):
    async with open_tree(DynamicSupervisor) as top:

        async def dynamic(**options):
            return await DynamicSupervisor.start_child(top, puppet("a", **options))

        kinds = [
            (await dynamic(shutdown=math.inf, stopping=8.0), Shutdown()),
            (await dynamic(shutdown="brutal_kill", stopping=8.0), Killed()),
            (await dynamic(shutdown=2.0, stopping=8.0), Killed()),
            (await dynamic(shutdown=2.0, stopping=1.0), Shutdown()),
            (await dynamic(shutdown=2.0, trap=False), Shutdown()),
            (await DynamicSupervisor.start_child(top, ends_with(Normal())), Normal()),
        ]
        over = await dynamic(restart="temporary")
        over.cast(lambda _: Stop(Normal()))
        await over.wait()
        before = trio.current_time()
    assert trio.current_time() - before == pytest.approx(8.0)
    for ref, reason in kinds:
        assert await ref.wait() == reason
    assert await top.wait() == Shutdown()


@pytest.mark.timeout(5)
async def test_a_child_that_sends_its_supervisor_an_exit_signal_does_not_escape_it(autojump_clock):
    async with open_tree(lambda: Supervisor([puppet("a")])) as top:
        ref = await child(top, "a")
        ref.cast(lambda me: top.exit(Shutdown("x")))
        await trio.sleep(1)
    assert not ref.is_alive
