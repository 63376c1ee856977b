# ruff: noqa: PT012 - what ends the program is raised while the block waits
"""What ends the program comes out of a tree bare, after the tree was stopped in order."""

import math
import os
import signal
import subprocess
import sys

import pytest
import trio
from trio.testing import MockClock

from supervisors import (
    ChildSpec,
    DynamicSupervisor,
    GenServer,
    Normal,
    ServerExited,
    Shutdown,
    Stop,
    Supervisor,
    Task,
    TaskSupervisor,
    open_tree,
    run,
    serve,
    telemetry,
)
from tests.unit.supervisors.actors import Do, Puppet, boom, child, puppet


def leave(code=3):
    def function(*_):
        sys.exit(code)

    return function


async def leave_task():
    sys.exit(3)


class Leaver(GenServer):
    """Leaves the program in the callback it is told to."""

    def __init__(self, place):
        self.place = place

    async def init(self):
        if self.place == "init":
            sys.exit(3)
        if self.place == "task":
            self.spawn_link(leave_task)
        else:
            self.send_after(0.1, "go")

    async def handle_info(self, info):
        if self.place == "info":
            sys.exit(3)
        if self.place == "terminate":
            return Stop(Normal())
        if self.place == "nursery":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                nursery.start_soon(leave_task)
        if self.place == "thread":
            await trio.to_thread.run_sync(sys.exit, 3)
        return None

    async def terminate(self, reason):
        if self.place == "terminate":
            sys.exit(3)


def telemetry_that_leaves(event):
    if event.process == "first":
        sys.exit(3)


def start_that_leaves():
    sys.exit(3)


class LeavingSupervisor(Supervisor):
    async def init(self):
        sys.exit(3)


def nested(spec, depth):
    for number in range(depth):
        inner = spec
        spec = ChildSpec(f"s{number}", lambda inner=inner: Supervisor([inner]), type="supervisor")
    return spec


PLACES = {
    **{
        place: ChildSpec("leaver", lambda place=place: Leaver(place))
        for place in ("init", "info", "terminate", "nursery", "thread", "task")
    },
    "start": ChildSpec("leaver", start_that_leaves),
    "supervisor's init": ChildSpec("leaver", LeavingSupervisor, type="supervisor"),
    "task child": Task.child_spec("leaver", leave_task),
}


@pytest.mark.parametrize("depth", [0, 3])
@pytest.mark.parametrize("place", PLACES)
def test_sys_exit_comes_out_bare_whatever_the_place_and_the_depth(place, depth):
    journal = []
    specs = [
        puppet("first", journal),
        nested(PLACES[place], depth),
        puppet("last", journal),
    ]
    with pytest.raises(SystemExit) as caught:
        run(lambda: Supervisor(specs), clock=MockClock(autojump_threshold=0))
    assert caught.value.code == 3
    stops = [entry[1] for entry in journal if entry[0] == "stop"]
    starts = [entry[1] for entry in journal if entry[0] == "start"]
    assert stops == starts[::-1]
    assert starts in (["first"], ["first", "last"])


@pytest.mark.parametrize("open_it", ["open_tree", "serve"])
@pytest.mark.parametrize("end", [SystemExit(3), KeyboardInterrupt()])
async def test_a_root_alone(autojump_clock, open_it, end):
    def fail(me):
        raise end

    root = puppet("root", init=lambda me: me.send_after(1, fail) and None)
    with pytest.raises(type(end)) as caught:
        if open_it == "serve":
            await serve(root)
        else:
            async with open_tree(root):
                await trio.sleep_forever()
    assert caught.value is end


async def test_a_root_that_cannot_be_made(autojump_clock):
    for opened in (serve(start_that_leaves), open_tree(start_that_leaves).__aenter__()):
        with pytest.raises(SystemExit):
            await opened


async def test_no_one_is_restarted_and_the_rest_stops_in_order(autojump_clock, caplog):
    journal = []
    specs = [puppet(name, journal, stopping=0.5) for name in "abc"]
    with pytest.raises(SystemExit):
        async with open_tree(lambda: Supervisor(specs, strategy="one_for_all")) as top:
            (await child(top, "b")).cast(leave())
            await trio.sleep_forever()
    starts = [("start", name) for name in "abc"]
    assert journal[:3] == starts
    # b was at its end when it was told; terminate has run for it all the same
    assert sorted(journal[3:]) == [("stop", name, Shutdown()) for name in "abc"]
    assert journal.index(("stop", "c", Shutdown())) < journal.index(("stop", "a", Shutdown()))
    assert caplog.records == []


async def test_the_stop_has_the_grace_of_the_tree(autojump_clock):
    slow = puppet("slow", stopping=100, shutdown=1000)
    with pytest.raises(SystemExit):
        async with open_tree(lambda: Supervisor([slow, puppet("a")]), grace=3) as top:
            began = trio.current_time()
            (await child(top, "a")).cast(leave())
            await trio.sleep_forever()
    assert trio.current_time() - began == pytest.approx(3)


@pytest.mark.parametrize("seed", range(4))
async def test_of_several_at_once_that_of_the_one_started_first(autojump_clock, seed):
    specs = [puppet(name) for name in ("a", "b")]
    with pytest.raises(SystemExit) as caught:
        async with open_tree(lambda: Supervisor(specs)) as top:
            a, b = await child(top, "a"), await child(top, "b")
            b.cast(leave(4))
            a.cast(leave(3))
            await trio.sleep_forever()
    assert caught.value.code == 3


async def test_of_several_the_first(autojump_clock):
    class Late(Puppet):
        async def terminate(self, reason):
            raise KeyboardInterrupt

    specs = [ChildSpec("late", Late), puppet("early")]
    with pytest.raises(SystemExit) as caught:
        async with open_tree(lambda: Supervisor(specs)) as top:
            (await child(top, "early")).cast(leave())
            await trio.sleep_forever()
    assert caught.value.code == 3
    with pytest.raises(SystemExit) as caught:
        async with open_tree(lambda: Supervisor(specs)):
            sys.exit(5)  # the block's own came first
    assert caught.value.code == 5
    with pytest.raises(KeyboardInterrupt):
        async with open_tree(lambda: Supervisor(specs)):
            raise ValueError("which does not end the program")


async def test_of_a_group_the_first_that_ends_the_program(autojump_clock):
    def fail(_):
        raise BaseExceptionGroup(
            "", [ValueError(), BaseExceptionGroup("", [SystemExit(3)]), KeyboardInterrupt()]
        )

    with pytest.raises(SystemExit):
        async with open_tree(puppet("a")) as ref:
            ref.cast(fail)
            await trio.sleep_forever()


async def test_who_waits_for_it_is_told(autojump_clock):
    told = []
    with pytest.raises(SystemExit):
        async with open_tree(lambda: Supervisor([puppet("a"), puppet("b")])) as top:
            a, b = await child(top, "a"), await child(top, "b")

            async def ask(_):
                try:
                    await a.call(Do(leave()))
                except ServerExited as error:
                    told.append(error.reason)

            b.cast(ask)
            await trio.sleep_forever()
    assert told == [Shutdown()]


async def test_a_failing_restart_that_ends_the_program(autojump_clock, caplog):
    inits = []

    def init(me):
        inits.append(me)
        if len(inits) > 1:
            sys.exit(3)

    with pytest.raises(SystemExit):
        async with open_tree(lambda: Supervisor([puppet("a", init=init)])) as top:
            (await child(top, "a")).cast(boom)
            await trio.sleep_forever()
    assert len(inits) == 2
    assert [record.context for record in caplog.records] == ["child_terminated"]


async def test_a_telemetry_handler_of_its_end(autojump_clock):
    specs = [puppet("first", restart="temporary"), puppet("second")]
    with telemetry.attached("t", telemetry.ProcessExited, telemetry_that_leaves):
        with pytest.raises(SystemExit):
            async with open_tree(lambda: Supervisor(specs)) as top:
                first = await child(top, "first")
                first.kill()
                await trio.sleep_forever()
        assert await top.wait() == Shutdown()


def test_ctrl_c_without_a_receiver_comes_out_bare_also_when_repeated():
    journal = []

    async def stop_slowly(me):
        os.kill(os.getpid(), signal.SIGINT)
        await trio.sleep_forever()

    class Slow(Puppet):
        async def terminate(self, reason):
            journal.append("asked")
            os.kill(os.getpid(), signal.SIGINT)  # again
            await trio.sleep_forever()

    specs = [ChildSpec("slow", Slow, shutdown=math.inf), puppet("busy")]

    async def main():
        async with open_tree(lambda: Supervisor(specs)) as top:
            (await child(top, "busy")).cast(stop_slowly)
            await trio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        trio.run(main, clock=MockClock(autojump_threshold=0))
    assert journal == ["asked"]


async def test_on_demand(autojump_clock):
    with pytest.raises(SystemExit):
        async with open_tree(DynamicSupervisor) as top:
            await DynamicSupervisor.start_child(top, puppet("a", init=leave()))
    with pytest.raises(SystemExit):
        async with open_tree(TaskSupervisor) as top:
            await (await TaskSupervisor.async_(top, leave_task)).result()


def test_the_exit_code_of_a_program():
    program = (
        "import sys, supervisors as s\n"
        "class Leaver(s.GenServer):\n"
        "    async def handle_info(self, info): sys.exit(3)\n"
        "    async def init(self): self.send_after(0, 'go')\n"
        "spec = s.ChildSpec('l', Leaver)\n"
        "s.run(lambda: s.Supervisor([s.ChildSpec('s', lambda: s.Supervisor([spec]))]))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (3, b"")
