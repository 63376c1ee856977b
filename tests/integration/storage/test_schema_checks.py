"""What stands where ours belongs is told by name, with the fix, at the start and by `db migrate`;
what of ours was dropped is made again."""

import pytest

from nexus_actors.storage.postgres.connection import open_postgres
from nexus_actors.storage.postgres.database import open_database
from nexus_actors.storage.postgres.errors import DatabaseStartError
from nexus_actors.storage.postgres.migrate import migrate
from nexus_actors.storage.postgres.sql import Queues, numbered_migrations

NEWER = numbered_migrations()[-1][0] + 1
READY = {
    "job_results lacks the column cost_cents, the column duration_ms": (
        "ALTER TABLE job_results DROP COLUMN cost_cents, DROP COLUMN duration_ms"
    ),
    "no primary key and no unique index on id": (
        "ALTER TABLE job_results DROP CONSTRAINT job_results_pkey"
    ),
    f"version {NEWER} (9999_of_a_later_release), newer than this program": (
        "INSERT INTO nexus.migrations (number, name)"
        " SELECT max(number) + 1, '9999_of_a_later_release' FROM nexus.migrations"
    ),
}
EMPTY = {
    "schema nexus holds what is not ours (nexus.requests)": (
        "CREATE SCHEMA nexus; CREATE TABLE nexus.requests (a int)"
    ),
    "schema nexus holds what is not ours (nexus.migrations)": (
        "CREATE SCHEMA nexus; CREATE TABLE nexus.migrations (version text)"
    ),
    "schema pgmq holds no PGMQ (it has no function pgmq.create": "CREATE SCHEMA pgmq",
    "job_results lacks the column id": "CREATE TABLE job_results (job text)",
}
FIXES = ("ALTER SCHEMA", "ALTER TABLE", "upgrade the program")


async def told(url: str, statement: str) -> str:
    """What both the start and `db migrate` say."""
    async with open_postgres(url, pool_size=1) as pool:
        await pool.run(lambda connection: connection.execute(statement))
        with pytest.raises(DatabaseStartError) as by_command:
            await migrate(pool, Queues())
    with pytest.raises(DatabaseStartError) as at_start:
        async with open_database(url, instance_id="one"):
            pass
    assert str(at_start.value) == str(by_command.value)
    assert at_start.value.kind == "unusable"
    return str(at_start.value)


@pytest.mark.parametrize("what", READY)
async def test_in_a_database_that_was_ready(database_url: str, what: str) -> None:
    text = await told(database_url, READY[what])
    assert what in text
    assert any(fix in text for fix in FIXES)


async def test_an_upgrade_can_be_taken_back_where_the_later_release_says_so(
    database_url: str,
) -> None:
    """Not over a migration that says nothing, though a later one does."""
    newer = "INSERT INTO nexus.migrations (number, name, works_with) VALUES ($1, 'later', $2)"
    async with open_postgres(database_url, pool_size=1) as pool:
        await pool.run(lambda connection: connection.execute(newer, NEWER, NEWER - 1))
        await migrate(pool, Queues())
        async with open_database(database_url, instance_id="one"):
            pass
        await pool.run(lambda connection: connection.execute(newer, NEWER + 1, None))
        await pool.run(lambda connection: connection.execute(newer, NEWER + 2, NEWER - 1))
        with pytest.raises(DatabaseStartError, match=f"version {NEWER + 1} "):
            await migrate(pool, Queues())
        said = "SELECT number FROM nexus.migrations WHERE works_with = 25 ORDER BY number"
        rows = await pool.run(lambda connection: connection.fetch(said))
    assert [row["number"] for row in rows][:2] == [26, 27]


@pytest.mark.parametrize("what", EMPTY)
async def test_in_a_database_of_others(empty_database_url: str, what: str) -> None:
    text = await told(empty_database_url, EMPTY[what])
    assert what in text
    assert any(fix in text for fix in FIXES)


async def test_a_table_that_is_called_like_a_queue(database_url: str) -> None:
    broken = "ALTER TABLE pgmq.q_ai_results RENAME COLUMN vt TO visible"
    assert "pgmq.q_ai_results is no queue of PGMQ" in await told(database_url, broken)


async def test_a_table_of_results_that_nobody_writes_to_is_others_own(database_url: str) -> None:
    async with open_postgres(database_url, pool_size=1) as pool:
        await pool.run(
            lambda connection: connection.execute("ALTER TABLE job_results DROP COLUMN cost_cents")
        )
    async with open_database(database_url, instance_id="one", stores_results=False):
        pass


async def test_an_index_that_was_dropped_is_made_again(database_url: str) -> None:
    async with open_postgres(database_url, pool_size=1) as pool:
        await pool.run(
            lambda connection: connection.execute(
                "DROP INDEX nexus.requests_waiting, nexus.requests_finished"
            )
        )
        done = await migrate(pool, Queues())
        assert set(done.made) == {
            "the index nexus.requests_waiting",
            "the index nexus.requests_finished",
        }
        assert (await migrate(pool, Queues())).made == ()
