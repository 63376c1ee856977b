"""Moves results from the results queue into `job_results`, and so wakes whoever waits for them."""

from collections.abc import Sequence

import structlog
import trio

from nexus_actors.contract.encode import decode_result
from nexus_actors.contract.result import LLMResult
from nexus_actors.failpoints import reached
from nexus_actors.pipeline.patience import Outages
from nexus_actors.pipeline.wake import Wake
from nexus_actors.results.job_results import job_result
from nexus_actors.settings.model import QueueSettings
from nexus_actors.storage.ports import Hints, StorageError, StorageRefused, StorageUnavailable
from nexus_actors.storage.result_ports import JobResult, ResultMessage, ResultStore
from supervisors import GenServer

log = structlog.get_logger("nexus.result_poller")

VISIBILITY_TIMEOUT = 10.0
"""Seconds a result stays invisible while it is being stored."""
DELIVERIES = 5
"""So often a result that `job_results` refuses is tried, then it is set aside with the reason."""
FIRST_DELAY = 10.0
"""Seconds until a refused result is tried again; three times as many each further time, so that who
mends the table has a few minutes."""


class ResultPoller(GenServer):
    """Each batch is stored, acknowledged and announced in one transaction; twice is once."""

    def __init__(
        self, *, queue: QueueSettings, store: ResultStore, hints: Hints, outages: Outages
    ) -> None:
        self._queue = queue
        self._store = store
        self._hints = hints
        self._wake = Wake()
        self._patience = outages.patience("ResultPoller")

    async def init(self) -> None:
        """Start polling."""
        self.spawn_link(self._poll)

    async def _poll(self) -> None:
        released = False
        with self._hints.listen(self._queue.results, self._wake.set):
            while True:
                try:
                    if not released:
                        await self._store.release()
                        released = True
                    count = await self._move()
                except StorageError as error:
                    await self._patience.failed(error)
                    continue
                self._patience.worked()
                if count < self._queue.batch_size:
                    await self._wake.wait(self._queue.poll_interval)

    async def _move(self) -> int:
        """Move one batch; how many messages it had."""
        messages = await self._store.read(self._queue.batch_size, VISIBILITY_TIMEOUT)
        rows: list[JobResult] = []
        garbage: list[tuple[ResultMessage, str]] = []
        for message in messages:
            match decode_result(message.body):
                case LLMResult() as result:
                    rows.append(job_result(result, message.lease))
                case reason:
                    garbage.append((message, reason))
        # Somebody waits for the rows, nobody for the garbage.
        if rows:
            reached("before_store")
        await self._save(rows, {message.lease.msg_id: message for message in messages})
        if rows:
            reached("after_store")
        for message, reason in garbage:
            await self._set_aside(message, reason)
        return len(messages)

    async def _save(self, rows: Sequence[JobResult], messages: dict[int, ResultMessage]) -> None:
        """Store all together; each alone if that fails, or if an earlier delivery came to nothing:
        a bad row harms no other.
        """
        fresh = [row for row in rows if row.lease.read_ct == 1]
        suspects = [row for row in rows if row.lease.read_ct > 1]
        try:
            if fresh:
                await self._persist(fresh)
        except StorageRefused:
            suspects += fresh
        stored, trouble = 0, None
        for row in suspects:
            try:
                await self._store.store([row])
                stored += 1
            except StorageRefused as error:
                await self._refused(row, messages[row.lease.msg_id], str(error))
            except StorageUnavailable as error:  # of this row alone, perhaps
                trouble = error
        if trouble is not None and stored == 0:
            raise trouble

    async def _persist(self, rows: Sequence[JobResult]) -> None:
        """Store, trying again while the database is away, for as long as nobody else reads them."""
        until = trio.current_time() + VISIBILITY_TIMEOUT
        while True:
            try:
                await self._store.store(rows)
            except StorageUnavailable as error:
                if trio.current_time() >= until:
                    raise
                await self._patience.failed(error)
            else:
                return

    async def _refused(self, row: JobResult, message: ResultMessage, reason: str) -> None:
        if row.lease.read_ct >= DELIVERIES:
            await self._set_aside(message, reason)
            return
        delay = FIRST_DELAY * 3 ** (row.lease.read_ct - 1)
        await self._store.postpone(row, delay, reason)
        log.warning(
            "result not stored, tried again later",
            request_id=row.request_id,
            seconds=delay,
            error=reason,
        )

    async def _set_aside(self, message: ResultMessage, reason: str) -> None:
        try:
            await self._store.set_aside(message, reason)
        except StorageRefused as error:
            # It stays in its queue, where it harms nobody.
            log.warning("result not set aside", msg_id=message.lease.msg_id, error=str(error))
        else:
            log.error("result set aside", msg_id=message.lease.msg_id, reason=reason)
