"""One service an instance id: the lock that says so, and who is believed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from nexus_actors.storage.postgres import claim
from nexus_actors.storage.postgres.claim import InstanceTaken, Place, place
from nexus_actors.storage.postgres.connection import Connection, PostgresPool, open_postgres
from nexus_actors.storage.postgres.database import PostgresDatabase, open_database
from nexus_actors.storage.postgres.locks import Holder, lock_holders
from tests.integration.storage.storage_helpers import send, sql, until, value

HERE = place("a-host", "boot-1", 100, "/data:1", "pid:[1]")
OLD = "nexus 01234567 a-host/01234567/100/012345"
"""A session's name as an earlier release gave it."""
KEY = claim.key_of("one")
SESSIONS = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    " AND application_name LIKE 'nexus % a-host/%'"
)


@asynccontextmanager
async def claimed(url: str, here: Place = HERE) -> AsyncIterator[PostgresDatabase]:
    async with open_database(url, instance_id="one", here=here) as db:
        yield db


@asynccontextmanager
async def left_behind(url: str, name: str) -> AsyncIterator[PostgresPool]:
    """A session that holds the lock and says nothing more."""

    async with open_postgres(url, pool_size=1, application_name=name) as pool:
        await pool.run(lambda it: it.execute(f"SELECT pg_advisory_lock{KEY}"))
        yield pool


def test_a_name_fits_whatever_the_host_is_called() -> None:
    for host in ("", "h" * 300, "ä/ö nexus", "a\nb"):
        name = place(host, "b" * 36, 2**22, "/d" * 200, "pid:[9]").session_name("i" * 36)
        assert len(name.encode()) <= 63
        assert claim.NAME.fullmatch(name)


async def test_a_live_service_elsewhere_keeps_its_id(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elsewhere may be the next container: of this host, whose name begins alike, where the
    directory has the same name and number."""
    monkeypatch.setattr(claim, "BEAT", 0.05)
    monkeypatch.setattr(claim, "LOOK_AGAIN", 0.1)
    copies = [
        place("another-host", "boot-2", 100, "/data:1", "pid:[1]"),
        place("a-host", "boot-1", 101, "/copy:2", "pid:[1]"),
        place("a-host", "boot-2", 100, "/data:1", "pid:[1]"),  # a clone of the host
        place("a-host", "boot-1", 100, "/data:1", "pid:[2]"),
    ]
    async with claimed(database_url) as db:
        assert db.claim is not None
        assert db.claim.trouble is None
        for copy in copies:
            with pytest.raises(InstanceTaken, match=r"host a-host \(pid 100.*delete the file"):
                async with claimed(database_url, copy):
                    pass
        held = (
            "SELECT count(*) FROM pg_locks WHERE classid = $1"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        assert await value(db, held, KEY[0]) == 1
    async with claimed(database_url, copies[0]):
        pass
    alike = "a-host-whose-name-is-long-"
    async with claimed(database_url, place(f"{alike}1", "boot-1", 1, "/data:1", "pid:[1]")) as db:
        with pytest.raises(InstanceTaken):
            async with claimed(database_url, place(f"{alike}2", "boot-1", 1, "/data:1", "pid:[1]")):
                pass


async def test_what_a_dead_predecessor_left_behind_is_ended(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of this very directory, at once; one from before the host or the container was started,
    of another host, or of an earlier release, when it has been silent for long."""
    before_boot = place("a-host", "boot-0", 7, "/data:1", "pid:[1]")
    monkeypatch.setattr(claim, "SILENCE", 3600.0)
    monkeypatch.setattr(claim, "LOOK_AGAIN", 0.02)
    async with left_behind(database_url, HERE.session_name("one")):
        with trio.fail_after(30):
            async with claimed(database_url) as db:
                assert await _has_lock(db)
    for name in (before_boot.session_name("one"), OLD):
        async with left_behind(database_url, name) as session:
            monkeypatch.setattr(claim, "SILENCE", 3600.0)
            looked = _looked(monkeypatch, 3)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_claim_in_vain, database_url)
                await looked.wait()
                nursery.cancel_scope.cancel()
            assert await session.run(lambda it: it.fetchval("SELECT 1")) == 1
            monkeypatch.setattr(claim, "SILENCE", 1.0)
            async with claimed(database_url) as db:
                assert db.claim is not None
                assert db.claim.trouble is None


async def test_a_foreign_session_with_the_lock_is_told_of_and_does_no_more(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim, "AGAIN", 0.02)
    async with left_behind(database_url, "psql"), claimed(database_url) as db:
        assert db.claim is not None
        assert "application psql" in (db.claim.trouble or "")
        await sql(db, "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE classid = $1", KEY[0])
        await until(lambda: _has_lock(db))


async def test_a_holder_that_goes_between_the_try_and_the_look_leaves_no_false_claim(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, looks = lock_holders, 0

    async def gone_at_first(connection: Connection, *key: int) -> list[Holder]:
        nonlocal looks
        looks += 1
        return [] if looks == 1 else await look(connection, *key)

    monkeypatch.setattr(claim, "lock_holders", gone_at_first)
    async with left_behind(database_url, "psql"), claimed(database_url) as db:
        assert db.claim is not None
        assert "application psql" in (db.claim.trouble or "")


async def test_a_lost_lock_is_taken_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim, "BEAT", 0.02)
    monkeypatch.setattr(claim, "AGAIN", 0.02)
    async with claimed(database_url) as db:
        pid = await value(db, SESSIONS)
        await sql(db, "SELECT pg_terminate_backend($1, 10000)", pid)
        await until(lambda: sql(db, f"{SESSIONS} AND pid <> $1", pid))
        await until(lambda: _has_lock(db))


async def test_one_that_was_taken_for_dead_is_told_and_releases_nothing(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim, "BEAT", 0.02)
    monkeypatch.setattr(claim, "AGAIN", 0.02)
    monkeypatch.setattr(claim, "LOOK_AGAIN", 0.1)
    copy = place("another-host", "boot-2", 9, "/data:1", "pid:[1]").session_name("one")
    taken: list[InstanceTaken] = []
    async with (
        open_database(database_url, instance_id="one", here=HERE, on_taken=taken.append) as db,
        open_postgres(database_url, pool_size=1, application_name=copy) as other,
        trio.open_nursery() as nursery,
    ):
        await send(db, "r")
        assert len(await db.requests.lease(9, 60)) == 1
        nursery.start_soon(other.run, lambda it: it.execute(f"SELECT pg_advisory_lock{KEY}"))
        await until(
            lambda: sql(db, "SELECT FROM pg_locks WHERE classid = $1 AND NOT granted", KEY[0])
        )
        await sql(db, "SELECT pg_terminate_backend($1, 10000)", await value(db, SESSIONS))
        while not taken:
            await other.run(lambda it: it.execute("SELECT 1"))
        assert db.claim is not None
        assert "host another-host (pid 9" in (db.claim.trouble or "")
        assert await db.requests.release_orphans([], called=True) == 0
        nursery.cancel_scope.cancel()


def _looked(monkeypatch: pytest.MonkeyPatch, times: int) -> trio.Event:
    """Happens when a claim looks for the lock's holders so often: it has judged one time less."""
    looks, enough = 0, trio.Event()

    async def look(connection: Connection, *key: int) -> list[Holder]:
        nonlocal looks
        looks += 1
        if looks == times:
            enough.set()
        return await lock_holders(connection, *key)

    monkeypatch.setattr(claim, "lock_holders", look)
    return enough


async def _claim_in_vain(url: str) -> None:
    async with claimed(url):
        raise AssertionError("the lock was taken")


async def _has_lock(db: PostgresDatabase) -> bool:
    assert db.claim is not None
    held = "SELECT pid FROM pg_locks WHERE classid = $1 AND granted"
    holders = {row["pid"] for row in await sql(db, held, KEY[0])}
    sessions = {row["pid"] for row in await sql(db, SESSIONS)}
    return db.claim.trouble is None and bool(sessions & holders)
