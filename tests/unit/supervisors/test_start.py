# ruff: noqa: A001, N802 - tests bear the IDs of the conformance list; an id is an id
"""How supervisors and their children start, and what becomes of those that do not."""

import logging
from dataclasses import dataclass

import pytest
import trio
import trio.lowlevel

from supervisors import (
    AlreadyStarted,
    BadReturnValue,
    ChildSpec,
    Crashed,
    DynamicSupervisor,
    FailedToStartChild,
    GenServer,
    Ignore,
    Killed,
    Shutdown,
    StartIgnored,
    StartTimeout,
    Stop,
    Supervisor,
    errors,
    open_tree,
)
from tests.unit.supervisors.actors import (
    Puppet,
    child,
    children,
    counts,
    crash,
    puppet,
)


async def test_P_ST_01_a_supervisor_without_children_ends_on_shutdown(autojump_clock):
    async with open_tree(Supervisor) as top:
        top.exit(Shutdown())
        assert await top.wait() == Shutdown()


async def test_P_ST_02_init_says_ignore(autojump_clock):
    class Ignored(Supervisor):
        async def init(self):
            return Ignore()

    with pytest.raises(StartIgnored):
        async with open_tree(Ignored):
            pytest.fail("it must not start")
    async with open_tree(Supervisor) as top:
        assert (
            await Supervisor.start_child(top, ChildSpec("sub", Ignored, type="supervisor")) is None
        )


async def test_P_ST_03_a_permanent_child_that_is_ignored_keeps_its_spec(autojump_clock):
    async with open_tree(Supervisor) as top:
        ignored = puppet("child1", init=lambda _: Ignore())
        assert await Supervisor.start_child(top, ignored) is None
        two = await Supervisor.start_child(top, puppet("child2"))
        infos = await Supervisor.which_children(top)
        assert [(i.id, i.ref) for i in infos] == [("child2", two), ("child1", None)]
        assert await counts(top) == (2, 1, 0, 2)


@pytest.mark.parametrize("how", ["init", "start"])
async def test_P_ST_04_a_temporary_child_that_is_ignored_is_forgotten(autojump_clock, how):
    ignored = (
        puppet("child1", init=lambda _: Ignore(), restart="temporary")
        if how == "init"
        else ChildSpec("child1", Ignore, restart="temporary")
    )
    specs = [ignored, puppet("child2", restart="temporary")]
    async with open_tree(lambda: Supervisor(specs)) as top:
        assert list(await children(top)) == ["child2"]
        assert await counts(top) == (1, 1, 0, 1)


async def test_P_ST_05_init_fails(autojump_clock):
    class Raising(Supervisor):
        async def init(self):
            raise ValueError("no")

    class Refusing(Supervisor):
        async def init(self):
            return Stop(Shutdown("no"))

    with pytest.raises(FailedToStartChild) as caught:
        async with open_tree(Raising):
            pytest.fail("it must not start")
    assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(FailedToStartChild) as caught:
        async with open_tree(Refusing):
            pytest.fail("it must not start")
    assert caught.value.reason == Shutdown("no")


async def test_P_ST_06_a_failed_start_stops_those_started_in_reverse(autojump_clock):
    journal = []
    nope = RuntimeError("nope")

    def fail(_):
        raise nope

    specs = [
        puppet("a", journal),
        puppet("b", journal),
        puppet("x", init=fail),
        puppet("y", journal),
    ]
    with pytest.raises(FailedToStartChild) as caught:
        async with open_tree(lambda: Supervisor(specs)):
            pytest.fail("it must not start")
    assert caught.value.id == "x"
    assert caught.value.reason == Crashed(nope)
    assert caught.value.__cause__ is nope
    assert journal == [
        ("start", "a"),
        ("start", "b"),
        ("stop", "b", Shutdown()),
        ("stop", "a", Shutdown()),
    ]


async def test_a_failed_start_deep_in_the_tree_keeps_its_chain_of_causes(autojump_clock):
    nope = RuntimeError("nope")

    def fail(_):
        raise nope

    inner = ChildSpec("inner", lambda: Supervisor([puppet("x", init=fail)]), type="supervisor")
    with pytest.raises(FailedToStartChild) as caught:
        async with open_tree(lambda: Supervisor([inner])):
            pytest.fail("it must not start")
    assert caught.value.id == "inner"
    cause = caught.value.__cause__
    assert isinstance(cause, FailedToStartChild)
    assert cause.id == "x"
    assert cause.__cause__ is nope


async def test_P_ST_07_start_child_returns_an_error(autojump_clock):
    def fail(_):
        raise ValueError("reason")

    async with open_tree(Supervisor) as top:
        with pytest.raises(FailedToStartChild) as caught:
            await Supervisor.start_child(top, puppet("x", init=fail))
        assert isinstance(caught.value.__cause__, ValueError)
        with pytest.raises(FailedToStartChild) as caught:
            await Supervisor.start_child(top, ChildSpec("y", lambda: "garbage"))
        assert isinstance(caught.value.__cause__, BadReturnValue)
        assert caught.value.__cause__.value == "garbage"
        assert await children(top) == {}


async def test_P_ST_08_order_of_children(autojump_clock):
    journal = []
    ids = ["ch7", "ch3", "ch10", "ch2", "ch5"]
    specs = [puppet(id, journal) for id in ids]
    async with open_tree(lambda: Supervisor(specs, strategy="rest_for_one")) as top:
        assert journal == [("start", id) for id in ids]
        before = await children(top)
        journal.clear()
        await crash(before["ch10"])
        assert [entry[:2] for entry in journal] == [
            ("stop", "ch10"),
            ("stop", "ch5"),
            ("stop", "ch2"),
            ("start", "ch10"),
            ("start", "ch2"),
            ("start", "ch5"),
        ]
        after = await children(top)
        assert [id for id in ids if before[id] == after[id]] == ["ch7", "ch3"]
        journal.clear()
    assert journal == [("stop", id, Shutdown()) for id in reversed(ids)]


async def test_one_actor_object_cannot_be_started_twice(autojump_clock):
    same = Puppet()
    async with open_tree(lambda: Supervisor([ChildSpec("a", lambda: same)])) as top:
        with pytest.raises(FailedToStartChild) as caught:
            await Supervisor.start_child(top, ChildSpec("b", lambda: same))
        assert isinstance(caught.value.__cause__, errors.InvalidStart)


async def test_start_timeout_kills_the_half_started_process(autojump_clock):
    started = []

    async def slow(actor):
        started.append(actor.ref)
        await trio.sleep(10)

    async with open_tree(Supervisor) as top:
        before = trio.current_time()
        with pytest.raises(StartTimeout):
            await Supervisor.start_child(top, puppet("slow", init=slow, start_timeout=1.0))
        assert trio.current_time() - before == pytest.approx(1.0)
        assert not started[0].is_alive
        assert await children(top) == {}
    with pytest.raises(StartTimeout):
        async with open_tree(puppet("slow", init=slow, start_timeout=1.0)):
            pytest.fail("it must not start")


async def test_a_kill_during_init_fails_the_start(autojump_clock):
    async def killed(actor):
        actor.ref.kill()
        await trio.sleep(1)

    async with open_tree(Supervisor) as top:
        with pytest.raises(FailedToStartChild) as caught:
            await Supervisor.start_child(top, puppet("x", init=killed))
        assert caught.value.reason == Killed()
        assert await children(top) == {}


async def test_start_child_under_a_running_id(autojump_clock):
    async with open_tree(lambda: Supervisor([puppet("a")])) as top:
        with pytest.raises(AlreadyStarted) as caught:
            await Supervisor.start_child(top, puppet("a"))
        assert caught.value.ref == await child(top, "a")


async def test_a_root_may_be_a_single_server(autojump_clock):
    class Server(GenServer):
        pass

    async with open_tree(Server) as ref:
        assert ref.is_alive
    assert await ref.wait() == Shutdown()


@pytest.mark.parametrize("base", [Supervisor, DynamicSupervisor])
async def test_sup_start_error_return_a_bad_return_of_a_supervisors_init(autojump_clock, base):
    class Bad(base):
        async def init(self):
            return "garbage"

    with pytest.raises(FailedToStartChild) as caught:
        async with open_tree(Bad):
            pytest.fail("it must not start")
    assert caught.value.__cause__.value == "garbage"


@dataclass
class Login(GenServer):
    password: str

    async def handle_cast(self, message):
        raise RuntimeError("boom")


async def test_an_actor_that_is_started_again_does_not_show_its_state(autojump_clock, caplog):
    same = Login("hunter2")
    spec = ChildSpec("a", lambda: same)
    with caplog.at_level(logging.DEBUG):
        async with open_tree(lambda: Supervisor([spec], max_restarts=1)) as top:
            same.ref.cast(None)
            await top.wait()
    assert "Login" in caplog.text
    assert "hunter2" not in caplog.text
