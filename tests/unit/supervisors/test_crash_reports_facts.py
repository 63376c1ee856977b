"""A crash report says all that OTP's do, from whichever callback, and no secrets."""

import math
from dataclasses import dataclass, replace
from functools import partial

import pytest
import trio

from supervisors import (
    Call,
    ChildSpec,
    Continue,
    GenServer,
    Reply,
    ServerExited,
    Supervisor,
    open_tree,
)
from tests.unit.supervisors.actors import Do, boom, child, crash, puppet

PLACES = ["init", "call", "cast", "info", "continue", "terminate", "stop", "bad return"]


@dataclass(frozen=True)
class Secret(Call[None]):
    word: str = "hunter2"


class Fragile(GenServer):
    """Crashes in the callback it is told to; shows how far it has come."""

    trap_exit = True

    def __init__(self, place, password=""):
        self.place = place
        self.password = password
        self.steps = 0

    def step(self, place):
        self.steps += 1
        if place == self.place:
            raise RuntimeError("boom")

    async def init(self):
        self.step("init")

    async def handle_call(self, request, caller):
        self.step("call")
        return Reply(None)

    async def handle_cast(self, message):
        self.step("cast")
        return Continue(message)

    async def handle_continue(self, argument):
        self.step("continue")
        return 3 if self.place == "bad return" else None

    async def handle_info(self, info):
        self.step("info")

    async def terminate(self, reason):
        self.step("terminate")
        self.step("stop")

    def format_status(self, status):
        return replace(status.shapes(), state={"steps": self.steps})


LAST = {
    "init": None,
    "call": "Secret",
    "cast": "Secret",
    "info": "Secret",
    "continue": "Continue",
    "terminate": "Shutdown",
    "stop": "Normal",
    "bad return": "Continue",
}

STEPS = {"init": 1, "continue": 3, "bad return": 3, "stop": 3}


async def provoke(place, top, ref):
    if place == "init":
        ref.kill()
    elif place == "call":
        with pytest.raises(ServerExited):
            await ref.call(Secret())
    elif place in ("cast", "continue", "bad return"):
        ref.cast(Secret())
    elif place == "info":
        ref.send(Secret())
    elif place == "terminate":
        await Supervisor.terminate_child(top, "a")
    else:
        with pytest.raises(ServerExited):
            await ref.stop()
    await trio.sleep(1)


@pytest.mark.parametrize("place", PLACES)
async def test_from_every_callback(place, autojump_clock, caplog):
    def start(password):
        starts.append(0)  # an init that crashes at first would be its starter's business
        return Fragile("none" if place == "init" and len(starts) == 1 else place, password)

    starts = []
    spec = ChildSpec("a", partial(start, "hunter2"), shutdown=math.inf, restart="transient")
    async with open_tree(lambda: Supervisor([spec], name="top", max_restarts=1)) as top:
        await provoke(place, top, await child(top, "a"))
    wanted = "shutdown_error" if place == "terminate" else "child_terminated"
    wanted = "start_error" if place == "init" else wanted
    record = next(r for r in caplog.records if r.context == wanted)
    assert (record.supervisor, record.offender) == ("top", "a")
    assert record.state == {
        "steps": {"init": 1, "continue": 3, "bad return": 3, "stop": 3}.get(place, 2)
    }
    assert record.last_message == LAST[place]
    assert record.offender_pid is not None
    assert record.offender_start.endswith("start")
    assert record.offender_restart == "transient"
    assert record.offender_shutdown == math.inf
    assert record.offender_significant is False
    assert record.offender_type == "worker"
    assert "restart transient, shutdown inf, significant False, type worker" in caplog.text
    assert "hunter2" not in caplog.text


async def test_a_terminate_that_fails_too_is_shown_with_the_message_of_the_crash(
    autojump_clock, caplog
):
    class Twice(Fragile):
        async def terminate(self, reason):
            self.steps += 1
            raise LookupError("in terminate")

    spec = ChildSpec("a", lambda: Twice("cast"), restart="temporary")
    async with open_tree(lambda: Supervisor([spec])) as top:
        (await child(top, "a")).cast(Secret())
        await trio.sleep(1)
    (record,) = caplog.records
    assert record.reason == "LookupError: in terminate"
    assert (record.last_message, record.state) == ("Secret", {"steps": 3})
    assert record.offender_restart == "temporary"
    assert "<lambda>" in record.offender_start


async def test_whose_call_it_was_is_told(autojump_clock, caplog):
    async def ask(me):
        await (await child(top, "server")).call(Do(boom))

    specs = [puppet(name, restart="temporary") for name in ("client", "server")]
    async with open_tree(lambda: Supervisor(specs)) as top:
        client = await child(top, "client")
        server = await child(top, "server")
        await server.call(Do(lambda _: None))  # answered: no client of the crash to come
        client.cast(ask)
        await trio.sleep(1)
    assert [(r.offender, r.client) for r in caplog.records if r.offender == "server"] == [
        ("server", "client")
    ]
    assert [r.client for r in caplog.records if r.offender == "client"] == [None]


async def test_of_a_root_too_and_of_one_that_gives_up(autojump_clock, caplog):
    spec = ChildSpec("alone", lambda: Fragile("info"), shutdown="brutal_kill")
    async with open_tree(spec) as root:
        root.send(1)
        await root.wait()
    (record,) = caplog.records
    assert (record.supervisor, record.offender, record.state) == ("root", "alone", {"steps": 2})
    assert record.offender_shutdown == "brutal_kill"
    caplog.clear()
    async with open_tree(lambda: Supervisor([puppet("a")], max_restarts=0)) as top:
        await crash(await child(top, "a"))
    assert [(r.context, r.offender_restart) for r in caplog.records] == [
        ("child_terminated", "permanent"),
        ("shutdown", "permanent"),
    ]
