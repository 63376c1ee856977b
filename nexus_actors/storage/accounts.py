"""The port for what calls may cost and how many there may be, counted by all processes together.
`requests.py` says what holds for its methods."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class BudgetShare:
    """A budget that a call counts towards."""

    name: str
    per: Literal["day", "month"]
    dollars: float
    """What may be spent."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What is wanted of one token bucket that all processes draw from."""

    bucket: str
    capacity: float
    rate: float
    """What it fills by, a second."""
    wanted: float


class AccountStore(Protocol):
    """Token buckets and budgets."""

    async def take_quota(self, quotas: Sequence[Quota]) -> list[float]:
        """Take of each bucket as much as there is and no more than wanted; what was taken."""
        ...

    async def reserve(
        self, request_id: str, number: int, dollars: float, budgets: Sequence[BudgetShare]
    ) -> str | None:
        """Reserve for the attempt that will have this number, of all the budgets or of none; the
        name of one that has not so much left. Recording the attempt settles it."""
        ...

    async def may_come_back(self, dollars: float, budgets: Sequence[BudgetShare]) -> bool:
        """Whether each of the budgets would have so much left if calls under way cost nothing."""
        ...
