"""What comes out of an actor and is no Exception: its own crash, unless it ends the program."""

import asyncio
import logging

import pytest
import trio

from supervisors import (
    ChildSpec,
    Crashed,
    FailedToStartChild,
    GenServer,
    Reply,
    ServerExited,
    Supervisor,
    TaskExited,
    TaskSupervisor,
    open_tree,
    telemetry,
)
from tests.unit.supervisors.actors import Do, child, puppet


class Mine(BaseException):
    pass


def leaked() -> trio.Cancelled:
    """A Cancelled of a scope that has long been left."""
    kept: list[trio.Cancelled] = []

    async def sleep() -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            try:
                await trio.lowlevel.checkpoint()
            except trio.Cancelled as error:
                kept.append(error)
                raise

    trio.run(sleep)
    return kept[0]


def make(kind: str) -> BaseException:
    match kind:
        case "asyncio":
            return asyncio.CancelledError()
        case "generator":
            return GeneratorExit()
        case "leaked":
            return LEAKED
        case "own":
            return Mine()
        case "grouped":
            return BaseExceptionGroup("some", [asyncio.CancelledError(), ValueError("v")])
        case "leaked in a group":
            return BaseExceptionGroup("some", [LEAKED, ValueError("v")])
        case _:
            raise AssertionError(kind)


LEAKED = leaked()
KINDS = ["asyncio", "generator", "leaked", "own", "grouped", "leaked in a group"]
MESSAGES = ("call", "cast", "info", "terminate", "linked task", "timer")


class Fragile(GenServer):
    trap_exit = True

    def __init__(self, error: BaseException) -> None:
        self.error = error

    async def handle_cast(self, message: object) -> None:
        raise self.error

    async def handle_info(self, info: object) -> None:
        if info == "linked task":
            self.trap_exit = False
            self.spawn_link(self.fail)
        elif info == "timer":
            self.send_after(0, "now")
        else:
            raise self.error

    async def handle_call(self, request: object, caller: object) -> None:
        raise self.error

    async def terminate(self, reason: object) -> None:
        if not isinstance(reason, Crashed):
            raise self.error

    async def fail(self) -> None:
        await trio.lowlevel.checkpoint()
        raise self.error


async def strike(ref, place):
    match place:
        case "call":
            with pytest.raises(ServerExited):
                await ref.call(Do(lambda actor: None))
        case "cast":
            ref.cast("x")
        case "terminate":
            with pytest.raises(ServerExited):
                await ref.stop()
        case _:
            ref.send(place)


@pytest.mark.parametrize("kind", KINDS)
async def test_it_is_the_crash_of_its_actor_alone(kind, autojump_clock, caplog):
    error = make(kind)
    spec = ChildSpec("fragile", lambda: Fragile(error))
    with caplog.at_level(logging.ERROR, "supervisors"):
        async with open_tree(
            lambda: Supervisor([puppet("neighbour"), spec], max_restarts=len(MESSAGES))
        ) as top:
            neighbour = await child(top, "neighbour")
            for place in MESSAGES:
                before = await child(top, "fragile")
                await strike(before, place)
                assert await before.wait() == Crashed(error), place
                await trio.sleep(0.1)
                assert (await child(top, "fragile")).is_alive, place
            assert neighbour.is_alive
    reported = [str(record.message) for record in caplog.records]
    assert sum(type(error).__name__ in line for line in reported) >= len(MESSAGES), reported


@pytest.mark.parametrize("kind", KINDS)
async def test_a_start_that_raises_it_fails(kind, autojump_clock):
    error = make(kind)

    class Unborn(GenServer):
        async def init(self) -> None:
            raise error

    def fail() -> GenServer:
        raise error

    for start in (Unborn, fail):
        with pytest.raises(FailedToStartChild) as caught:
            async with open_tree(lambda: Supervisor([ChildSpec("a", start)])):  # noqa: B023
                raise AssertionError
        assert caught.value.reason == Crashed(error)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_task_that_raises_it_has_exited(kind, autojump_clock):
    error = make(kind)

    async def fail() -> None:
        raise error

    async with open_tree(TaskSupervisor) as tasks:
        supervisor = tasks
        task = await TaskSupervisor.async_nolink(supervisor, fail)
        with pytest.raises(TaskExited) as caught:
            await task.result()
        assert caught.value.reason == Crashed(error)
        assert supervisor.is_alive


async def test_a_telemetry_handler_that_raises_it_is_detached(autojump_clock):
    calls = []

    def handler(event: telemetry.ProcessStarted) -> None:
        calls.append(event)
        raise asyncio.CancelledError

    telemetry.attach("stray", telemetry.ProcessStarted, handler)
    try:
        async with open_tree(lambda: Supervisor([puppet("a"), puppet("b")])) as top:
            assert (await child(top, "b")).is_alive
    finally:
        telemetry.detach("stray")
    assert len(calls) == 1


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("grouped", [False, True])
def test_what_ends_the_program_ends_it(end, grouped):
    error: BaseException = end()
    if grouped:
        error = BaseExceptionGroup("some", [ValueError("v"), end()])

    async def main() -> None:
        async with open_tree(
            lambda: Supervisor([ChildSpec("fragile", lambda: Fragile(error))])
        ) as top:
            (await child(top, "fragile")).cast("x")
            await trio.sleep_forever()

    with pytest.raises(BaseException) as caught:  # noqa: PT011 - in a group, or alone
        trio.run(main)
    found = caught.value
    assert isinstance(found, end) or (
        isinstance(found, BaseExceptionGroup) and found.subgroup(end) is not None
    )


async def test_a_cancellation_that_is_waited_for_goes_on(autojump_clock):
    class Patient(GenServer):
        async def handle_call(self, request, caller):
            with trio.move_on_after(1) as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(trio.sleep_forever)
            return Reply(scope.cancelled_caught)

        async def handle_cast(self, message):
            await trio.sleep_forever()

    async with open_tree(lambda: Supervisor([ChildSpec("patient", Patient)])) as top:
        ref = await child(top, "patient")
        assert await ref.call(Do(lambda actor: None))
        ref.cast("sleep")
        await trio.sleep(0.1)
        ref.kill()
        assert type(await ref.wait()).__name__ == "Killed"
