"""The actor that applies the rows of `nexus.control`, which say what operators want."""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import structlog
import trio

from nexus_actors.steering.desired import Desired, Pause
from nexus_actors.storage.control import CONTROL_CHANNEL, ControlRow, ControlStore
from nexus_actors.storage.errors import StorageError
from nexus_actors.storage.notices import Hints
from nexus_actors.storage.outages import Outages
from nexus_actors.work.in_work import InWork
from nexus_actors.work.job import Assigned
from nexus_actors.work.wake import Wake
from supervisors import GenServer, Status

INTERVAL = 2.0
"""Seconds after which the rows are read again without a notification."""
FIRST_READ = 2.0
"""The most seconds that the start waits for the first read."""
RELEASING = 60.0
"""Seconds after the end of a pause for which waiting requests are still released: a process that
learnt of the end later may have put more there."""
BATCH = 1000
"""Requests made visible in one statement."""
log = structlog.get_logger("nexus.steering")


@dataclass(frozen=True, slots=True, kw_only=True)
class Callbacks:
    """Callbacks that apply what this package cannot reach. They must not block."""

    resize: Callable[[], None] = lambda: None
    """Apply the pool sizes that `Desired` and the config say now."""
    set_level: Callable[[], None] = lambda: None
    """Apply the log level that `Desired` and the config say now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which rows concern this process, and what applies them."""

    nodes: tuple[str, ...]
    """The names of this node."""
    queue: str
    """The queue that this process leases from."""
    callbacks: Callbacks = field(default_factory=Callbacks)


class Steering(GenServer):
    """Reads the rows on each notification and every two seconds, writes them into `Desired`, and
    carries out changes.

    While the store is away, the last known state holds, and pauses still end on time. Nothing is
    leased before the rows were read for the first time.
    """

    def __init__(
        self,
        *,
        scope: Scope,
        store: ControlStore,
        hints: Hints,
        desired: Desired,
        in_work: InWork,
        outages: Outages,
    ) -> None:
        self._scope = scope
        self._store = store
        self._hints = hints
        self._desired = desired
        self._in_work = in_work
        self._patience = outages.patience("Steering")
        self._wake = Wake()
        self._rows: Sequence[ControlRow] = ()
        self._read_at = 0.0
        self._releases_until = 0.0
        self._is_first = True
        self._was_away = False

    def format_status(self, status: Status) -> Status:
        """Counts and names only: nothing that a request contains."""
        return replace(
            status.shapes(),
            state={
                "rows": len(self._rows),
                "read_ago": round(trio.current_time() - self._read_at, 1),
                "store_away": self._patience.tried,
            },
        )

    async def init(self) -> None:
        """Read the rows, so that they apply to the first request, but do not delay the start for
        long. What a predecessor may have left half done is done again."""
        self._releases_until = trio.current_time() + RELEASING
        with trio.move_on_after(FIRST_READ), suppress(StorageError):
            await self._read()
        self.spawn_link(self._keep)

    async def _keep(self) -> None:
        with self._hints.subscribe(CONTROL_CHANNEL, lambda _: self._wake.set()):
            while True:
                try:
                    await self._read()
                    if self._was_away:  # a pause may have ended meanwhile
                        self._releases_until = trio.current_time() + RELEASING
                    await self._release()
                    self._was_away = False
                except StorageError as error:
                    self._end_what_is_over()
                    self._was_away = True
                    await self._patience.failed(error)
                    continue
                self._patience.worked()
                left = max(self._desired.ends_at - trio.current_time(), 0.01)
                await self._wake.wait(min(INTERVAL, left))

    async def _read(self) -> None:
        rows = await self._store.read(self._scope.nodes)
        self._read_at = trio.current_time()
        self._obey(rows)

    def _end_what_is_over(self) -> None:
        """End pauses whose time has come while the store is away."""
        now = trio.current_time()
        if self._desired.ends_at <= now:
            over = {
                (it.subject, it.name, it.until) for it in self._desired.pauses if it.ends_at <= now
            }
            self._obey([it for it in self._rows if (it.subject, it.name, it.until) not in over])

    def _obey(self, rows: Sequence[ControlRow]) -> None:
        """Apply the rows. There is no checkpoint, so no other task sees a half-applied state."""
        before = self._desired.pauses
        drained, level = self._desired.drain, self._desired.log_level
        concurrency = self._desired.concurrency
        is_first, self._is_first = self._is_first, False
        self._rows = rows
        self._desired.replace(rows, self._scope.queue, self._read_at)
        ended, begun = _changes(before, self._desired.pauses)
        for pause in begun:
            log.warning("paused", what=pause.describe())
        for pause in ended:
            log.warning("resumed", subject=pause.subject, name=pause.name)
        if begun:
            self._take_back()
        if ended or begun:
            self._releases_until = trio.current_time() + RELEASING
        if self._desired.log_level != level or is_first:
            self._scope.callbacks.set_level()
        if self._desired.concurrency != concurrency or is_first:
            self._scope.callbacks.resize()
        if (self._desired.drain is None) != (drained is None) or is_first:
            self._drain(is_wanted=self._desired.drain is not None)
        if ended or begun or is_first:
            self._in_work.heed()

    def _take_back(self) -> None:
        """Return jobs from provider queues to the Router if their calls may not begin."""
        for job in self._in_work:
            if isinstance(job.place, Assigned) and self._desired.of_job(job) is not None:
                self._in_work.unroute(job)

    def _drain(self, *, is_wanted: bool) -> None:
        """Begin or end a drain. Clients do not see a draining node as a consumer."""
        if is_wanted:
            self._hints.withdraw()
            self._in_work.drain()
            self._in_work.leave_unbegun()
        elif not self._in_work.stopping:
            self._in_work.resume()
            self._hints.announce()

    async def _release(self) -> None:
        """Make requests visible that wait for a pause that is over, or that can now fall back."""
        if trio.current_time() < self._releases_until:
            lanes, passed_over = self._desired.lanes, self._desired.passed_over
            while await self._store.release(lanes, passed_over, BATCH) == BATCH:
                pass


def _changes(
    before: Collection[Pause], after: Collection[Pause]
) -> tuple[list[Pause], list[Pause]]:
    """The pauses that have ended, and those that are new or have changed."""
    old = {_key(it) for it in before}
    new = {_key(it) for it in after}
    gone = {(it.subject, it.name) for it in after}
    return (
        [it for it in before if (it.subject, it.name) not in gone],
        [it for it in after if _key(it) not in old] if new != old else [],
    )


def _key(pause: Pause) -> tuple[object, ...]:
    how = pause.fallback, pause.everywhere
    return pause.subject, pause.name, pause.by, pause.why, pause.until, *how
