# ruff: noqa: A001, N802 - tests bear the IDs of the conformance list; an id is an id
"""What happens when somebody will not stop, is killed, crashes or starts amid a stop."""

import contextlib
import math

import pytest
import trio
import trio.lowlevel

from supervisors import (
    ChildSpec,
    Crashed,
    FailedToStartChild,
    Killed,
    NoProcess,
    Normal,
    Registry,
    ServerExited,
    Shutdown,
    Stop,
    Supervisor,
    open_tree,
)
from supervisors._core.process import KILL_GRACE
from tests.unit.supervisors.actors import (
    INTENSITY,
    MANY,
    Do,
    Puppet,
    Switch,
    boom,
    child,
    children,
    puppet,
    supervisor,
)


async def sleep_forever(_):
    await trio.sleep_forever()


async def test_P_TS_02_one_that_is_stuck_is_killed_after_its_grace(autojump_clock, caplog):
    async with open_tree(lambda: Supervisor([puppet("child1"), puppet("child2")])) as top:
        refs = await children(top)
        refs["child2"].cast(sleep_forever)
        await trio.lowlevel.checkpoint()
        before = trio.current_time()
    assert await refs["child1"].wait() == Shutdown()
    assert await refs["child2"].wait() == Killed()
    assert await top.wait() == Shutdown()
    assert trio.current_time() - before == pytest.approx(1.0)
    assert [r.context for r in caplog.records] == ["shutdown_error"]


async def test_P_TS_03_brutal_kill_runs_no_cleanup(autojump_clock, caplog):
    journal = []
    specs = [puppet("child1", journal), puppet("child2", journal, shutdown="brutal_kill")]
    async with open_tree(lambda: Supervisor(specs)) as top:
        refs = await children(top)
        before = trio.current_time()
    assert trio.current_time() == before
    assert await refs["child2"].wait() == Killed()
    assert await refs["child1"].wait() == Shutdown()
    assert journal[2:] == [("stop", "child1", Shutdown())]
    assert not caplog.records


async def sleep_shielded(_):
    with trio.CancelScope(shield=True):
        await trio.sleep(1000)


async def test_the_unkillable_is_given_up_unregistered_and_logged(autojump_clock, caplog):
    names = Registry("names")
    name = names.via("stuck")
    specs = [names.child_spec(), puppet("stuck", name=name, trap=False, restart="transient")]
    async with open_tree(lambda: Supervisor(specs)) as top:
        ref = await child(top, "stuck")
        ref.cast(sleep_shielded)
        await trio.sleep(0.1)
        before = trio.current_time()
        await Supervisor.terminate_child(top, "stuck")
        assert trio.current_time() - before == pytest.approx(1.0 + KILL_GRACE)
        assert await ref.wait() == Killed()
        assert any("unkillable" in r.getMessage() for r in caplog.records)
        assert names.whereis("stuck") is None
        with pytest.raises(NoProcess):
            await ref.call(Do(boom))
        again = await Supervisor.restart_child(top, "stuck")  # its name is free
        assert again is not None
        assert again.is_alive


async def test_a_killed_supervisor_takes_all_below_along_and_is_restarted(autojump_clock):
    started = []
    leaf = ChildSpec("leaf", lambda: Puppet(init=lambda me: started.append(me.ref)))
    inner = ChildSpec("inner", lambda: Supervisor([leaf]), type="supervisor")
    outer = ChildSpec("outer", lambda: Supervisor([inner]), type="supervisor")
    async with open_tree(lambda: Supervisor([outer])) as top:
        first = await child(top, "outer")
        second = await child(first, "inner")
        before = trio.current_time()
        first.kill()
        assert await first.wait() == Killed()
        assert await second.wait() == Killed()
        assert await started[0].wait() == Killed()
        assert trio.current_time() == before
        await trio.sleep(0.01)
        assert len(started) == 2
        assert started[1].is_alive


async def test_a_kill_while_children_are_being_stopped_ends_them_at_once(autojump_clock):
    journal = []
    specs = [puppet(id, journal, stopping=100, shutdown=math.inf) for id in "ab"]
    sup = ChildSpec("sup", lambda: Supervisor(specs), type="supervisor", restart="temporary")
    async with open_tree(lambda: Supervisor([sup])) as top:
        ref = await child(top, "sup")
        refs = await children(ref)
        ref.exit(Shutdown())
        await trio.sleep(10)
        before = trio.current_time()
        ref.kill()
        assert await ref.wait() == Killed()
        assert trio.current_time() == before
        assert [await r.wait() for r in refs.values()] == [Killed(), Killed()]
    assert journal == [("start", "a"), ("start", "b")]


async def test_a_kill_during_terminate(autojump_clock):
    async with open_tree(lambda: Supervisor([puppet("a", stopping=100)])) as top:
        ref = await child(top, "a")
        ref.cast(lambda _: Stop(Normal()))
        await trio.sleep(10)
        ref.kill()
        assert await ref.wait() == Killed()


async def test_a_kill_during_the_init_of_a_child_leaves_no_orphan(autojump_clock):
    started = []

    async def slow(actor):
        started.append(actor.ref)
        await trio.sleep_forever()

    sup = ChildSpec("sup", Supervisor, type="supervisor", restart="temporary")
    async with open_tree(lambda: Supervisor([sup])) as top, trio.open_nursery() as nursery:
        ref = await child(top, "sup")

        async def start():
            with pytest.raises(ServerExited):
                await Supervisor.start_child(ref, puppet("slow", init=slow))

        nursery.start_soon(start)
        await trio.sleep(1)
        ref.kill()
        assert await ref.wait() == Killed()
        assert await started[0].wait() == Killed()


async def test_a_request_to_stop_does_not_wait_for_an_init_that_hangs(autojump_clock):
    starts = []

    async def hang_when_restarted(actor):
        starts.append(actor.ref)
        if len(starts) > 1:
            await trio.sleep_forever()

    journal = []
    specs = [puppet("a", journal), puppet("b", init=hang_when_restarted, shutdown=math.inf)]
    async with open_tree(lambda: Supervisor(specs)):
        starts[0].cast(boom)
        await trio.sleep(10)
        before = trio.current_time()
    assert trio.current_time() == before
    assert await starts[1].wait() == Shutdown()
    assert journal[-1] == ("stop", "a", Shutdown())


async def test_a_request_to_stop_ends_a_start_that_somebody_waits_for(autojump_clock):
    async def hang(_):
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery, open_tree(Supervisor) as top:

        async def start():
            with pytest.raises(ServerExited):
                await Supervisor.start_child(top, puppet("slow", init=hang))

        nursery.start_soon(start)
        await trio.sleep(1)
        before = trio.current_time()
        await top.stop(Shutdown())
        assert trio.current_time() == before


async def test_nothing_is_restarted_once_a_stop_was_asked_for(autojump_clock):
    journal = []
    specs = [puppet("a", journal), puppet("b", journal, stopping=0.9)]
    async with open_tree(lambda: Supervisor(specs, strategy="one_for_all")) as top:
        (await child(top, "a")).cast(boom)
        await trio.sleep(0.5)  # b is being stopped, to be restarted with a
    assert [entry[1] for entry in journal if entry[0] == "start"] == ["a", "b"]


async def test_a_handler_that_raises_while_it_is_being_killed(autojump_clock, caplog):
    async def raise_in_cleanup(_):
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("in cleanup")

    async with open_tree(lambda: Supervisor([puppet("a", restart="temporary")])) as top:
        ref = await child(top, "a")
        ref.cast(raise_in_cleanup)
        await trio.sleep(1)
        ref.kill()
        assert await ref.wait() == Killed()
    assert "in cleanup" in caplog.text


async def test_one_that_swallows_cancellation_still_ends_with_the_recorded_reason(autojump_clock):
    async def swallow(_):
        with contextlib.suppress(trio.Cancelled):  # what nobody should do
            await trio.sleep_forever()

    journal = []
    async with open_tree(lambda: Supervisor([puppet("a", journal, restart="temporary")])) as top:
        ref = await child(top, "a")
        ref.cast(swallow)
        ref.cast(lambda me: me.journal.append("handled"))
        await trio.sleep(1)
        ref.kill()
        assert await ref.wait() == Killed()
    assert journal == [("start", "a")]


async def test_one_that_crashes_while_its_supervisor_stops_is_reported_not_restarted(
    autojump_clock, caplog
):
    class Bad(Puppet):
        async def terminate(self, reason):
            raise ValueError("bad end")

    journal = []
    specs = [puppet("a", journal), ChildSpec("bad", lambda: Bad(journal=journal))]
    async with open_tree(lambda: Supervisor(specs)) as top:
        bad = await child(top, "bad")
    reason = await bad.wait()
    assert isinstance(reason, Crashed)
    assert journal == [("start", "a"), ("start", ""), ("stop", "a", Shutdown())]
    assert [r.context for r in caplog.records] == ["shutdown_error"]


async def test_one_that_ends_by_itself_just_before_the_stop(autojump_clock, caplog):
    async with open_tree(lambda: Supervisor([puppet("a")], **INTENSITY)) as top:
        ref = await child(top, "a")
        top.exit(Shutdown())
        ref.kill()
    assert await ref.wait() == Killed()
    assert await top.wait() == Shutdown()
    assert len(caplog.records) == 1


async def test_terminate_that_crashes_does_not_hide_the_first_crash(autojump_clock):
    class Bad(Puppet):
        async def terminate(self, reason):
            raise ValueError("bad end")

    async with open_tree(lambda: Supervisor([ChildSpec("a", Bad, restart="temporary")])) as top:
        ref = await child(top, "a")
        ref.cast(boom)
        reason = await ref.wait()
    assert isinstance(reason, Crashed)
    assert isinstance(reason.exception, ValueError)
    assert isinstance(reason.exception.__context__, RuntimeError)


@pytest.mark.parametrize("shutdown", ["brutal_kill", 0.5])
async def test_a_supervisor_that_is_killed_while_it_stops_leaves_nobody(autojump_clock, shutdown):
    leaves = [puppet(id, stopping=100, shutdown=math.inf) for id in "ab"]
    sub = supervisor("sub", leaves, shutdown=shutdown)
    async with open_tree(lambda: Supervisor([sub])) as top:
        ref = await child(top, "sub")
        refs = await children(ref)
    assert await ref.wait() == Killed()
    assert not any(leaf.is_alive for leaf in refs.values())


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
