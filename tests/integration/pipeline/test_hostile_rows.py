"""Rows of any content, put straight into the queue's table: each ends by itself, and neighbours are
answered as if it were not there.
"""

import json
from pathlib import Path

import pytest
import trio

from nexus_actors.pipeline import leasing
from tests.service import Service, Sql, open_sql, request, running_service

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
    "a quarter of a gigabyte": "to_jsonb(repeat('a', 260000000))",
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
    async with running_service(database_url, tmp_path, queue=limit) as service:
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


async def test_a_row_that_the_store_refuses_ends_once_others_have_shown_that_it_is_the_row(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(database_url, tmp_path) as service:
        sql = service.sql
        await refuse(sql, "NEW.request_id = 'request-cursed'")
        await sql.send_many([request(1), request("cursed"), request(2)])
        await service.stored(2)
        while not await sql.dead():  # whoever is alone with it shows nothing
            await sql.send(request(f"other-{await sql.value('SELECT clock_timestamp()')}"))
            await trio.sleep(0.1)
        assert set((await statuses(service)).values()) == {"ok"}
        (letter,) = await sql.dead()
        assert letter["request"]["request_id"] == "request-cursed"
        assert "the database refused" in letter["detail"]["message"]


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
    database = {"statement_timeout": 0.3}
    async with running_service(database_url, tmp_path, database=database) as service:
        sql = service.sql
        await open_with(sql, "PERFORM pg_sleep(60)")
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
        assert letter["detail"]["message"].startswith("the message cannot be read: the database")


async def test_a_sequence_that_began_anew_mixes_up_no_requests(
    database_url: str, tmp_path: Path
) -> None:
    providers = {"echo": {"kind": "echo", "latency": 1.0, "pool_size": 16}}
    async with running_service(database_url, tmp_path, providers=providers) as service:
        await service.sql.send(request("before"))
        await service.running_calls(1)
        await service.sql.rows("DELETE FROM pgmq.q_ai_requests")
        await service.sql.rows("SELECT setval('pgmq.q_ai_requests_msg_id_seq', 1, false)")
        await service.sql.send(request("after"))
        await service.running_calls(2)
        assert {job.lease.msg_id for job in service.application.in_work} == {1}
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
        "CREATE TRIGGER refuse BEFORE INSERT ON nexus.requests"
        " FOR EACH ROW EXECUTE FUNCTION refuse()"
    )


async def open_with(sql: Sql, what: str) -> None:
    """Opening a message that has a field `curse` does this, unless no text of it is made."""
    await sql.rows("ALTER FUNCTION nexus.open_message(jsonb, bigint, boolean) RENAME TO opened")
    await sql.rows(
        f"""
        CREATE FUNCTION nexus.open_message(
            message jsonb, largest bigint, identified boolean DEFAULT true,
            OUT body text, OUT bytes bigint, OUT request_id text, OUT digest text,
            OUT previous_id text, OUT retry_of text, OUT fault text
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
