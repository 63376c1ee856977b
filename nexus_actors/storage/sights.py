"""The port for observers of this node: what they look at, what they are shown, and their orders."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

LOOKS_CHANNEL = "nexus_looks"
"""Notified, with the node's id, when an observer begins to look at a node or gives it an order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A row of `nexus.commands` that this node has taken."""

    number: int
    action: Literal["restart", "stop", "start", "reload"]
    actor: str
    """Empty with reload."""
    now: bool
    by: str
    why: str | None


class SightStore(Protocol):
    """Raises what `RequestStore` raises."""

    async def looks(self, node: str) -> Sequence[str]:
        """What observers look at now: `tree`, `status`, `config`, `actor NAME`; at most 100."""
        ...

    async def show(self, node: str, sights: Mapping[str, str | None]) -> Collection[str]:
        """Write what is looked at: for each name a JSON object as text, or None if it is unchanged.
        Names that nobody looks at are skipped, and so are unchanged ones that are not stored.
        Returns the names that are stored now."""
        ...

    async def take(self, node: str) -> Order | None:
        """Take the first waiting order, once; None if there is none. An order that has waited for a
        minute is not carried out, and its outcome says so."""
        ...

    async def end(self, number: int, outcome: str) -> None:
        """Record the outcome of an order, in a line of at most 1000 characters. The first outcome
        stays."""
        ...
