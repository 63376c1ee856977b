"""Rows of any content, put straight into the queue's table: each ends by itself, and neighbours are
answered as if it were not there.
"""

import json
from pathlib import Path

import asyncpg
import pytest
import trio

from nexus_actors.pipeline import leasing
from nexus_actors.storage import refused_messages as suspects
from nexus_actors.storage.errors import StorageUnavailable
from nexus_actors.storage.postgres import request_store
from nexus_actors.storage.postgres.connection import Connection, fetch, open_postgres
from nexus_actors.storage.postgres.database import open_database
from nexus_actors.storage.postgres.request_store import PostgresRequestStore
from tests.http_server import Reply, scripted_server
from tests.integration.storage.storage_helpers import give_back, send
from tests.service import PATIENCE, Service, Sql, open_sql, request, running_service

ODD_ROWS = {
    "read too often": ("2147483647", "now()", "now()"),
    "read almost too often": ("2147483646", "now()", "now()"),
    "read less than never": ("-5", "now()", "now()"),
    "sent in a year that no datetime has": ("0", "'294000-01-01'", "now()"),
    "sent before there were years": ("0", "'4713-01-01 BC'", "now()"),
    "sent never": ("0", "'infinity'", "now()"),
    "sent always": ("0", "'-infinity'", "'-infinity'"),
}
"""What a row says of its deliveries, of when it was sent and when it is visible."""
TOO_LARGE = {
    "numbers": "(SELECT jsonb_agg('1e131071'::jsonb) FROM generate_series(1, 9000))",
    "small numbers": "(SELECT jsonb_agg('1e-16383'::jsonb) FROM generate_series(1, 9000))",
    "text": "to_jsonb(repeat('a', 5000000))",
    "a quarter of a gigabyte": "to_jsonb(repeat(repeat('a', 10000), 26000))",
    "escapes": r"to_jsonb(repeat(E'\x01', 900000))",
}


async def insert_odd(sql: Sql, name: str) -> None:
    read_ct, enqueued_at, vt = ODD_ROWS[name]
    await sql.rows(
        "INSERT INTO pgmq.q_ai_requests (read_ct, enqueued_at, vt, message)"  # noqa: S608
        f" VALUES ({read_ct}, {enqueued_at}, {vt}, $1::text::jsonb)",
        json.dumps({**request(0), "request_id": name}),
    )


async def insert_large(sql: Sql, name: str) -> None:
    await sql.rows(
        "INSERT INTO pgmq.q_ai_requests (vt, message) SELECT now(),"
        f" $1::text::jsonb || jsonb_build_object('request_id', $2::text, 'n', {TOO_LARGE[name]})",
        json.dumps(request(0)),
        name,
    )


async def statuses(service: Service) -> dict[str, str]:
    return {it["request_id"]: it["status"] for it in await service.sql.results()}


async def test_rows_of_any_content_end_by_themselves_and_harm_no_neighbour(
    database_url: str, tmp_path: Path
) -> None:
    # Some are there when the service starts, all are there again while it runs.
    async with open_sql(database_url) as sql:
        await sql.send(request("first"))
        for name in ODD_ROWS:
            await insert_odd(sql, name)
        for name in TOO_LARGE:
            await insert_large(sql, name)
        await sql.rows(
            "INSERT INTO pgmq.a_ai_requests (msg_id, vt, message)"
            " SELECT msg_id, vt, 'null' FROM pgmq.q_ai_requests WHERE msg_id % 2 = 0"
        )
        await sql.rows(
            "INSERT INTO pgmq.q_ai_requests (vt, message) VALUES ('infinity', '{}'), (now(), NULL)"
        )
        await sql.send(request("last"))
    every = {"request-first", "request-last", *ODD_ROWS, *TOO_LARGE}
    limit = {"message_megabytes": 1}
    # A quarter of a gigabyte takes a busy machine long.
    patient = {"statement_timeout": PATIENCE}
    async with running_service(database_url, tmp_path, queue=limit, database=patient) as service:
        await service.stored(len(every))
        # What is not due has no end; all else has left.
        await service.sql.until("SELECT count(*) = 1 FROM pgmq.q_ai_requests")
        found = await statuses(service)
        assert found == {name: "error" if name in TOO_LARGE else "ok" for name in every}
        assert {
            (it["request_id"], it["says_why"])
            for it in await service.sql.rows(
                "SELECT message ->> 'request_id' AS request_id, message #>> '{detail,message}'"
                " LIKE '%1 MB allowed ([queue] message_megabytes)' AS says_why"
                " FROM pgmq.q_ai_requests_dead"
            )
        } == {(None, False), *((name, True) for name in TOO_LARGE)}
        assert service.application.in_work.bytes_left == 256 * 2**20
        # A repetition of what has ended changes nothing, and no row comes back for ever.
        for name in ODD_ROWS:
            await insert_odd(service.sql, name)
        await service.sql.until("SELECT count(*) = 1 FROM pgmq.q_ai_requests")
        assert len(await service.sql.results()) == len(every)


async def test_a_request_that_the_journal_does_not_take_is_held_and_reported_and_never_condemned(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its content can be opened, so it is not to blame: whether the journal knows it, or not, or
    has it wait for a lane; and whether a trigger objects, or somebody holds its row locked."""
    monkeypatch.setattr(leasing, "SUSPECT_PAUSE", 0.05)
    monkeypatch.setattr(suspects, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(suspects, "LONGEST_PAUSE", 0.2)
    async with open_database(database_url, instance_id="one") as db:
        lanes = {"known": None, "waits": "echo", "locked": None, "kept": "echo"}
        await send(db, *map(request, lanes))
        leased = await db.requests.lease(4, 30)
        for it, lane in zip(leased, lanes.values(), strict=True):
            await db.requests.give_back([give_back(it, waits_for=lane)])
    cursed = ["known", "waits", "new"]
    locked = ["locked", "kept"]
    async with open_sql(database_url) as sql, trio.open_nursery() as nursery:
        ids = ", ".join(f"'request-{it}'" for it in cursed)
        await refuse(sql, f"NEW.request_id IN ({ids})")
        release = await nursery.start(hold_locked, database_url, [f"request-{it}" for it in locked])
        await sql.send(request("new"))
        async with running_service(
            database_url, tmp_path, database={"statement_timeout": 5.0}
        ) as service:
            told: set[str] = set()
            with trio.fail_after(30):
                while len(told) < 4:  # one that waits is passed over where it is locked
                    await sql.send(request(f"other-{await sql.value('SELECT clock_timestamp()')}"))
                    if found := service.application.outages.describe(0.0).get(leasing.HELD):
                        told |= {it for it in (*cursed, *locked) if it in str(found["error"])}
                    await trio.sleep(0.02)
            assert "kept" not in told
            assert await sql.dead() == []
            await sql.until(
                "SELECT count(*) = 0 FROM pgmq.q_ai_requests"
                " WHERE message ->> 'request_id' LIKE 'request-other%'"
            )
            release.set()
            await sql.rows("DROP TRIGGER refuse ON nexus.requests")
            await sql.until("SELECT count(*) = 0 FROM pgmq.q_ai_requests")
            assert set((await statuses(service)).values()) == {"ok"}
            assert await sql.dead() == []
            with trio.fail_after(10):
                while leasing.HELD in service.application.outages.describe(0.0):
                    await sql.send(request(f"other-{await sql.value('SELECT clock_timestamp()')}"))
                    await trio.sleep(0.02)


async def test_what_waits_and_cannot_be_taken_is_no_reason_to_lease_nothing(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise StorageUnavailable("not now")

    monkeypatch.setattr(PostgresRequestStore, "take_waiting", fail)
    async with running_service(database_url, tmp_path) as service:
        await service.sql.send(request(1))
        await service.stored(1)
        assert "QueueConsumer" in service.application.outages.describe(0.0)


async def hold_locked(
    url: str, ids: list[str], task_status: trio.TaskStatus[trio.Event] = trio.TASK_STATUS_IGNORED
) -> None:
    """Somebody's transaction that locks rows of the journal until the event is set."""
    release = trio.Event()
    async with open_postgres(url) as pool, trio.open_nursery() as nursery:
        connection = await pool.on_loop(pool._pool.acquire)
        await pool.on_loop(connection.execute, "BEGIN")
        lock = "SELECT FROM nexus.requests WHERE request_id = ANY ($1) FOR UPDATE"
        await pool.on_loop(connection.fetch, lock, ids)
        task_status.started(release)
        await release.wait()
        await pool.on_loop(connection.execute, "ROLLBACK")
        await pool.on_loop(pool._pool.release, connection)
        nursery.cancel_scope.cancel()


async def test_what_the_store_refuses_of_everybody_is_nobodys_fault(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(database_url, tmp_path) as service:
        sql = service.sql
        await refuse(sql, "true")
        await sql.send_many(request(n) for n in range(4))
        with trio.fail_after(30):
            while "QueueConsumer" not in service.application.outages.describe(0.0):
                await trio.sleep(0.01)
        await sql.until("SELECT count(*) >= 4 FROM pgmq.q_ai_requests WHERE read_ct > 1")
        assert await sql.dead() == []
        await sql.rows("DROP TRIGGER refuse ON nexus.requests")
        await service.stored(4)
        assert set((await statuses(service)).values()) == {"ok"}


async def test_a_message_whose_content_alone_is_refused_ends_with_an_error_result(
    database_url: str, tmp_path: Path
) -> None:
    async with open_sql(database_url) as sql:
        await open_with(sql, "RAISE 'a value that nobody thought of' USING ERRCODE = '22003'")
        await sql.send_many([request(1), request("cursed", curse=True), request(2)])
    async with running_service(database_url, tmp_path) as service:
        await service.stored(3)
        assert await statuses(service) == {
            "request-1": "ok",
            "request-cursed": "error",
            "request-2": "ok",
        }
        (letter,) = await service.sql.dead()
        assert letter["attempts"] == 0
        assert "22003" in letter["detail"]["message"]


async def test_a_message_that_outlasts_a_statement_ends_once_others_have_passed(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leasing, "SUSPECT_PAUSE", 0.1)
    monkeypatch.setattr(request_store, "fetch", fetch_briefly)
    # All else may take long; so may the server's word of what it ended.
    patient = {"statement_timeout": PATIENCE}
    async with running_service(database_url, tmp_path, database=patient) as service:
        sql = service.sql
        await open_with(sql, "PERFORM pg_sleep(1000)")
        await sql.send(request("cursed", curse=True))
        # Alone it shows nothing: it may be the database that is slow.
        await sql.until("SELECT count(*) = 1 FROM pgmq.q_ai_requests WHERE read_ct >= 2")
        assert await sql.dead() == []
        await sql.send_many([request(1), request(2)])
        await service.stored(3)
        assert await statuses(service) == {
            "request-1": "ok",
            "request-2": "ok",
            "request-cursed": "error",
        }
        (letter,) = await sql.dead()
        assert letter["request"]["request_id"] == "request-cursed"
        why = letter["detail"]["message"]
        assert why.startswith("the message cannot be read: the database")
        assert "statement timeout" in why


async def fetch_briefly(
    connection: Connection, statement: str, *arguments: object
) -> list[asyncpg.Record]:
    """As the store does it, but where a statement opens messages and makes text of them, the server
    ends it after a second."""
    if "nexus.read_message(" not in statement or 0 in arguments:
        return await fetch(connection, statement, *arguments)
    async with connection.transaction():
        await connection.execute("SET LOCAL statement_timeout = '1s'")
        return await fetch(connection, statement, *arguments)


async def test_a_sequence_that_began_anew_mixes_up_no_requests(
    database_url: str, tmp_path: Path
) -> None:
    answered = trio.Event()
    http = {"kind": "openai_compatible", "free": True, "pool_size": 2}
    async with (
        scripted_server({"*": Reply(after=answered)}) as server,
        running_service(
            database_url,
            tmp_path,
            providers={"http": {**http, "base_url": f"{server.url}/v1"}},
            routes=[{"complexity": "*", "task_type": "*", "models": ["http/m"]}],
        ) as service,
    ):
        await service.sql.send(request("before"))
        await service.running_calls(1)
        await service.sql.rows("DELETE FROM pgmq.q_ai_requests")
        await service.sql.rows("SELECT setval('pgmq.q_ai_requests_msg_id_seq', 1, false)")
        await service.sql.send(request("after"))
        await service.running_calls(2)
        assert {job.lease.msg_id for job in service.application.in_work} == {1}
        answered.set()
        await service.stored(2)
        assert await statuses(service) == {"request-before": "ok", "request-after": "ok"}
        # The archive has the number already; a repeated message is acknowledged all the same.
        await service.sql.rows("SELECT setval('pgmq.q_ai_requests_msg_id_seq', 1, false)")
        await service.sql.send(request("after"))
        await service.sql.until("SELECT count(*) = 0 FROM pgmq.q_ai_requests")


async def refuse(sql: Sql, condition: str) -> None:
    """An operator's trigger that objects to rows of the journal."""
    await sql.rows(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN IF {condition} THEN RAISE 'no'; END IF; RETURN NEW; END $$"
    )
    await sql.rows(
        "CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON nexus.requests"
        " FOR EACH ROW EXECUTE FUNCTION refuse()"
    )


async def open_with(sql: Sql, what: str) -> None:
    """Opening a message that has a field `curse` does this, unless no text of it is made."""
    await sql.rows("ALTER FUNCTION nexus.read_message(jsonb, bigint, boolean) RENAME TO opened")
    await sql.rows(
        f"""
        CREATE FUNCTION nexus.read_message(
            message jsonb, largest bigint, identified boolean DEFAULT true,
            OUT body text, OUT bytes bigint, OUT request_id text, OUT digest text,
            OUT previous_id text, OUT retry_of text, OUT fault text,
            OUT agent_id text, OUT complexity text, OUT task_type text
        ) LANGUAGE plpgsql AS $$
        BEGIN
            IF message ? 'curse' AND largest > 0 THEN
                {what};
            END IF;
            SELECT * INTO body, bytes, request_id, digest, previous_id, retry_of, fault
            FROM nexus.opened(message, largest, identified);
        END $$
        """  # noqa: S608
    )
