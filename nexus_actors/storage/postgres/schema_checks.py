"""Checks the schema before anything is created or leased: foreign objects where ours belong, a
newer version, and indexes that were dropped. Each is reported by name, with the fix."""

import re
from functools import cache
from typing import Final

from nexus_actors.storage.postgres.errors import DatabaseStartError
from nexus_actors.storage.postgres.sessions import Connection
from nexus_actors.storage.postgres.sql import Queues, numbered_migrations, read

_INDEX: Final = re.compile(
    r"^CREATE INDEX (?:IF NOT EXISTS )?(\w+) ON nexus\.\w+ [^;]+;", re.MULTILINE
)
_COLUMNS: Final = re.compile(r"INSERT INTO public\.job_results \(([^)]+)\)")


async def refuse_conflicting_objects(
    connection: Connection, queues: Queues, where: str, *, stores_results: bool
) -> None:
    """Raise DatabaseStartError if objects of others are where ours belong."""
    names = [queues.requests, queues.results, queues.dead]
    columns = _result_columns(queues) if stores_results else []
    rows = await connection.fetch(read("queries", "conflicting_objects"), names, columns)
    if rows:
        conflicts = "; ".join(row["what"] for row in rows)
        raise DatabaseStartError("unusable", f"cannot use the database {where}: {conflicts}")


async def refuse_newer(connection: Connection, where: str) -> None:
    """Raise DatabaseStartError if a migration was applied that this program does not know and
    cannot work with."""
    last = numbered_migrations()[-1][0]
    newer = await connection.fetchrow(
        "SELECT m.number, m.name FROM nexus.migrations AS m"
        " WHERE m.number > $1 AND coalesce((to_jsonb(m) ->> 'works_with')::integer, m.number) > $1"
        " ORDER BY m.number DESC LIMIT 1",
        last,
    )
    if newer is not None:
        raise DatabaseStartError(
            "unusable",
            f"cannot use the database {where}: it is at version {newer['number']}"
            f" ({newer['name']}), newer than this program, which knows {last}",
            "upgrade the program",
        )


async def missing_indexes(connection: Connection) -> dict[str, str]:
    """The indexes of our tables that have been dropped, each with the statement that creates it."""
    rows = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('nexus')"
        " AND relkind = 'i'"
    )
    there = {row["relname"] for row in rows}
    return {name: made for name, made in _indexes().items() if name not in there}


@cache
def _indexes() -> dict[str, str]:
    return {
        found[1]: found[0]
        for _, name in numbered_migrations()
        for found in _INDEX.finditer(read("migrations", name))
    }


def _result_columns(queues: Queues) -> list[str]:
    found = _COLUMNS.search(queues.query("store_results"))
    assert found is not None  # noqa: S101 - our own file
    return [name.strip() for name in found[1].split(",")]
