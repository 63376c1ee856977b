"""Leasing past what would only go back to wait: behind thousands of requests for a provider that is
full, those of others are found in the store, and need not wait until each of these was leased."""

import math
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import trio

from nexus_actors.storage.errors import StorageRefused, StorageStrained
from nexus_actors.storage.requests import Delivery, RequestStore
from nexus_actors.work.in_work import InWork
from nexus_actors.work.overtaken import Overtaken

SHARE = 5
"""Looking takes one part of so many of the time, at most."""
REST = 60.0
"""Seconds for which nothing is overtaken after the store refused it: what is wrong with a row, the
usual way finds out."""

Take = Callable[[Sequence[int]], Awaitable[Sequence[Delivery]]]
"""Leases these messages, by their numbers."""


class Overtaking:
    """Takes turns with the usual way, in which each request comes in its order: nobody is overtaken
    for ever.

    Looks on where it looked last. Every `interval` seconds it forgets what it knows and begins
    anew, so a wrong guess costs no more than that.
    """

    def __init__(
        self, store: RequestStore, in_work: InWork, overtaken: Overtaken, interval: float
    ) -> None:
        self._store = store
        self._in_work = in_work
        self._overtaken = overtaken
        self._interval = interval
        self._looked_until: datetime | None = None
        self._forgets_at = -math.inf
        self._looks_at = -math.inf
        self._is_usual_turn = False

    async def lease(self, quantity: int, take: Take) -> Sequence[Delivery]:
        """At most so many of others; nothing if it is not their turn, or there are none. Raises
        StorageUnavailable if it is not known what was taken."""
        now = trio.current_time()
        if now >= self._forgets_at:
            self._overtaken.clear()
            self._looked_until, self._forgets_at = None, now + self._interval
        is_usual_turn, self._is_usual_turn = self._is_usual_turn, False
        if is_usual_turn or self._overtaken.is_empty or now < self._looks_at:
            return []
        rooms = self._in_work.demand()
        most = min(quantity, sum(rooms.values()))
        if not (examples := self._overtaken.examples(rooms, now)):
            return []
        try:
            deliveries = await self._look(examples, most, take)
        except (StorageRefused, StorageStrained):
            self._looks_at = now + REST
            return []
        self._is_usual_turn = bool(deliveries)
        return deliveries

    async def _look(self, examples: Sequence[int], most: int, take: Take) -> Sequence[Delivery]:
        began = trio.current_time()
        found = await self._store.find_others(
            examples, most, since=self._looked_until, by_agent=self._overtaken.by_agent
        )
        ended = trio.current_time()
        self._looks_at = ended + (SHARE - 1) * (ended - began)
        deliveries = await take(found.msg_ids) if found.msg_ids else []
        if len(deliveries) == len(found.msg_ids):  # else others were too large, or are being taken
            self._looked_until = found.looked_until
        return deliveries
