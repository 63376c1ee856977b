"""What the service manager is told, message by message, by a socket like systemd's."""

import os
import shutil
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
import trio

from nexus_actors.operations import service_manager
from nexus_actors.operations.service_manager import (
    BEAT,
    LONGEST_STATUS,
    Notifier,
    ServiceManager,
)
from supervisors import ActorRef, ChildSpec, GenServer, Supervisor, open_tree

Make = Callable[..., Notifier]
EXTEND = "EXTEND_TIMEOUT_USEC=60000000"


class Manager:
    """The other end of the socket."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.setblocking(False)

    def heard(self) -> list[str]:
        """The lines that came since the last look, in order; MONOTONIC_USEC without its value."""
        lines: list[str] = []
        while True:
            try:
                lines += self.socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return [it.partition("=")[0] if "MONO" in it else it for it in lines]


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest) -> Iterator[Manager]:
    folder = Path(tempfile.mkdtemp(prefix="nx-"))  # short, for the socket's sake
    made = Manager(f"{folder}/n" if request.param == "path" else f"@{folder}/n")
    yield made
    made.socket.close()
    shutil.rmtree(folder)


@pytest.fixture
def made() -> Iterator[Callable[..., Notifier]]:
    with ExitStack() as stack:

        def make(address: str, **options: float) -> Notifier:
            return stack.enter_context(closing(Notifier(address, **options)))

        yield make


class Service:
    """What the actor looks at."""

    def __init__(self) -> None:
        self.line = "ready: 0 in flight"
        self.running = 0
        self.error: Exception | None = None

    def told(self) -> str:
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return self.line


@asynccontextmanager
async def speaking(
    notifier: Notifier, service: Service, restarts: int = 3
) -> AsyncIterator[ActorRef]:
    def start() -> GenServer:
        return ServiceManager(notifier, line=service.told, running=lambda: service.running)

    specs = [ChildSpec("ServiceManager", start)]
    async with open_tree(lambda: Supervisor(specs, name="Top", max_restarts=restarts)) as root:
        yield root


def test_the_environment_names_it_and_then_names_it_no_more(manager: Manager) -> None:
    here = str(os.getpid())
    environ = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "9000000", "WATCHDOG_PID": here}
    notifier = Notifier.from_environ(environ)
    assert notifier is not None
    assert (notifier.watchdog, environ) == (9.0, {})
    assert notifier.send("A=1", "B=2")
    assert manager.heard() == ["A=1", "B=2"]
    notifier.close()


@pytest.mark.parametrize(
    ("given", "watchdog"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "3000000"}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, None),  # meant for another
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_only_for_whom_it_names(
    given: dict[str, str], watchdog: float | None
) -> None:
    notifier = Notifier.from_environ({"NOTIFY_SOCKET": "/gone", **given})
    assert notifier is not None
    notifier.close()
    assert notifier.watchdog == watchdog


def test_where_no_local_socket_is_named_there_is_nobody_to_tell() -> None:
    for address in ("", "vsock:2:1234"):
        environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1"}
        assert Notifier.from_environ(environ) is None
        assert environ == {}
    assert Notifier.from_environ({}) is None


async def test_a_start_a_reload_and_a_drain_are_reported_in_order(
    made: Make, manager: Manager, autojump_clock: Any
) -> None:
    notifier, service = made(manager.address), Service()
    service.line = "ready: 1 in flight"
    with notifier.heeding("Top"):
        async with speaking(notifier, service):
            await trio.sleep(BEAT * 1.5)
            assert {*manager.heard()} - {EXTEND} == {"READY=1", "STATUS=ready: 1 in flight"}
            with notifier.reloading():
                assert manager.heard() == ["RELOADING=1", "MONOTONIC_USEC"]
            assert manager.heard() == ["READY=1"]
            await trio.sleep(10 * BEAT)
            assert manager.heard() == []  # what has not changed is not told again
        assert manager.heard()[:1] == ["STOPPING=1"]


async def test_a_tree_that_gives_up_is_a_stop_too(
    made: Make, manager: Manager, autojump_clock: Any
) -> None:
    notifier, service = made(manager.address), Service()
    with notifier.heeding("Top"):
        async with speaking(notifier, service, restarts=0) as root:
            service.error = ValueError("of the line")
            await root.wait()
    states = [it for it in manager.heard() if it in ("READY=1", "STOPPING=1")]
    assert states == ["READY=1", "STOPPING=1"]


async def test_a_start_that_takes_its_time_asks_for_more_and_says_what_it_waits_for(
    made: Make, manager: Manager, autojump_clock: Any
) -> None:
    notifier, service = made(manager.address), Service()
    service.line = "waits for the database:\nrefused"
    async with speaking(notifier, service):
        await trio.sleep(BEAT * 1.5)
        assert manager.heard() == ["STATUS=waits for the database:\\nrefused", EXTEND, EXTEND]
        with notifier.reloading():  # whose READY=1 would be taken for that of the start
            pass
        assert manager.heard() == []
        notifier.ready()
        await trio.sleep(BEAT * 3)
        assert manager.heard() == ["READY=1"]


async def test_a_drain_asks_for_time_while_calls_run_and_no_longer(
    made: Make, manager: Manager, autojump_clock: Any
) -> None:
    notifier, service = made(manager.address), Service()
    notifier.ready()
    async with speaking(notifier, service):
        await trio.sleep(BEAT / 2)
        manager.heard()
        service.running = 2
        with notifier.reloading():
            notifier.stop()
        await trio.sleep(BEAT * 1.5)
        assert [it for it in manager.heard() if "RELOAD" not in it and "MONO" not in it] == [
            *("STOPPING=1", "STATUS=draining: 2 calls left"),
            *(EXTEND, EXTEND),
        ]
        service.running = 0
        await trio.sleep(BEAT * 3)
        assert manager.heard() == ["STATUS=stopping"]


async def test_the_watchdog_is_fed_twice_in_its_time_whatever_the_service_is(
    made: Make, manager: Manager, autojump_clock: Any
) -> None:
    notifier, service = made(manager.address, watchdog=30.0), Service()
    notifier.ready()
    service.line = "degraded: the database is away"
    async with speaking(notifier, service):
        await trio.sleep(61)
        assert manager.heard().count("WATCHDOG=1") == 5


async def test_a_crash_harms_nobody_and_the_successor_feeds_the_watchdog_at_once(
    made: Make, manager: Manager, autojump_clock: Any
) -> None:
    notifier, service = made(manager.address, watchdog=30.0), Service()
    notifier.ready()
    async with speaking(notifier, service) as root:
        await trio.sleep(1)
        manager.heard()
        service.error = ValueError("of the line")
        await trio.sleep(BEAT)  # it looks, and crashes
        assert sorted(manager.heard()) == ["STATUS=ready: 0 in flight", "WATCHDOG=1"]
        assert root.is_alive


async def test_a_loop_that_is_blocked_feeds_no_watchdog(made: Make, manager: Manager) -> None:
    notifier = made(manager.address, watchdog=0.02)
    async with speaking(notifier, Service()):
        await trio.sleep(0.05)
        assert "WATCHDOG=1" in manager.heard()
        time.sleep(0.2)  # noqa: ASYNC251 - that is what is tried
        assert "WATCHDOG=1" not in manager.heard()


async def test_of_what_a_full_socket_did_not_take_the_last_state_is_reported_later(
    made: Make, manager: Manager, autojump_clock: Any
) -> None:
    notifier, service = made(manager.address), Service()
    while notifier.send("FILL=1"):
        pass
    async with speaking(notifier, service):
        notifier.ready()
        with notifier.reloading():
            pass
        await trio.sleep(BEAT * 4.5)
        assert set(manager.heard()) == {"FILL=1"}
        await trio.sleep(BEAT)
        # RELOADING, which is over, is not told.
        assert manager.heard() == ["READY=1", "STATUS=ready: 0 in flight"]


async def test_a_socket_that_is_gone_harms_nothing(made: Make, autojump_clock: Any) -> None:
    logged: list[str] = []
    notifier, service = made("/nowhere/at/all", watchdog=1.0), Service()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service_manager.log, "warning", lambda text, **_: logged.append(text))
        async with speaking(notifier, service, restarts=0):
            notifier.ready()
            await trio.sleep(100)
            notifier.stop()
    assert logged == ["the service manager cannot be notified"]


async def test_a_line_has_its_bounds(made: Make, manager: Manager, autojump_clock: Any) -> None:
    notifier, service = made(manager.address), Service()
    notifier.ready()
    service.line = "degraded: \x1b[31m\nREADY=1 " + "x" * 10_000
    async with speaking(notifier, service):
        await trio.sleep(BEAT / 2)
        _, line = manager.heard()
        assert line.startswith("STATUS=degraded: \\x1b[31m\\nREADY=1 xx")
        assert len(line) == len("STATUS=") + LONGEST_STATUS
