"""Broken databases, and what `nexus doctor` says of each."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from nexus_actors.doctor import database
from nexus_actors.doctor.examine import OF_DATABASE
from nexus_actors.operations.instance import claim_instance
from nexus_actors.storage.postgres.claim import key_of, open_claim, place
from nexus_actors.storage.postgres.connection import fetch, open_postgres
from tests.doctors import House, assert_result
from tests.integration.storage.test_privileges import (
    execute,
    holding,
    rendered,
    temporary_roles,
    user,
)
from tests.postgres import with_database
from tests.service import open_sql

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
    # what is done to it; the check that finds it; its verdict; words of cause and fix
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
    "a queue that is paused": (
        (
            "INSERT INTO nexus.control (action, subject, name, by, why, since) VALUES"
            " ('pause', 'queue', 'ai_requests', 'joe', 'a move', now() - interval '1 h')",
        ),
        "queue",
        "advice",
        "ai_requests is paused by joe since 20",
        "nexus resume queue ai_requests",
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


async def test_each_broken_thing_is_found_and_its_fix_named(
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
        assert_result(told, *expected)
    assert len([it for it in found if it.verdict != "ok"]) == len(SABOTAGE)


async def test_an_extension_that_the_server_has_newer_is_advice(
    house: House, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    async def row_of(*_: Any) -> dict[str, Any]:
        return {"there": True, "version": "1.6.0", "newest": "1.8.1", "headers": True}

    monkeypatch.setattr("nexus_actors.doctor.schema.row_of", row_of)
    house.configure(url=database_url)
    told = await house.find("pgmq")
    assert_result(
        told, "advice", "is 1.6.0, and the server has 1.8.1", "ALTER EXTENSION pgmq UPDATE"
    )


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
        await execute(database_url, found["writing"].fix, found["connections"].fix.split(",")[0])
        after = {it.check: it.verdict for it in await house.look("writing", "connections")}
        await execute(database_url, f"ALTER ROLE {role} CONNECTION LIMIT 0")
        full = await house.find("database")
    assert_result(full, "wrong", "too many connections for role", "end sessions that nobody needs")
    lacks = f"the role {role} lacks INSERT on nexus.attempts"
    assert_result(found["privileges"], "wrong", lacks, f"nexus db roles --service {role}")
    left = "4 connections are left of the role's 4, and a service takes 13"
    assert_result(found["connections"], "wrong", left, "CONNECTION LIMIT 13")
    assert_result(found["writing"], "wrong", "read_only is on, set for the user")
    pending = "it has yet to be given the index nexus.requests_queued"
    assert_result(found["migrations"], "wrong", pending, "as the owner")
    assert after == {"writing": "ok", "connections": "ok"}


async def test_a_service_that_is_draining_here_is_named(house: House, database_url: str) -> None:
    """It answers nothing itself then, but its row says what it is about."""
    house.configure(url=database_url)
    with claim_instance(house.data_dir) as instance:
        row = (
            "INSERT INTO nexus.nodes (node, name, host, version, pid, queue, started_at, beat_at,"
            " state, in_flight, concurrency, restarts) VALUES ($1, 'nexus@here', 'here', '1', $2,"
            " 'ai_requests', now(), now() + interval '1 h', 'draining', 3, '{}', 0)"
        )
        async with open_postgres(database_url, pool_size=1, command_timeout=30) as pool:
            await pool.run(fetch, row, instance.id, os.getpid())
        told = await house.find("nodes")
    pid = os.getpid()
    assert_result(told, "ok", f"nexus@here, the service here (pid {pid}), is draining: 3 requests")


async def test_a_queue_that_is_paused_for_days_is_told_once(
    house: House, database_url: str
) -> None:
    house.configure(url=database_url)
    await execute(
        database_url,
        "INSERT INTO nexus.control (action, subject, name, node, by, since) VALUES"
        " ('pause', 'queue', 'ai_requests', '*', 'joe', now() - interval '2 days'),"
        " ('pause', 'queue', 'other', '*', 'joe', now() - interval '2 days'),"
        " ('pause', 'queue', 'ai_requests', 'host-3', 'joe', now() - interval '3 days')",
    )
    found = await house.look("queue", "pauses")
    assert [(it.check, it.fix) for it in found if it.verdict == "advice"] == [
        ("queue", "nexus resume queue ai_requests"),
        ("pauses", "nexus resume queue ai_requests --node host-3"),
        ("pauses", "nexus resume queue other"),
    ]


_KINDS = ("service", "producer", "operator")


async def test_a_database_that_was_never_prepared_is_no_fault_of_its_own(
    house: House, empty_database_url: str
) -> None:
    house.configure(url=empty_database_url)
    found = {it.check: it for it in await house.look(*NAMES)}
    assert_result(found["pgmq"], "advice", "not installed", "nexus db migrate")
    assert_result(found["migrations"], "advice", "the table nexus.migrations", "nexus db migrate")
    for name in ("privileges", "producers", "nodes", "queue", "waiting", "pauses"):
        assert_result(found[name], "not checked", "nothing of ours yet: see migrations")
    assert {it.verdict for it in found.values()} == {"ok", "advice", "not checked"}


async def test_what_is_newer_or_strange_is_refused_with_its_fix(
    house: House, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.configure(url=database_url)
    await execute(
        database_url, "INSERT INTO nexus.migrations (number, name) VALUES (9999, '9999_later')"
    )
    told = await house.find("migrations")
    assert_result(told, "wrong", "at version 9999 (9999_later), newer than", "upgrade the program")
    await execute(database_url, "ALTER TABLE job_results DROP CONSTRAINT job_results_pkey CASCADE")
    told = await house.find("migrations")
    assert_result(told, "wrong", "no primary key", "ALTER TABLE public.job_results ADD PRIMARY KEY")
    monkeypatch.setattr(database, "OLDEST", 99)
    assert_result(await house.find("server"), "wrong", "and 99 or newer is needed", "pg_upgrade")
    hour_behind = await house.find("clock", now=lambda: time.time() - 3600)
    assert_result(hour_behind, "advice", "clock is 3600 s behind the database's", "set-ntp true")


OPEN = {"standby": False, "read_only": True, "database": "app", "role": "nexus"}
FULL = {
    "server_most": 97,
    "server_used": 9,
    "role_most": -1,
    "role_used": 9,
    "database_most": -1,
    "database_used": 9,
    "role": "nexus",
    "database": "app",
}
ROWS: dict[str, tuple[str, dict[str, Any], str, str]] = {
    # what a server cannot easily be made to say; the check; words of cause and fix
    "a standby": (
        "writing",
        {**OPEN, "standby": True},
        "is a standby",
        "target_session_attrs=primary",
    ),
    "read-only for a database": (
        "writing",
        {**OPEN, "source": "database"},
        "set for the database",
        "ALTER DATABASE app RESET default_transaction_read_only",
    ),
    "read-only for all": (
        "writing",
        {**OPEN, "source": "configuration file"},
        "set for the configuration file",
        "in postgresql.conf",
    ),
    "a full server": (
        "connections",
        {**FULL, "server_used": 90},
        "7 connections are left of the server's 97",
        "raise max_connections in postgresql.conf, or [database] pool_size = 2",
    ),
    "a full database": (
        "connections",
        {**FULL, "database_most": 10},
        "1 connections are left of the database's 10",
        "ALTER DATABASE app CONNECTION LIMIT 22",
    ),
}


async def test_what_the_server_says_of_itself_has_its_own_fix(
    house: House, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.configure(url=database_url)
    for check, row, *expected in ROWS.values():

        async def row_of(*_: object, told: dict[str, Any] = row) -> dict[str, Any]:
            return told

        monkeypatch.setattr(database, "row_of", row_of)
        assert_result(await house.find(check), "wrong", *expected)
    with claim_instance(house.data_dir):  # one that runs has its own
        told = await house.find("connections")
    assert_result(told, "advice", "of the database's 10", "CONNECTION LIMIT 22")


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
    assert_result(told, "wrong", "its encoding is LATIN1", "ENCODING 'UTF8' TEMPLATE template0")


async def test_a_copy_of_a_data_dir_is_known_before_it_starts(
    house: House, database_url: str
) -> None:
    house.configure(url=database_url)
    own = "7b1f7a52-1111-4222-8333-944455566677"
    house.data_dir.mkdir(mode=0o700)
    assert_result(await house.find("copies"), "ok", "no instance-id yet")
    (house.data_dir / "instance-id").write_text(own)
    assert_result(await house.find("copies"), "ok", "no other service has the id")
    elsewhere = place("far-away", "boot", 4711, "/elsewhere", "pid:[1]")
    async with open_postgres(database_url) as pool, open_claim(pool, own, elsewhere):
        told = await house.find("copies")
    assert_result(told, "wrong", "runs on far-away (pid 4711)", f"rm {house.data_dir}/instance-id")
    first, second = key_of(own)
    async with holding(database_url, f"pg_advisory_lock({first}, {second})", "psql"):
        told = await house.find("copies")
    assert_result(
        told, "advice", "application psql, which is no service of ours", "end that session"
    )


async def test_a_chore_that_nobody_does_is_told(house: House, database_url: str) -> None:
    from nexus_actors.storage.postgres.database import open_database

    house.configure(url=database_url)
    async with open_sql(database_url) as sql:
        await sql.rows(
            "INSERT INTO nexus.chores (chore, queue, made_at)"
            " VALUES ('prune', 'ai_requests', now() - interval '3 h')"
        )
        assert_result(await house.find("pruning"), "ok", "no service runs")
        async with open_database(database_url, instance_id="one"):
            told = await house.find("pruning")
    assert_result(told, "advice", "nobody has completed a round for 3 h", "nexus nodes")
