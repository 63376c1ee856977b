# ruff: noqa: A001 - an id is an id
"""Stopping, in its corners: after supervisor_SUITE (sup), gen_server_SUITE (gs) and the rules of
Erlang's exit signals.
"""

import math

import pytest
import trio

from supervisors import (
    ChildSpec,
    Crashed,
    DynamicSupervisor,
    Exit,
    FailedToStartChild,
    Killed,
    NoProcess,
    Normal,
    ServerExited,
    Shutdown,
    Stop,
    Supervisor,
    open_tree,
)
from tests.unit.supervisors.actors import (
    Do,
    Puppet,
    boom,
    child,
    children,
    counts,
    puppet,
)
from tests.unit.supervisors.suite_actors import Switch, got, start, supervisor

MANY = {"max_restarts": 10**6, "max_seconds": 3600.0}


async def sleep_forever(_):
    await trio.sleep_forever()


def ends_with(reason, id="a", **options):  # noqa: A002
    """A child that ends with a reason of its own when it is asked to stop."""

    class Own(Puppet):
        async def terminate(self, _):
            if isinstance(reason, Exception):
                raise reason
            return reason

    return ChildSpec(id, Own, **options)


# --- the reason of the supervisor, of its children, and the reports ---


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


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
@pytest.mark.parametrize(
    ("how", "reports"),
    [
        (Shutdown(), []),
        (ValueError("bad end"), ["shutdown_error"]),
    ],
    ids=["asked", "crash"],
)
async def test_sup_format_log_reports_of_a_stop(autojump_clock, caplog, restart, how, reports):
    async with open_tree(lambda: Supervisor([ends_with(how, restart=restart)])):
        pass
    assert [(r.context, r.offender) for r in caplog.records] == [(c, "a") for c in reports]


@pytest.mark.parametrize("restart", ["transient", "temporary"])
@pytest.mark.parametrize("reason", [Normal(), Shutdown("x")])
async def test_sup_format_log_an_orderly_end_is_no_error(autojump_clock, caplog, restart, reason):
    async with open_tree(lambda: Supervisor([ends_with(reason, restart=restart)])):
        pass
    assert not caplog.records


async def test_sup_format_log_giving_up_is_reported(autojump_clock, caplog):
    async with open_tree(lambda: Supervisor([puppet("a")], max_restarts=0, name="Top")) as top:
        (await child(top, "a")).cast(boom)
        await top.wait()
    assert [(r.supervisor, r.context, r.offender) for r in caplog.records] == [
        ("Top", "child_terminated", "a"),
        ("Top", "shutdown", "a"),
    ]


# --- grace ---


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


@pytest.mark.parametrize("shutdown", ["brutal_kill", 0.5])
async def test_a_supervisor_that_is_killed_while_it_stops_leaves_nobody(autojump_clock, shutdown):
    leaves = [puppet(id, stopping=100, shutdown=math.inf) for id in "ab"]
    sub = supervisor("sub", leaves, shutdown=shutdown)
    async with open_tree(lambda: Supervisor([sub])) as top:
        ref = await child(top, "sub")
        refs = await children(ref)
    assert await ref.wait() == Killed()
    assert not any(leaf.is_alive for leaf in refs.values())


async def test_a_whole_tree_stops_depth_first_in_reverse(autojump_clock):
    journal = []

    def leaf(id):  # noqa: A002
        return puppet(id, journal)

    left = supervisor("left", [leaf("l1"), leaf("l2")])
    right = supervisor("right", [leaf("r1"), supervisor("deep", [leaf("d1")]), leaf("r2")])
    async with open_tree(lambda: Supervisor([leaf("a"), left, right, leaf("z")])):
        journal.clear()
    assert [entry[1] for entry in journal] == ["z", "r2", "d1", "r1", "l2", "l1", "a"]


# --- who asks ---


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


async def test_an_exit_signal_of_a_stranger_is_nothing_to_a_supervisor(autojump_clock):
    async with open_tree(lambda: Supervisor([supervisor("sub", [puppet("w")])])) as top:
        stranger = await start(top, "stranger")
        sub = await child(top, "sub")
        for reason in (Normal(), Shutdown(), Killed(), Crashed(ValueError())):
            await stranger.call(Do(lambda _, reason=reason: sub.exit(reason)))
        await trio.sleep(1)
        assert sub.is_alive
        assert (await child(sub, "w")).is_alive


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


# --- stop in the middle of something ---


async def test_a_stop_in_the_middle_of_a_restart_of_the_group(autojump_clock):
    two = Switch(pause=5.0)
    journal = []
    specs = [puppet("1", journal), puppet("2", init=two.init), puppet("3", journal)]
    async with open_tree(lambda: Supervisor(specs, strategy="one_for_all", **MANY)) as top:
        (await child(top, "1")).cast(boom)
        await trio.sleep(1)  # the second is in its slow init, the third is down
        before = trio.current_time()
    assert trio.current_time() - before <= 1.0
    assert await top.wait() == Shutdown()
    assert journal[-1] == ("stop", "1", Shutdown())
    assert [e for e in journal if e == ("start", "3")] == [("start", "3")]


async def test_a_stop_of_a_tree_whose_nested_supervisor_is_still_starting(autojump_clock):
    journal = []
    slow = puppet("slow", init=sleep_forever, shutdown=math.inf)
    sub = supervisor("sub", [puppet("a", journal), slow, puppet("b", journal)])
    async with open_tree(Supervisor) as top, trio.open_nursery() as nursery:

        async def attempt():
            with pytest.raises(ServerExited):
                await Supervisor.start_child(top, sub)

        nursery.start_soon(attempt)
        await trio.sleep(1)
        before = trio.current_time()
        await top.stop()
        assert trio.current_time() == before
    assert journal == [("start", "a"), ("stop", "a", Shutdown())]


async def test_children_that_crash_while_others_are_stopped_are_not_restarted(autojump_clock):
    starts = []

    async def crash_soon(me):
        await trio.sleep(0.5)
        raise ValueError("while the last is being stopped")

    specs = [
        puppet("1", init=lambda me: starts.append("1")),
        puppet("2", init=lambda me: starts.append("2")),
        puppet("3", stopping=0.9),
    ]
    async with open_tree(lambda: Supervisor(specs, **MANY)) as top:
        two = await child(top, "2")
        two.cast(crash_soon)
    assert starts == ["1", "2"]
    assert isinstance(await two.wait(), Crashed)
    assert await top.wait() == Shutdown()


async def test_one_that_asks_its_stopping_supervisor_is_killed_after_its_grace(autojump_clock):
    class Asking(Puppet):
        async def terminate(self, reason):
            await Supervisor.which_children(top)

    async with open_tree(lambda: Supervisor([ChildSpec("a", Asking, shutdown=2.0)])) as top:
        ref = await child(top, "a")
        before = trio.current_time()
    assert trio.current_time() - before == pytest.approx(2.0)
    assert await ref.wait() == Killed()


async def test_requests_that_come_while_it_stops_fail(autojump_clock):
    failures = []

    async def ask(request, *args):
        with pytest.raises((ServerExited, NoProcess)) as caught:
            await request(top, *args)
        failures.append(caught.type)

    async with (
        trio.open_nursery() as nursery,
        open_tree(lambda: Supervisor([puppet("a", stopping=0.9)])) as top,
    ):
        top.exit(Shutdown())
        await trio.sleep(0.1)
        nursery.start_soon(ask, Supervisor.which_children)
        nursery.start_soon(ask, Supervisor.start_child, puppet("b"))
        nursery.start_soon(ask, Supervisor.restart_child, "a")
        await trio.sleep(0.1)
    assert failures == [ServerExited] * 3
    await ask(Supervisor.count_children)


async def test_sup_start_a_nested_supervisor_that_fails_stops_what_it_had_started(autojump_clock):
    journal = []
    sub = supervisor("sub", [puppet("a", journal), puppet("bad", init=boom)])
    async with open_tree(lambda: Supervisor([puppet("first", journal)])) as top:
        with pytest.raises(FailedToStartChild) as caught:
            await Supervisor.start_child(top, sub)
        assert caught.value.id == "sub"
        assert isinstance(caught.value.reason, Shutdown)
        assert journal == [("start", "first"), ("start", "a"), ("stop", "a", Shutdown())]
        assert list(await children(top)) == ["first"]


# --- everything at once under a dynamic supervisor ---


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
