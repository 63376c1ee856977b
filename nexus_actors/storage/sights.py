"""What this node shows to observers, and the orders that it is given: the port."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

LOOKS_CHANNEL = "nexus_looks"
"""Notified, with the node's id, when somebody begins to look at a node, or gives it an order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A row of `nexus.commands`, which this node has taken."""

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
        """What somebody looks at now: `tree`, `status`, `config`, `actor NAME`; 100 at most."""
        ...

    async def show(self, node: str, sights: Mapping[str, str | None]) -> Collection[str]:
        """Write what is looked at: for each the body, the JSON text of an object, or None: it is as
        it was. What nobody has looked at is left out, and what is to be as it was and is not there.
        Returns those that are there now."""
        ...

    async def take(self, node: str) -> Order | None:
        """Take the first order that waits, once; None: there is none. What has waited for a minute
        is not carried out, which its outcome says."""
        ...

    async def end(self, number: int, outcome: str) -> None:
        """Tell what came of an order, in a line of 1000 characters at most. What was told of it
        first stays."""
        ...
