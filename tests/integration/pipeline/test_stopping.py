"""A stop in order: no new reads, running calls finish, what is left is visible at once."""

from pathlib import Path

import pytest
import trio

from nexus_actors.client import LLMService, Timeout, Unavailable
from supervisors import Shutdown
from tests.service import PATIENCE, Service, open_sql, request, running_service

ROUTE = [{"complexity": "*", "task_type": "*", "models": ["one/m"]}]
ANNOUNCED = (
    "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock'"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
VISIBLE = "SELECT count(*) FROM pgmq.q_ai_requests WHERE vt <= clock_timestamp()"


async def test_running_calls_finish_and_what_was_not_started_is_visible_at_once(
    database_url: str, tmp_path: Path
) -> None:
    two_workers = {
        "one": {"kind": "echo", "latency": 0.5, "pool_size": 2},
        "other": {"kind": "echo"},
    }
    async with running_service(
        database_url,
        tmp_path,
        providers=two_workers,
        routes=ROUTE,
        service={"drain_timeout": 2 * PATIENCE},
    ) as service:
        await service.sql.send_many(request(n) for n in range(40))
        await service.running_calls(2)
        await service.root.stop(Shutdown())
        results = await service.sql.results()
        assert {result["status"] for result in results} == {"ok"}
        assert len(results) >= 2
        assert await service.sql.value(VISIBLE) == 40 - len(results)
        states = await service.sql.rows(
            "SELECT state, attempts FROM nexus.requests WHERE state NOT IN ('done')"
        )
        assert {(row["state"], row["attempts"]) for row in states} <= {("queued", 0)}


async def test_a_call_that_outlasts_the_drain_is_cut_off_recorded_and_visible_at_once(
    database_url: str, tmp_path: Path
) -> None:
    endless = {"one": {"kind": "echo", "latency": 3600.0, "pool_size": 2}}
    async with running_service(
        database_url,
        tmp_path,
        providers=endless,
        routes=ROUTE,
        service={"drain_timeout": 0.2},
    ) as service:
        await service.sql.send_many(request(n) for n in range(10))
        await service.running_calls(2)
    async with open_sql(database_url) as sql:
        assert await sql.value(VISIBLE) == 10
        assert await sql.results() == []
        attempts = await sql.rows("SELECT outcome FROM nexus.attempts")
        assert [row["outcome"] for row in attempts] == ["interrupted", "interrupted"]


async def test_after_the_stop_a_new_start_finishes_everything_once(
    database_url: str, tmp_path: Path
) -> None:
    slow = {"one": {"kind": "echo", "latency": 0.1, "pool_size": 4}}
    async with running_service(database_url, tmp_path, providers=slow, routes=ROUTE) as service:
        await service.sql.send_many(request(n) for n in range(40))
        await service.running_calls(4)
    async with running_service(database_url, tmp_path, providers=slow, routes=ROUTE) as service:
        await service.stored(40)
        assert len(await service.sql.results()) == 40


async def test_a_call_cut_off_by_the_stop_is_not_begun_again_by_another_worker(
    database_url: str, tmp_path: Path
) -> None:
    endless = {"one": {"kind": "echo", "latency": 3600.0, "pool_size": 8, "max_retries": 0}}
    async with running_service(
        database_url, tmp_path, providers=endless, routes=ROUTE, service={"drain_timeout": 0.1}
    ) as service:
        # The last worker has the endless call; those before it, which stop later, are idle again.
        await service.sql.send_many(request(n, timeout=1500) for n in range(7))
        await service.running_calls(7)
        await service.sql.send(request("endless"))
        await service.running_calls(8)
        await service.stored(7)
    async with open_sql(database_url) as sql:
        attempts = await sql.attempts("request-endless")
        assert [attempt["outcome"] for attempt in attempts] == ["interrupted"]
        assert await sql.value(VISIBLE) == 1


async def test_what_was_not_started_is_visible_while_the_drain_goes_on(
    database_url: str, tmp_path: Path
) -> None:
    endless = {"one": {"kind": "echo", "latency": 3600.0, "pool_size": 2, "max_retries": 0}}
    async with (
        running_service(
            database_url,
            tmp_path,
            providers=endless,
            routes=ROUTE,
            service={"drain_timeout": 3600.0},
        ) as service,
        trio.open_nursery() as nursery,
    ):
        await service.sql.send_many(request(n) for n in range(4))
        await service.running_calls(2)
        nursery.start_soon(service.root.stop, Shutdown())
        await service.sql.until(f"SELECT 2 = ({VISIBLE})")
        assert service.application.in_work.running == 2
        await _is_no_consumer(service)
        # Those that are visible again may be on their way out of the table.
        for job in tuple(service.application.in_work.queue("one").held):
            assert job.call is not None
            job.call.cancel()


async def _is_no_consumer(service: Service) -> None:
    """Neither is anything sent to it, nor does one who waits wait without a word."""
    async with LLMService(service.application.settings) as client:
        with trio.fail_after(PATIENCE):
            while await client._db.consumer_is_running("ai_requests"):
                await trio.sleep(0.01)
        with pytest.raises(Unavailable, match=r"no service is consuming the queue ai_requests$"):
            await client.call_with_prompt("simple", "hello")
        with pytest.raises(Timeout, match="no service is consuming the queue ai_requests any more"):
            await client.result("request-0", timeout=0.01)


async def test_a_failure_during_the_drain_begins_no_call_of_the_next_model(
    database_url: str, tmp_path: Path
) -> None:
    providers = {
        "one": {"kind": "echo", "latency": 1.0, "failure_rate": 1.0, "max_retries": 0},
        "two": {"kind": "echo", "latency": 3600.0},
    }
    routes = [{"complexity": "*", "task_type": "*", "models": ["one/m", "two/m"]}]
    async with running_service(
        database_url,
        tmp_path,
        providers=providers,
        routes=routes,
        service={"drain_timeout": 2 * PATIENCE},
    ) as service:
        await service.sql.send(request(1))
        await service.running_calls(1)
    async with open_sql(database_url) as sql:
        attempts = await sql.attempts("request-1")
        assert [(a["provider"], a["outcome"]) for a in attempts] == [("one", "provider_error")]
        assert await sql.value(VISIBLE) == 1
        assert await sql.value("SELECT used_candidates FROM nexus.requests") == ["one/m"]


async def test_a_consumer_that_is_stopped_alone_is_started_again_and_work_goes_on(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(
        database_url, tmp_path, providers={"one": {"kind": "echo"}}, routes=ROUTE
    ) as service:
        consumer = await service.actor("QueueConsumer")
        await consumer.stop(Shutdown())
        await service.sql.until(ANNOUNCED)
        await service.sql.send_many(request(n) for n in range(10))
        await service.stored(10)
