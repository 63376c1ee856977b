"""Calls from trio programs: what they send, what they answer, what they bear."""

from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from opentelemetry import trace

from nexus_actors.client import (
    CallAnswer,
    Enqueued,
    LLMService,
    Timeout,
    Unavailable,
)
from nexus_actors.contract.result import Answer, Failure, LLMResult
from nexus_actors.storage.postgres.connection import Connection, open_postgres
from nexus_actors.storage.postgres.encoding import job_result_id
from tests.integration.client.client_helpers import (
    QUESTION,
    client,
    cut,
    listening,
    nobody_waits,
    quiet,
    sent,
)
from tests.service import PATIENCE, open_sql, running_service

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SLOW = {"echo": {"kind": "echo", "latency": 3600.0, "pool_size": 4}}


async def test_a_call_is_answered(database_url: str, tmp_path: Path) -> None:
    async with running_service(database_url, tmp_path) as running:
        async with client(database_url, tmp_path) as service:
            answer = await service.call(
                "simple", QUESTION, agent_id="me", task_type="chat", traceparent=TRACE
            )
            assert isinstance(answer, CallAnswer)
            assert answer.text == "echo: hello"
            assert (answer.model, answer.tokens_used, answer.cost_cents) == ("echo", 3, 0)
            assert answer.answer.provider == "echo"

            assert (await service.call_with_prompt("medium", "a")).text == "echo: a"
            assert (await service.call_with_system("complex", "be brief", "b")).text == "echo: b"
        results = await running.sql.results()
        assert [r["complexity"] for r in results] == ["simple", "medium", "complex"]
        assert (results[0]["agent_id"], results[0]["task_type"]) == ("me", "chat")
        assert results[0]["request_id"] == answer.request_id
        assert [r.get("traceparent") for r in results] == [TRACE, None, None]
        await quiet(running.sql)


async def test_what_is_sent_within_a_span_belongs_to_its_trace(
    database_url: str, tmp_path: Path
) -> None:
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    here = trace.SpanContext(0x4BF92F3577B34DA6A3CE929D0E0E4736, 0xF067AA0BA902B7, False, flags)
    async with client(database_url, tmp_path) as service, open_sql(database_url) as sql:
        with trace.use_span(trace.NonRecordingSpan(here)):
            await service.enqueue("chat", QUESTION)
            await service.enqueue("chat", QUESTION, traceparent=TRACE)
        await service.enqueue("chat", QUESTION)
        found = (
            "SELECT array_agg(headers ->> 'traceparent' ORDER BY msg_id) FROM pgmq.q_ai_requests"
        )
        ours = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        assert await sql.value(found) == [ours, TRACE, None]


async def test_a_model_may_be_named_in_place_of_a_complexity(
    database_url: str, tmp_path: Path
) -> None:
    providers = {"one": {"kind": "echo"}, "two": {"kind": "echo"}}
    routes = [{"complexity": "*", "task_type": "*", "models": ["one/a", "two/b", "two/a"]}]
    sections: dict[str, Any] = {"providers": providers, "routes": routes}
    async with (
        running_service(database_url, tmp_path, **sections) as running,
        client(database_url, tmp_path, sections=sections) as service,
    ):
        assert set(service.get_available_models()) == {"one/a", "two/b", "two/a"}
        answer = await service.call("two/a", QUESTION, task_type="qa")
        assert (answer.answer.provider, answer.model) == ("two", "a")
        assert (await service.call("b", QUESTION)).answer.provider == "two"
        [first, second] = await running.sql.results()
        assert (first["complexity"], second["complexity"]) == ("complex", "medium")


async def test_hundreds_of_calls_share_few_connections(database_url: str, tmp_path: Path) -> None:
    answers: list[str] = []

    async def call(service: LLMService, number: int) -> None:
        answers.append((await service.call_with_prompt("simple", str(number))).text)

    async with (
        running_service(database_url, tmp_path) as running,
        client(database_url, tmp_path, pool_size=4) as service,
    ):
        async with trio.open_nursery() as nursery:
            for number in range(200):
                nursery.start_soon(call, service, number)
        assert sorted(answers) == sorted(f"echo: {n}" for n in range(200))
        connections = await running.sql.rows(
            "SELECT application_name AS name, count(*)::int AS n FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE 'nexus client%'"
            " GROUP BY 1"
        )
        counts = {row["name"]: row["n"] for row in connections}
        assert counts.pop("nexus client listener") == 1
        assert counts.pop("nexus client") <= 4
        await nobody_waits(service)


async def test_two_may_wait_for_one_id(database_url: str, tmp_path: Path) -> None:
    found: list[str] = []
    async with (
        running_service(database_url, tmp_path) as running,
        client(database_url, tmp_path) as service,
        trio.open_nursery() as nursery,
    ):

        async def wait() -> None:
            found.append((await service.result("shared", timeout=PATIENCE)).request_id)

        nursery.start_soon(wait)
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked(0.05)
        await listening(running.sql)
        await service.enqueue("chat", QUESTION, request_id="shared")
        with trio.fail_after(PATIENCE):
            while len(found) < 2:
                await trio.sleep(0.01)
    assert found == ["shared", "shared"]


async def test_without_a_service_a_call_is_refused_and_nothing_is_sent(
    database_url: str, tmp_path: Path
) -> None:
    async with client(database_url, tmp_path) as service, open_sql(database_url) as sql:
        with pytest.raises(Unavailable, match="no service is consuming the queue ai_requests") as e:
            await service.call("simple", QUESTION)
        assert e.value.request_id is None
        with pytest.raises(Unavailable):
            await service.call("simple", QUESTION, wait=False)
        assert await sql.value("SELECT count(*) FROM pgmq.q_ai_requests") == 0


async def test_enqueue_needs_no_service_and_its_result_comes_later(
    database_url: str, tmp_path: Path
) -> None:
    async with client(database_url, tmp_path) as service:
        request_id = await service.enqueue("architect", QUESTION, max_tokens=1)
        with pytest.raises(Timeout) as raised:
            await service.result(request_id)
        assert raised.value.request_id == request_id
        async with running_service(database_url, tmp_path):
            result = await service.result(request_id, timeout=PATIENCE)
            assert isinstance(result.outcome, Answer)
            assert (result.complexity, result.task_type) == ("complex", "architect")
            assert result.outcome.finish_reason == "length"
            assert await service.result(request_id) == result


async def test_without_waiting_a_call_returns_its_id(database_url: str, tmp_path: Path) -> None:
    async with (
        running_service(database_url, tmp_path) as running,
        client(database_url, tmp_path) as service,
    ):
        enqueued = await service.call("simple", QUESTION, wait=False)
        assert isinstance(enqueued, Enqueued)
        assert enqueued.status == "enqueued"
        result = await service.result(enqueued.request_id, timeout=PATIENCE)
        assert isinstance(result.outcome, Answer)
        # Nobody waits, so nothing limits the service but what it is told.
        sql = "SELECT message ? 'timeout' FROM pgmq.a_ai_requests"
        assert await running.sql.value(sql) is False


async def test_a_call_out_of_time_can_be_picked_up_later(database_url: str, tmp_path: Path) -> None:
    # Nobody answers until a service starts: only an announced consumer is there.
    async with (
        client(database_url, tmp_path, sections={"providers": SLOW}) as service,
        open_sql(database_url) as sql,
    ):
        async with running_service(
            database_url, tmp_path, before=lambda app: None, result_poller={"enabled": False}
        ):
            with pytest.raises(Timeout) as raised:
                await service.call("simple", QUESTION, timeout=3.0)
            await sql.until("SELECT count(*) = 1 FROM pgmq.q_ai_results")
        request_id = raised.value.request_id
        assert request_id is not None
        await nobody_waits(service)
        async with running_service(database_url, tmp_path):
            assert (await service.result(request_id, timeout=PATIENCE)).request_id == request_id


async def test_the_service_gives_up_when_the_caller_does(database_url: str, tmp_path: Path) -> None:
    async with (
        running_service(database_url, tmp_path, providers=SLOW),
        client(database_url, tmp_path) as service,
    ):
        with pytest.raises(Timeout) as raised:
            await service.call("simple", QUESTION, timeout=3.0)  # long enough to be sent, whatever
        assert raised.value.request_id is not None
        result = await service.result(raised.value.request_id, timeout=PATIENCE)
        assert isinstance(result.outcome, Failure)
        assert result.outcome.type == "timeout"
        with pytest.raises(Timeout):  # as published, now that it is known
            await service.call("simple", QUESTION, request_id=raised.value.request_id)


async def test_a_cancelled_call_leaves_nothing(database_url: str, tmp_path: Path) -> None:
    async with (
        running_service(database_url, tmp_path, providers=SLOW) as running,
        client(database_url, tmp_path) as service,
    ):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(service.call_with_prompt, "simple", "never")
            await running.running_calls(1)
            await listening(running.sql)
            nursery.cancel_scope.cancel()
        await nobody_waits(service)
        await running.sql.until(
            "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'nexus client' AND state <> 'idle'"
        )


async def test_a_cancelled_block_closes_its_connections(database_url: str, tmp_path: Path) -> None:
    async with running_service(database_url, tmp_path, providers=SLOW) as running:
        with trio.CancelScope() as scope:
            async with client(database_url, tmp_path) as service, trio.open_nursery() as nursery:
                nursery.start_soon(service.call_with_prompt, "simple", "never")
                await running.running_calls(1)
                await listening(running.sql)
                scope.cancel()
        assert scope.cancelled_caught
        await quiet(running.sql)


async def test_a_lost_connection_loses_no_answer(database_url: str, tmp_path: Path) -> None:
    async with (
        running_service(database_url, tmp_path, result_poller={"enabled": False}) as running,
        client(database_url, tmp_path) as service,
        trio.open_nursery() as nursery,
    ):
        answers: list[CallAnswer] = []

        async def call() -> None:
            answers.append(await service.call_with_prompt("simple", "hello"))

        nursery.start_soon(call)
        await listening(running.sql)
        await sent(running)
        await cut(running.sql, "nexus client listener")
        await cut(running.sql, "nexus client")
        # Stored without a word: what comes while nobody listens is found by looking.
        await running.sql.until("SELECT count(*) = 1 FROM pgmq.q_ai_results")
        await listening(running.sql)
        [result] = await running.sql.results()
        await running.sql.rows(
            "INSERT INTO job_results (id, workflow, status, output, inserted_at, updated_at)"
            " SELECT $1, 'w', 'success', message, now(), now() FROM pgmq.q_ai_results",
            job_result_id(result["request_id"]),
        )
        with trio.fail_after(PATIENCE):
            while not answers:
                await trio.sleep(0.01)
    assert answers[0].text == "echo: hello"


async def test_after_a_lost_connection_notifications_come_again(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without the looks now and then, a notification is all there is.
    monkeypatch.setattr("nexus_actors.client.watch.LOOK_AGAIN", 3600.0)
    async with (
        running_service(database_url, tmp_path) as running,
        client(database_url, tmp_path) as service,
    ):
        assert (await service.call_with_prompt("simple", "a")).text == "echo: a"
        await cut(running.sql, "nexus client listener")
        assert (await service.call_with_prompt("simple", "b")).text == "echo: b"
        await listening(running.sql)


async def test_a_database_that_is_away_for_a_while_is_borne(
    database_url: str, tmp_path: Path
) -> None:
    async def cut_the_look(connection: Connection) -> None:
        async with connection.transaction():
            await connection.execute("LOCK TABLE job_results")
            while not await connection.fetchval(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type ="
                " 'Lock' AND datname = current_database() AND application_name = 'nexus client'"
            ):
                await connection.execute("SELECT pg_stat_clear_snapshot()")

    found: list[LLMResult] = []
    async with (
        client(database_url, tmp_path) as service,
        open_postgres(database_url) as pool,
        trio.open_nursery() as nursery,
    ):

        async def cut() -> None:
            await pool.run(cut_the_look)
            async with running_service(database_url, tmp_path):
                await service.enqueue("chat", QUESTION, request_id="r")
                while not found:
                    await trio.sleep(0.01)

        nursery.start_soon(cut)
        # Not before the lock is held, for it is the first look that is to meet it.
        async with open_sql(database_url) as sql:
            await sql.until(
                "SELECT count(*) > 0 FROM pg_locks WHERE relation = 'job_results'::regclass"
                " AND mode = 'AccessExclusiveLock' AND granted"
            )
        found.append(await service.result("r", timeout=PATIENCE))
    assert found[0].request_id == "r"
