"""Results from the queue into `job_results`, as a running service does it."""

import json
from pathlib import Path
from typing import Any

import pytest

from nexus_actors.storage.postgres.encoding import job_result_id
from tests.service import Sql, open_sql, request, running_service

EIGHT = {
    "agent_id": "agent",
    "response": "text",
    "model": "claude-sonnet-4-5",
    "usage": {"prompt_tokens": 100, "completion_tokens": 200, "total_tokens": 300},
    "cost": 0.015,
    "latency_ms": 2500,
    "timestamp": "2025-10-25T22:00:05Z",
}


def result(request_id: str, **fields: Any) -> dict[str, Any]:
    """A result by the contract."""
    return {"request_id": request_id, **EIGHT, **fields}


async def row(sql: Sql, request_id: str) -> dict[str, Any]:
    """The row of one request."""
    [found] = await sql.rows("SELECT * FROM job_results WHERE id = $1", job_result_id(request_id))
    return found


async def drained(sql: Sql) -> None:
    """Wait until the results queue is empty."""
    await sql.until("SELECT count(*) = 0 FROM pgmq.q_ai_results")


async def letters(sql: Sql) -> list[dict[str, Any]]:
    """The dead letters of results, in the order of their messages."""
    rows = await sql.rows(
        "SELECT message::text AS body FROM pgmq.q_ai_requests_dead"
        " ORDER BY (message ->> 'msg_id')::bigint"
    )
    return [json.loads(row["body"]) for row in rows]


async def test_each_result_is_one_row_and_leaves_its_queue(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(database_url, tmp_path) as service:
        sql = service.sql
        await sql.send_many([result(f"r{n}") for n in range(250)], queue="ai_results")
        await service.stored(250)
        await drained(sql)
        assert await sql.value("SELECT count(*) FROM job_results") == 250
        assert await sql.value("SELECT count(*) FROM pgmq.a_ai_results") == 250
        found = await row(sql, "r7")
        assert (found["workflow"], found["status"]) == (
            "Singularity.Workflows.LlmRequest", "success",
        )  # fmt: skip
        assert (found["tokens_used"], found["cost_cents"], found["duration_ms"]) == (300, 2, 2500)
        assert found["completed_at"].isoformat() == "2025-10-25T22:00:05"
        assert found["inserted_at"] == found["updated_at"]
        assert json.loads(found["output"])["response"] == "text"


async def test_the_same_result_twice_is_one_row(database_url: str, tmp_path: Path) -> None:
    async with running_service(database_url, tmp_path) as service:
        sql = service.sql
        await sql.send(result("r"), result("r", response="other"), queue="ai_results")
        await drained(sql)
        await sql.send(result("r", response="later"), queue="ai_results")
        await drained(sql)
        assert await sql.value("SELECT count(*) FROM job_results") == 1
        assert json.loads((await row(sql, "r"))["output"])["response"] == "text"
        assert await letters(sql) == []


async def test_a_foreign_result_with_fewer_fields_is_stored(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(database_url, tmp_path) as service:
        sql = service.sql
        foreign = [
            {"request_id": "bare"},
            {"request_id": "failed", "error": "it broke"},
            {"request_id": "late", "status": "error", "error": {"type": "timeout"}},
            {"request_id": "dear", "cost": 1e30, "usage": {"total_tokens": 10**12}},
            {"request_id": "long " * 51, "response": ["not", "text"]},
        ]
        await sql.send_many(foreign, queue="ai_results")
        await drained(sql)
        assert (await row(sql, "bare"))["status"] == "success"
        failed = await row(sql, "failed")
        assert (failed["status"], failed["error"]) == ("failed", "provider_error: it broke")
        assert (await row(sql, "late"))["status"] == "timeout"
        assert (await row(sql, "dear"))["cost_cents"] == 2**31 - 1
        assert await sql.value("SELECT count(*) FROM job_results") == 5
        assert await letters(sql) == []


async def test_garbage_is_set_aside_with_its_reason(database_url: str, tmp_path: Path) -> None:
    garbage = ['"text"', "[]", "null", "{}", '{"request_id": 5}', '{"request_id": ""}',
               '{"request_id": "x", "cost": 1e131071}', "[" * 500 + "]" * 500]  # fmt: skip
    async with running_service(database_url, tmp_path) as service:
        sql = service.sql
        await sql.send(*garbage, queue="ai_results")
        await sql.rows("SELECT pgmq.send('ai_results', NULL::jsonb)")
        await sql.send(result("good"), queue="ai_results")
        await drained(sql)
        letters = await sql.rows(
            "SELECT (message - 'result')::text AS letter FROM pgmq.q_ai_requests_dead"
            " ORDER BY (message ->> 'msg_id')::bigint"
        )
        reasons = [json.loads(letter["letter"])["reason"] for letter in letters]
        assert len(reasons) == len(garbage) + 1
        assert reasons[0].startswith("expected a JSON object, found ")
        assert reasons[3].startswith("request_id: expected text")
        assert reasons[6] == "a number out of range"
        assert reasons[7] == "nested more than 100 levels deep"
        assert reasons[8] == "expected a JSON object, found no message"
        assert await sql.value("SELECT count(*) FROM job_results") == 1


async def test_a_row_that_the_table_refuses_harms_no_neighbour_and_is_kept(
    database_url: str, tmp_path: Path
) -> None:
    async with open_sql(database_url) as sql:
        await sql.rows("ALTER TABLE job_results ADD CHECK (tokens_used <> 13)")
        bad = result("bad", usage={"total_tokens": 13})
        await sql.send(result("one"), bad, result("two"), queue="ai_results")
    async with running_service(database_url, tmp_path) as service:
        sql = service.sql
        await service.stored(2)
        await sql.until("SELECT count(*) = 1 FROM pgmq.q_ai_results WHERE read_ct = 1")
        assert await letters(sql) == []
        # Mended, it is stored at its next delivery.
        await sql.rows("ALTER TABLE job_results DROP CONSTRAINT job_results_tokens_used_check")
        await sql.rows("UPDATE pgmq.q_ai_results SET vt = clock_timestamp()")
        await drained(sql)
        assert (await row(sql, "bad"))["tokens_used"] == 13


async def test_what_the_table_refuses_for_good_is_set_aside_after_five_deliveries(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(database_url, tmp_path, queue={"poll_interval": 0.02}) as service:
        sql = service.sql
        await sql.rows("ALTER TABLE job_results ADD CHECK (tokens_used <> 13)")
        await sql.send(result("bad", usage={"total_tokens": 13}), queue="ai_results")
        for delivery in range(1, 5):
            await sql.until(
                "SELECT count(*) = 1 FROM pgmq.q_ai_results WHERE read_ct = $1", delivery
            )
            assert await letters(sql) == []
            # Each time it waits longer.
            await sql.until(
                "SELECT extract(epoch FROM vt - last_read_at) > $1 FROM pgmq.q_ai_results",
                10.0 * 3 ** (delivery - 1) - 1,
            )
            await sql.rows("UPDATE pgmq.q_ai_results SET vt = clock_timestamp()")
        await drained(sql)
        [letter] = await letters(sql)
        assert letter["result"]["request_id"] == "bad"
        assert "check violation" in letter["reason"]
        assert letter["queue"] == "ai_results"
        # The poller is none the worse for it.
        await sql.send(result("next"), queue="ai_results")
        await service.stored(1)


async def test_what_a_killed_reader_had_read_is_stored_at_once(
    database_url: str, tmp_path: Path
) -> None:
    async with open_sql(database_url) as sql:
        await sql.send(result("r"), result("refused before"), queue="ai_results")
        await sql.rows("SELECT pgmq.read('ai_results', 3600, 10)")
        await sql.rows(
            "UPDATE pgmq.q_ai_results SET read_ct = 2"
            " WHERE message ->> 'request_id' = 'refused before'"
        )
    async with running_service(database_url, tmp_path) as service:
        await service.stored(1)
        assert (await row(service.sql, "r"))["status"] == "success"


async def test_garbage_that_cannot_be_set_aside_harms_no_neighbour(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(database_url, tmp_path) as service:
        sql = service.sql
        table = "pgmq.q_ai_requests_dead"
        await sql.rows(f"ALTER TABLE {table} ADD CHECK (message -> 'result' <> '{{}}')")
        await sql.send_many([{}, result("one"), [], result("two")], queue="ai_results")
        await service.stored(2)
        await sql.until("SELECT count(*) = 1 FROM pgmq.q_ai_results")
        assert [letter["result"] for letter in await letters(sql)] == [[]]
        await sql.send(result("three"), queue="ai_results")
        await service.stored(3)


ECTO = (
    "CREATE TABLE pgflow_instances (id uuid PRIMARY KEY DEFAULT gen_random_uuid())",
    """CREATE TABLE job_results (
        id uuid NOT NULL PRIMARY KEY,
        workflow varchar(255) NOT NULL,
        instance_id uuid CONSTRAINT job_results_instance_id_fkey
            REFERENCES pgflow_instances(id) ON DELETE SET NULL,
        job_id bigint,
        status varchar(255) NOT NULL,
        input jsonb DEFAULT '{}',
        output jsonb DEFAULT '{}',
        error text,
        tokens_used integer DEFAULT 0 NOT NULL,
        cost_cents integer DEFAULT 0 NOT NULL,
        duration_ms integer,
        inserted_at timestamp(6) without time zone NOT NULL,
        updated_at timestamp(6) without time zone NOT NULL,
        completed_at timestamp(6) without time zone
    )""",
    # From here on, whoever changes the table fails.
    """CREATE FUNCTION refuse_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands()
                   WHERE object_identity LIKE 'public.job_results%') THEN
            RAISE 'job_results is not ours to change';
        END IF;
    END $$""",
    "CREATE EVENT TRIGGER not_ours ON ddl_command_end EXECUTE FUNCTION refuse_ddl()",
)


@pytest.mark.parametrize("instance", [None, "4d2e0f6c-53a6-4a7e-9f6e-3c2a1b0d9e8f"])
async def test_the_table_as_ecto_made_it_is_taken_as_it_is(
    empty_database_url: str, tmp_path: Path, instance: str | None
) -> None:
    async with open_sql(empty_database_url) as sql:
        for statement in ECTO:
            await sql.rows(statement)
    async with running_service(empty_database_url, tmp_path) as service:
        # An instance that pgflow does not know must not make the insert fail.
        extra = {} if instance is None else {"instance_id": instance}
        await service.sql.send(result("r", **extra), queue="ai_results")
        await service.stored(1)
        assert (await row(service.sql, "r"))["instance_id"] is None


async def test_a_result_wakes_the_poller(database_url: str, tmp_path: Path) -> None:
    # Were it not woken, it would look once in an hour: the test would run out of patience.
    async with running_service(database_url, tmp_path, queue={"poll_interval": 3600.0}) as service:
        await service.sql.until(
            "SELECT count(*) > 0 FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'nexus listener'"
        )
        await service.sql.send(result("r"), queue="ai_results")
        await service.stored(1)
        await service.sql.send(request("asked"))
        await service.stored(2)
        # Three readings, for their bytes, after one wake-up.
        large = [result(f"large-{n}", response="x" * 9_000_000) for n in range(2)]
        await service.sql.send_many([*large, result("small")], queue="ai_results")
        await service.stored(5)


async def test_queues_of_other_names_are_served(database_url: str, tmp_path: Path) -> None:
    names = {"requests": "llm_requests", "results": "llm_results", "acknowledge": "delete"}
    async with running_service(database_url, tmp_path, queue=names) as service:
        await service.sql.send(result("r"), queue="llm_results")
        await service.sql.send(request(1), queue="llm_requests")
        await service.stored(2)
        await service.sql.until("SELECT count(*) = 0 FROM pgmq.q_llm_results")
        assert await service.sql.value("SELECT count(*) FROM pgmq.a_llm_results") == 0


async def test_a_row_that_the_table_cannot_take_in_its_time_holds_up_no_other(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nexus_actors.pipeline.result_poller.VISIBILITY_TIMEOUT", 1.0)
    async with running_service(database_url, tmp_path) as service:
        sql = service.sql
        for statement in (
            "CREATE FUNCTION object() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF NEW.tokens_used = 13 THEN RAISE 'no' USING ERRCODE = 'query_canceled'; END IF;"
            " RETURN NEW; END $$",
            "CREATE TRIGGER object BEFORE INSERT ON job_results"
            " FOR EACH ROW EXECUTE FUNCTION object()",
        ):
            await sql.rows(statement)
        bad = result("bad", usage={"total_tokens": 13})
        await sql.send_many([result("one"), bad, result("two")], queue="ai_results")
        await service.stored(2)
        await sql.rows("DROP TRIGGER object ON job_results")
        await drained(sql)
        assert (await row(sql, "bad"))["tokens_used"] == 13
