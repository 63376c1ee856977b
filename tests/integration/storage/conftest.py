"""A database opened as the service opens it."""

from collections.abc import AsyncIterator

import pytest

from nexus_actors.storage.postgres.database import PostgresDatabase, open_database


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[PostgresDatabase]:
    """The database as instance `one` sees it."""
    async with open_database(database_url, instance_id="one") as database:
        yield database
