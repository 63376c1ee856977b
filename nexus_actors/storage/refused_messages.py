"""Batches that the store refuses to lease: halved, down to the row that is refused alone; and
whether that row is at fault, or the journal that does not accept it."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nexus_actors.storage.requests import Delivery

ENOUGH = 2
"""So often must a thing be seen to be believed."""
MOST = 1000
"""Suspects that are remembered."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
"""Seconds until a request is tried again that the journal does not take; doubled each time."""
SHOWN = 5
"""So many of them are named at once."""
MEMORY = 60.0
"""Seconds for which one is remembered that has not come again when it was due."""


class Portions:
    """How much to ask the store for: half of what it refused, twice as much as it gave."""

    def __init__(self) -> None:
        self._most = math.inf

    def of(self, quantity: int) -> int:
        """So many of that many."""
        return int(min(quantity, self._most))

    def of_rooms(self, rooms: Mapping[str, int], expired: int) -> tuple[Mapping[str, int], int]:
        """So many for each provider, and of those whose time is over. Not always the same ones."""
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
    """Messages of which the content could not be opened, each by itself, without the journal.

    One is guilty if that happened twice. Where it was not refused but took too long, it may be the
    store that is slow: then others must have been leased meanwhile.
    """

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}
        self._others: dict[int, int] = {}

    def is_guilty(self, msg_id: int, *, unclear: bool) -> bool:
        """Its content could not be opened; `unclear`: that may be so with any other. True if it is
        its own fault; it is then forgotten."""
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


@dataclass(frozen=True, slots=True)
class Untaken:
    """A request that the journal did not take."""

    times: int
    """Each time others had been taken meanwhile."""
    until: float
    """When it is tried again."""
    told: str
    taken: int
    """How many others had been taken by then."""


class HeldBack:
    """Requests that the journal does not take, though they can be opened: nobody's fault but the
    journal's, so they are only tried again, at growing pauses, and never end for it.
    """

    def __init__(self) -> None:
        self._rows: dict[int, Untaken] = {}
        self._taken = 0

    def failed(self, msg_id: int, told: str, now: float) -> float:
        """It was not taken: seconds until it is to be tried again. They grow only where others are
        taken: else it is the store that takes nobody. What is too much to remember waits
        longest."""
        if len(self._rows) >= MOST and msg_id not in self._rows:
            return LONGEST_PAUSE
        before = self._rows.get(msg_id, Untaken(0, 0.0, "", -1))
        times = before.times + (self._taken > before.taken)
        pause = min(FIRST_PAUSE * 2.0 ** min(times - 1, 16), LONGEST_PAUSE)
        self._rows[msg_id] = Untaken(times, now + pause, told, self._taken)
        return pause

    def passed(self, deliveries: Sequence[Delivery], now: float) -> None:
        """These were leased. What has not come again for long is forgotten: another took it."""
        self._taken += len(deliveries)
        for delivery in deliveries:
            self._rows.pop(delivery.lease.msg_id, None)
        gone = [msg_id for msg_id, it in self._rows.items() if now > it.until + MEMORY]
        for msg_id in gone:
            del self._rows[msg_id]

    @property
    def told(self) -> str | None:
        """What is to be told of those that were not taken more than once, the oldest first."""
        lasting = sorted(msg_id for msg_id, it in self._rows.items() if it.times >= ENOUGH)
        words = [self._rows[msg_id].told for msg_id in lasting[:SHOWN]]
        return "; ".join(words + ["and others"] * (len(lasting) > SHOWN)) or None
