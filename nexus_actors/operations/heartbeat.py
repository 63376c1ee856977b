"""Reports this process's state to the store, so that all nodes are visible from anywhere."""

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
"""Seconds between two reports, and the most that one may take: it shares the pool's connections."""
STARTING: Final = 0.2
"""Seconds between reports during the start, so that its end is visible soon."""

log = structlog.get_logger("nexus.heartbeat")


class Heartbeat(Stage):
    """Writes this node's row. Nothing depends on it: if the store is away, slow or refuses, it
    tries again at the next heartbeat. It stops after the pipeline, so that it reports a drain to
    the end."""

    def __init__(
        self, *, store: NodeStore, report: Callable[[], NodeReport], outages: Outages
    ) -> None:
        """`report` returns the current state. It must not block."""
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
        """Begin to report, without delaying the start."""
        self._beating = self.spawn_link(self._beat_on)

    async def terminate(self, reason: ExitReason) -> None:
        """On an orderly stop, report it."""
        if not isinstance(reason, Shutdown):
            return
        self._beating.cancel()
        try:
            await self._beat(replace(self._report(), state="stopped", why=None, in_flight=0))
        except StorageError as error:
            log.debug("the stop could not be recorded", error=str(error))

    async def _beat_on(self) -> None:
        while True:
            report = self._report()
            try:
                await self._beat(report)
            except StorageError as error:
                self._patience.note(error)
            else:
                if self._patience.tried:  # and the report said that the store was away
                    self._patience.worked()
                    continue
            await trio.sleep(STARTING if report.state == "starting" else BEAT)

    async def _beat(self, report: NodeReport) -> None:
        """Write one report at a time, so that the last one stays."""
        async with self._turn:
            with trio.move_on_after(BEAT) as limit:
                await self._store.beat(report)
        if limit.cancelled_caught:
            raise StorageUnavailable("the database is not available: no answer in time")
