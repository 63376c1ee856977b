"""Beside stage 4: shares what one process learnt about a model with all of them."""

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
"""Seconds after which the table is read again although nobody said that it changed."""
FIRST_READ = 2.0
"""Seconds that the start waits for it at most."""
log = structlog.get_logger("nexus.model_quirks")


class ModelQuirks(GenServer):
    """Keeps the table that the workers look into and the store's alike: writes what they learn,
    reads what others have learnt or an operator has forgotten.

    While the store is away, calls go by what is known, and what is learnt waits.
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
        """Read, so that the first call goes by what is known; but keep nobody waiting for it."""
        self._quirks.on_learnt = self._wake.set
        with trio.move_on_after(FIRST_READ), suppress(StorageError):
            await self._read()
        self._changed = True  # it may have, until we listen; and what failed is told below
        self.spawn_link(self._keep)

    async def _keep(self) -> None:
        with self._hints.subscribe(QUIRKS_CHANNEL, self._notified):
            while True:
                try:
                    await self._write()
                    if self._changed:
                        await self._read()
                except StorageError as error:
                    self._changed = True
                    await self._patience.failed(error)
                    continue
                self._patience.worked()
                if not await self._wake.wait(INTERVAL):
                    self._changed = True

    def _notified(self, _payload: str | None) -> None:
        self._changed = True
        self._wake.set()

    async def _read(self) -> None:
        self._changed = False  # what changes during the read is read once more
        stored = await self._store.read()
        self._quirks.replace(stored, trio.current_time())

    async def _write(self) -> None:
        for quirk in self._quirks.unwritten():
            told = {"provider": quirk.provider, "model": quirk.model, "field": quirk.field}
            try:
                await self._store.learn(quirk)
            except StorageRefused as error:
                log.warning("what was learnt of a model is refused", error=str(error), **told)
            else:
                log.info("learnt what a model does not take", **told)
            self._quirks.written(quirk)
