"""Moves results from the results queue into `job_results`, which wakes waiting clients."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import structlog
import trio

from nexus_actors.contract.encode import decode_result
from nexus_actors.contract.result import LLMResult
from nexus_actors.failpoints import reached
from nexus_actors.settings.model import QueueSettings
from nexus_actors.storage.errors import StorageError, StorageRefused, StorageUnavailable
from nexus_actors.storage.job_results import job_result
from nexus_actors.storage.notices import Hints
from nexus_actors.storage.outages import Outages
from nexus_actors.storage.results import JobResult, ResultMessage, ResultStore
from nexus_actors.work.wake import Wake
from supervisors import GenServer, Status

log = structlog.get_logger("nexus.result_poller")

VISIBILITY_TIMEOUT = 10.0
"""Seconds for which a result stays invisible while it is being stored."""
DELIVERIES = 5
"""Tries before a result that `job_results` refuses is set aside, with the reason."""
FIRST_DELAY = 10.0
"""Seconds until a refused result is tried again, tripled each time, so that an operator has a few
minutes to repair the table."""
LONGEST_DELAY = 30.0
"""The longest delay of a result whose content is not at fault."""
LONGEST_ACCUSED = FIRST_DELAY * 3 ** (DELIVERIES - 1) + 60.0
"""Seconds after which a suspect result that was not delivered again is forgotten."""
GRACE = 60.0
"""Seconds beyond its delay after which a result that was not delivered again counts as stored by
another process."""


class ResultPoller(GenServer):
    """Stores, acknowledges and announces each batch in one transaction. Doing it twice is harmless.

    A batch that fails is halved, so that a bad row harms no other. If a single row is refused while
    a placeholder is accepted, it is tried a few times more and then set aside with the reason. If
    even a placeholder is refused, the table is at fault, and the row waits until it is repaired.
    The same holds if several rows are refused one by one and none was stored in between.
    """

    def __init__(
        self,
        *,
        queue: Callable[[], QueueSettings],
        store: ResultStore,
        hints: Hints,
        outages: Outages,
    ) -> None:
        """`queue` returns the settings in force."""
        self._queue = queue
        self._store = store
        self._hints = hints
        self._wake = Wake()
        self._patience = outages.patience("ResultPoller")
        self._refused: dict[int, float] = {}
        """Messages that wait for the table to be repaired, and when to forget each."""
        self._accused: dict[int, Accused] = {}
        """Messages that were refused while a placeholder was accepted."""

    def format_status(self, status: Status) -> Status:
        """Counts and names only: nothing that a request contains."""
        return replace(
            status.shapes(),
            state={
                "refused": len(self._refused),
                "accused": len(self._accused),
                "store_away": self._patience.tried,
            },
        )

    async def init(self) -> None:
        """Start polling."""
        self.spawn_link(self._poll)

    async def _poll(self) -> None:
        released = False
        with self._hints.listen(self._queue().results, self._wake.set):
            while True:
                try:
                    if not released:
                        await self._store.release()
                        released = True
                    more = await self._move()
                except StorageError as error:
                    await self._patience.failed(error)
                    continue
                now = trio.current_time()
                self._refused = {it: until for it, until in self._refused.items() if until > now}
                self._accused = {n: it for n, it in self._accused.items() if it.until > now}
                if not self._refused:
                    self._patience.worked()
                if not more:
                    await self._wake.wait(self._queue().poll_interval)

    async def _move(self) -> bool:
        """Move one batch. Returns whether more messages are due."""
        messages = await self._store.read(self._queue().batch_size, VISIBILITY_TIMEOUT)
        rows: list[JobResult] = []
        garbage: list[tuple[ResultMessage, str]] = []
        for message in messages:
            if message.fault is not None:
                garbage.append((message, message.fault))
                continue
            match decode_result(message.body):
                case LLMResult() as result:
                    rows.append(job_result(result, message.lease))
                case reason:
                    garbage.append((message, reason))
        # Rows first: clients may wait for them, but not for garbage.
        if rows:
            reached("before_store")
        await self._save(rows, {message.lease.msg_id: message for message in messages})
        if rows:
            reached("after_store")
        for message, reason in garbage:
            await self._set_aside(message, reason)
        return any(message.more_due for message in messages)

    async def _save(self, rows: Sequence[JobResult], messages: dict[int, ResultMessage]) -> None:
        """Store new rows together; bisect those that were delivered before or are refused."""
        fresh = [row for row in rows if row.lease.read_ct == 1]
        suspects = [row for row in rows if row.lease.read_ct != 1]
        try:
            if fresh:
                await self._persist(fresh)
                self._passed(fresh)
        except StorageRefused:
            suspects += fresh
        halves = Halves()
        await self._divide(suspects, halves)
        self._passed(halves.stored)
        unblocked = [self._refused.pop(row.lease.msg_id, None) for row in halves.stored]
        if any(until is not None for until in unblocked):
            await self._store.release(refused=True)  # the table is repaired: retry all of them now
        for row, error, condition in await self._judged(halves.refused):
            await self._refuse(row, messages[row.lease.msg_id], error, condition)
        if halves.trouble is not None and not halves.stored:
            raise halves.trouble

    def _passed(self, stored: Sequence[JobResult]) -> None:
        for row in stored:
            self._accused.pop(row.lease.msg_id, None)
        if stored:
            for accused in self._accused.values():
                accused.others_passed = True

    async def _judged(
        self, refused: Sequence[tuple[JobResult, StorageRefused]]
    ) -> list[tuple[JobResult, StorageRefused, StorageRefused | None]]:
        """Each refused row with the condition that stops all rows; None if the row is at fault."""
        conditions: dict[str, StorageRefused | None] = {}
        judged: list[tuple[JobResult, StorageRefused, StorageRefused | None]] = []
        for row, error in refused:
            # The same error may be the table's fault for one row and the row's own for another. So
            # a verdict is shared only among rows that are merely postponed.
            if str(error) not in conditions or row.lease.read_ct >= DELIVERIES:
                conditions[str(error)] = await self._condition(row)
            judged.append((row, error, conditions[str(error)]))
            if conditions[str(error)] is None:
                accused = self._accused.setdefault(row.lease.msg_id, Accused())
                accused.until = trio.current_time() + LONGEST_ACCUSED
        alone = sum(not it.others_passed for it in self._accused.values()) == 1
        return [
            (row, error, condition)
            if condition is not None or alone or self._accused[row.lease.msg_id].others_passed
            else (row, error, error)
            for row, error, condition in judged
        ]

    async def _divide(self, rows: Sequence[JobResult], halves: "Halves") -> None:
        """Store the rows. If they fail, bisect them, down to single rows."""
        if not rows:
            return
        try:
            await self._store.store(rows)
        except StorageError as error:
            if len(rows) > 1:
                half = len(rows) // 2
                await self._divide(rows[:half], halves)
                await self._divide(rows[half:], halves)
            elif isinstance(error, StorageRefused):
                halves.refused.append((rows[0], error))
            else:
                if halves.trouble is not None and not halves.stored:
                    raise  # two in a row: the store is at fault, not the rows
                halves.trouble = error
        else:
            halves.stored += rows

    async def _persist(self, rows: Sequence[JobResult]) -> None:
        """Store, retrying while the database is away, until the messages become visible again."""
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

    async def _condition(self, row: JobResult) -> StorageRefused | None:
        """Why even an almost empty row is refused; None if it is accepted."""
        try:
            await self._store.rehearse(
                replace(
                    row,
                    input="{}",
                    output="{}",
                    error=None if row.error is None else "",
                    tokens_used=0,
                    cost_cents=0,
                    duration_ms=0,
                )
            )
        except StorageRefused as condition:
            return condition
        return None

    async def _refuse(
        self,
        row: JobResult,
        message: ResultMessage,
        error: StorageRefused,
        condition: StorageRefused | None,
    ) -> None:
        if condition in (None, error) and row.lease.read_ct >= DELIVERIES:  # placeholder passed
            try:
                # Once more after the rehearsal: the table may just have been repaired.
                await self._store.store([row])
            except StorageRefused as again:
                if condition is None:
                    await self._set_aside(message, str(again), row.request_id)
                    return
            else:
                self._passed([row])
                if self._refused.pop(row.lease.msg_id, None) is not None:
                    await self._store.release(refused=True)
                return
        delay = FIRST_DELAY * 3 ** (min(max(row.lease.read_ct, 1), DELIVERIES) - 1)
        if condition is not None:
            delay = min(delay, LONGEST_DELAY)
            self._refused[row.lease.msg_id] = trio.current_time() + delay + GRACE
            self._patience.note(condition)
        await self._store.postpone(row, delay, f"delivered {row.lease.read_ct} times: {error}")
        log.warning(
            "result not stored, tried again later",
            request_id=row.request_id,
            seconds=delay,
            error=str(error),
        )

    async def _set_aside(
        self, message: ResultMessage, reason: str, request_id: str | None = None
    ) -> None:
        try:
            await self._store.set_aside(message, reason, request_id)
        except StorageRefused as error:
            # It stays in its queue, where it does no harm.
            log.warning("result not set aside", msg_id=message.lease.msg_id, error=str(error))
        else:
            self._refused.pop(message.lease.msg_id, None)
            self._accused.pop(message.lease.msg_id, None)
            log.error("result set aside", msg_id=message.lease.msg_id, reason=reason)


@dataclass(slots=True)
class Accused:
    """A result that was refused, apparently because of its content."""

    until: float = 0.0
    """When to forget it, by `trio.current_time()`."""
    others_passed: bool = False
    """Whether another result was stored since."""


@dataclass(slots=True)
class Halves:
    """The outcome of bisecting a batch."""

    stored: list[JobResult] = field(default_factory=list)
    refused: list[tuple[JobResult, StorageRefused]] = field(default_factory=list)
    """Rows that were refused one by one."""
    trouble: StorageError | None = None
    """Why the store could not take a single row for the moment."""
