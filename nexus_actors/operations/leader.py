"""Leadership in a chore (`nexus.chores`): work that one of all processes on a database does."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import structlog
import trio

from nexus_actors.pipeline.stage import Stage
from nexus_actors.storage.errors import StorageError
from nexus_actors.storage.nodes import Chore, ChoreStore, Term, Turn
from nexus_actors.storage.outages import Outages
from supervisors import ExitReason, Shutdown, Status

LOOK = 3.0
"""Seconds between the leader's heartbeats, and between checks by others whether it is silent."""
LEAVE_TIMEOUT = 2.0
"""Seconds that a stop waits for the store to record that the leader has gone."""

log = structlog.get_logger("nexus.leader")


@dataclass(frozen=True, slots=True, kw_only=True)
class Leadership:
    """What all leaders of a process need."""

    chores: ChoreStore
    node: str
    """This instance's id."""
    running: Callable[[], float]
    """The seconds for which this service has run."""
    outages: Outages


class Leader(Stage):
    """Does a round of its chore every `interval`, but only while it leads. The others check whether
    the leader is silent, and take over. If no node has completed a round for long, the service
    reports it."""

    chore: ClassVar[Chore]
    doing: ClassVar[str]
    """The chore's name in logs and status."""
    interval: ClassVar[float]
    """Seconds between two rounds."""
    overdue: ClassVar[float]
    """Seconds without a complete round after which the service reports it."""

    def __init__(self, leadership: Leadership) -> None:
        self.chores = leadership.chores
        self._leadership = leadership
        self._patience = leadership.outages.patience(type(self).__name__)
        self._turn = trio.Lock()
        self._term: Term | None = None
        self._logged: Term | None = None
        """The last term that was logged. If a check finds the chore locked by a statement of our
        own that the server has not ended yet, it does not show who leads."""
        self._due = -math.inf

    async def round(self, term: Term) -> None:
        """Do one round, then call `chores.end(term)`. Its writes must have no effect once the term
        is over. If it raises StorageError, it is tried again after a pause."""
        raise NotImplementedError

    def format_status(self, status: Status) -> Status:
        """Counts and names only: nothing that a request contains."""
        return replace(
            status.shapes(),
            state={
                "chore": self.chore,
                "leads": self._term is not None,
                "interval": self.interval,
                "store_away": self._patience.tried,
            },
        )

    async def init(self) -> None:
        """Try to lead. A leader begins with a round."""
        self._leading = self.spawn_link(self._lead)

    async def terminate(self, reason: ExitReason) -> None:
        """On an orderly stop, let another node lead at once."""
        if not isinstance(reason, Shutdown):
            return
        self._leading.cancel()
        with trio.move_on_after(LEAVE_TIMEOUT):
            async with self._turn:
                if self._term is not None:
                    await self._leave(self._term)

    async def _leave(self, term: Term) -> None:
        try:
            await self.chores.leave(term)
        except StorageError as error:  # another node takes over after the silence
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
        leads = self._leadership
        turn = await self.chores.take(self.chore, node=leads.node, running=leads.running())
        self._tell(turn)
        if turn.term is None:
            self._due = -math.inf
        elif turn.term != self._logged:
            self._logged = turn.term
            log.info("this node leads", chore=self.chore, term=turn.term.number)
        self._term = turn.term
        if self._term is not None and trio.current_time() >= self._due:
            await self.round(self._term)
            self._due = trio.current_time() + self.interval

    def _tell(self, turn: Turn) -> None:
        late = f"nobody has completed a round for {self.overdue:.0f} s"
        self._leadership.outages.tell(self.doing, late if turn.idle > self.overdue else None)
