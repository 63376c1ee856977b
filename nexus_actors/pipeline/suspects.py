"""Batches that the store refuses: smaller ones, down to the row that is refused alone, and whether
it is that row's fault.
"""

import math
import random
from collections.abc import Mapping, Sequence

from nexus_actors.storage.ports import Delivery

ENOUGH = 2
"""So often must a thing be seen to be believed."""
MOST = 1000
"""Suspects that are remembered."""


class Portions:
    """How much to ask the store for: half of what it refused, twice as much as it gave."""

    def __init__(self) -> None:
        self._most = math.inf

    def of(self, quantity: int) -> int:
        """So many of that many."""
        return int(min(quantity, self._most))

    def of_rooms(self, rooms: Mapping[str, int], expired: int) -> tuple[Mapping[str, int], int]:
        """So many for each lane, and of those whose time is over. Not always the same ones."""
        wanted = [*rooms.items(), ("", expired)]
        left = self.of(sum(quantity for _, quantity in wanted))
        chosen: dict[str, int] = {}
        for name, quantity in random.sample(wanted, len(wanted)):
            chosen[name] = min(quantity, left)
            left -= chosen[name]
        expired = chosen.pop("")
        return chosen, expired

    def refused(self, quantity: int) -> bool:
        """So many were refused. False if there is no smaller portion."""
        self._most = max(quantity // 2, 1)
        return quantity > 1

    def strained(self, quantity: int) -> bool:
        """So many took too long. False if there is no smaller portion; the next is the smallest."""
        self._most = 1
        return quantity > 1

    def passed(self) -> None:
        """It gave what was asked for."""
        self._most = 2 * self._most if self._most < MOST else math.inf


class Suspects:
    """Messages that the store refused to lease by themselves.

    One is guilty if it was twice refused alone, each time with its content and not without it. That
    it can be leased unseen says nothing, since nothing of it is written then that could be refused;
    nor does it that it can be leased without its text where that took too long: others must have
    been leased meanwhile, else it may be the store that takes nobody, or is slow.
    """

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}
        self._others: dict[int, int] = {}

    def is_guilty(self, msg_id: int, *, unclear: bool) -> bool:
        """It was refused alone, and leased without its content; `unclear`: that may be so with any
        other. True if it is its own fault; it is then forgotten."""
        self._seen[msg_id] = self._seen.get(msg_id, 0) + 1
        others = self._others.setdefault(msg_id, 0)
        guilty = self._seen[msg_id] >= ENOUGH and (not unclear or others >= ENOUGH)
        if guilty or len(self._seen) > MOST:
            self._forget(msg_id if guilty else next(iter(self._seen)))
        return guilty

    def others_passed(self, deliveries: Sequence[Delivery]) -> None:
        """These were leased as any other."""
        for delivery in deliveries:
            self._forget(delivery.lease.msg_id)
        for msg_id in self._others:
            self._others[msg_id] += len(deliveries)

    def _forget(self, msg_id: int) -> None:
        self._seen.pop(msg_id, None)
        self._others.pop(msg_id, None)
