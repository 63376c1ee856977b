"""A session that the server ends while nobody reads from it."""

from typing import Any

from nexus_actors.client.connection import open_client_database
from nexus_actors.client.waiters import Waiters
from nexus_actors.storage.postgres.connection import open_postgres

WORD = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"
LAST = b"E" + (len(WORD) + 4).to_bytes(4, "big") + WORD


async def answered(connection: Any) -> int:
    """Read the server's last word, but not yet the end of the connection: the driver then refuses
    to clean the session up."""
    await connection.execute("BEGIN")
    connection._con._protocol.data_received(LAST)
    return 7


async def test_what_a_statement_returned_stands_though_its_session_ends_right_behind_it(
    database_url: str,
) -> None:
    async with open_postgres(database_url, pool_size=1) as pool:
        assert await pool.run(answered) == 7
        assert await pool.run(lambda it: it.fetchval("SELECT 1")) == 1


async def test_so_does_what_a_client_sent(database_url: str) -> None:
    async with open_client_database(database_url, Waiters(), pool_size=1) as database:
        assert await database.run(answered) == 7
        assert await database.run(lambda it: it.fetchval("SELECT 1")) == 1
