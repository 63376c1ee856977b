"""What systemd, or whoever else has started this process so, is told of it: sd_notify(3).

A message is one datagram of `NAME=VALUE` lines to the socket that `NOTIFY_SOCKET` names. Where that
is not set nothing here exists.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import structlog
import trio

from nexus_actors.contract.shown_text import printable
from nexus_actors.work.wake import Wake
from supervisors import GenServer, Status, telemetry

BEAT: Final = 2.0
"""Seconds between two looks at what the status line has to say."""
EXTENSION: Final = 60.0
"""Seconds that a start or a drain asks for, again at each beat, while it takes its time."""
LONGEST_STATUS: Final = 300
"""Characters of the status line."""

log = structlog.get_logger("nexus.service_manager")


class Notifier:
    """The way to the service manager, and what it knows of this process. A passive object: it
    outlives the actor, and whoever sees a state begin tells it by itself, at once."""

    def __init__(self, address: str, *, watchdog: float | None = None) -> None:
        """`address` is the path of a datagram socket, or, after an `@`, its abstract name.
        `watchdog`: seconds after which the service manager takes a silent process for frozen."""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        # Kept open: a process that has no file descriptor left can still say that it runs.
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self.watchdog = watchdog
        self.started = False
        """All of the tree has been."""
        self.stopping = False
        self.changed = Wake()
        """Rung where the status line has something else to say."""
        self._owed: tuple[str, ...] = ()
        """The state that it could not be told. What was before that is of no interest any more."""
        self._silent = False

    @classmethod
    def from_environ(cls, environ: MutableMapping[str, str]) -> "Notifier | None":
        """The one that the environment names, which then names it no more: what this process starts
        must not speak for it. None where it names none."""
        address = environ.pop("NOTIFY_SOCKET", "")
        microseconds = environ.pop("WATCHDOG_USEC", "")
        meant = environ.pop("WATCHDOG_PID", "") in ("", str(os.getpid()))
        if not address:
            return None
        if address[0] not in "/@":
            log.warning("NOTIFY_SOCKET is no local socket, so nobody is notified")
            return None
        watched = meant and microseconds.isdecimal() and int(microseconds) > 0
        return cls(address, watchdog=int(microseconds) / 1e6 if watched else None)

    def close(self) -> None:
        """Nothing more will be sent."""
        self._socket.close()

    def send(self, *lines: str) -> bool:
        """Send one message, now. False: it was not taken, which the log says once."""
        try:
            self._socket.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            if not self._silent:
                log.warning("the service manager cannot be notified", error=str(error))
            self._silent = True
            return False
        return True

    @contextmanager
    def heeding(self, root: str) -> Iterator[None]:
        """Tell, while this is open, when all of the tree of this root has been started, and when
        its stop begins, whatever the reason."""

        def heed(event: telemetry.ProcessStarted | telemetry.SupervisorStopping) -> None:
            match event:
                case telemetry.ProcessStarted(process=name) if name == root:
                    self.ready()
                case telemetry.SupervisorStopping(supervisor=name) if name == root:
                    self.stop()

        started, stopping = telemetry.ProcessStarted, telemetry.SupervisorStopping
        with (
            telemetry.attached((self, "started"), started, heed),
            telemetry.attached((self, "stopping"), stopping, heed),
        ):
            yield

    def ready(self) -> None:
        """All of the tree has been started."""
        self.started = True
        self._tell("READY=1")

    def stop(self) -> None:
        """The stop begins, whatever the reason."""
        self.stopping = True
        self._tell("STOPPING=1")

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """For as long as a reload takes. One before the start is over is no reload to the service
        manager, who would take its end for that of the start."""
        if self.started and not self.stopping:
            self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
            try:
                yield
            finally:
                if not self.stopping:
                    self._tell("READY=1")
        else:
            yield

    def settle(self) -> None:
        """Try again to tell the state that could not be told."""
        if self._owed and self.send(*self._owed):
            self._owed = ()

    def _tell(self, *lines: str) -> None:
        self._owed = () if self.send(*lines) else lines
        self.changed.set()


class ServiceManager(GenServer):
    """Says in a line what the service does, asks for time while a start or a drain takes it, and
    shows that the loop runs. A crash of it takes nobody along."""

    def __init__(
        self, notifier: Notifier, *, line: Callable[[], str], running: Callable[[], int]
    ) -> None:
        """`line` says what holds at the moment, `running` how many calls run; neither may wait."""
        self._notifier = notifier
        self._line = line
        self._running = running

    def format_status(self, status: Status) -> Status:
        """Counts and names only: nothing that a request contains."""
        return replace(
            status.shapes(),
            state={
                "started": self._notifier.started,
                "stopping": self._notifier.stopping,
                "watchdog": self._notifier.watchdog,
            },
        )

    async def init(self) -> None:
        """Begin at once: a predecessor may have been about to."""
        if self._notifier.watchdog is not None:
            self.spawn_link(self._show_that_the_loop_runs, self._notifier.watchdog / 2)
        self.spawn_link(self._tell_on)

    async def _show_that_the_loop_runs(self, pause: float) -> None:
        """As a task of the loop, so that a frozen one shows nothing. Whether the database is there
        does not matter: a restart would not bring it back, and would cut off calls."""
        while True:
            taken = self._notifier.send("WATCHDOG=1")
            await trio.sleep(pause if taken else pause / 10)

    async def _tell_on(self) -> None:
        told = ""
        while True:
            self._notifier.settle()
            lines = []
            if (text := self._text()) != told:
                lines.append(f"STATUS={text}")
            if self._takes_its_time():
                lines.append(f"EXTEND_TIMEOUT_USEC={round(EXTENSION * 1e6)}")
            if lines and self._notifier.send(*lines):
                told = text
            await self._notifier.changed.wait(BEAT)

    def _text(self) -> str:
        if not self._notifier.stopping:
            return printable(self._line(), LONGEST_STATUS)
        running = self._running()
        return f"draining: {running} calls left" if running else "stopping"

    def _takes_its_time(self) -> bool:
        """The tree bounds how long a start and a drain may take; here it is only seen that the loop
        still runs."""
        notifier = self._notifier
        return self._running() > 0 if notifier.stopping else not notifier.started
