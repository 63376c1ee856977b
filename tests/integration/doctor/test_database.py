"""Broken databases, and what `nexus doctor` says of each."""

import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trio

from nexus_actors.doctor import database
from nexus_actors.doctor.examine import OF_DATABASE
from nexus_actors.storage.postgres.claim import key_of, open_claim, place
from nexus_actors.storage.postgres.connection import open_postgres
from tests.doctors import House, assert_told
from tests.integration.storage.test_privileges import (
    execute,
    holding,
    rendered,
    temporary_roles,
    user,
)
from tests.pooler import pooler
from tests.postgres import with_database
from tests.service import open_sql
from tests.wire import open_wire

NAMES = [it.name for it in OF_DATABASE]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_a_database_as_it_should_be_is_said_to_be_well(
    house: House, database_url: str
) -> None:
    house.configure(url=database_url)
    found = await house.look(*NAMES)
    assert [it.check for it in found] == NAMES
    assert {it.verdict for it in found} == {"ok"}, [it for it in found if it.verdict != "ok"]


SABOTAGE: dict[str, tuple[Sequence[str], str, str, str, str]] = {
    # what is done to it; the check that finds it; its verdict; words of cause and mend
    "a migration that is pending": (
        ("DELETE FROM nexus.migrations WHERE number = 12",),
        "migrations",
        "advice",
        "the migration 0012_",
        "nexus db migrate",
    ),
    "a producer with a part of its privileges": (
        ("CREATE ROLE {role}", "GRANT INSERT (message) ON pgmq.q_ai_requests TO {role}"),
        "producers",
        "advice",
        "lacks EXECUTE on nexus.send, SELECT on public.job_results, USAGE on schema nexus",
        "nexus db roles --producer",
    ),
    "a node that was lost": (
        (
            "INSERT INTO nexus.nodes (node, name, host, version, pid, queue, started_at, beat_at,"
            " state, in_flight, concurrency, restarts) VALUES ('n', 'nexus@host-2', 'host-2', '1',"
            " 7, 'ai_requests', now(), now() - interval '1 h', 'ready', 3, '{{}}', 0)",
        ),
        "nodes",
        "advice",
        "nexus@host-2 was lost 60 min ago, with 3 requests",
        "nexus start on host-2",
    ),
    "requests and no node": (
        ("SELECT pgmq.send('ai_requests', '{{}}')",),
        "queue",
        "wrong",
        "1 requests wait in ai_requests",
        "nexus start",
    ),
    "dead letters that pile up": (
        ("SELECT pgmq.send('ai_requests_dead', '{{}}') FROM generate_series(1, 120)",),
        "dead_letters",
        "advice",
        "120 dead letters in ai_requests_dead, 120 of them of the last day",
        "nexus dead list",
    ),
    "requests held for want of a key": (
        (
            "INSERT INTO nexus.requests (request_id, queue, msg_id, read_ct, owner, state, digest,"
            " attempts, received_at, leased_at, wait_reason, wait_since) SELECT 'r' || n,"
            " 'ai_requests', n + 1000, 1, 'one', 'waiting', 'd', 1, now(), now(), 'no_key',"
            " now() - interval '5 h' FROM generate_series(1, 7) AS n",
        ),
        "waiting",
        "advice",
        "7 requests wait (no_key), one of them for 5 h",
        "docs/keys.md",
    ),
    "a pause that was forgotten": (
        (
            "INSERT INTO nexus.control (action, subject, name, by, why, since) VALUES"
            " ('pause', 'provider', 'openai', 'kim', 'incident', now() - interval '3 days')",
        ),
        "pauses",
        "advice",
        "provider openai is paused for 3 days, by kim (incident)",
        "nexus resume provider openai",
    ),
    "nodes of two versions": (
        (
            "INSERT INTO nexus.nodes (node, name, host, version, pid, queue, started_at, beat_at,"
            " state, in_flight, concurrency, restarts) SELECT v, 'n@h', 'h', v, 7, 'ai_requests',"
            " now(), now() + interval '1 h', 'ready', 3, '{{}}', 0"
            " FROM unnest('{{0.1,0.2}}'::text[]) AS v",
        ),
        "nodes",
        "advice",
        "nodes of several versions run: 0.1, 0.2",
        "upgrade the others",
    ),
    "a drain that was forgotten": (
        (
            "INSERT INTO nexus.control (action, subject, node, by, since) VALUES"
            " ('drain', 'node', 'host-3', 'kim', now() - interval '2 days')",
        ),
        "pauses",
        "advice",
        "node host-3 is drained for 2 days, by kim",
        "nexus resume node host-3",
    ),
    # Last, since it spoils sending.
    "an outdated extension": (
        (
            "SET allow_system_table_mods = on",
            "INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable,"
            " extversion) VALUES (987654, 'pgmq', 10, 'pgmq'::regnamespace, false, '1.4.4')",
            "DO $do$ DECLARE f text; BEGIN FOR f IN SELECT oid::regprocedure FROM pg_proc"
            " WHERE proname = 'send' AND 'headers' = ANY (proargnames)"
            " LOOP EXECUTE 'ALTER FUNCTION ' || f || ' RENAME TO sent'; END LOOP; END $do$",
        ),
        "pgmq",
        "wrong",
        "PGMQ 1.4.4 is too old",
        "PGMQ 1.5 or newer",
    ),
}


async def test_each_broken_thing_is_found_and_its_mend_named(
    house: House, database_url: str
) -> None:
    """All at once: none hides another."""
    house.configure(url=database_url)
    role = f"sender_{urlsplit(database_url).path.lstrip('/')}"
    async with temporary_roles(database_url, role):
        for statements, *_ in SABOTAGE.values():
            await execute(database_url, *(it.format(role=role) for it in statements))
        found = await house.look(*NAMES)
    for _, check, *expected in SABOTAGE.values():
        (told,) = (it for it in found if it.check == check and expected[1] in it.says)
        assert_told(told, *expected)
    assert len([it for it in found if it.verdict != "ok"]) == len(SABOTAGE)


async def test_an_extension_that_the_server_has_newer_is_advice(
    house: House, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    async def row_of(*_: Any) -> dict[str, Any]:
        return {"there": True, "version": "1.6.0", "newest": "1.8.1", "headers": True}

    monkeypatch.setattr("nexus_actors.doctor.schema.row_of", row_of)
    house.configure(url=database_url)
    told = await house.find("pgmq")
    assert_told(told, "advice", "is 1.6.0, and the server has 1.8.1", "ALTER EXTENSION pgmq UPDATE")


async def test_what_a_role_lacks_is_told_by_name(house: House, database_url: str) -> None:
    """A service's role with a limit, that may neither write nor do all it should."""
    mark = urlsplit(database_url).path.removeprefix("/")
    role = f"service_{mark}"
    await execute(database_url, rendered(mark))
    async with temporary_roles(database_url, *(f"{it}_{mark}" for it in _KINDS)):
        house.configure(url=user(database_url, role))
        assert {it.verdict for it in await house.look(*NAMES)} == {"ok"}
        await execute(
            database_url,
            f"REVOKE INSERT ON nexus.attempts FROM {role}",
            f"ALTER ROLE {role} CONNECTION LIMIT 4",
            f"ALTER ROLE {role} SET default_transaction_read_only = on",
            "DROP INDEX nexus.requests_queued",
        )
        found = {it.check: it for it in await house.look(*NAMES)}
        await execute(database_url, found["writing"].mend, found["connections"].mend.split(",")[0])
        after = {it.check: it.verdict for it in await house.look("writing", "connections")}
        await execute(database_url, f"ALTER ROLE {role} CONNECTION LIMIT 0")
        full = await house.find("database")
    assert_told(full, "wrong", "too many connections for role", "end sessions that nobody needs")
    lacks = f"the role {role} lacks INSERT on nexus.attempts"
    assert_told(found["privileges"], "wrong", lacks, f"nexus db roles --service {role}")
    left = "4 connections are left of the role's 4, and a service takes 13"
    assert_told(found["connections"], "wrong", left, "CONNECTION LIMIT 13")
    assert_told(found["writing"], "wrong", "read_only is on, set for the user")
    pending = "it has yet to be given the index nexus.requests_queued"
    assert_told(found["migrations"], "wrong", pending, "as the owner")
    assert after == {"writing": "ok", "connections": "ok"}


_KINDS = ("service", "producer", "operator")


async def test_a_database_that_was_never_prepared_is_no_fault_of_its_own(
    house: House, empty_database_url: str
) -> None:
    house.configure(url=empty_database_url)
    found = {it.check: it for it in await house.look(*NAMES)}
    assert_told(found["pgmq"], "advice", "not installed", "nexus db migrate")
    assert_told(found["migrations"], "advice", "the table nexus.migrations", "nexus db migrate")
    assert_told(found["privileges"], "not checked", "nothing yet")
    assert found["nodes"].verdict == "not checked"
    assert "nexus db migrate" in found["nodes"].says
    assert {it.verdict for it in found.values()} == {"ok", "advice", "not checked"}


async def test_what_is_newer_or_strange_is_refused_with_its_mend(
    house: House, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.configure(url=database_url)
    await execute(
        database_url, "INSERT INTO nexus.migrations (number, name) VALUES (9999, '9999_later')"
    )
    told = await house.find("migrations")
    assert_told(told, "wrong", "at version 9999 (9999_later), newer than", "upgrade the program")
    await execute(database_url, "ALTER TABLE job_results DROP CONSTRAINT job_results_pkey CASCADE")
    told = await house.find("migrations")
    assert_told(told, "wrong", "no primary key", "ALTER TABLE public.job_results ADD PRIMARY KEY")
    monkeypatch.setattr(database, "OLDEST", 99)
    assert_told(await house.find("server"), "wrong", "and 99 or newer is needed", "pg_upgrade")
    hour_behind = await house.find("clock", now=lambda: time.time() - 3600)
    assert_told(hour_behind, "advice", "clock is 3600 s behind the database's", "set-ntp true")


async def test_a_standby_is_read_only(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def row_of(*_: Any) -> dict[str, Any]:
        return {"standby": True, "read_only": True}

    monkeypatch.setattr(database, "row_of", row_of)
    (found,) = await database.look_at_writing(_At())  # type: ignore[arg-type]
    assert isinstance(found, database.Wrong)
    assert "is a standby" in found.cause
    assert "target_session_attrs=primary" in found.mend


class _At:
    where = "db/app"


async def test_a_database_that_cannot_hold_every_character_is_wrong(
    house: House, postgres_server: str, worker_id: str
) -> None:
    name = f"doctor_{worker_id}_latin1"
    made = (
        f"CREATE DATABASE {name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    )
    await execute(postgres_server, made)
    try:
        house.configure(url=with_database(postgres_server, name))
        told = await house.find("encoding")
    finally:
        await execute(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")
    assert_told(told, "wrong", "its encoding is LATIN1", "ENCODING 'UTF8' TEMPLATE template0")


async def test_a_pooler_of_transactions_is_told_apart_from_a_database_that_is_away(
    house: House, database_url: str
) -> None:
    async with pooler(database_url, "transaction") as url:
        house.configure(url=url)
        found = {it.check: it for it in await house.look(*NAMES)}
    assert_told(found["database"], "ok", "there is a pooler")
    assert_told(found["pooler"], "wrong", "gives each transaction", "pool_mode = session")
    assert_told(found["queue"], "not checked", "see pooler")
    async with pooler(database_url, "session") as url:
        house.configure(url=url)
        assert_told(await house.find("pooler"), "ok", "a session of its own")


async def _unknown(*_: Any) -> None:
    raise socket.gaierror(socket.EAI_NONAME, "no such name")


class _Resolver(trio.abc.HostnameResolver):
    async def getaddrinfo(self, *arguments: Any) -> Any:
        await _unknown(*arguments)

    async def getnameinfo(self, *arguments: Any) -> Any:
        await _unknown(*arguments)


async def test_each_way_of_not_getting_there_has_its_own_mend(
    house: House, database_url: str
) -> None:
    nobody = user(database_url, "nobody_here")
    with socket.socket() as free, open_wire(database_url) as wire:
        free.bind(("127.0.0.1", 0))  # and nobody listens
        ways = {
            f"postgresql://u:hunter2@127.0.0.1:{free.getsockname()[1]}/d": (
                "connection refused",
                "start PostgreSQL there",
            ),
            nobody: ('role "nobody_here" does not exist', "correct user and password"),
            with_database(database_url, "nowhere"): (
                'database "nowhere" does not exist',
                "CREATE DATABASE nowhere ENCODING 'UTF8'",
            ),
            f"{wire.url}?sslmode=require": ("TLS: the server offers none", "sslmode=disable"),
        }
        for url, expected in ways.items():
            house.configure(url=url)
            told, waits = await house.look("database", "queue")
            assert_told(told, "wrong", *expected)
            assert_told(waits, "not checked", "see database")
            assert "hunter2" not in repr(told)
    trio.socket.set_custom_hostname_resolver(_Resolver())
    try:
        house.configure(url="postgresql://u:hunter2@db.invalid,other.invalid/d")
        told = await house.find("database")
    finally:
        trio.socket.set_custom_hostname_resolver(None)
    assert_told(told, "wrong", "other.invalid:5432/d: the host's name", "getent hosts")


async def test_a_server_that_says_nothing_holds_up_nobody_else(
    house: House, database_url: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        house.configure(url=f"postgresql://u@127.0.0.1:{silent.getsockname()[1]}/d")
        with trio.fail_after(30):
            found = {it.check: it for it in await house.look(patience=0.2, offline=True)}
    assert_told(found["database"], "wrong", "has not answered within 0.2 s", "firewall")
    assert found["config"].verdict == "ok"


async def test_a_connection_that_dies_without_a_word_ends_the_look(
    house: House, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_STATEMENT", 0.2)
    with open_wire(database_url) as wire:
        house.configure(url=wire.url)

        async def forget(at: Any) -> Any:
            wire.forget()
            return await database.look_at_server(at)

        frozen = [database.Check("server", forget)]
        monkeypatch.setattr("nexus_actors.doctor.examine.OF_DATABASE", frozen)
        with trio.fail_after(60):
            told = await house.find("server")
    assert told.verdict == "not checked"


async def test_a_copy_of_a_data_dir_is_known_before_it_starts(
    house: House, database_url: str
) -> None:
    house.configure(url=database_url)
    own = "7b1f7a52-1111-4222-8333-944455566677"
    house.data_dir.mkdir(mode=0o700)
    assert_told(await house.find("copies"), "ok", "no instance-id yet")
    (house.data_dir / "instance-id").write_text(own)
    assert_told(await house.find("copies"), "ok", "nobody else has it")
    elsewhere = place("far-away", "boot", 4711, "/elsewhere", "pid:[1]")
    async with open_postgres(database_url) as pool, open_claim(pool, own, elsewhere):
        told = await house.find("copies")
    assert_told(told, "wrong", "runs on far-away (pid 4711)", f"rm {house.data_dir}/instance-id")
    first, second = key_of(own)
    async with holding(database_url, f"pg_advisory_lock({first}, {second})", "psql"):
        told = await house.find("copies")
    assert_told(told, "advice", "application psql, which is no service of ours", "end that session")


async def test_a_chore_that_nobody_does_is_told(house: House, database_url: str) -> None:
    from nexus_actors.storage.postgres.database import open_database

    house.configure(url=database_url)
    async with open_sql(database_url) as sql:
        await sql.rows(
            "INSERT INTO nexus.chores (chore, queue, made_at)"
            " VALUES ('prune', 'ai_requests', now() - interval '3 h')"
        )
        assert_told(await house.find("pruning"), "ok", "no service runs")
        async with open_database(database_url, instance_id="one"):
            told = await house.find("pruning")
    assert_told(told, "advice", "nobody has completed a round for 3 h", "nexus nodes")
