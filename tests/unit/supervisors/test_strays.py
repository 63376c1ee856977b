"""What comes out of an actor and is no Exception: its own crash, unless it ends the program."""

import asyncio
import logging
from collections.abc import Callable

import pytest
import trio
import trio.testing
import trio_asyncio

from supervisors import (
    ActorRef,
    Agent,
    ChildSpec,
    Continue,
    Crashed,
    FailedToStartChild,
    GenServer,
    Killed,
    Reply,
    ServerExited,
    Shutdown,
    Status,
    Supervisor,
    TaskExited,
    TaskSupervisor,
    open_tree,
    system,
    telemetry,
)
from tests.unit.supervisors.actors import Do, Puppet, child, children, puppet


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


class Unshown(Fragile):
    def format_status(self, status: Status) -> Status:
        raise self.error


class Busy(Fragile):
    """Its linked task raises when it is told to end."""

    async def init(self) -> None:
        self.spawn_link(self.fail_late)

    async def fail_late(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise self.error

    async def terminate(self, reason: object) -> None:
        pass


class Numbers(Agent[int]):
    pass


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
        task = await TaskSupervisor.async_nolink(tasks, fail)
        with pytest.raises(TaskExited) as caught:
            await task.result()
        assert caught.value.reason == Crashed(error)
        assert tasks.is_alive


@pytest.mark.parametrize("kind", KINDS)
async def test_it_is_one_actors_crash_wherever_code_of_others_runs_in_it(kind, autojump_clock):
    error = make(kind)

    def fail(*_: object) -> object:
        raise error

    async def in_a_nursery(actor: GenServer) -> None:
        async with trio.open_nursery():
            await trio.lowlevel.checkpoint()
            fail()

    async def continued(actor: GenServer) -> Continue:
        actor.handle_continue = fail
        return Continue()

    specs = [puppet("neighbour"), puppet("a"), ChildSpec("agent", lambda: Numbers(int))]
    async with open_tree(lambda: Supervisor(specs, max_restarts=9)) as top:
        neighbour = await child(top, "neighbour")

        async def crashes(name: str, strike: Callable[[ActorRef], object]) -> BaseException:
            before = await child(top, name)
            strike(before)
            with trio.fail_after(10):
                reason = await before.wait()
                while not (await children(top))[name]:
                    await trio.sleep(0.1)
            assert neighbour.is_alive
            assert isinstance(reason, Crashed)
            return reason.exception

        assert await crashes("agent", lambda ref: Numbers.cast(ref, fail)) == error
        assert await crashes("a", lambda ref: ref.cast(continued)) == error
        if not kind.startswith("leaked"):  # a nursery that was left by one takes it for its own
            grouped = await crashes("a", lambda ref: ref.cast(in_a_nursery))
            assert isinstance(grouped, BaseExceptionGroup)
        await Supervisor.terminate_child(top, "a")
        await Supervisor.delete_child(top, "a")
        unshown = ChildSpec("a", lambda: Unshown(error))
        await Supervisor.start_child(top, unshown)
        assert await crashes("a", lambda ref: ref.cast("x")) == error


@pytest.mark.parametrize("kind", KINDS)
async def test_what_the_asker_brings_along_costs_the_asker_alone(kind, autojump_clock):
    error = make(kind)

    def fail(state: object) -> dict[str, object]:
        raise error

    async with open_tree(Puppet) as ref:
        with pytest.raises(RuntimeError, match="no Exception") as caught:
            await system.replace_state(ref, fail)
        assert caught.value.__cause__ is error
        # and whom an actor fails with one is not taken for cancelled
        with pytest.raises(RuntimeError, match="no Exception"):
            await ref.call(Do(lambda actor: actor.caller.fail(error)))
        system.install(ref, fail)  # a tracer, which is removed
        assert (await ref.call(Do(lambda actor: 7))) == 7


@pytest.mark.parametrize("kind", KINDS)
async def test_a_root_that_traps_exits_ends_with_it(kind, autojump_clock):
    error = make(kind)
    with trio.fail_after(10):
        async with open_tree(lambda: Fragile(error)) as root:
            root.cast("x")
            assert await root.wait() == Crashed(error)


def test_a_future_that_somebody_else_has_cancelled_is_the_crash_of_who_waits_for_it():
    class Waiting(GenServer):
        async def handle_cast(self, future: asyncio.Future[None]) -> None:
            await trio_asyncio.run_aio_future(future)

    async def main() -> None:
        async with (
            trio_asyncio.open_loop() as loop,
            open_tree(
                lambda: Supervisor([puppet("neighbour"), ChildSpec("waiting", Waiting)])
            ) as top,
        ):
            neighbour, waiting = await child(top, "neighbour"), await child(top, "waiting")
            future = loop.create_future()
            waiting.cast(future)
            await trio.testing.wait_all_tasks_blocked()
            future.cancel()
            reason = await waiting.wait()
            assert isinstance(reason, Crashed)
            assert isinstance(reason.exception, asyncio.CancelledError)
            assert (await child(top, "waiting")).is_alive
            assert neighbour.is_alive

    trio.run(main)


async def test_of_a_group_its_own_cancellation_is_done_and_the_rest_is_reported(caplog):
    """As trio does it: what is left of the group when the scope has taken its part."""

    class Both(GenServer):
        async def handle_cast(self, message: object) -> None:
            try:
                await trio.sleep_forever()
            except trio.Cancelled as own:
                raise BaseExceptionGroup("some", [own, asyncio.CancelledError("told")]) from None

    async with open_tree(lambda: Supervisor([ChildSpec("both", Both)])) as top:
        ref = await child(top, "both")
        ref.cast("x")
        await trio.testing.wait_all_tasks_blocked()
        ref.kill()
        assert await ref.wait() == Killed()
        assert top.is_alive
    (told,) = [record for record in caplog.records if "while it was being ended" in record.message]
    assert told.exc_info is not None
    assert "told" in repr(told.exc_info[1])


@pytest.mark.parametrize("kind", KINDS)
async def test_a_stop_from_outside_ends_in_order_though_one_raises_it(kind, autojump_clock):
    journal: list[object] = []
    error = make(kind)
    with trio.move_on_after(1):
        async with open_tree(
            lambda: Supervisor(
                [
                    puppet("neighbour", journal),
                    ChildSpec("fragile", lambda: Fragile(error)),
                    ChildSpec("busy", lambda: Busy(error)),
                ]
            )
        ) as top:
            refs = await children(top)
            await trio.sleep_forever()
    assert ("stop", "neighbour", Shutdown()) in journal
    assert await top.wait() == Shutdown()
    assert await refs["fragile"].wait() == Crashed(error)


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
@pytest.mark.parametrize("place", ["call", "cast", "terminate", "linked task"])
def test_what_ends_the_program_ends_it(end, grouped, place):
    error: BaseException = end()
    if grouped:
        error = BaseExceptionGroup("some", [ValueError("v"), LEAKED, end()])

    async def main() -> None:
        async with open_tree(
            lambda: Supervisor([ChildSpec("fragile", lambda: Fragile(error))])
        ) as top:
            await strike(await child(top, "fragile"), place)
            await trio.sleep_forever()

    with pytest.raises(end):
        trio.run(main)


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
