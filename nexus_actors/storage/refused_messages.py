"""How to proceed when the store refuses to lease a batch. The batch is halved down to a single row;
then evidence decides whether that row is at fault, or the journal that does not accept it."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nexus_actors.storage.requests import Delivery

ENOUGH = 2
"""How often something must be observed to count as proven."""
MOST = 1000
"""The most messages that are remembered."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
"""Seconds until a request that the journal does not accept is tried again; doubled each time."""
SHOWN = 5
"""The most of them that are named in one report."""
MEMORY = 60.0
"""Seconds beyond its retry time for which a request that did not come again is remembered."""


class Portions:
    """How much to ask the store for: half after a refusal, twice as much after a success."""

    def __init__(self) -> None:
        self._most = math.inf

    def of(self, quantity: int) -> int:
        """The quantity to ask for, at most `quantity`."""
        return int(min(quantity, self._most))

    def of_rooms(self, rooms: Mapping[str, int], expired: int) -> tuple[Mapping[str, int], int]:
        """Divide the portion at random among the providers and the expired requests."""
        wanted = [*rooms.items(), ("", expired)]
        left = self.of(sum(quantity for _, quantity in wanted))
        chosen: dict[str, int] = {}
        for name, quantity in random.sample(wanted, len(wanted)):
            chosen[name] = min(quantity, left)
            left -= chosen[name]
        expired = chosen.pop("")
        return chosen, expired

    def refused(self, quantity: int) -> bool:
        """A portion of this size was refused. False if there is no smaller one."""
        self._most = max(quantity // 2, 1)
        return quantity > 1

    def strained(self, quantity: int) -> bool:
        """A portion of this size took too long, so the next one is 1. False if it was 1 already."""
        self._most = 1
        return quantity > 1

    def passed(self) -> None:
        """The store gave what was asked for."""
        self._most = 2 * self._most if self._most < MOST else math.inf


class Suspects:
    """Messages whose content could not be opened, each by itself and without the journal.

    A message is guilty if that happened twice. If it was not refused but timed out, the store may
    just be slow; then others must also have been leased meanwhile.
    """

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}
        self._others: dict[int, int] = {}

    def is_guilty(self, msg_id: int, *, unclear: bool) -> bool:
        """The message's content could not be opened. `unclear`: the store may be at fault. True if
        the message is at fault; it is then forgotten."""
        self._seen[msg_id] = self._seen.get(msg_id, 0) + 1
        others = self._others.setdefault(msg_id, 0)
        guilty = self._seen[msg_id] >= ENOUGH and (not unclear or others >= ENOUGH)
        if guilty or len(self._seen) > MOST:
            self._forget(msg_id if guilty else next(iter(self._seen)))
        return guilty

    def others_passed(self, deliveries: Sequence[Delivery]) -> None:
        """These messages were leased normally."""
        for delivery in deliveries:
            self._forget(delivery.lease.msg_id)
        for msg_id in self._others:
            self._others[msg_id] += len(deliveries)

    def _forget(self, msg_id: int) -> None:
        self._seen.pop(msg_id, None)
        self._others.pop(msg_id, None)


@dataclass(frozen=True, slots=True)
class Untaken:
    """A request that the journal did not accept."""

    times: int
    """How often it was not accepted although others were, in between."""
    until: float
    """When to try it again."""
    message: str
    taken: int
    """How many others had been accepted by then."""


class HeldBack:
    """Requests that can be opened but that the journal does not accept. That is the journal's
    fault, so they are retried at growing intervals and never end because of it.
    """

    def __init__(self) -> None:
        self._rows: dict[int, Untaken] = {}
        self._taken = 0

    def failed(self, msg_id: int, message: str, now: float) -> float:
        """A request was not accepted. Returns the seconds until its next try. They grow only while
        others are accepted; otherwise the store accepts nothing. If too many are remembered
        already, they are the longest pause."""
        if len(self._rows) >= MOST and msg_id not in self._rows:
            return LONGEST_PAUSE
        before = self._rows.get(msg_id, Untaken(0, 0.0, "", -1))
        times = before.times + (self._taken > before.taken)
        pause = min(FIRST_PAUSE * 2.0 ** min(times - 1, 16), LONGEST_PAUSE)
        self._rows[msg_id] = Untaken(times, now + pause, message, self._taken)
        return pause

    def passed(self, deliveries: Sequence[Delivery], now: float) -> None:
        """These were leased. Forget requests that are overdue: another process has taken them."""
        self._taken += len(deliveries)
        for delivery in deliveries:
            self._rows.pop(delivery.lease.msg_id, None)
        gone = [msg_id for msg_id, it in self._rows.items() if now > it.until + MEMORY]
        for msg_id in gone:
            del self._rows[msg_id]

    @property
    def report(self) -> str | None:
        """A report of the requests that were refused repeatedly, lowest message number first; None
        if there are none."""
        lasting = sorted(msg_id for msg_id, it in self._rows.items() if it.times >= ENOUGH)
        words = [self._rows[msg_id].message for msg_id in lasting[:SHOWN]]
        return "; ".join(words + ["and others"] * (len(lasting) > SHOWN)) or None
