"""Extends the leases of jobs in work, and gives back what is left when the service stops."""

from dataclasses import replace

import structlog
import trio

from nexus_actors.pipeline.stage import Stage
from nexus_actors.shared import Shared
from nexus_actors.storage.errors import StorageError
from nexus_actors.work.ending import give_back
from nexus_actors.work.job import Answered, Leaving
from supervisors import ExitReason, Shutdown, Status

log = structlog.get_logger("nexus.lease_keeper")

RELEASE_TIMEOUT = 10.0
"""Seconds that a stop waits for the store to take back the remaining leases."""


class LeaseKeeper(Stage):
    """Extends all leases in one statement, three times per visibility timeout.

    If a lease turns out to be lost to another process, work on the job ends: its call is cancelled
    and nothing is published. It is the first of the pipeline to start and the last to stop.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._store = shared.store
        self._in_work = shared.in_work
        self._patience = shared.outages.patience("LeaseKeeper")

    def format_status(self, status: Status) -> Status:
        """Counts and names only: nothing that a request contains."""
        return replace(
            status.shapes(),
            state={
                "leases": len(self._in_work),
                "store_away": self._patience.tried,
            },
        )

    async def init(self) -> None:
        """Start extending."""
        self.spawn_link(self._keep)

    async def terminate(self, reason: ExitReason) -> None:
        """On an orderly shutdown, make all unfinished requests visible at once."""
        if isinstance(reason, Shutdown):
            with trio.move_on_after(RELEASE_TIMEOUT):
                await self._release()

    async def _keep(self) -> None:
        while True:
            try:
                await self._extend()
            except StorageError as error:
                await self._patience.failed(error)
            else:
                self._patience.worked()
                with trio.move_on_after(self._visibility_timeout / 3):
                    await self._shared.in_force.changed.wait()  # the timeout may be shorter now

    @property
    def _visibility_timeout(self) -> float:
        return self._shared.settings.queue.visibility_timeout

    async def _extend(self) -> None:
        asked = {job: job.lease for job in self._in_work}
        if not asked:
            return
        held = await self._store.extend(set(asked.values()), self._visibility_timeout)
        for job, lease in asked.items():
            # A job may have ended, or been leased again, while the statement ran. Jobs with an
            # outcome (publisher) or on their way back (Router) are fenced by those statements.
            changed = job not in self._in_work or job.lease != lease
            if changed or isinstance(job.place, Answered | Leaving):
                continue
            current = held.get(job.request_id or "")
            if current is not None and current.msg_id == lease.msg_id:
                self._in_work.renew(job, current)  # this process leased it again meanwhile
                continue
            log.warning("lease lost, call given up", **job.ids, msg_id=lease.msg_id)
            if job.call is not None:
                job.call.cancel()
            self._in_work.remove(job)
            self._shared.left(job, "lost")
            self._shared.metrics.leases_lost += 1

    async def _release(self) -> None:
        jobs = [job for job in self._in_work if not isinstance(job.place, Answered)]
        for job in jobs:
            job.cut_off("interrupted")
        try:
            await self._store.give_back([give_back(job) for job in jobs])
            for job in jobs:
                self._in_work.remove(job)
                self._shared.left(job, "given_back")
            # Also what was leased and never reached the table, and what waits for a provider.
            await self._store.release_orphans(
                [job.lease.msg_id for job in self._in_work], called=False
            )
            await self._store.forget_waiting()
        except StorageError as error:
            log.warning("leases could not be released", requests=len(jobs), error=str(error))
