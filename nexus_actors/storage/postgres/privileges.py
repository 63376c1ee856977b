"""Checks at the start whether the session's role has what `roles.sql` grants a service, so that
privileges that are missing after an upgrade are named."""

import re

from nexus_actors.storage.postgres.connection import Connection
from nexus_actors.storage.postgres.errors import DatabaseStartError
from nexus_actors.storage.postgres.sql import Queues, read

_GRANT = re.compile(
    r'^\s*GRANT ([A-Z, ]+) ON ((?!SCHEMA|SEQUENCE|ALL)[^;]+) TO "\{service\}";', re.MULTILINE
)


async def check_privileges(connection: Connection, queues: Queues) -> None:
    """Raise DatabaseStartError with each missing privilege and the fix."""
    role, found = await lacking(connection, queues)
    if found:
        raise DatabaseStartError(
            "missing_permission",
            f"the role {role} lacks {', '.join(found)}",
            f"as the owner of the database run again what 'nexus db roles --service {role}' prints",
        )


async def lacking(connection: Connection, queues: Queues) -> tuple[str, list[str]]:
    """The session's role, and each of a service's privileges that it lacks."""
    pairs = _needed(queues)
    rows = await connection.fetch(
        read("queries", "lacking"), [table for table, _ in pairs], [right for _, right in pairs]
    )
    role: str = await connection.fetchval("SELECT current_user::text")
    return role, sorted(row["what"] for row in rows)


def _needed(queues: Queues) -> list[tuple[str, str]]:
    """Each table and privilege that `roles.sql` grants to the service."""
    return [
        (queues.named(table.strip()), privilege.strip())
        for privileges, tables in _GRANT.findall(read(".", "roles"))
        for table in tables.split(",")
        for privilege in privileges.split(",")
    ]
