"""The sources of metrics and health: passive tables, read and never changed."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from nexus_actors.operations.reloading import Reloading
from nexus_actors.operations.status import Status, Tables
from nexus_actors.routing.in_force import InForce
from nexus_actors.storage.notices import Hints
from nexus_actors.storage.postgres.counted import Counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The sources of one service. Functions return the present value."""

    in_force: InForce
    status: Status
    tables: Tables
    reloading: Reloading
    hints: Callable[[], Hints | None]
    """The database's notifications; None before it was first opened."""
    ask: Callable[[], Awaitable[Counted]]
    """Counts in the database. Raises StorageError, also before a database is known."""
    unread: Callable[[], Mapping[str, int]]
    """Unread messages by actor's name; actors with empty mailboxes may be missing."""
