"""The actor that keeps the admin server up."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import structlog
import trio

from nexus_actors.admin.listening import ListenError, Listening, listen
from nexus_actors.pipeline.stage import Stage
from nexus_actors.storage.outages import Outages
from nexus_actors.work.histogram import Histogram
from supervisors import ExitReason, Shutdown, Status

NAME: Final = "admin server"
"""The name of its outage in `nexus status`, while it cannot be reached."""
LOOK: Final = 0.25
"""Seconds between two measurements of the event loop's lag."""
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 10.0
"""Seconds between tries to listen again."""

log = structlog.get_logger("nexus.admin")

Serve = Callable[[list[trio.SocketListener]], Awaitable[None]]
"""Serves connections until a listener fails."""


@dataclass(slots=True)
class Place:
    """Where the server listens. Passive: it outlives the actor."""

    listen: str
    """The value of `[admin] listen`."""
    data_dir: Path
    addresses: list[object] = field(default_factory=list)
    """The addresses that the sockets are bound to; empty while it does not listen."""
    was_open: bool = False
    """Whether it ever listened there: if it no longer can, the service continues without it."""


class Admin(Stage):
    """Runs the admin server, and measures the event loop's lag.

    Its first start fails if it cannot listen: nothing has been leased or called yet, so the service
    can be started again. Later, running calls are worth more than this server: it retries, and
    meanwhile the outage `NAME` degrades the service, also while the actor does not run.
    """

    def __init__(
        self, *, place: Place, make: Callable[[], Serve], outages: Outages, lag: Histogram
    ) -> None:
        """`make` builds the server; it is called in a thread, since its imports take long. `lag`:
        receives the measured lag."""
        self._place = place
        self._make = make
        self._outages = outages
        self._lag = lag
        self._stops = False

    def format_status(self, status: Status) -> Status:
        """Counts and names only: nothing that a request contains."""
        return replace(
            status.shapes(),
            state={
                "stops": self._stops,
            },
        )

    async def init(self) -> None:
        """Listen. Raises ListenError at the first start."""
        serve = await trio.to_thread.run_sync(self._make)
        listening: Listening | None = None
        try:
            listening = await self._open()
        except ListenError as error:
            if not self._place.was_open:
                raise
            self._tell(str(error))
        self.spawn_link(self._keep_up, serve, listening)
        self.spawn_link(self._look)

    async def terminate(self, reason: ExitReason) -> None:
        """Remember an orderly stop, which is not an outage."""
        self._stops = isinstance(reason, Shutdown)

    async def _open(self) -> Listening:
        listening = await listen(self._place.listen, self._place.data_dir)
        self._place.was_open = True
        self._place.addresses = listening.addresses
        log.info("the admin server listens", addresses=self._place.addresses)
        self._outages.tell(NAME, None)
        return listening

    async def _keep_up(self, serve: Serve, listening: Listening | None) -> None:
        pause = FIRST_PAUSE
        try:
            while True:
                if listening is not None:
                    await self._serve(serve, listening)
                    listening = None
                await trio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                try:
                    listening = await self._open()
                except ListenError as error:
                    self._tell(str(error))
        finally:
            self._place.addresses = []
            if not self._stops:
                self._tell("it does not run")

    async def _serve(self, serve: Serve, listening: Listening) -> None:
        """Serve until a listener fails, then close all of them."""
        try:
            await serve(listening.listeners)
        except* OSError as errors:
            self._tell(f"it cannot accept connections: {errors.exceptions[0]}")
        finally:
            self._place.addresses = []
            listening.close()

    def _tell(self, why: str) -> None:
        if not self._outages.has(NAME):
            log.warning("the admin server cannot be reached", why=why)
        self._outages.tell(NAME, why)

    async def _look(self) -> None:
        while True:
            due = trio.current_time() + LOOK
            await trio.sleep_until(due)
            self._lag.observe(trio.current_time() - due)
