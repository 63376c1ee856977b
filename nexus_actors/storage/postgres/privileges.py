"""Whether the role of a session has what `roles.sql` grants a service: looked for at the start, so
that what an upgrade needs is told by name.
"""

import re

from nexus_actors.storage.postgres.connection import Connection
from nexus_actors.storage.postgres.errors import DatabaseStartError
from nexus_actors.storage.postgres.sql import Queues, read

_GRANT = re.compile(
    r'^\s*GRANT ([A-Z, ]+) ON ((?!SCHEMA|SEQUENCE|ALL)[^;]+) TO "\{service\}";', re.MULTILINE
)


async def check_privileges(connection: Connection, queues: Queues) -> None:
    """Raises DatabaseStartError that names each privilege which is lacking, and the mend."""
    pairs = _needed(queues)
    rows = await connection.fetch(
        read("queries", "lacking"), [table for table, _ in pairs], [right for _, right in pairs]
    )
    if not rows:
        return
    role = await connection.fetchval("SELECT current_user::text")
    told = ", ".join(sorted(row["what"] for row in rows))
    raise DatabaseStartError(
        "missing_permission",
        f"the role {role} lacks {told}; as the owner of the database run again what"
        f" 'nexus db roles --service {role}' prints",
    )


def _needed(queues: Queues) -> list[tuple[str, str]]:
    """Each table and privilege that `roles.sql` grants the service."""
    return [
        (queues.named(table.strip()), privilege.strip())
        for privileges, tables in _GRANT.findall(read(".", "roles"))
        for table in tables.split(",")
        for privilege in privileges.split(",")
    ]
