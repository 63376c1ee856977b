"""Deletes what has been kept for long enough: archives, journal, dead letters, nodes that are gone.

Of all processes on a database one does so, the leader of the chore `prune` (`nexus.chores`).
"""

import math
from collections.abc import Callable, Mapping
from typing import Final

import structlog
import trio

from nexus_actors.pipeline.stage import Stage
from nexus_actors.settings.model import RetentionSettings
from nexus_actors.storage.errors import StorageError
from nexus_actors.storage.nodes import ChoreStore, Term, Turn
from nexus_actors.storage.outages import Outages
from nexus_actors.storage.retention import Kept, RetentionStore
from supervisors import ExitReason, Shutdown

INTERVAL = 600.0
"""Seconds between two rounds."""
BATCH = 500
"""Rows of a statement."""
PAUSE = 0.05
"""Seconds between two statements, for others."""
LOOK = 3.0
"""Seconds between the leader's signs of life, and between others' looks whether it is silent."""
OVERDUE = 3600.0
"""Seconds without a round, after which the service says so."""
LEAVE_TIMEOUT = 2.0
"""Seconds that a stop waits for the store to note that the leader has gone."""
OVER: Final = 60.0
"""Seconds for which a row of nexus.control whose time is over stays where it is."""
DAY: Final = 86_400.0
NODES: Final = 100
"""Of nodes that are gone, so many are kept, for a day."""

log = structlog.get_logger("nexus.pruner")


class Pruner(Stage):
    """A round at a time, a small batch at a time, and only in its own term: each statement that
    deletes does nothing once another leads. A round that is interrupted is done by the next one."""

    def __init__(
        self,
        *,
        settings: Callable[[], RetentionSettings],
        store: RetentionStore,
        chores: ChoreStore,
        node: str,
        running: Callable[[], float],
        outages: Outages,
    ) -> None:
        """`settings` gives those that hold now; `running`: for how many seconds this service has
        run."""
        self._settings = settings
        self._store = store
        self._chores = chores
        self._node = node
        self._running = running
        self._outages = outages
        self._patience = outages.patience("Pruner")
        self._turn = trio.Lock()
        self._term: Term | None = None
        self._due = -math.inf

    async def init(self) -> None:
        """A leader begins with a round."""
        self._leading = self.spawn_link(self._lead)

    async def terminate(self, reason: ExitReason) -> None:
        """At an orderly stop, let another lead at once."""
        if not isinstance(reason, Shutdown):
            return
        self._leading.cancel()
        with trio.move_on_after(LEAVE_TIMEOUT):
            async with self._turn:
                if self._term is not None:
                    await self._leave(self._term)

    async def _leave(self, term: Term) -> None:
        try:
            await self._chores.leave(term)
        except StorageError as error:  # others wait until it has been silent for long
            log.debug("the chore could not be left", error=str(error))

    async def _lead(self) -> None:
        while True:
            try:
                async with self._turn:
                    await self._take_turn()
            except StorageError as error:
                await self._patience.failed(error)
                continue
            self._patience.worked()
            await trio.sleep(LOOK)

    async def _take_turn(self) -> None:
        turn = await self._chores.take("prune", node=self._node, running=self._running())
        self._tell(turn)
        if turn.term is None:
            self._due = -math.inf
        elif turn.term != self._term:
            log.info("this node prunes", term=turn.term.number)
        self._term = turn.term
        if self._term is not None and trio.current_time() >= self._due:
            await self._prune_all(self._term)
            self._due = trio.current_time() + INTERVAL

    def _tell(self, turn: Turn) -> None:
        """Somebody must look when nobody has pruned for long: tables grow."""
        overdue = turn.idle > OVERDUE
        self._outages.tell(
            "pruning", f"nobody has completed a round for {OVERDUE:.0f} s" if overdue else None
        )

    async def _prune_all(self, term: Term) -> None:
        complete = True
        for what, (seconds, count) in _limits(self._settings()).items():
            if not (seconds or count):
                continue
            if not await self._chores.hold(term):
                return
            try:
                await self._prune(what, term, seconds, count)
            except StorageError as error:  # perhaps of this kind alone
                complete = False
                log.warning("pruning put off", what=what, error=str(error))
        if complete:
            await self._chores.end(term)

    async def _prune(self, what: Kept, term: Term, seconds: float, count: int) -> None:
        total = 0
        while deleted := await self._store.prune(
            what, term, seconds=seconds, count=count, batch=BATCH
        ):
            total += deleted
            await trio.sleep(PAUSE)
        if total:
            log.info("pruned", what=what, rows=total)


def _limits(settings: RetentionSettings) -> Mapping[Kept, tuple[float, int]]:
    """For how many seconds, and how many, each is kept; 0: no such limit."""
    return {
        "requests": (settings.archive_days * DAY, settings.archive_count),
        "results": (settings.archive_days * DAY, settings.archive_count),
        "journal": (settings.journal_days * DAY, settings.journal_count),
        "dead": (settings.dead_days * DAY, settings.dead_count),
        "nodes": (DAY, NODES),
        "control": (OVER, 0),
    }
