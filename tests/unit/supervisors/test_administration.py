# ruff: noqa: N802 - tests bear the IDs of the conformance list; an id is an id
"""Administration of supervisors, dynamic supervisors, introspection, reports."""

import math
import time

import pytest
import trio

from supervisors import (
    AlreadyPresent,
    AlreadyStarted,
    ChildRunning,
    ChildSpec,
    Crashed,
    DynamicSupervisor,
    FailedToStartChild,
    Ignore,
    Killed,
    MaxChildren,
    NoProcess,
    Normal,
    NotFound,
    Registry,
    Shutdown,
    Supervisor,
    errors,
    open_tree,
    tree,
)
from supervisors.supervision.restart_intensity import RestartIntensity
from supervisors.supervision.strategies import affected
from tests.unit.supervisors.actors import (
    INTENSITY,
    Puppet,
    boom,
    child,
    crash,
    end,
    puppet,
)


async def test_P_AD_01_child_administration(autojump_clock):
    async with open_tree(lambda: Supervisor([puppet("a")])) as top:
        first = await child(top, "a")
        with pytest.raises(AlreadyStarted) as caught:
            await Supervisor.start_child(top, puppet("a"))
        assert caught.value.ref == first
        with pytest.raises(NotFound):
            await Supervisor.terminate_child(top, "other")
        await Supervisor.terminate_child(top, "a")
        await Supervisor.terminate_child(top, "a")
        with pytest.raises(AlreadyPresent):
            await Supervisor.start_child(top, puppet("a"))
        again = await Supervisor.restart_child(top, "a")
        assert again is not None
        assert again != first
        with pytest.raises(ChildRunning):
            await Supervisor.restart_child(top, "a")
        with pytest.raises(NotFound):
            await Supervisor.restart_child(top, "other")
        with pytest.raises(ChildRunning):
            await Supervisor.delete_child(top, "a")
        await Supervisor.terminate_child(top, "a")
        await Supervisor.delete_child(top, "a")
        with pytest.raises(NotFound):
            await Supervisor.restart_child(top, "a")


async def test_P_AD_02_a_supervisor_that_is_not_there(autojump_clock):
    nobody = Registry("names").via("nobody")
    before = trio.current_time()
    with pytest.raises(NoProcess):
        await Supervisor.which_children(nobody)
    with pytest.raises(NoProcess):
        await Supervisor.start_child(nobody, puppet("a"))
    with pytest.raises(NoProcess):
        await DynamicSupervisor.count_children(nobody)
    assert trio.current_time() == before


async def test_P_AD_04_two_thousand_children(autojump_clock):
    spec = ChildSpec("t", Puppet, restart="temporary")
    async with open_tree(DynamicSupervisor) as top:
        refs = []
        for _ in range(2):
            refs += [await DynamicSupervisor.start_child(top, spec) for _ in range(1000)]
            count = await DynamicSupervisor.count_children(top)
            assert count.active == count.specs == len(refs)
            assert len(await DynamicSupervisor.which_children(top)) == len(refs)
        for ref in refs:
            ref.kill()
        await trio.sleep(1)
        assert (await DynamicSupervisor.count_children(top)).specs == 0


# --- dynamic supervisors ---


async def test_P_DY_01_what_a_start_may_return(autojump_clock):
    async with open_tree(DynamicSupervisor) as top:
        ref = await DynamicSupervisor.start_child(top, puppet("a"))
        assert await DynamicSupervisor.start_child(top, ChildSpec("b", Ignore)) is None
        assert (
            await DynamicSupervisor.start_child(top, puppet("b", init=lambda _: Ignore())) is None
        )
        with pytest.raises(FailedToStartChild):
            await DynamicSupervisor.start_child(top, ChildSpec("c", lambda: "garbage"))
        with pytest.raises(errors.InvalidChildSpec):
            await DynamicSupervisor.start_child(top, "no spec")
        assert [i.ref for i in await DynamicSupervisor.which_children(top)] == [ref]


async def test_P_DY_02_a_start_that_raises(autojump_clock):
    async with open_tree(DynamicSupervisor) as top:
        for spec in (ChildSpec("a", lambda: 1 / 0), puppet("a", init=lambda _: 1 / 0)):
            with pytest.raises(FailedToStartChild) as caught:
                await DynamicSupervisor.start_child(top, spec)
            cause = caught.value.__cause__
            assert isinstance(cause, ZeroDivisionError)
            assert cause.__traceback__ is not None
        assert top.is_alive


async def test_P_DY_03_max_children(autojump_clock):
    journal = []
    async with open_tree(lambda: DynamicSupervisor(max_children=0)) as top:
        with pytest.raises(MaxChildren):
            await DynamicSupervisor.start_child(top, puppet("a", journal))
    assert journal == []


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


@pytest.mark.parametrize(
    ("error", "wrong"),
    [
        (errors.InvalidIntensity, {"max_restarts": -1}),
        (errors.InvalidPeriod, {"max_seconds": 0}),
        (errors.InvalidMaxChildren, {"max_children": -1}),
    ],
)
def test_P_DY_07_flags(error, wrong):
    with pytest.raises(error):
        DynamicSupervisor(**wrong)


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


# --- introspection and reports ---


async def test_the_tree_is_told_while_a_child_is_stuck(autojump_clock):
    async def stuck(_):
        await trio.sleep_forever()

    inner = ChildSpec("inner", lambda: Supervisor([puppet("stuck")]), type="supervisor")
    specs = [inner, puppet("quiet"), puppet("over", restart="transient")]
    async with open_tree(lambda: Supervisor(specs, name="Top", **INTENSITY)) as top:
        ref = await child(await child(top, "inner"), "stuck")
        await crash(await child(top, "quiet"))
        await end(await child(top, "over"), Normal())
        ref.cast(stuck)
        ref.cast(stuck)
        begun = time.time()
        await trio.sleep(10)
        node = await tree(top)
        assert (node.name, node.class_name, node.type) == ("Top", "Supervisor", "supervisor")
        assert (node.recent_restarts, node.max_restarts, node.status) == (1, 2, "idle")
        branch, quiet, over = node.children
        assert (quiet.status, quiet.restarts, quiet.class_name) == ("idle", 1, "Puppet")
        assert (over.status, over.pid) == ("stopped", None)
        (leaf,) = branch.children
        assert (leaf.status, leaf.mailbox_length, leaf.pid) == ("busy", 1, ref.pid)
        assert leaf.current_message == "function"
        assert begun <= leaf.since <= time.time()
        assert leaf.uptime >= 10


async def test_a_crash_is_reported_once_and_tells_no_secrets(autojump_clock, caplog):
    class Secretive(Puppet):
        def __repr__(self):
            return "SECRET STATE"

    class Secret:
        def __call__(self, _):
            raise RuntimeError("boom")

        def __repr__(self):
            return "SECRET MESSAGE"

    async with open_tree(lambda: Supervisor([ChildSpec("a", Secretive)], name="Top")) as top:
        ref = await child(top, "a")
        ref.cast(Secret())
        await ref.wait()
        await trio.sleep(1)
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("supervisors", "ERROR")
    assert (record.supervisor, record.context, record.offender) == ("Top", "child_terminated", "a")
    assert record.reason == "RuntimeError: boom"
    assert record.exc_info[0] is RuntimeError
    assert "SECRET" not in caplog.text


async def test_normal_ends_of_those_who_may_end_are_not_errors(autojump_clock, caplog):
    specs = [puppet("a", restart="transient"), puppet("b", restart="temporary")]
    async with open_tree(lambda: Supervisor(specs)) as top:
        await end(await child(top, "a"), Normal())
        await end(await child(top, "b"), Shutdown("x"))
    assert not caplog.records


# --- the pure parts ---


def test_affected():
    assert affected("one_for_one", "b", "abcd") == ["b"]
    assert affected("one_for_all", "b", "abcd") == ["a", "b", "c", "d"]
    assert affected("rest_for_one", "b", "abcd") == ["b", "c", "d"]


def test_restart_intensity_is_a_sliding_window():
    window = RestartIntensity(2, 10.0)
    assert [window.allow(t) for t in (0, 5, 9.9)] == [True, True, False]
    assert window.allow(16)
    assert window.recent(100) == 0
