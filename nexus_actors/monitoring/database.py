"""The state of the database: sizes, dead rows, long statements, what holds up vacuum.

Everything is read from the server's catalogues and statistics, nothing from the tables themselves,
so the cost does not depend on the number of rows. If the role lacks a privilege, only that part
reports it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from nexus_actors.monitoring.reading import Reader
from nexus_actors.settings.model import RetentionSettings
from nexus_actors.storage.errors import StorageError
from nexus_actors.storage.postgres.sql import numbered_migrations

T = TypeVar("T")

MOST_TABLES: Final = 100
MOST_INDEXES: Final = 30
MOST_STATEMENTS: Final = 20
MOST_MIGRATIONS: Final = 100
LONG: Final = 1.0
"""Seconds after which a statement or transaction of ours is listed."""
_MEGABYTE: Final = 1024 * 1024
_MANY_DEAD: Final = 10_000
_MUCH_SPARE: Final = 100 * _MEGABYTE
_CHORE_OVERDUE: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """The rows of one part of the page, or why they could not be read."""

    found: Sequence[T] = ()
    trouble: str | None = None
    """A line for the operator; None if the part was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One of our tables. Sizes in bytes."""

    name: str
    row_estimate: float | None
    """The planner's estimate; None if the table was never analysed."""
    bytes: int
    """Including indexes and TOAST."""
    heap_bytes: int
    index_bytes: int
    dead_rows: int
    vacuumed_at: datetime | None
    analyzed_at: datetime | None
    spare: float | None
    """Unused bytes of the heap; None if unknown."""
    hint: str | None
    """What to do; None if there is nothing to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """One index of ours."""

    name: str
    table: str
    bytes: int
    scans: int
    valid: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A session of ours with a long statement or transaction."""

    pid: int
    name: str
    role: str
    state: str
    waits_for: str | None
    statement_seconds: float | None
    transaction_seconds: float | None
    blockers: int
    """How many sessions block it."""
    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Statistics of one of our statements. Times are in milliseconds."""

    calls: int
    total_ms: float
    mean_ms: float
    max_ms: float
    rows: int
    blocks_read: int
    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One migration."""

    number: int
    name: str
    applied_at: datetime | None
    """None if the database lacks a migration of this program."""
    works_with: int | None
    """Programs that know this migration can work with the migrated database."""
    known: bool
    """Whether this program has the migration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chore:
    """A chore and its leader."""

    chore: str
    node: str | None
    """The leader's name, or its id if nothing else is known; None if there is none."""
    done_at: datetime | None
    idle: float
    """Seconds since a round was completed, or since the chore exists."""
    trouble: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """Numbers of connections, and facts about the server."""

    most: int
    used: int
    here: int
    """Connections to this database."""
    ours: int
    version: str
    database: str
    role: str
    bytes: int
    """The size of the whole database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Something that keeps vacuum from removing dead rows."""

    kind: str
    name: str
    since: datetime | None
    transactions: int | None
    """Its age in transaction ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """How close the server is to a forced vacuum (transaction id wraparound)."""

    transactions: int
    most: int
    autovacuum: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One setting of `[retention]`, in words."""

    what: str
    how_long: str
    settings: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """The parts of the page. A part of a single thing has one element."""

    connections: Part[Connections]
    age: Part[Age]
    tables: Part[Table]
    indexes: Part[Index]
    running: Part[Running]
    hidden: int
    """How many of our sessions have statements that the server hides from this role."""
    statements: Part[Statement]
    migrations: Part[Migration]
    chores: Part[Chore]
    held: Part[Holder]


async def read_database(reader: Reader) -> Database:
    """Read all parts one by one. Raises no error of the database: each part reports its own."""
    hidden = await _part(reader, "database_hidden")
    return Database(
        connections=_made(Connections, await _part(reader, "database_connections")),
        age=_made(Age, await _part(reader, "database_age")),
        tables=_each(_table, await _part(reader, "database_tables", MOST_TABLES)),
        indexes=_each(_index, await _part(reader, "database_indexes", MOST_INDEXES)),
        running=_each(_running, await _part(reader, "database_activity", MOST_STATEMENTS, LONG)),
        hidden=sum(row["hidden"] for row in hidden.found),
        statements=await _statements(reader),
        migrations=_migrations(await _part(reader, "database_migrations", MOST_MIGRATIONS)),
        chores=_each(_chore, await _part(reader, "database_chores")),
        held=_made(Holder, await _part(reader, "database_held", MOST_STATEMENTS)),
    )


def retention(settings: RetentionSettings) -> list[Kept]:
    """What is kept for how long, by the config in force."""
    return [
        _kept("archives of requests and results", "archive", settings),
        _kept("journal: requests and their attempts", "journal", settings),
        _kept("dead letters", "dead", settings),
        Kept(
            what="sums of hours and days",
            how_long=f"{settings.sums_days:g} days" if settings.sums_days else "forever",
            settings="retention.sums_days",
        ),
    ]


def _kept(what: str, name: str, settings: RetentionSettings) -> Kept:
    days: float = getattr(settings, f"{name}_days")
    count: int = getattr(settings, f"{name}_count")
    words = [f"{days:g} days"] if days else []
    words += [f"the newest {count:,}"] if count else []
    return Kept(
        what=what,
        how_long=", ".join(words) or "forever",
        settings=f"retention.{name}_days, retention.{name}_count",
    )


async def _part(reader: Reader, name: str, *arguments: object) -> Part[dict[str, Any]]:
    try:
        return Part(await reader.read(name, *arguments))
    except StorageError as error:
        return Part(trouble=str(error))


def _made(kind: type[T], part: Part[dict[str, Any]]) -> Part[T]:
    return Part([kind(**row) for row in part.found], part.trouble)


def _each(make: Callable[[dict[str, Any]], T], part: Part[dict[str, Any]]) -> Part[T]:
    return Part([make(row) for row in part.found], part.trouble)


def _table(row: dict[str, Any]) -> Table:
    name = f"{row['schema']}.{row['name']}"
    return Table(
        name=name,
        row_estimate=row["row_estimate"],
        bytes=row["bytes"],
        heap_bytes=row["heap_bytes"],
        index_bytes=row["index_bytes"],
        dead_rows=row["dead_rows"],
        vacuumed_at=row["vacuumed_at"],
        analyzed_at=row["analyzed_at"],
        spare=row["spare"],
        hint=_hint(name, row),
    )


def _hint(name: str, row: dict[str, Any]) -> str | None:
    """Autovacuum runs at a fifth of dead rows. At twice that, something holds it up."""
    dead, live = row["dead_rows"], row["live_rows"]
    if dead > _MANY_DEAD and dead > 0.4 * live:
        return f"many dead rows: VACUUM (ANALYZE) {name}; see what blocks vacuum"
    spare, heap = row["spare"], row["heap_bytes"]
    if spare is not None and spare > _MUCH_SPARE and spare > 0.5 * heap:
        return (
            f"about {spare / heap:.0%} of the heap is free: new rows use it; to return it,"
            f" VACUUM FULL {name} while the service is stopped, or pg_repack"
        )
    return None


def _index(row: dict[str, Any]) -> Index:
    return Index(
        name=row["name"],
        table=f"{row['schema']}.{row['table']}",
        bytes=row["bytes"],
        scans=row["scans"],
        valid=row["valid"],
    )


def _running(row: dict[str, Any]) -> Running:
    kind, event = row["wait_event_type"], row["wait_event"]
    return Running(
        pid=row["pid"],
        name=row["name"],
        role=row["role"],
        state=row["state"],
        waits_for=None if kind is None else f"{kind}: {event}",
        statement_seconds=row["statement_seconds"],
        transaction_seconds=row["transaction_seconds"],
        blockers=row["blockers"],
        query=row["query"],
    )


async def _statements(reader: Reader) -> Part[Statement]:
    there = await _part(reader, "database_statements_there")
    if there.trouble is not None:
        return Part(trouble=there.trouble)
    if not there.found:
        return Part(
            trouble="pg_stat_statements is not installed in this database: add it to"
            " shared_preload_libraries, restart the server, then CREATE EXTENSION"
            " pg_stat_statements"
        )
    return _made(Statement, await _part(reader, "database_statements", MOST_STATEMENTS))


def _migrations(part: Part[dict[str, Any]]) -> Part[Migration]:
    """The migrations that the database lacks, then those that it has."""
    if part.trouble is not None:
        return Part(trouble=part.trouble)
    ours = dict(numbered_migrations())
    applied = {row["number"] for row in part.found}
    # Migrations that are no longer listed were all applied.
    lacking = sorted((it for it in ours if it > max(applied, default=0)), reverse=True)
    return Part(
        [
            *(
                Migration(number=it, name=ours[it], applied_at=None, works_with=None, known=True)
                for it in lacking
            ),
            *(Migration(**row, known=row["number"] in ours) for row in part.found),
        ]
    )


def _chore(row: dict[str, Any]) -> Chore:
    trouble = None
    if row["idle"] > _CHORE_OVERDUE:
        trouble = "overdue: no round was completed for more than an hour"
    elif row["silent"]:
        trouble = "no node does it now"
    return Chore(
        chore=row["chore"],
        node=row["node_name"] or row["node"],
        done_at=row["done_at"],
        idle=row["idle"],
        trouble=trouble,
    )
