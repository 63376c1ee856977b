"""The port for what operators want (`nexus.control`), and the rows that it returns."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

CONTROL_CHANNEL = "nexus_control"
"""Notified at each change of the rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlRow:
    """One row of `nexus.control`; its columns' comments say what each may be."""

    action: str
    subject: str
    name: str
    node: str
    value: str | None
    by: str
    why: str | None
    since: datetime
    until: datetime | None
    seconds_left: float | None
    """Until `until`, by the database's clock, when the row was read; None if it has no end."""


class ControlStore(Protocol):
    """Raises what `RequestStore` raises."""

    async def read(self, nodes: Collection[str]) -> Sequence[ControlRow]:
        """The rows in force for nodes with these names, and for all nodes."""
        ...

    async def release(self, lanes: Collection[str], providers: Collection[str], most: int) -> int:
        """Make up to `most` requests visible that wait for the end of a pause that is not among
        `lanes` (`steering.desired.Pause.lane`), or for room at one of these providers. Returns how
        many. Safe to repeat, and for several nodes at once."""
        ...
