"""This process's share of an account's limits, drawn from token buckets that all processes share.
Pure.

The buckets themselves are in the database. A process draws what its next calls need, in shares that
last `SHARE_SECONDS` at most, so that no other process starves. What a call turns out not to need
goes to the next one here.

First come, first served, except that small calls may overtake large ones: while the first in line
waits, at most half of the inflow goes to calls that overtake it. So it waits at most twice as long
as it would alone, and no call behind it has to wait for all that it needs.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Generic, Literal, TypeVar

BURST_SECONDS = 1.0
"""Capacity of a bucket, in seconds of its rate; at least one request."""
SHARE_SECONDS = 0.5

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bucket:
    """One limit of one account: a token bucket in the database."""

    name: str
    what: Literal["requests", "tokens"]
    per_minute: float

    @property
    def rate(self) -> float:
        """How much it fills per second."""
        return self.per_minute / 60

    @property
    def capacity(self) -> float:
        """The most that it holds."""
        return max(self.rate * BURST_SECONDS, 1.0)


def make_buckets(
    provider: str, key: str, *, requests_per_minute: float | None, tokens_per_minute: float | None
) -> tuple[Bucket, ...]:
    """One bucket for each limit. All processes with the same key use the same names, which do not
    reveal the key."""
    of_key = blake2b(key.encode(), digest_size=12).hexdigest()
    limits: dict[Literal["requests", "tokens"], float | None] = {
        "requests": requests_per_minute,
        "tokens": tokens_per_minute,
    }
    return tuple(
        Bucket(f"{provider}/{what}/{of_key}", what, per_minute)
        for what, per_minute in limits.items()
        if per_minute is not None
    )


@dataclass(slots=True)
class _Balance:
    bucket: Bucket
    left: float = 0.0


@dataclass(slots=True)
class Want(Generic[T]):
    """A waiting caller, and how much it needs from each bucket."""

    who: T
    amounts: tuple[float, ...]


@dataclass(slots=True)
class Account(Generic[T]):
    """One key's limits, and the callers that wait for them.

    A caller waits no longer than it takes the bucket to yield twice what that caller, and those
    before it, need.
    """

    buckets: tuple[Bucket, ...]
    balances: list[_Balance] = field(init=False)
    waiting: list[Want[T]] = field(init=False, default_factory=list)
    passed: list[float] = field(init=False)
    """How much of each bucket has gone to callers that overtook the first one."""

    def __post_init__(self) -> None:
        self.balances = [_Balance(bucket) for bucket in self.buckets]
        self._begin_first()

    def want(self, who: T, tokens: float) -> float:
        """Queue a caller that needs one request of so many tokens. Returns the seconds until it
        could be served, if no other process draws and it overtakes those before it."""
        needs = {"requests": 1.0, "tokens": tokens}
        self.waiting.append(Want(who, tuple(needs[bucket.what] for bucket in self.buckets)))
        return self._seconds(len(self.waiting) - 1)

    def leave(self, has_left: Callable[[T], bool]) -> None:
        """Remove callers that no longer wait. What was drawn for them goes to the next ones."""
        first = self.waiting[0] if self.waiting else None
        self.waiting = [want for want in self.waiting if not has_left(want.who)]
        if not self.waiting or self.waiting[0] is not first:
            self._begin_first()

    def ready(self) -> Iterator[Want[T]]:
        """Serve the callers whose turn it is and for whom there is enough, one by one."""
        while (place := self._served()) is not None:
            served = self.waiting.pop(place)
            for balance, amount in zip(self.balances, served.amounts, strict=True):
                balance.left -= amount
            if place == 0:
                self._begin_first()
            else:
                pairs = zip(self.passed, served.amounts, strict=True)
                self.passed = [passed + amount for passed, amount in pairs]
            yield served

    def _served(self) -> int | None:
        places = (place for place in range(len(self.waiting)) if not any(self._missing(place)))
        return next(places, None)

    def _begin_first(self) -> None:
        self.passed = [0.0 for _ in self.buckets]

    def _missing(self, place: int) -> list[float]:
        """What must be drawn from each bucket before the caller at this place is served. To
        overtake the first, as much again must remain as will then have overtaken it, at most its
        need."""
        first, want = self.waiting[0], self.waiting[place]
        columns = zip(self.balances, want.amounts, first.amounts, self.passed, strict=True)
        return [
            max(amount + (min(needed, passed + amount) if place else 0.0) - balance.left, 0.0)
            for balance, amount, needed, passed in columns
        ]

    def wanted(self) -> list[float]:
        """How much to draw from each bucket now."""
        if not self.waiting:
            return [0.0 for _ in self.balances]
        sums = [sum(column) for column in zip(*(w.amounts for w in self.waiting), strict=True)]
        return [
            max(missing, min(total - balance.left, balance.bucket.rate * SHARE_SECONDS), 0.0)
            for balance, total, missing in zip(self.balances, sums, self._missing(0), strict=True)
        ]

    def take(self, taken: Sequence[float]) -> None:
        """Add what was drawn from each bucket."""
        for balance, amount in zip(self.balances, taken, strict=True):
            balance.left += amount

    def settle(self, tokens: float) -> None:
        """Return the tokens that a call did not need (negative: it needed more)."""
        for balance in self.balances:
            if balance.bucket.what == "tokens":
                balance.left += tokens

    def wait(self) -> float:
        """Seconds until some waiting caller can be served, if no other process draws."""
        return min(map(self._seconds, range(len(self.waiting))), default=0.0)

    def _seconds(self, place: int) -> float:
        pairs = zip(self.balances, self._missing(place), strict=True)
        return max(amount / balance.bucket.rate for balance, amount in pairs)
