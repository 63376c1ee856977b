# ruff: noqa: N802, A001 - tests bear the IDs of the conformance list; an id is an id
"""How supervisors stop their children, and what happens when somebody will not stop."""

import contextlib
import math

import pytest
import trio
import trio.lowlevel

from supervisors import (
    AlreadyStarted,
    ChildSpec,
    Crashed,
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
from tests.unit.supervisors.actors import INTENSITY, Do, Puppet, boom, child, children, puppet


async def sleep_forever(_):
    await trio.sleep_forever()


async def sleep_shielded(_):
    with trio.CancelScope(shield=True):
        await trio.sleep(1000)


async def test_P_TS_01_infinity_is_legal_for_both_types(autojump_clock):
    specs = [
        ChildSpec("sup", Supervisor, type="supervisor", shutdown=math.inf),
        puppet("worker", shutdown=math.inf, stopping=5000),
    ]
    async with open_tree(lambda: Supervisor(specs)) as top:
        refs = await children(top)
    assert [await ref.wait() for ref in refs.values()] == [Shutdown(), Shutdown()]
    assert await top.wait() == Shutdown()


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


async def test_P_TS_04_stops_are_sequential_in_reverse(autojump_clock):
    journal = []
    specs = [puppet(id, journal, stopping=0.3, restart="temporary") for id in "abc"]
    async with open_tree(lambda: Supervisor(specs)):
        before = trio.current_time()
    assert trio.current_time() - before == pytest.approx(0.9)
    assert [entry[1] for entry in journal[3:]] == ["c", "b", "a"]


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


async def test_stop_of_a_supervisor_stops_its_children(autojump_clock):
    journal = []
    async with open_tree(lambda: Supervisor([puppet("a", journal)])) as top:
        await top.stop()
        assert journal[-1] == ("stop", "a", Shutdown())
        assert await top.wait() == Normal()


async def test_keyboard_interrupt_in_an_actor_ends_everything_and_is_never_a_reason(autojump_clock):
    def interrupt(_):
        raise KeyboardInterrupt

    started = []
    leaf = ChildSpec("leaf", lambda: Puppet(init=lambda me: started.append(me.ref)))
    specs = [
        ChildSpec("one", lambda: Supervisor([leaf]), type="supervisor"),
        ChildSpec("two", lambda: Supervisor([leaf]), type="supervisor"),
    ]
    with pytest.raises(BaseExceptionGroup) as caught:  # noqa: PT012
        async with open_tree(lambda: Supervisor(specs)):
            started[0].cast(interrupt)
            await trio.sleep(10)
            pytest.fail("the block must be cancelled")
    assert caught.group_contains(KeyboardInterrupt)
    assert len(started) == 2
    assert not any(ref.is_alive for ref in started)


async def test_a_group_of_exceptions_is_one_crash(autojump_clock):
    async def group(_):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sleep_forever, None)
            raise ValueError("inside")

    async with open_tree(lambda: Supervisor([puppet("a", restart="temporary")])) as top:
        ref = await child(top, "a")
        ref.cast(group)
        reason = await ref.wait()
    assert isinstance(reason, Crashed)
    assert isinstance(reason.exception, ExceptionGroup)


async def test_cancellation_from_outside_drains_in_order(autojump_clock):
    journal = []
    with trio.CancelScope() as scope:
        async with open_tree(
            lambda: Supervisor([puppet(id, journal, stopping=0.5) for id in "ab"])
        ) as top:
            scope.cancel()
            await trio.sleep(1)
            pytest.fail("cancelled")
    assert scope.cancelled_caught
    assert journal[2:] == [("stop", "b", Shutdown()), ("stop", "a", Shutdown())]
    assert await top.wait() == Shutdown()


async def test_an_exception_of_the_block_comes_out_as_it_is(autojump_clock):
    with pytest.raises(ValueError, match="mine"):
        async with open_tree(Supervisor) as top:
            raise ValueError("mine")
    assert await top.wait() == Shutdown()


async def test_open_tree_kills_after_its_grace(autojump_clock):
    journal = []
    specs = [puppet(id, journal, stopping=100, shutdown=math.inf) for id in "ab"]
    async with open_tree(lambda: Supervisor(specs), grace=3.0) as top:
        before = trio.current_time()
    assert trio.current_time() - before == pytest.approx(3.0)
    assert await top.wait() == Killed()


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
