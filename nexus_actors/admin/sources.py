"""Where numbers and health come from: passive tables, looked at and never changed."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from nexus_actors.operations.reloading import Reloading
from nexus_actors.operations.status import Status, Tables
from nexus_actors.routing.in_force import InForce
from nexus_actors.storage.notices import Hints
from nexus_actors.storage.postgres.counted import Counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Of one service. What is a function gives what holds at the moment."""

    in_force: InForce
    status: Status
    tables: Tables
    reloading: Reloading
    hints: Callable[[], Hints | None]
    """Of the database; None before the first was opened."""
    ask: Callable[[], Awaitable[Counted]]
    """Counts what only the database knows. Raises StorageError, also before there is one."""
    unread: Callable[[], Mapping[str, int]]
    """Messages that wait, by the name of the actor; those of empty mailboxes may be left out."""
