"""Moves results from the results queue into `job_results`, and so wakes whoever waits for them."""

from collections.abc import Sequence

import structlog

from nexus_actors.contract.encode import decode_result
from nexus_actors.contract.result import LLMResult
from nexus_actors.pipeline.patience import Patience
from nexus_actors.pipeline.wake import Wake
from nexus_actors.results.job_results import job_result
from nexus_actors.settings.model import QueueSettings
from nexus_actors.storage.ports import (
    Hints,
    JobResult,
    ResultMessage,
    ResultStore,
    StorageError,
    StorageRefused,
    StorageUnavailable,
)
from supervisors import GenServer

log = structlog.get_logger("nexus.result_poller")

VISIBILITY_TIMEOUT = 10.0
"""Seconds a result stays invisible while it is being stored, and until it is tried again."""
DELIVERIES = 5
"""So often a result that `job_results` refuses is tried, then it is set aside with the reason."""


class ResultPoller(GenServer):
    """Each batch is stored, acknowledged and announced in one transaction; twice is once."""

    def __init__(self, *, queue: QueueSettings, store: ResultStore, hints: Hints) -> None:
        self._queue = queue
        self._store = store
        self._hints = hints
        self._wake = Wake()
        self._patience = Patience("ResultPoller")

    async def init(self) -> None:
        """Start polling."""
        self.spawn_link(self._poll)

    async def _poll(self) -> None:
        with self._hints.listen(self._queue.results, self._wake.set):
            while True:
                try:
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
        for message in messages:
            match decode_result(message.body):
                case LLMResult() as result:
                    rows.append(job_result(result, message.lease))
                case reason:
                    await self._set_aside(message, reason)
        if rows:
            await self._save(rows, {message.lease.msg_id: message for message in messages})
        return len(messages)

    async def _save(self, rows: Sequence[JobResult], messages: dict[int, ResultMessage]) -> None:
        """Store, however long the database is away. If the table refuses the batch, each row is
        tried alone: a bad one harms no other.
        """
        try:
            await self._persist(rows)
        except StorageRefused as error:
            if len(rows) > 1:
                for row in rows:
                    await self._save([row], messages)
            elif rows[0].lease.read_ct >= DELIVERIES:
                await self._set_aside(messages[rows[0].lease.msg_id], str(error))
            else:
                log.warning(
                    "result not stored, kept", request_id=rows[0].request_id, error=str(error)
                )

    async def _persist(self, rows: Sequence[JobResult]) -> None:
        # To read them again would take until they are visible again; storing twice is once.
        while True:
            try:
                return await self._store.store(rows)
            except StorageUnavailable as error:
                await self._patience.failed(error)

    async def _set_aside(self, message: ResultMessage, reason: str) -> None:
        await self._store.set_aside(message, reason)
        log.error("result set aside", msg_id=message.lease.msg_id, reason=reason)
