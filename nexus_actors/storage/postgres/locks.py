"""Who holds an advisory lock. Any role can hold any of them, so nobody waits for one without end,
and who is in the way is named.
"""

from dataclasses import dataclass

from nexus_actors.contract.shown_text import printable
from nexus_actors.storage.postgres.connection import Connection
from nexus_actors.storage.postgres.sql import read


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A session that holds a lock."""

    pid: int
    role: str
    name: str
    """Its application_name."""
    ours: bool
    """Whether it is a session of our own role."""
    silent: float | None
    """Seconds since it was last asked something; None where that is hidden from us."""

    def __str__(self) -> str:
        name = printable(self.name) or "(unnamed)"
        return f"pid {self.pid}, role {printable(self.role)}, application {name}"


async def lock_holders(connection: Connection, *key: int) -> list[Holder]:
    """The other sessions that hold the lock: of a key of one number (64 bits), or of two (32
    each).
    """
    high, low = (key[0] >> 32, key[0] & 0xFFFFFFFF) if len(key) == 1 else key
    rows = await connection.fetch(read("queries", "lock_holders"), high, low, len(key))
    return [Holder(**dict(row)) for row in rows]


def named(holders: list[Holder]) -> str:
    """The holders in words."""
    return "; ".join(map(str, holders)) or "a session that has just let go of it"
