"""A request on its way: what comes out, what the journal says, and what happens to bad ones."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from nexus_actors.storage.postgres.database import open_database
from tests.integration.storage.storage_helpers import give_back
from tests.service import open_sql, request, running_service

TWO = {
    "broken": {"kind": "echo", "failure_rate": 1.0, "max_retries": 1, "pool_size": 2},
    "steady": {"kind": "echo", "pool_size": 4},
}


def routed(*models: str) -> list[dict[str, Any]]:
    return [{"complexity": "*", "task_type": "*", "models": list(models)}]


async def test_a_thousand_sent_by_sql_are_a_thousand_rows_and_sent_twice_still_a_thousand(
    database_url: str, tmp_path: Path
) -> None:
    requests = [
        request(n, complexity=("simple", "medium", "complex")[n % 3], task_type="coder")
        for n in range(1000)
    ]
    async with running_service(database_url, tmp_path) as service:
        sql = service.sql
        await sql.send(*requests[:100])
        await sql.send_many(requests[100:])
        await service.stored(1000)
        assert await sql.value("SELECT count(*) FROM pgmq.q_ai_requests") == 0
        assert await sql.value("SELECT count(*) FROM pgmq.a_ai_requests") == 1000

        await sql.send_many(requests)
        await sql.until("SELECT count(*) = 2000 FROM pgmq.a_ai_requests")
        assert await sql.value("SELECT count(*) FROM job_results") == 1000
        assert len(await sql.results()) == 1000

        rows = await sql.rows("SELECT *, input::text AS i, output::text AS o FROM job_results")
        for row in rows:
            number = json.loads(row["i"])["request_id"].removeprefix("request-")
            assert_right_by_the_contract(row, requests[int(number)])
        journal = await sql.rows("SELECT state, attempts FROM nexus.requests")
        assert {(row["state"], row["attempts"]) for row in journal} == {("done", 1)}


def assert_right_by_the_contract(row: dict[str, Any], sent: dict[str, Any]) -> None:
    given, output = json.loads(row["i"]), json.loads(row["o"])
    assert row["workflow"] == "Singularity.Workflows.LlmRequest"
    assert row["status"] == "success"
    assert row["error"] is None
    assert given == {
        "request_id": sent["request_id"],
        "agent_id": "test-agent",
        "complexity": sent["complexity"],
        "task_type": "coder",
    }
    assert output["request_id"] == sent["request_id"]
    assert output["response"] == f"echo: {sent['messages'][0]['content']}"
    assert output["model"] == "echo"
    assert row["tokens_used"] == output["usage"]["total_tokens"] > 0
    assert output["cost"] == 0
    assert row["cost_cents"] == 0
    assert row["duration_ms"] == output["latency_ms"] >= 0
    assert isinstance(row["completed_at"], datetime)
    assert row["instance_id"] is None


async def test_latency_counts_from_the_first_lease_whoever_had_it(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        open_sql(database_url) as sql,
        open_database(database_url, instance_id="another") as db,
    ):
        await sql.send(*(request(n) for n in range(4)))
        held, waits, queued, again = await db.requests.lease(4, 300)
        await db.requests.give_back([give_back(waits, waits_for="echo"), give_back(queued)])
        await sql.rows(
            "UPDATE pgmq.q_ai_requests SET vt = now() WHERE msg_id = $1", held.lease.msg_id
        )
        # Leased by two others before.
        await db.requests.give_back([give_back(again)])
        await sql.rows("UPDATE nexus.requests SET first_leased_at = now() - interval '100 s'")
        [last] = [it for it in await db.requests.lease(9, 0) if it.request_id == again.request_id]
        assert last.first_leased_at is not None
    async with running_service(database_url, tmp_path) as service:
        await service.stored(4)
        await service.sql.send(request(4))
        await service.stored(5)
        rows = await service.sql.rows(
            "SELECT input ->> 'request_id' AS id, duration_ms AS stored, r.latency_ms AS noted,"
            " (output ->> 'latency_ms')::int AS told FROM job_results AS j"
            " JOIN nexus.requests AS r ON r.request_id = j.input ->> 'request_id' ORDER BY 1"
        )
    assert all(row["stored"] == row["noted"] == row["told"] for row in rows)
    assert [row["told"] >= 100_000 for row in rows] == [True] * 4 + [False], rows


async def test_every_step_and_every_attempt_stand_in_the_journal(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(
        database_url, tmp_path, providers=TWO, routes=routed("broken/b", "steady/s")
    ) as service:
        await service.sql.send(request(1))
        await service.stored(1)
        (result,) = await service.sql.results()
        assert (result["status"], result["provider"], result["attempts"]) == ("ok", "steady", 3)

        attempts = await service.sql.attempts("request-1")
        assert [(a["number"], a["provider"], a["model"], a["outcome"]) for a in attempts] == [
            (1, "broken", "b", "provider_error"),
            (2, "broken", "b", "provider_error"),
            (3, "steady", "s", "ok"),
        ]
        assert attempts[0]["status_code"] == 503
        assert all(attempt["duration_ms"] >= 0 for attempt in attempts)
        steps = await service.sql.rows(
            "SELECT name, outcome FROM nexus.steps WHERE request_id = 'request-1' ORDER BY number"
        )
        assert [tuple(step.values()) for step in steps] == [
            ("validate", "ok"),
            ("route_llm", "ok"),
            ("publish_result", "ok"),
            ("track_metrics", "ok"),
        ]


async def test_when_every_model_fails_there_is_one_error_result_and_one_dead_letter(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(
        database_url, tmp_path, providers=TWO, routes=routed("broken/b", "broken/c")
    ) as service:
        await service.sql.send(request(1))
        await service.stored(1)
        (result,) = await service.sql.results()
        assert result["status"] == "error"
        assert result["response"] is None
        assert result["error"]["type"] == "provider_error"
        assert result["error"]["provider"] == "broken"
        assert result["error"]["status_code"] == 503
        (letter,) = await service.sql.dead()
        assert letter["reason"] == "provider_error"
        assert letter["request"] == request(1)
        assert len(await service.sql.attempts("request-1")) == 4
        (row,) = await service.sql.rows("SELECT status, error FROM job_results")
        assert row["status"] == "failed"
        assert row["error"].startswith("provider_error: ")


async def test_max_attempts_bounds_what_one_request_may_cost(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(
        database_url,
        tmp_path,
        providers=TWO,
        routes=routed("broken/b", "broken/c", "steady/s"),
        queue={"max_attempts": 3},
    ) as service:
        await service.sql.send(request(1))
        await service.stored(1)
        (result,) = await service.sql.results()
        assert (result["status"], result["attempts"]) == ("error", 3)


async def test_a_bad_neighbour_harms_no_other_message(database_url: str, tmp_path: Path) -> None:
    bad = {
        "no object": "[1, 2]",
        "null": "null",
        "huge number": '{"request_id": "huge", "complexity": "simple", "n": 1e131071}',
        "deep": "[" * 5000 + "]" * 5000,
        "no id": '{"complexity": "simple", "messages": [{"role": "user", "content": "x"}]}',
        "bad complexity": request("complexity", complexity="enormous"),
        "empty": request("empty", messages=[]),
        "bad role": request("role", messages=[{"role": "king", "content": "x"}]),
    }
    async with running_service(database_url, tmp_path) as service:
        sql = service.sql
        await sql.rows("SELECT pgmq.send('ai_requests', NULL::jsonb)")
        await sql.send(request(1), *bad.values(), request(2))
        await sql.until("SELECT count(*) = 0 FROM pgmq.q_ai_requests")
        await service.stored(6)
        results = {result["request_id"]: result for result in await sql.results()}
        assert {name: r["error"] and r["error"]["type"] for name, r in results.items()} == {
            "request-1": None,
            "request-2": None,
            "huge": "invalid_request",
            "request-complexity": "invalid_complexity",
            "request-empty": "empty_messages",
            "request-role": "invalid_request",
        }
        dead = await sql.dead()
        assert len(dead) == len(bad) + 1
        assert {letter["request_id"] for letter in dead} == {
            None,
            "huge",
            "request-complexity",
            "request-empty",
            "request-role",
        }
        (role,) = (letter for letter in dead if letter["request_id"] == "request-role")
        assert role["reason"] == "invalid_request"
        assert role["detail"]["path"] == "messages[0].role"


async def test_the_same_id_with_another_payload_is_a_dead_letter_and_no_second_result(
    database_url: str, tmp_path: Path
) -> None:
    other = request(1, messages=[{"role": "user", "content": "something else"}])
    async with running_service(database_url, tmp_path) as service:
        await service.sql.send(request(1), other)
        await service.sql.until("SELECT count(*) = 1 FROM pgmq.q_ai_requests_dead")
        await service.stored(1)
        (result,) = await service.sql.results()
        assert result["response"] == "echo: message 1"
        (letter,) = await service.sql.dead()
        assert letter["reason"] == "duplicate_request"
        assert letter["request"] == other


async def test_a_request_of_which_the_time_is_over_ends_as_timeout(
    database_url: str, tmp_path: Path
) -> None:
    slow = {"slow": {"kind": "echo", "latency": 3600.0}}
    async with running_service(
        database_url, tmp_path, providers=slow, routes=routed("slow/s")
    ) as service:
        await service.sql.send(request(1, timeout=200))
        await service.stored(1)
        (result,) = await service.sql.results()
        assert result["error"]["type"] == "timeout"
        assert await service.sql.value("SELECT status FROM job_results") == "timeout"


async def test_an_explicit_model_that_nobody_serves_is_refused_by_name(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(database_url, tmp_path) as service:
        await service.sql.send(request(1, model="unheard-of"))
        await service.stored(1)
        (result,) = await service.sql.results()
        assert result["error"]["type"] == "model_unavailable"
        assert result["attempts"] == 0


async def test_a_request_that_goes_on_with_an_answer_goes_where_that_was_given(
    database_url: str, tmp_path: Path
) -> None:
    two = {"one": {"kind": "echo"}, "two": {"kind": "echo"}}
    async with running_service(
        database_url, tmp_path, providers=two, routes=routed("one/a", "two/b")
    ) as service:
        await service.sql.send(request(1, model="two/x"))
        await service.stored(1)
        (first,) = await service.sql.results()
        await service.sql.send(request(2, previous_response_id=first["response_id"]))
        await service.stored(2)
        second = (await service.sql.results())[1]
        assert (second["provider"], second["model"]) == ("two", "b")
        detail = await service.sql.value(
            "SELECT detail FROM nexus.steps WHERE request_id = 'request-2' AND name = 'route_llm'"
        )
        assert json.loads(detail) == {
            "route": "routes[0]: complexity *, task_type *, pick ordered",
            "candidates": ["two/b"],
            "skipped": [{"provider": "one", "model": "a", "why": "the conversation is at two"}],
        }


async def test_with_acknowledge_delete_no_archive_is_written(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(database_url, tmp_path, queue={"acknowledge": "delete"}) as service:
        await service.sql.send(request(1))
        await service.stored(1)
        assert await service.sql.value("SELECT count(*) FROM pgmq.q_ai_requests") == 0
        assert await service.sql.value("SELECT count(*) FROM pgmq.a_ai_requests") == 0


async def test_without_the_poller_results_stay_in_their_queue(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(database_url, tmp_path, result_poller={"enabled": False}) as service:
        assert "ResultPoller" not in await service.names()
        await service.sql.send(request(1))
        await service.sql.until("SELECT count(*) = 1 FROM pgmq.q_ai_results")
        assert await service.sql.value("SELECT count(*) FROM job_results") == 0


async def test_a_preferred_provider_that_is_not_there_is_told_in_the_result(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(
        database_url, tmp_path, providers=TWO, routes=routed("steady/m")
    ) as service:
        await service.sql.send(request(1, provider="stedy"), request(2, provider="steady"))
        await service.stored(2)
        results = {it["request_id"]: it for it in await service.sql.results()}
        note = "provider: the route decides, as stedy: no such provider (did you mean steady?)"
        assert results["request-1"]["dropped"] == [note]
        assert results["request-2"]["dropped"] == []
