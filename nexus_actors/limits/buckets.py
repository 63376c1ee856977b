"""What of an account's limits this process may use: its share of buckets that all processes draw
from. Pure.

The buckets themselves are the database's. A process takes what its next calls need, in shares that
last for `SHARE_SECONDS` at most, so that no other starves; what a call turns out not to need goes
to the next one here.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Generic, Literal, TypeVar

BURST_SECONDS = 1.0
"""What a bucket that nobody drew from holds, in seconds of its rate; at least one request."""
SHARE_SECONDS = 0.5

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bucket:
    """One limit of one account, as the database keeps it."""

    name: str
    what: Literal["requests", "tokens"]
    per_minute: float

    @property
    def rate(self) -> float:
        """A second."""
        return self.per_minute / 60

    @property
    def capacity(self) -> float:
        """The most it holds."""
        return max(self.rate * BURST_SECONDS, 1.0)


def make_buckets(
    provider: str, key: str, *, requests_per_minute: float | None, tokens_per_minute: float | None
) -> tuple[Bucket, ...]:
    """One for each limit there is. Their names are the same for all processes with the same key,
    and tell nothing of it."""
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
    """Somebody waits for so much of each bucket."""

    who: T
    amounts: tuple[float, ...]


@dataclass(slots=True)
class Account(Generic[T]):
    """One key's limits, and who waits for them, first come first served."""

    buckets: tuple[Bucket, ...]
    balances: list[_Balance] = field(init=False)
    waiting: deque[Want[T]] = field(init=False, default_factory=deque)

    def __post_init__(self) -> None:
        self.balances = [_Balance(bucket) for bucket in self.buckets]

    def want(self, who: T, tokens: float) -> None:
        """Queue for one request of so many tokens."""
        needs = {"requests": 1.0, "tokens": tokens}
        self.waiting.append(Want(who, tuple(needs[bucket.what] for bucket in self.buckets)))

    def ready(self) -> Iterator[Want[T]]:
        """Those whose turn it is and for whom there is enough: it is theirs then."""
        while self.waiting and not any(self._missing(self.waiting[0])):
            first = self.waiting.popleft()
            for balance, amount in zip(self.balances, first.amounts, strict=True):
                balance.left -= amount
            yield first

    def _missing(self, want: Want[T]) -> list[float]:
        pairs = zip(self.balances, want.amounts, strict=True)
        return [max(amount - balance.left, 0.0) for balance, amount in pairs]

    def wanted(self) -> list[float]:
        """What to take of each bucket now."""
        if not self.waiting:
            return [0.0 for _ in self.balances]
        sums = [sum(column) for column in zip(*(w.amounts for w in self.waiting), strict=True)]
        first = self._missing(self.waiting[0])
        return [
            max(missing, min(total - balance.left, balance.bucket.rate * SHARE_SECONDS), 0.0)
            for balance, total, missing in zip(self.balances, sums, first, strict=True)
        ]

    def take(self, taken: Sequence[float]) -> None:
        """So much was taken of each."""
        for balance, amount in zip(self.balances, taken, strict=True):
            balance.left += amount

    def settle(self, tokens: float) -> None:
        """A call needed so many tokens less (negative: more) than it was given."""
        for balance in self.balances:
            if balance.bucket.what == "tokens":
                balance.left += tokens

    def wait(self) -> float:
        """Seconds until the first who waits can be served, if nobody else draws."""
        if not self.waiting:
            return 0.0
        missing = self._missing(self.waiting[0])
        return max(
            amount / balance.bucket.rate
            for balance, amount in zip(self.balances, missing, strict=True)
        )
