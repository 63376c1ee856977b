"""The actor that shares what one process has learnt about models with all others."""

from contextlib import suppress
from dataclasses import replace

import structlog
import trio

from nexus_actors.admission.quirks import Quirks
from nexus_actors.storage.errors import StorageError, StorageRefused
from nexus_actors.storage.notices import Hints
from nexus_actors.storage.outages import Outages
from nexus_actors.storage.quirks import QUIRKS_CHANNEL, QuirkStore
from nexus_actors.work.wake import Wake
from supervisors import GenServer, Status

INTERVAL = 60.0
"""Seconds after which the table is read again without a notification."""
FIRST_READ = 2.0
"""The most seconds that the start waits for the first read."""
log = structlog.get_logger("nexus.model_quirks")


class ModelQuirks(GenServer):
    """Keeps `Quirks`, which the workers consult, equal to the store's table: writes what workers
    learn, and reads what others have learnt or an operator has deleted.

    While the store is away, calls use what is known, and what is learnt waits to be written.
    """

    def __init__(
        self, *, store: QuirkStore, hints: Hints, quirks: Quirks, outages: Outages
    ) -> None:
        self._store = store
        self._hints = hints
        self._quirks = quirks
        self._wake = Wake()
        self._changed = True
        self._patience = outages.patience("ModelQuirks")

    def format_status(self, status: Status) -> Status:
        """Counts and names only: nothing that a request contains."""
        return replace(
            status.shapes(),
            state={
                "to_write": self._changed,
                "store_away": self._patience.tried,
            },
        )

    async def init(self) -> None:
        """Read the table, so that the first call uses it, but do not delay the start for long."""
        self._quirks.on_learnt = self._wake.set
        with trio.move_on_after(FIRST_READ), suppress(StorageError):
            await self._read()
        self.spawn_link(self._keep)

    async def _keep(self) -> None:
        # It may change before LISTEN: `subscribe` calls this once after that, or after a connect.
        with self._hints.subscribe(QUIRKS_CHANNEL, self._notified):
            while True:
                try:
                    await self._write()
                    if self._changed:
                        await self._read()
                except StorageError as error:
                    await self._patience.failed(error)
                    continue
                self._patience.worked()
                if not await self._wake.wait(INTERVAL):
                    self._changed = True

    def _notified(self, _payload: str | None) -> None:
        self._changed = True
        self._wake.set()

    async def _read(self) -> None:
        self._changed = False  # a change during the read causes another read
        try:
            stored = await self._store.read()
        except BaseException:  # also when cut off after FIRST_READ: `_keep` reads again
            self._changed = True
            raise
        self._quirks.replace(stored, trio.current_time())

    async def _write(self) -> None:
        for quirk in self._quirks.unwritten():
            names = {"provider": quirk.provider, "model": quirk.model, "field": quirk.field}
            try:
                await self._store.learn(quirk)
            except StorageRefused as error:
                log.warning("what was learnt of a model is refused", error=str(error), **names)
            else:
                log.info("learnt what a model does not take", **names)
            self._quirks.written(quirk)
