"""Tells the store what this process is and does, so that all nodes can be seen from anywhere."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import structlog
import trio

from nexus_actors.pipeline.stage import Stage
from nexus_actors.storage.errors import StorageError, StorageUnavailable
from nexus_actors.storage.nodes import NodeReport, NodeStore
from nexus_actors.storage.outages import Outages
from supervisors import ExitReason, Shutdown, Status

BEAT: Final = 2.0
"""Seconds between two reports, and the most that one may take: it shares the connections of those
that work."""
STARTING: Final = 0.2
"""Seconds between the reports of a start, so that it is seen when it is over."""

log = structlog.get_logger("nexus.heartbeat")


class Heartbeat(Stage):
    """Writes this node's row. Nothing waits for it: a store that is away, slow or refuses is tried
    again at the next heartbeat. It stops after the pipeline, so that a drain is seen to its end."""

    def __init__(
        self, *, store: NodeStore, report: Callable[[], NodeReport], outages: Outages
    ) -> None:
        """`report` says what holds at the moment; it must not wait."""
        self._store = store
        self._report = report
        self._patience = outages.patience("Heartbeat")
        self._turn = trio.Lock()

    def format_status(self, status: Status) -> Status:
        """Counts and names only: nothing that a request contains."""
        return replace(
            status.shapes(),
            state={
                "beat_every": BEAT,
                "store_away": self._patience.tried,
            },
        )

    async def init(self) -> None:
        """Begin; keep nobody waiting."""
        self._beating = self.spawn_link(self._beat_on)

    async def terminate(self, reason: ExitReason) -> None:
        """At an orderly stop, say so."""
        if not isinstance(reason, Shutdown):
            return
        self._beating.cancel()
        try:
            await self._beat(replace(self._report(), state="stopped", why=None, in_flight=0))
        except StorageError as error:
            log.debug("the stop could not be told", error=str(error))

    async def _beat_on(self) -> None:
        while True:
            report = self._report()
            try:
                await self._beat(report)
            except StorageError as error:
                self._patience.note(error)
            else:
                if self._patience.tried:  # and the report said that it was
                    self._patience.worked()
                    continue
            await trio.sleep(STARTING if report.state == "starting" else BEAT)

    async def _beat(self, report: NodeReport) -> None:
        """One at a time, so that what is said last stands last."""
        async with self._turn:
            with trio.move_on_after(BEAT) as limit:
                await self._store.beat(report)
        if limit.cancelled_caught:
            raise StorageUnavailable("the database is not available: no answer in time")
