"""What is shown of an actor; it costs it nothing once nobody looks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing

from nexus_actors.operations.control import CommandRefused
from nexus_actors.operations.inspection import ANSWER, FORGOTTEN, Inspection
from nexus_actors.operations.stopping import Stopping
from nexus_actors.storage.outages import Outages
from supervisors import (
    ActorRef,
    Call,
    ChildSpec,
    GenServer,
    Reply,
    Status,
    Supervisor,
    open_tree,
    telemetry,
)
from tests.service import find

NEEDED = (
    "Registry",
    "Pipeline.Supervisor",
    "LeaseKeeper",
    "Router",
    "Control",
    "Watchdog",
    "ServiceManager",
    "echo.Worker.1",
    "of a later release",
)


class Ask(Call[int]):
    """Answered at once."""


class Counter(GenServer):
    """What it has must not be shown, but for the count."""

    async def init(self) -> None:
        self.key = "sk-secret"
        self.stuck = trio.Event()

    def format_status(self, status: Status) -> Status:
        return Status(state={"count": 3, "text": "\x1b[31m"})

    async def handle_call(self, request: Call[Any], caller: object) -> Reply:
        return Reply(1)

    async def handle_cast(self, message: object) -> None:
        await self.stuck.wait()


@asynccontextmanager
async def counting() -> AsyncIterator[tuple[ActorRef, ActorRef]]:
    async with open_tree(
        lambda: Supervisor([ChildSpec("Counter", Counter)], name="Root", max_restarts=0)
    ) as root:
        yield root, await find(root, "Counter")


async def test_state_goes_through_format_status_and_messages_are_counted_from_the_first_look(
    autojump_clock: Any,
) -> None:
    async with counting() as (root, counter):
        inspection = Inspection(lambda: root)
        await counter.call(Ask())
        first = await inspection.inspect("Counter")
        await counter.call(Ask())
        await counter.call(Ask())
        await trio.sleep(FORGOTTEN)
        second = await inspection.inspect("Counter")
    assert (first["class"], first["sys_state"], first["calls"]) == ("Counter", "running", 0)
    assert str(first["state"]).split() == ["{", '"count":', "3,", '"text":', '"\\u001b[31m"', "}"]
    assert "secret" not in str(first)
    assert first["monitored_by"] == []
    assert (second["calls"], second["casts"]) == (2, 0)


async def test_the_tree_is_not_asked_again_for_who_was_looked_at_just_now(
    autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with counting() as (root, counter):
        inspection = Inspection(lambda: root)
        await inspection.inspect("Counter")
        monkeypatch.setattr(inspection, "_root", None)
        assert (await inspection.inspect("Counter"))["pid"] == counter.pid


async def test_who_is_looked_at_no_longer_is_counted_no_longer(autojump_clock: Any) -> None:
    async with counting() as (root, counter):
        inspection = Inspection(lambda: root)
        await inspection.inspect("Counter")
        await trio.sleep(FORGOTTEN + 1)
        await counter.call(Ask())  # with which the tracer takes itself out
        await counter.call(Ask())
        assert (await inspection.inspect("Counter"))["calls"] == 0


async def test_a_busy_actor_is_shown_without_its_state(autojump_clock: Any) -> None:
    async with counting() as (root, counter):
        counter.cast("wait")
        counter.cast("wait too")
        await trio.testing.wait_all_tasks_blocked()
        began = trio.current_time()
        told = await Inspection(lambda: root).inspect("Counter")
        assert trio.current_time() - began <= ANSWER
        assert (told["sys_state"], told["state"], told["mailbox_length"]) == ("busy", None, 1)
        assert told["current_message"] == "str"
        counter.kill()


async def test_an_actor_is_stopped_shown_as_such_and_started_again(autojump_clock: Any) -> None:
    outages = Outages()
    stopping = Stopping(lambda: root, outages)
    child = ChildSpec("Pruner", Counter)
    async with open_tree(lambda: Supervisor([child], name="Root", max_restarts=0)) as root:
        inspection = Inspection(lambda: root)
        assert (await inspection({"actor": "Root"}))["class"] == "Supervisor"  # type: ignore[index]
        asked = {"actor": "Pruner"}
        assert await stopping.stop(asked) == {"actor": "Pruner", "ended": True}
        assert outages.describe(trio.current_time()) == {
            "actor Pruner": {
                "seconds": 0.0,
                "error": "stopped, as an operator asked, until: nexus actor start Pruner",
            }
        }
        with pytest.raises(CommandRefused, match="is stopped"):
            await inspection(asked)
        with telemetry.attached("test", telemetry.ProcessStarted, stopping.heed):
            assert await stopping.start(asked) == {"actor": "Pruner", "started": True}
        assert not outages.describe(trio.current_time())
        with pytest.raises(CommandRefused, match="is running"):
            await stopping.start(asked)
        assert (await inspection.inspect("Pruner"))["calls"] == 0


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Root", "is the service itself"),
        ("Conter", "did you mean Counter?"),
        ("\x1b[31m" * 100, r"no actor is called \\x1b\[31m"),
        (3, "expected a name"),
        *((name, "the others depend on it") for name in NEEDED),
    ],
)
async def test_what_is_not_stopped(name: object, told: str) -> None:
    children = [ChildSpec(it, Counter) for it in ("Counter", *NEEDED)]
    outages = Outages()
    async with open_tree(lambda: Supervisor(children, name="Root")) as root:
        with pytest.raises(CommandRefused, match=told):
            await Stopping(lambda: root, outages).stop({"actor": name})
    assert not outages.describe(0.0)
