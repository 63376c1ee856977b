"""The port for budgets and rate limits, which all processes share. `requests.py` says what holds
for its methods."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class BudgetShare:
    """A budget that a call counts towards."""

    name: str
    per: Literal["day", "month"]
    dollars: float
    """The most that may be spent in the period."""


@dataclass(frozen=True, slots=True)
class Quota:
    """A draw from one token bucket that all processes share."""

    bucket: str
    capacity: float
    rate: float
    """How much it fills per second."""
    wanted: float


class AccountStore(Protocol):
    """Token buckets and budgets."""

    async def take_quota(self, quotas: Sequence[Quota]) -> list[float]:
        """Draw from each bucket what it has, at most what is wanted. Returns the amounts drawn."""
        ...

    async def reserve(
        self, request_id: str, number: int, dollars: float, budgets: Sequence[BudgetShare]
    ) -> str | None:
        """Reserve dollars of all these budgets for the attempt with this number. Returns None, or
        the name of a budget that has too little left: then nothing is reserved. Recording the
        attempt settles the reservation."""
        ...

    async def may_come_back(self, dollars: float, budgets: Sequence[BudgetShare]) -> bool:
        """Whether each budget would have this much left if the running calls cost nothing."""
        ...
