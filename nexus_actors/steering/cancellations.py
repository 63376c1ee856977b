"""The actor that ends requests in work which somebody has cancelled."""

from dataclasses import replace

import structlog
import trio

from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.result import Failure
from nexus_actors.storage.cancellations import CANCEL_CHANNEL, Cancellation, CancellationStore
from nexus_actors.storage.errors import StorageError
from nexus_actors.storage.notices import Hints
from nexus_actors.storage.outages import Outages
from nexus_actors.work.in_work import InWork
from nexus_actors.work.job import Answered, Assigned, Held, Job, Leaving, Unrouted
from nexus_actors.work.wake import Wake
from supervisors import GenServer, Status

INTERVAL = 2.0
"""Seconds between two reads without a notification."""
RETURNING = 0.1
"""Seconds between two checks while a cancelled request is on its way back to the store."""
LINGER = 0.02
"""The least seconds between two reads, so that simultaneous cancellations are read together."""
log = structlog.get_logger("nexus.cancellations")


class Cancellations(GenServer):
    """Reads which requests in work are cancelled: on each notification, and every two seconds.

    If the request's call is running, the call is aborted, and its worker ends the request. A
    request that has its answer keeps it. A request that is not in work ends at its next lease, so
    no cancellation is lost if this process ends first.
    """

    def __init__(
        self, *, store: CancellationStore, hints: Hints, in_work: InWork, outages: Outages
    ) -> None:
        self._store = store
        self._hints = hints
        self._in_work = in_work
        self._patience = outages.patience("Cancellations")
        self._wake = Wake()
        self._is_notified = True
        self._returning: dict[str, Job] = {}
        """Cancelled requests on their way back to the store, which may have them already."""

    def format_status(self, status: Status) -> Status:
        """Counts and names only: nothing that a request contains."""
        return replace(
            status.shapes(),
            state={
                "on_their_way_back": len(self._returning),
                "store_away": self._patience.tried,
            },
        )

    async def init(self) -> None:
        """Begin with a read."""
        self._notified()
        self.spawn_link(self._keep)

    async def _keep(self) -> None:
        with self._hints.subscribe(CANCEL_CHANNEL, self._notified):
            while True:
                await self._wake.wait(RETURNING if self._returning else INTERVAL)
                try:
                    is_notified, self._is_notified = self._is_notified, False
                    await self._look()
                    await self._hasten()
                    if is_notified:
                        await self._store.hasten_recent()
                except StorageError as error:
                    self._notified()
                    await self._patience.failed(error)
                    continue
                self._patience.worked()
                await trio.sleep(LINGER)

    def _notified(self, _payload: str | None = None) -> None:
        """A cancellation may concern a request that was given back a moment ago: check those,
        too."""
        self._is_notified = True
        self._wake.set()

    async def _look(self) -> None:
        in_hand = {
            job.request_id: job
            for job in self._in_work
            if job.request_id is not None
            and job.cancelled is None
            and not isinstance(job.place, Answered)
        }
        if not in_hand:
            return
        for request_id, wish in (await self._store.wanted(in_hand)).items():
            self._end(request_id, in_hand[request_id], cancelled(wish))

    def _end(self, request_id: str, job: Job, failure: Failure) -> None:
        """No checkpoint, so the job's place cannot change in between."""
        match job.place:
            case Unrouted() | Assigned():
                self._in_work.answer(job, failure)
            case Held():
                log.info("call is cut off, its request is cancelled", **job.ids)
                job.cancelled = failure
                if job.call is not None:
                    job.call.cancel()
            case Leaving() | None:  # it waits in the store now, or soon will
                self._returning[request_id] = job

    async def _hasten(self) -> None:
        """Make cancelled requests visible that are back in the store by now, so that they end."""
        returned = [name for name, job in self._returning.items() if job not in self._in_work]
        if returned:
            await self._store.hasten(returned)
            for name in returned:
                del self._returning[name]


def cancelled(wish: Cancellation | None) -> Failure:
    """The failure that a cancelled request ends with."""
    by = f" by {wish.by}" if wish is not None and wish.by else ""
    why = f": {wish.why}" if wish is not None and wish.why else ""
    message = f"cancelled{by}{why}"
    return Failure(type=ErrorType.CANCELLED, message=message, retryable=False)
