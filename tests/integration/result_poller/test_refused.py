"""What `job_results` refuses is not the result's fault until that is shown."""

import json
from pathlib import Path

import trio

from nexus_actors.cli.letters import wrong_with
from nexus_actors.cli.result import _held_up
from nexus_actors.storage.postgres import dead_letters
from nexus_actors.storage.postgres.database import open_database
from nexus_actors.storage.postgres.journal import read_entry
from tests.integration.result_poller.test_poller import drained, letters, result
from tests.service import PATIENCE, open_sql, request, running_service


async def test_a_table_that_takes_no_row_is_named_and_no_result_is_set_aside(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(database_url, tmp_path) as service:
        sql = service.sql
        await sql.rows("ALTER TABLE job_results ADD COLUMN tenant text NOT NULL")
        await sql.send(request(1), request(2))
        with trio.fail_after(PATIENCE):
            while "ResultPoller" not in service.application.outages.describe(0.0):
                await trio.sleep(0.01)
        told = service.application.outages.describe(0.0)["ResultPoller"]["error"]
        assert "not null violation (23502), column tenant, table public.job_results" in str(told)
        await sql.until("SELECT count(*) = 2 FROM nexus.requests WHERE result_trouble IS NOT NULL")
        reason = await _held_up(service.application.settings, database_url, "request-1")
        assert reason is not None
        assert "column tenant" in reason
        # However often it is refused.
        await sql.rows("UPDATE pgmq.q_ai_results SET read_ct = 40, vt = clock_timestamp()")
        await sql.until(
            "SELECT count(*) = 2 FROM pgmq.q_ai_results"
            " WHERE read_ct = 41 AND vt > clock_timestamp() + interval '15 s'"  # it was refused
        )
        assert await letters(sql) == []
        await sql.rows("ALTER TABLE job_results DROP COLUMN tenant")
        # One that is stored has all the others tried again at once.
        await sql.send(result("new"), queue="ai_results")
        await sql.rows(
            "UPDATE pgmq.q_ai_results SET vt = clock_timestamp()"
            " WHERE message ->> 'request_id' = 'request-1'"
        )
        await service.stored(3)
        with trio.fail_after(PATIENCE):
            while service.application.outages.describe(0.0):
                await trio.sleep(0.01)


async def test_whatever_a_row_says_of_itself_the_others_are_stored(
    database_url: str, tmp_path: Path
) -> None:
    async with open_sql(database_url) as sql:
        await sql.send(
            *(result(f"r{n}") for n in range(6)),
            f'{{"request_id": "long", "n": [{",".join(["1e131071"] * 9000)}]}}',
            queue="ai_results",
        )
        for n, change in enumerate(
            (
                "read_ct = 2147483647",
                "read_ct = -2147483648",
                "enqueued_at = '294276-12-31'",
                "enqueued_at = '4713-01-01 BC', vt = '4713-01-01 BC'",
                "vt = '-infinity', last_read_at = 'infinity'",
            )
        ):
            await sql.rows(
                f"UPDATE pgmq.q_ai_results SET {change} WHERE message ->> 'request_id' = $1",  # noqa: S608
                f"r{n}",
            )
        # Its number stands in the archive already.
        await sql.rows(
            "INSERT INTO pgmq.a_ai_results (msg_id, read_ct, enqueued_at, vt, message)"
            " SELECT msg_id, 1, now(), now(), '{}' FROM pgmq.q_ai_results"
            " WHERE message ->> 'request_id' = 'r5'"
        )
    async with running_service(database_url, tmp_path) as service:
        await service.stored(6)
        await drained(service.sql)
        [letter] = await service.sql.rows(
            "SELECT message ->> 'reason' AS reason FROM pgmq.q_ai_requests_dead"
        )
        assert letter["reason"] in ("larger than allowed", "a number of more than 400 characters")


async def test_results_are_read_by_their_size_and_one_that_is_too_large_is_no_one_elses_trouble(
    database_url: str,
) -> None:
    async with (
        open_sql(database_url) as sql,
        open_database(database_url, instance_id="one") as db,
    ):
        large = json.dumps("x" * 4_000_000)
        await sql.send_many([result(f"r{n}", response=large) for n in range(5)], queue="ai_results")
        first = await db.results.read(100, 30, together=9_000_000)
        assert [message.lease.msg_id for message in first] == [1, 2]
        assert all(message.more_due for message in first)
        [third] = await db.results.read(100, 30, together=1)
        assert third.body is not None
        assert third.more_due
        rest = await db.results.read(100, 30, largest=1_000_000)
        assert not any(message.more_due for message in rest)
        assert [(it.body, it.fault) for it in rest] == [(None, "larger than allowed")] * 2
        await db.results.set_aside(rest[0], "too large")
        assert await db.results.read(100, 30) == []


async def test_a_result_that_was_set_aside_is_reported_as_one_and_put_back_as_it_was(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(database_url, tmp_path) as service:
        sql, db = service.sql, service.application.database
        await sql.rows("ALTER TABLE job_results ADD CONSTRAINT cheap CHECK (tokens_used < 2)")
        await sql.send(request(1))
        await sql.until("SELECT count(*) = 1 FROM pgmq.q_ai_results WHERE read_ct = 1")
        await sql.rows("UPDATE pgmq.q_ai_results SET read_ct = 4, vt = clock_timestamp()")
        await sql.until("SELECT count(*) = 1 FROM pgmq.q_ai_requests_dead")
        [letter] = await dead_letters.find(db.pool, db.queues, dead_letters.Which(reason="result"))
        assert letter.request_id == "request-1"
        assert letter.provider == "echo"
        assert "constraint cheap, table public.job_results" in str(letter.message)
        assert "not in job_results: the database refused" in wrong_with(letter)
        entry = await db.pool.run(read_entry, "request-1")
        assert entry is not None
        assert "constraint cheap" in str(entry.request["result_trouble"])
        # One that was too large for a letter is in the archive, and another has taken a number.
        await sql.send(*(result(name, usage={}) for name in ("large", "other")), queue="ai_results")
        await service.stored(2)
        await sql.rows(
            "INSERT INTO pgmq.q_ai_requests_dead (vt, message) SELECT now(), jsonb_build_object("
            "'reason', 'no', 'queue', 'ai_results', 'result', NULL, 'archived_msg_id', msg_id,"
            " 'excerpt', message, 'digest', CASE message ->> 'request_id' WHEN 'large'"
            " THEN to_hex(jsonb_hash_extended(message, 0)) ELSE 'x' END)"
            " FROM pgmq.a_ai_results WHERE message ->> 'request_id' <> 'request-1' ORDER BY msg_id"
        )
        await sql.rows("DELETE FROM job_results")
        await sql.rows("ALTER TABLE job_results DROP CONSTRAINT cheap")
        told = [
            await dead_letters.retry(db.pool, db.queues, letter.number + place)
            for place in range(3)
        ]
        assert [(it.request_id, it.put_back, it.why_not) for it in told] == [
            ("request-1", True, None),
            ("large", True, None),
            ("other", False, dead_letters.RESULT_GONE),
        ]
        await service.stored(2)
        rows = await sql.rows("SELECT output ->> 'request_id' AS id FROM job_results ORDER BY 1")
        assert [row["id"] for row in rows] == ["large", "request-1"]
        assert len(await sql.rows("SELECT FROM pgmq.q_ai_requests_dead")) == 1
        assert await sql.value("SELECT count(*) FROM pgmq.q_ai_requests") == 0
        entry = await db.pool.run(read_entry, "request-1")
        assert entry is not None
        assert entry.request["result_trouble"] is None
