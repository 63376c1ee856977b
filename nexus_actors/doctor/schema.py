"""Checks of our objects in the database and of the roles' privileges."""

from collections.abc import Sequence
from typing import Final

from nexus_actors.doctor.check import Check, Connected, Run
from nexus_actors.doctor.database import examined, row_of
from nexus_actors.doctor.finding import Advice, Finding, NotChecked, Ok, Wrong
from nexus_actors.storage.postgres.connection import fetch
from nexus_actors.storage.postgres.errors import DatabaseStartError
from nexus_actors.storage.postgres.migrate import missing_parts
from nexus_actors.storage.postgres.privileges import lacking
from nexus_actors.storage.postgres.schema_checks import refuse_conflicting_objects

_PGMQ_TOO_OLD: Final = "its messages have no headers, by which traces go and every lease looks"
_NOTHING: Final = NotChecked("there is nothing of ours yet: see migrations")
_REFUSED: Final = "nexus start is refused"


async def look_at_pgmq(at: Connected) -> Sequence[Finding]:
    """Check that PGMQ is installed and new enough, as an extension or as plain SQL."""
    row = await row_of(at, "pgmq")
    version, newest = row["version"], row["newest"]
    if not row["there"]:
        brought = f"the extension {newest}" if newest else "its SQL, which this program has"
        return [
            Advice("it is not installed", f"nexus start installs {brought}", "nexus db migrate")
        ]
    upgrade = "ALTER EXTENSION pgmq UPDATE"
    if not row["headers"]:
        problem = f"PGMQ {version or '(its SQL, without a version)'} is too old"
        fix = upgrade if version and newest not in (None, version) else _NEWER_PGMQ
        return [
            Wrong(f"{problem}: {_PGMQ_TOO_OLD}", "nexus start fails, or nothing is leased", fix)
        ]
    if version is None:
        return [Ok("there, as SQL")]
    if newest is not None and newest != version:
        cause = f"the extension is {version}, and the server has {newest}"
        return [Advice(cause, "faults of it that are fixed since stay", upgrade)]
    return [Ok(f"there, as the extension {version}")]


_NEWER_PGMQ: Final = (
    "install PGMQ 1.5 or newer on the server, then ALTER EXTENSION pgmq UPDATE; of SQL that was"
    " installed by hand: the newer release's own script"
)


async def look_at_migrations(at: Connected) -> Sequence[Finding]:
    """Check for foreign objects in place of ours, missing ones, and a newer schema than ours."""
    stores = at.settings.result_poller.enabled

    try:
        await at.pool.run(refuse_conflicting_objects, at.queues, at.where, stores_results=stores)
        missing = await at.pool.run(missing_parts, at.queues, at.where)
    except DatabaseStartError as error:
        cause, fix = error.cause, error.fix
        if not fix:
            cause, _, fix = cause.rpartition(": ")
        return [Wrong(cause, _REFUSED, fix)]
    if not missing:
        return [Ok("all applied")]
    cause = f"it has yet to be given {', '.join(missing)}"
    may = await at.pool.run(fetch, "SELECT has_database_privilege(current_database(), 'CREATE')")
    fix = "nexus db migrate, as the owner of the database"
    if may[0][0]:
        return [Advice(cause, "the next nexus start makes it first", fix)]
    return [Wrong(cause, f"{_REFUSED}: this role may not make it", fix)]


async def _is_prepared(at: Connected) -> bool:
    rows = await at.pool.run(fetch, "SELECT to_regclass('nexus.migrations') IS NOT NULL")
    return bool(rows[0][0])


def of_tables(look: Run[Connected]) -> Run[Connected]:
    """Make a check of our tables run only if they exist."""

    async def looked(at: Connected) -> Sequence[Finding]:
        return await look(at) if await _is_prepared(at) else [_NOTHING]

    return looked


async def look_at_privileges(at: Connected) -> Sequence[Finding]:
    """Check that this role has the privileges of a service."""
    role, found = await at.pool.run(lacking, at.queues)
    if not found:
        return [Ok(f"the role {role} has what a service needs")]
    fix = f"as the owner of the database: nexus db roles --service {role} | psql …"
    return [Wrong(f"the role {role} lacks {', '.join(found)}", _REFUSED, fix)]


async def look_at_producers(at: Connected) -> Sequence[Finding]:
    """Check that roles that may send requests have all privileges of a producer."""
    rows = await at.pool.run(fetch, examined(at, "senders"))
    findings: list[Finding] = [
        Advice(
            f"the role {row['role']} may send requests, and lacks {', '.join(row['lacking'])}",
            "what it sends, or reads of results, fails with permission denied (42501)",
            f"as the owner of the database: nexus db roles --producer {row['role']} | psql …",
        )
        for row in rows
    ]
    return findings or [Ok("each role that can send has all it needs")]


CHECKS: Final = (
    Check("pgmq", look_at_pgmq),
    Check("migrations", look_at_migrations),
    Check("privileges", of_tables(look_at_privileges)),
    Check("producers", of_tables(look_at_producers)),
)
