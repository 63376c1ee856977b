"""A restart that fails is tried again: what may happen meanwhile; after supervisor_SUITE (sup)."""

import pytest
import trio
import trio.lowlevel

from supervisors import (
    AlreadyPresent,
    ChildRestarting,
    ChildSpec,
    Shutdown,
    Supervisor,
    open_tree,
)
from tests.unit.supervisors.actors import (
    MANY,
    Puppet,
    Switch,
    boom,
    child,
    children,
    counts,
    crash,
    puppet,
)


async def test_sup_hanging_restart_loop(autojump_clock):
    one = Switch()
    async with open_tree(lambda: Supervisor(**MANY)) as top:
        spec = puppet("child1", init=one.init, shutdown="brutal_kill")
        first = await Supervisor.start_child(top, spec)
        one.mode = "fail"
        first.cast(boom)
        await trio.sleep(2)
        with pytest.raises(AlreadyPresent):
            await Supervisor.start_child(top, spec)
        with pytest.raises(ChildRestarting):
            await Supervisor.restart_child(top, "child1")
        with pytest.raises(ChildRestarting):
            await Supervisor.delete_child(top, "child1")
        assert await Supervisor.get_childspec(top, "child1") == spec
        (info,) = await Supervisor.which_children(top)
        assert (info.id, info.ref, info.restarting) == ("child1", None, True)
        assert await counts(top) == (1, 0, 0, 1)
        await Supervisor.terminate_child(top, "child1")
        (info,) = await Supervisor.which_children(top)
        assert (info.ref, info.restarting) == (None, False)
        one.mode = "ok"
        again = await Supervisor.restart_child(top, "child1")
        one.mode = "fail"
        again.cast(boom)
        await trio.sleep(2)
        before = trio.current_time()
    assert trio.current_time() - before == pytest.approx(0, abs=0.2)
    assert await top.wait() == Shutdown()


async def test_sup_hanging_restart_loop_rest_for_one(autojump_clock):
    two = Switch()
    specs = [puppet("1"), puppet("2", init=two.init), puppet("3")]
    async with open_tree(lambda: Supervisor(specs, strategy="rest_for_one", **MANY)) as top:
        before = await children(top)
        two.mode = "fail"
        before["2"].cast(boom)
        await trio.sleep(2)
        assert await children(top) == {"1": before["1"], "2": None, "3": None}
        infos = {i.id: i.restarting for i in await Supervisor.which_children(top)}
        assert infos == {"1": False, "2": True, "3": False}
        assert await counts(top) == (3, 1, 0, 3)
        await Supervisor.terminate_child(top, "2")  # ends the retry: the third stays down as well
        two.mode = "ok"
        await trio.sleep(2)
        assert await children(top) == {"1": before["1"], "2": None, "3": None}
        two_again = await Supervisor.restart_child(top, "2")
        assert await children(top) == {"1": before["1"], "2": two_again, "3": None}
        assert await Supervisor.restart_child(top, "3")
        assert await counts(top) == (3, 3, 0, 3)


async def test_sup_terminating_another_child_does_not_end_the_retries(autojump_clock):
    one = Switch()
    async with open_tree(lambda: Supervisor([puppet("1", init=one.init), puppet("2")], **MANY)) as (
        top
    ):
        one.mode = "fail"
        await crash(await child(top, "1"))
        await Supervisor.terminate_child(top, "2")
        await Supervisor.delete_child(top, "2")
        one.mode = "ok"
        await trio.sleep(1)
        assert (await child(top, "1")).is_alive


async def test_sup_children_can_be_started_between_two_retries(autojump_clock):
    one = Switch()
    async with open_tree(lambda: Supervisor([puppet("1", init=one.init)], **MANY)) as top:
        one.mode = "fail"
        await crash(await child(top, "1"))
        ref = await Supervisor.start_child(top, puppet("2"))
        await trio.sleep(1)
        assert await children(top) == {"1": None, "2": ref}
        assert ref.is_alive


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


async def test_retries_of_a_failed_restart_count_against_the_same_limit(autojump_clock):
    one = Switch()
    specs = [puppet("1", init=one.init), puppet("2")]
    async with open_tree(lambda: Supervisor(specs, max_restarts=3, max_seconds=1000)) as top:
        await crash(await child(top, "2"))  # one of three
        one.mode = "fail"
        (await child(top, "1")).cast(boom)
        assert await top.wait() == Shutdown()
    assert len(one.starts) == 1 + 2


async def test_a_supervisor_whose_child_fails_to_start_lets_others_run(autojump_clock):
    starts = []

    def start():
        starts.append(None)
        if len(starts) > 1:
            raise RuntimeError("cannot start again")
        return Puppet()

    spec = ChildSpec("a", start)
    async with open_tree(lambda: Supervisor([spec], max_restarts=1_000, max_seconds=60)) as top:
        (await child(top, "a")).kill()
        while len(starts) < 2:
            await trio.lowlevel.checkpoint()
        top.kill()
        await top.wait()
    assert len(starts) < 1_000
