"""Who may do what, who is told what is lacking, and who holds a lock that any role can hold."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
import trio
import trio_asyncio  # type: ignore[import-untyped]

from nexus_actors.client import LLMService, Unavailable
from nexus_actors.storage.errors import StorageUnavailable
from nexus_actors.storage.postgres import dead_letters, hints, journal, migrate, presence
from nexus_actors.storage.postgres.connection import (
    PostgresPool,
    collapsed_groups,
    open_postgres,
)
from nexus_actors.storage.postgres.database import PostgresDatabase, open_database
from nexus_actors.storage.postgres.errors import DatabaseStartError
from nexus_actors.storage.postgres.presence import consumer_is_running
from nexus_actors.storage.postgres.sql import Queues, read
from tests.integration.storage.storage_helpers import sql, until, value
from tests.postgres import with_database
from tests.service import settings_for


def rendered(mark: str) -> str:
    names = {"requests": "ai_requests", "results": "ai_results", "dead": "ai_requests_dead"}
    names |= {name: f"{name}_{mark}" for name in ("service", "producer", "operator")}
    return re.sub(r"\{(\w+)\}", lambda found: names[found[1]], read(".", "roles"))


async def execute(url: str, *statements: str) -> None:
    """Each by itself, and errors as the driver raises them."""

    async def run() -> None:
        connection = await asyncpg.connect(url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            connection.terminate()

    with collapsed_groups():
        async with trio_asyncio.open_loop() as loop:
            await trio_asyncio.aio_as_trio(run, loop=loop)()


@asynccontextmanager
async def temporary_roles(url: str, *names: str) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for name in names:
            owned = f"REASSIGN OWNED BY {name} TO postgres"
            await execute(url, owned, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


@asynccontextmanager
async def holding(url: str, lock: str, name: str = "somebody") -> AsyncIterator[PostgresPool]:
    """A foreign session that holds a lock."""
    async with open_postgres(url, pool_size=1, application_name=name) as pool:
        await pool.run(lambda it: it.execute(f"SELECT {lock}"))
        yield pool


def user(url: str, role: str) -> str:
    return url.replace("postgres@", f"{role}@", 1)


async def test_no_function_of_ours_is_everybodys(db: PostgresDatabase) -> None:
    """Also one that a later migration makes: what is made is revoked at the next start."""
    everybodys = (
        "SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'nexus'::regnamespace"
        " AND (p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) WHERE grantee = 0))"
    )
    unfixed = (
        "SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'nexus'::regnamespace"
        " AND p.prosecdef"
        " AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false)"
    )
    assert await sql(db, everybodys) == []
    assert await sql(db, unfixed) == []
    await sql(db, "CREATE FUNCTION nexus.late() RETURNS integer LANGUAGE sql AS 'SELECT 1'")
    assert len(await sql(db, everybodys)) == 1
    await migrate.migrate(db.pool, Queues())
    assert await sql(db, everybodys) == []


async def test_one_error_says_what_is_missing_for_the_roles(database_url: str) -> None:
    mark = urlsplit(database_url).path.removeprefix("/")
    owner = f"owner_{mark}"
    theirs = user(database_url, owner)
    made = [f"{kind}_{mark}" for kind in ("service", "producer", "operator")]
    roles = rendered(mark)
    await execute(database_url, f"CREATE ROLE {owner} LOGIN")
    async with temporary_roles(database_url, owner):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="cannot grant what belongs"):
            await execute(theirs, roles)
        await execute(database_url, *(_give(kind, owner) for kind in _OWNED))
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="CREATEROLE") as refused:
            await execute(theirs, roles)
        hint = str(refused.value.hint)
        assert f'CREATE ROLE "service_{mark}" LOGIN; CREATE ROLE "producer_{mark}" LOGIN;' in hint
        for role in made:  # all or nothing
            with pytest.raises(asyncpg.UndefinedObjectError):
                await execute(database_url, f"ALTER ROLE {role} NOLOGIN")
        # What the hint says suffices, and so do the roles of an earlier release.
        await execute(database_url, *re.findall(r'CREATE ROLE "\w+" LOGIN', hint))
        async with temporary_roles(database_url, *made):
            old = f"GRANT INSERT ON pgmq.q_ai_requests TO {made[1]}"
            await execute(theirs, old, roles, roles)
            forged = "INSERT INTO pgmq.q_ai_requests (vt, read_ct) VALUES (now(), 7)"
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await execute(user(database_url, made[1]), forged)
            await execute(user(database_url, made[1]), "SELECT pgmq.send('ai_requests', '{}')")
            await execute(
                theirs,
                f"REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA nexus FROM {made[0]}",
                f"REVOKE INSERT ON nexus.assumed_costs FROM {made[0]}",
            )
            with pytest.raises(DatabaseStartError) as lacking:
                async with open_database(user(database_url, made[0]), instance_id="one"):
                    pass
            assert lacking.value.kind == "missing_permission"
            for told in (
                f"the role {made[0]} lacks EXECUTE on nexus.",
                "INSERT on nexus.assumed_costs",
                f"nexus db roles --service {made[0]}",
            ):
                assert told in str(lacking.value)


async def test_an_error_that_the_owner_has_to_fix_says_how(
    database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    """Whatever a command asks of a database that was never prepared, or as a role that was never
    granted anything. Not what another's trigger lacks."""
    mark = urlsplit(database_url).path.removeprefix("/")
    queues = Queues()
    letters = dead_letters.Which(numbers=None, reason=None, provider=None, older_than=None, limit=1)
    operations: list[Callable[[PostgresPool], Awaitable[object]]] = [
        lambda pool: pool.run(journal.read_entry, "r"),
        lambda pool: pool.run(journal.read_spending, ["all"], ["day"]),
        lambda pool: dead_letters.find(pool, queues, letters),
        lambda pool: pool.run(lambda it: it.execute("SELECT pgmq.send('ai_requests', '{}')")),
        lambda pool: pool.run(lambda it: it.execute("SELECT nexus.send('{}')")),
    ]
    await execute(database_url, f"CREATE ROLE nobody_{mark} LOGIN")
    async with temporary_roles(database_url, f"nobody_{mark}"):
        for url, fix in (
            (empty_database_url, "nexus db migrate"),
            (user(database_url, f"nobody_{mark}"), "nexus db roles"),
        ):
            async with open_postgres(url, pool_size=1) as pool:
                for operation in operations:
                    with pytest.raises(StorageUnavailable, match=fix):
                        await operation(pool)
            settings = settings_for(url, tmp_path)
            with trio.fail_after(30):
                async with LLMService(settings) as service:
                    with pytest.raises(Unavailable, match=fix):
                        await service.result("r", timeout=3600)
    async with open_postgres(database_url, pool_size=1) as pool:
        broken = "CREATE FUNCTION broken() RETURNS integer LANGUAGE plpgsql AS 'BEGIN %s; END'"
        await pool.run(lambda it: it.execute(broken % "RETURN (SELECT 1 FROM nowhere)"))
        with pytest.raises(StorageUnavailable, match=r"in function broken$"):
            await pool.run(lambda it: it.execute("SELECT broken()"))


_OWNED = (
    "SELECT format('ALTER SCHEMA %I OWNER TO {owner}', nspname) FROM pg_namespace"
    " WHERE nspname IN ('nexus', 'pgmq')",
    "SELECT format('ALTER TABLE %s OWNER TO {owner}', c.oid::regclass) FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('nexus', 'pgmq', 'public')"
    " AND c.relkind IN ('r', 'v')",
    "SELECT format('ALTER FUNCTION %s OWNER TO {owner}', oid::regprocedure) FROM pg_proc"
    " WHERE pronamespace = 'nexus'::regnamespace",
)


def _give(query: str, owner: str) -> str:
    loop = "FOR statement IN {} LOOP EXECUTE statement; END LOOP"
    return (
        "DO $do$ DECLARE statement text; BEGIN "
        + loop.format(query.replace("{owner}", owner))
        + "; END $do$"
    )


async def test_a_held_migration_lock_delays_nobody_who_has_nothing_to_migrate(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "PATIENCE", 0.3)
    lock = f"pg_advisory_lock({migrate.LOCK})"
    async with holding(database_url, lock, "an idle console"):
        with trio.fail_after(30):
            async with open_database(database_url, instance_id="one") as db:
                await sql(db, "DELETE FROM nexus.migrations WHERE number = 12")
                pid = await value(
                    db, "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'an idle%'"
                )
            with pytest.raises(DatabaseStartError) as refused:
                async with open_database(database_url, instance_id="one"):
                    pass
    told = str(refused.value)
    assert f"pid {pid}, role postgres, application an idle console" in told
    assert f"pg_terminate_backend({pid})" in told


async def test_a_held_presence_lock_delays_no_start_and_hides_no_service(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "ANNOUNCE_AGAIN", 0.02)
    first, second = presence.lock_key("ai_requests")
    shared = (
        "SELECT count(*) FROM pg_locks WHERE classid = $1 AND mode = 'ShareLock'"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    async with holding(database_url, f"pg_advisory_lock({first}, {second})", "mean") as holder:
        with trio.fail_after(30):
            async with open_database(database_url, instance_id="one") as db:
                assert "application mean" in (db.hints.unannounced or "")
                assert await db.run(consumer_is_running, "ai_requests")
                await holder.run(lambda it: it.execute("SELECT pg_advisory_unlock_all()"))
                await until(lambda: value(db, shared, first))
                assert await db.run(consumer_is_running, "ai_requests")
                assert db.hints.unannounced is None


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
async def test_a_database_that_cannot_hold_every_answer_is_refused(
    postgres_server: str, worker_id: str, encoding: str
) -> None:
    name = f"test_{worker_id}_{encoding.lower()}"
    template = f"ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    await execute(postgres_server, f"CREATE DATABASE {name} {template}")
    try:
        async with open_postgres(with_database(postgres_server, name)) as pool:
            with pytest.raises(DatabaseStartError, match=rf"{encoding}.*ENCODING 'UTF8' TEMPLATE"):
                await migrate.migrate(pool, Queues())
            schemas = "SELECT count(*) FROM pg_namespace WHERE nspname IN ('nexus', 'pgmq')"
            assert await pool.run(lambda it: it.fetchval(schemas)) == 0
    finally:
        await execute(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")
