"""Reports the service's state to systemd, or another service manager, by sd_notify(3).

A message is one datagram of `NAME=VALUE` lines, sent to the socket in `NOTIFY_SOCKET`. If that is
not set, nothing here is used.
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
"""Seconds between two updates of the status line."""
EXTENSION: Final = 60.0
"""Seconds by which a long start or drain extends its timeout, at each update."""
LONGEST_STATUS: Final = 300
"""The most characters of the status line."""

log = structlog.get_logger("nexus.service_manager")


class Notifier:
    """Sends messages to the service manager, and knows which state was reported. A passive object:
    it outlives the actor, and code that sees a state begin reports it directly."""

    def __init__(self, address: str, *, watchdog: float | None = None) -> None:
        """`address` is the path of a datagram socket, or its abstract name after an `@`.
        `watchdog`: seconds after which the service manager considers a silent process frozen."""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        # Kept open, so that a process without free file descriptors can still send.
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self.watchdog = watchdog
        self.started = False
        """Whether the whole tree has been started."""
        self.stopping = False
        self.changed = Wake()
        """Set when the status line has changed."""
        self._owed: tuple[str, ...] = ()
        """The last state that could not be sent. Earlier ones no longer matter."""
        self._silent = False

    @classmethod
    def from_environ(cls, environ: MutableMapping[str, str]) -> "Notifier | None":
        """Make the notifier for the socket in the environment, and remove it from there, so that
        child processes do not use it. None if there is none."""
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
        """Close the socket."""
        self._socket.close()

    def send(self, *lines: str) -> bool:
        """Send one message now. False if it could not be sent, which is logged once."""
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
        """While this is open, report when the whole tree of this root has been started, and when
        its stop begins, for whatever reason."""

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
        """Report that the whole tree has been started."""
        self.started = True
        self._tell("READY=1")

    def stop(self) -> None:
        """Report that the stop begins."""
        self.stopping = True
        self._tell("STOPPING=1")

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """Report a reload for as long as it takes. Not before the start is over: the service
        manager would take the end of the reload for the end of the start."""
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
        """Try again to send the last state that could not be sent."""
        if self._owed and self.send(*self._owed):
            self._owed = ()

    def _tell(self, *lines: str) -> None:
        self._owed = () if self.send(*lines) else lines
        self.changed.set()


class ServiceManager(GenServer):
    """Updates the status line, extends the timeout of a long start or drain, and sends the watchdog
    messages. Its crash stops nothing else."""

    def __init__(
        self, notifier: Notifier, *, line: Callable[[], str], running: Callable[[], int]
    ) -> None:
        """`line` returns the status line, `running` the number of running calls. Neither may
        block."""
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
        """Begin at once, since a message of a predecessor may be overdue."""
        if self._notifier.watchdog is not None:
            self.spawn_link(self._show_that_the_loop_runs, self._notifier.watchdog / 2)
        self.spawn_link(self._tell_on)

    async def _show_that_the_loop_runs(self, pause: float) -> None:
        """Send watchdog messages from a task, so that a frozen event loop sends none. An absent
        database does not matter: a restart would not bring it back, and would cut off calls."""
        while True:
            taken = self._notifier.send("WATCHDOG=1")
            await trio.sleep(pause if taken else pause / 10)

    async def _tell_on(self) -> None:
        sent = ""
        while True:
            self._notifier.settle()
            lines = []
            if (text := self._text()) != sent:
                lines.append(f"STATUS={text}")
            if self._takes_its_time():
                lines.append(f"EXTEND_TIMEOUT_USEC={round(EXTENSION * 1e6)}")
            if lines and self._notifier.send(*lines):
                sent = text
            await self._notifier.changed.wait(BEAT)

    def _text(self) -> str:
        if not self._notifier.stopping:
            return printable(self._line(), LONGEST_STATUS)
        running = self._running()
        return f"draining: {running} calls left" if running else "stopping"

    def _takes_its_time(self) -> bool:
        """Extend the timeout while a start or a drain runs. The tree itself bounds both; this only
        shows that the event loop still runs."""
        notifier = self._notifier
        return self._running() > 0 if notifier.stopping else not notifier.started
