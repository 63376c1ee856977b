"""How the store is asked for requests: as much as it gives, around the one row that it cannot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from nexus_actors.pipeline.in_work import InWork
from nexus_actors.pipeline.suspects import Portions, Suspects
from nexus_actors.settings.model import QueueSettings
from nexus_actors.storage.ports import (
    Delivery,
    GiveBack,
    RequestStore,
    StorageError,
    StorageRefused,
    StorageStrained,
    StorageUnavailable,
)

log = structlog.get_logger("nexus.queue_consumer")

READ_BYTES = 8 * 2**20
"""Of texts read at once: decoding them holds up all else."""
SUSPECT_PAUSE = 1.0
"""Seconds that a row which the store refuses to lease stays invisible."""


@dataclass(frozen=True, slots=True)
class Leased:
    """What was leased, and whether there may be more."""

    deliveries: Sequence[Delivery]
    more: bool


class Leasing:
    """Of one process. A row that the store refuses, or that takes more time than a statement has,
    is leased without its text, and ends once it is shown that it is to blame (see `Suspects`).
    """

    def __init__(self, store: RequestStore, queue: QueueSettings, in_work: InWork) -> None:
        self._store = store
        self._queue = queue
        self._in_work = in_work
        self._portions = Portions()
        self._waiting_portions = Portions()
        self._suspects = Suspects()
        self._small_first = True

    async def lease(self) -> Leased:
        """Lease as many as there is room for. Raises what the store raises."""
        quantity = self._portions.of(min(self._in_work.quantity(), self._queue.batch_size))
        if quantity <= 0:
            return Leased((), more=False)
        try:
            deliveries = await self._store.lease(
                quantity,
                self._queue.visibility_timeout,
                largest=self._largest,
                together=self._together,
                small_first=self._small_first,
            )
        except StorageRefused as error:
            if self._portions.refused(quantity):
                return Leased((), more=True)
            return Leased(await self._suspect(error), more=True)
        except StorageStrained as error:
            # Each try costs a statement's whole time, so the next is the smallest.
            if self._portions.strained(quantity):
                self._small_first = not self._small_first
                raise
            return Leased(await self._suspect(error), more=True)
        self._portions.passed()
        self._suspects.others_passed(deliveries)
        left = any(delivery.more_due for delivery in deliveries)
        # In turns: else small ones that keep coming would hold up the others for ever.
        self._small_first = not (self._small_first and left)
        return Leased(deliveries, more=left or len(deliveries) >= quantity)

    async def take_waiting(
        self, rooms: Mapping[str, int], expired: int
    ) -> Sequence[Delivery] | None:
        """What was taken of those that wait; None if that failed, and less is to be tried.

        Of which one row the store refuses, `lease` finds out: it is made visible.
        """
        rooms, expired = self._waiting_portions.of_rooms(rooms, expired)
        quantity = sum(rooms.values()) + expired
        limits = {"largest": self._largest, "together": self._together}
        timeout = self._queue.visibility_timeout
        try:
            deliveries = await self._store.take_waiting(rooms, timeout, expired=expired, **limits)
        except StorageRefused:
            smaller = self._waiting_portions.refused(quantity)
        except StorageStrained:
            smaller = self._waiting_portions.strained(quantity)
            if smaller:
                raise
        else:
            self._waiting_portions.passed()
            return deliveries
        if not smaller:
            limits["largest"] = 0
            await self._put_back(
                await self._store.take_waiting(rooms, timeout, expired=expired, **limits)
            )
        return None

    async def _suspect(self, error: StorageError) -> Sequence[Delivery]:
        """The store does not lease the first row alone: lease it without its content, or unseen.
        It is returned if it is shown that it is that row's fault.

        It may be the store's own condition, or by now another row: so the row is put back for a
        moment. Raises StorageUnavailable where it may be the store that takes nobody.
        """
        for blind in (False, True):
            try:
                deliveries = await self._store.lease(
                    1, SUSPECT_PAUSE, largest=0, blind=blind, small_first=self._small_first
                )
            except (StorageRefused, StorageStrained):
                continue
            # A slow store is slow with what is large, and yet it may be nobody's fault.
            unclear = blind or not isinstance(error, StorageRefused)
            for delivery in deliveries:
                if self._suspects.is_guilty(delivery.lease.msg_id, unclear=unclear):
                    log.warning("a message cannot be read", msg_id=delivery.lease.msg_id)
                    return [replace(delivery, fault=str(error))]
            await self._put_back(deliveries)
            if not unclear:
                return []
            break
        self._small_first = not self._small_first
        raise StorageUnavailable(str(error)) from error

    async def _put_back(self, deliveries: Sequence[Delivery]) -> None:
        """Make visible what was leased unread; what the journal does not know of lapses soon."""
        await self._store.give_back(
            [
                GiveBack(
                    lease=it.lease,
                    request_id=it.request_id,
                    attempt_count=it.attempts,
                    spared_count=it.spared_attempts,
                    used_candidates=it.used_candidates,
                )
                for it in deliveries
                if it.verdict == "claimed" and it.request_id is not None
            ]
        )

    @property
    def _largest(self) -> int:
        return self._queue.message_megabytes * 2**20

    @property
    def _together(self) -> int:
        return int(min(max(self._in_work.bytes_left, 0), READ_BYTES))
