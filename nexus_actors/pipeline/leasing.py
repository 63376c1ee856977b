"""Leases requests, and works around rows that the store cannot lease."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog
import trio

from nexus_actors.settings.model import QueueSettings
from nexus_actors.storage.errors import (
    StorageError,
    StorageRefused,
    StorageStrained,
    StorageUnavailable,
)
from nexus_actors.storage.outages import Outages, Patience
from nexus_actors.storage.refused_messages import HeldBack, Portions, Suspects
from nexus_actors.storage.requests import Delivery, GiveBack, Lease, RequestStore
from nexus_actors.work.in_work import DEEPEST, InWork
from nexus_actors.work.overtaking import Overtaken, Overtaking

log = structlog.get_logger("nexus.queue_consumer")

READ_BYTES = 8 * 2**20
"""The most text that one statement reads: decoding it blocks the event loop."""
SUSPECT_PAUSE = 1.0
"""Seconds that a row which the store refuses to lease stays invisible."""
MANY = 3
"""After so many single failures in succession, the store may be refusing everything."""
HELD = "held requests"
"""The name under which `nexus status` shows requests that the journal does not accept."""
LOCKED = "somebody holds its row in the journal locked"


@dataclass(frozen=True, slots=True)
class Leased:
    """What was leased, and whether there may be more."""

    deliveries: Sequence[Delivery]
    more: bool


class Leasing:
    """Leases for one process.

    A row that the store refuses, or on which a statement times out, is held (made invisible) and
    its content is opened by itself. If that fails repeatedly, the content is at fault, and the
    request ends without its text (see `Suspects`). If it succeeds, the journal does not accept the
    row: it is retried at growing intervals and reported through `trouble` (see `HeldBack`).
    """

    def __init__(
        self,
        store: RequestStore,
        queue: Callable[[], QueueSettings],
        in_work: InWork,
        trouble: Patience | None = None,
        overtaken: Overtaken | None = None,
    ) -> None:
        self._store = store
        self._trouble = trouble or Outages().patience(HELD)
        self._queue = queue
        self._in_work = in_work
        self._portions = Portions()
        self._waiting_portions = Portions()
        self._suspects = Suspects()
        self._held = HeldBack()
        self._reported: str | None = None
        self._failures = 0
        """Rows that failed by themselves since the last successful lease."""
        self._small_first = True
        overtaken = Overtaken() if overtaken is None else overtaken
        self._overtaking = Overtaking(store, in_work, overtaken)

    async def lease(self) -> Leased:
        """Lease as many as there is room for. Raises what the store raises."""
        most = DEEPEST * self._queue().batch_size
        quantity = self._portions.of(min(self._in_work.quantity(), most))
        if quantity <= 0:
            return Leased((), more=False)
        if others := await self._overtaking.lease(quantity, self._take):
            return Leased(self._passed(others), more=True)
        try:
            deliveries = await self._store.lease(
                quantity,
                self._queue().visibility_timeout,
                largest=self._largest,
                together=self._together,
                small_first=self._small_first,
            )
        except StorageRefused as error:
            if self._portions.refused(quantity):
                return Leased((), more=True)
            return Leased(await self._suspect(error), more=True)
        except StorageStrained as error:
            # Each try costs a whole statement timeout, so the next one is the smallest possible.
            if self._portions.strained(quantity):
                raise
            return Leased(await self._suspect(error), more=True)
        self._portions.passed()
        left = any(delivery.more_due for delivery in deliveries)
        # Alternate: otherwise a steady stream of small messages would starve the large ones.
        self._small_first = not (self._small_first and left)
        return Leased(self._passed(deliveries), more=left or len(deliveries) >= quantity)

    async def _take(self, msg_ids: Sequence[int]) -> Sequence[Delivery]:
        return await self._store.lease(
            len(msg_ids),
            self._queue().visibility_timeout,
            largest=self._largest,
            together=self._together,
            only=msg_ids,
        )

    async def take_waiting(
        self, rooms: Mapping[str, int], expired: int
    ) -> Sequence[Delivery] | None:
        """Lease waiting requests. None if that failed and a smaller quantity is to be tried.

        A row that the store refuses is made visible, so that `lease` finds out what is wrong.
        """
        rooms, expired = self._waiting_portions.of_rooms(rooms, expired)
        quantity = sum(rooms.values()) + expired
        limits = {"largest": self._largest, "together": self._together}
        timeout = self._queue().visibility_timeout
        try:
            deliveries = await self._store.take_waiting(rooms, timeout, expired=expired, **limits)
        except StorageRefused as error:
            if self._waiting_portions.refused(quantity):
                return None
            refusal: StorageError = error
        except StorageStrained as error:
            if self._waiting_portions.strained(quantity):
                raise
            refusal = error
        else:
            self._waiting_portions.passed()
            return deliveries
        await self._leave_to_lease(rooms, expired, refusal)
        return None

    async def _leave_to_lease(
        self, rooms: Mapping[str, int], expired: int, error: StorageError
    ) -> None:
        """Make the waiting messages visible: lease them unread and give them back, or bypass the
        journal if it does not accept them. Raises StorageUnavailable if there are none."""
        limits = {"expired": expired, "largest": 0}
        try:
            taken = await self._store.take_waiting(rooms, SUSPECT_PAUSE, **limits)
            await self._store.give_back([_returned(it) for it in taken])
        except (StorageRefused, StorageStrained):
            taken = []
        if not taken and not await self._store.hold_waiting(rooms, expired=expired):
            raise StorageUnavailable(str(error)) from error

    async def _suspect(self, error: StorageError) -> Sequence[Delivery]:
        """The store refused to lease a single row: hold the first row that is due, and open it by
        itself. If its content is shown to be at fault, it is leased without its text and returned.

        The row that is due first may be another one by now, and the store itself may be at fault.
        Raises StorageUnavailable if the store may be refusing every row.
        """
        self._failures += 1
        try:
            held = await self._store.hold(SUSPECT_PAUSE)
        except (StorageRefused, StorageStrained) as caught:
            raise StorageUnavailable(str(error)) from caught
        if held is None:
            return []
        try:
            request_id = await self._store.open_held(held, largest=self._largest)
        except (StorageRefused, StorageStrained) as fault:
            # A timeout proves nothing: a slow store times out on large rows first.
            unclear = not isinstance(fault, StorageRefused) or not await self._opens_unread(held)
            if self._suspects.is_guilty(held.msg_id, unclear=unclear):
                return await self._end(held, fault)
        else:
            await self._hold_back(held, request_id, error)
        if self._failures >= MANY:
            raise StorageUnavailable(str(error)) from error
        return []

    async def _opens_unread(self, held: Lease) -> bool:
        try:
            await self._store.open_held(held, largest=0)
        except (StorageRefused, StorageStrained):
            return False
        return True

    async def _end(self, held: Lease, fault: StorageError) -> Sequence[Delivery]:
        """Lease a message that cannot be opened, so that its request can end under its id. The id
        is not read if even that fails. Returns nothing if the journal does not accept the row."""
        unread = not await self._opens_unread(held)
        timeout = self._queue().visibility_timeout
        try:
            deliveries = await self._store.lease_held(held, timeout, unread=unread)
        except (StorageRefused, StorageStrained) as error:
            await self._hold_back(held, None, error)
            return []
        log.warning("a message cannot be read", msg_id=held.msg_id, error=str(fault))
        return [replace(it, fault=str(fault)) for it in deliveries if it.verdict != "locked"]

    async def _hold_back(self, held: Lease, request_id: str | None, error: StorageError) -> None:
        """The journal does not accept the row: postpone it, and report it if that lasts."""
        report = _not_taken(held, request_id, str(error))
        pause = self._held.failed(held.msg_id, report, trio.current_time())
        await self._store.postpone(held, pause)
        self._tell()

    def _passed(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Record what was leased, and what was skipped because its journal row is locked."""
        now = trio.current_time()
        leased = [it for it in deliveries if it.verdict != "locked"]
        for it in deliveries:
            if it.verdict == "locked":
                report = _not_taken(it.lease, it.request_id, LOCKED)
                self._held.failed(it.lease.msg_id, report, now)
        if leased:
            self._failures = 0
        self._suspects.others_passed(leased)
        self._held.passed(leased, now)
        self._tell()
        return leased

    def _tell(self) -> None:
        report = self._held.report
        if report is None:
            self._trouble.worked()
        elif report != self._reported:
            self._trouble.note(StorageUnavailable(report))
        self._reported = report

    @property
    def _largest(self) -> int:
        return self._queue().message_megabytes * 2**20

    @property
    def _together(self) -> int:
        return int(min(max(self._in_work.bytes_left, 0), READ_BYTES))


def _returned(it: Delivery) -> GiveBack:
    assert it.request_id is not None  # noqa: S101 - a waiting request has a journal row, so an id
    return GiveBack(
        lease=it.lease,
        request_id=it.request_id,
        attempt_count=it.attempts,
        uncounted_count=it.uncounted_attempts,
        used_candidates=it.used_candidates,
    )


def _not_taken(lease: Lease, request_id: str | None, why: str) -> str:
    who = f"request {request_id}" if request_id is not None else "a request"
    return f"{who} (message {lease.msg_id}) is not taken by the journal, and waits: {why}"
