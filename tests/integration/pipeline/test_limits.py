"""A provider that says "later", or keeps failing: nobody loses an attempt; its circuit opens."""

import re
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from nexus_actors.admission.buckets import BURST_SECONDS
from tests.http_server import Reply, ScriptedServer, scripted_server
from tests.service import Service, request, running_service

LATER = Reply(status=429, headers={"retry-after": "0.2"})
MUCH_LATER = Reply(status=429, headers={"retry-after": "3600"})
DOWN = Reply(status=503)


def sections(server: ScriptedServer, *models: str, **settings: Any) -> Mapping[str, Any]:
    http = {"kind": "openai_compatible", "base_url": f"{server.url}/v1", "free": True}
    return {
        "providers": {
            "http": {**http, "pool_size": 2, "max_retries": 0, **settings},
            "other": {"kind": "echo"},
        },
        "routes": [
            {"complexity": "*", "task_type": "*", "models": list(models) or ["http/m"]},
        ],
        "queue": {"max_attempts": 1, "poll_interval": 0.05},
    }


async def outcomes(service: Service, request_id: str) -> Sequence[tuple[Any, ...]]:
    return [
        (row["number"], row["provider"], row["outcome"], row["spared"])
        for row in await service.sql.attempts(request_id)
    ]


async def test_what_comes_too_early_waits_in_the_queue_and_keeps_its_attempts(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        scripted_server({"m": [LATER, LATER, LATER, Reply()]}) as server,
        running_service(database_url, tmp_path, **sections(server)) as service,
    ):
        await service.sql.send(request(1))
        await service.stored(1)
        [result] = await service.sql.results()
        assert (result["status"], result["attempts"]) == ("ok", 4)
        assert await outcomes(service, "request-1") == [
            (1, "http", "rate_limited", True),
            (2, "http", "rate_limited", True),
            (3, "http", "rate_limited", True),
            (4, "http", "ok", False),
        ]
        row = (await service.sql.rows("SELECT attempts, spared_attempts FROM nexus.requests"))[0]
        assert row == {"attempts": 4, "spared_attempts": 3}


async def test_what_is_long_in_coming_goes_to_the_next_candidate_and_others_do_not_even_ask(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        scripted_server({"m": MUCH_LATER}) as server,
        running_service(
            database_url, tmp_path, **sections(server, "http/m", "other/echo")
        ) as service,
    ):
        await service.sql.send(request(1))
        await service.stored(1)
        await service.sql.send(request(2), request(3))
        await service.stored(3)
        assert {result["provider"] for result in await service.sql.results()} == {"other"}
        assert len(server.requests) == 1
        assert await outcomes(service, "request-1") == [
            (1, "http", "rate_limited", True),
            (2, "other", "ok", False),
        ]
        assert await outcomes(service, "request-2") == [(1, "other", "ok", False)]
        steps = await service.sql.rows(
            "SELECT detail ->> 'passed_over' AS passed FROM nexus.steps"
            " WHERE request_id = 'request-2' AND detail ? 'passed_over'"
        )
        assert steps == [{"passed": '["http/m"]'}]


async def test_what_must_wait_longer_than_it_has_time_ends_at_once(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        scripted_server({"m": MUCH_LATER}) as server,
        running_service(database_url, tmp_path, **sections(server)) as service,
    ):
        await service.sql.send(request(1, timeout=60_000))
        await service.stored(1)
        [result] = await service.sql.results()
        assert result["error"]["type"] == "rate_limited"
        assert result["latency_ms"] < 60_000
        assert await outcomes(service, "request-1") == [(1, "http", "rate_limited", True)]


async def test_a_model_that_keeps_failing_is_left_alone_then_probed(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        scripted_server({"m": [DOWN, DOWN, Reply()]}) as server,
        running_service(
            database_url,
            tmp_path,
            **sections(server, breaker_failures=2, breaker_seconds=0.5),
        ) as service,
    ):
        await service.sql.send(request(1), request(2))
        await service.stored(2)
        assert [result["status"] for result in await service.sql.results()] == ["error", "error"]
        status = service.application.gates
        assert list(status.describe("http", 0.0)) == ["m"]
        await service.sql.send(request(3), request(4), request(5))
        await service.stored(5)  # they waited: one of them was the probe
        results = {r["request_id"]: r for r in await service.sql.results()}
        assert {results[f"request-{n}"]["status"] for n in (3, 4, 5)} == {"ok"}
        assert {results[f"request-{n}"]["attempts"] for n in (3, 4, 5)} == {1}
        assert status.describe("http", 0.0) == {}


async def test_services_on_one_database_keep_an_accounts_limit_together(
    database_url: str, tmp_path: Path
) -> None:
    """Three of them, and the time between the first call and the last, by the database's clock:
    never more calls than the limit allows."""
    limit, count = 600.0, 45
    async with scripted_server() as server, AsyncExitStack() as stack:
        services = [
            await stack.enter_async_context(
                running_service(
                    database_url,
                    tmp_path / name,
                    **sections(server, pool_size=16, requests_per_minute=limit),
                )
            )
            for name in ("one", "two", "three")
        ]
        sql = services[0].sql
        await sql.send_many(request(n) for n in range(count))
        await services[0].stored(count)
        took = await sql.value(
            "SELECT extract(epoch FROM max(started_at) - min(started_at))::float8"
            " FROM nexus.attempts"
        )
        # What the bucket held at first, and what it was filled with until the last call began.
        allowed = limit / 60 * (took + BURST_SECONDS)
        assert count <= allowed * 1.05
        owners = await sql.value("SELECT count(DISTINCT owner) FROM nexus.attempts")
        assert owners > 1
        assert len(server.requests) == count


async def test_who_runs_out_of_time_while_waiting_for_a_share_says_so(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        scripted_server() as server,
        running_service(
            database_url, tmp_path, **sections(server, requests_per_minute=0.5)
        ) as service,
    ):
        await service.sql.send(request(1))
        await service.stored(1)
        await service.sql.send(request(2, timeout=1_000))
        await service.stored(2)
        result = (await service.sql.results())[1]
        assert (result["error"]["type"], result["attempts"]) == ("timeout", 0)
        told = "timed out after 1 s while waiting for the rate limit of "
        assert result["error"]["message"].startswith(told)
        assert len(server.requests) == 1


async def test_a_request_that_would_reach_inside_is_sent_nowhere(
    database_url: str, tmp_path: Path
) -> None:
    part = {"type": "image_url", "image_url": {"url": "https://169.254.169.254/latest?canary"}}
    async with (
        scripted_server() as server,
        running_service(database_url, tmp_path, **sections(server)) as service,
    ):
        await service.sql.send(request(1, messages=[{"role": "user", "content": [part]}]))
        await service.stored(1)
        [result] = await service.sql.results()
        assert result["error"]["type"] == "request_rejected"
        assert result["error"]["message"].startswith("messages[0].content[0].image_url.url: ")
        assert "canary" not in result["error"]["message"]
        assert server.requests == []


async def test_a_hundred_requests_at_once_do_not_spend_more_than_the_budget(
    database_url: str, tmp_path: Path
) -> None:
    """Each is answered with 7 + 2 tokens: 9 cents by the config's price."""
    price = {"input_price": 10_000.0, "output_price": 10_000.0}
    async with (
        scripted_server() as server,
        running_service(
            database_url,
            tmp_path,
            **sections(server, pool_size=50, models={"m": price}),
            budgets={"mine": {"dollars": 2.0, "agent": "test-*"}},
        ) as service,
    ):
        await service.sql.send_many(request(n, max_tokens=2) for n in range(100))
        await service.stored(100)
        results = await service.sql.results()
        refused = [r["error"] for r in results if r["status"] == "error"]
        assert {error["type"] for error in refused} == {"quota_exceeded"}
        assert "budget mine" in refused[0]["message"]
        answered = [r for r in results if r["status"] == "ok"]
        # A twenty-second would fit, but not the most that it may cost.
        assert len(answered) == len(server.requests) == 21
        row = (await service.sql.rows("SELECT reserved, spent FROM nexus.spending"))[0]
        assert float(row["reserved"]) == 0.0
        assert float(row["spent"]) == pytest.approx(sum(r["cost"] for r in answered))
        assert float(row["spent"]) <= 2.0
        await service.sql.send(request("other", agent_id="somebody", max_tokens=2))
        await service.stored(101)
        assert (await service.sql.results())[-1]["status"] == "ok"


async def test_a_conversation_goes_on_with_the_key_it_was_begun_with(
    database_url: str, tmp_path: Path
) -> None:
    keys = []
    for name in ("key-a", "key-b"):
        (tmp_path / name).touch(0o600)
        (tmp_path / name).write_text(name)
        keys.append(str(tmp_path / name))
    async with (
        scripted_server({"*": Reply(delay=0.1)}) as server,
        running_service(
            database_url,
            tmp_path / "data",
            **sections(server, api_key_file=keys, pool_size=6),
        ) as service,
    ):
        await service.sql.send(request(0))
        await service.stored(1)
        follow_ups = [{**request(n), "previous_response_id": "chatcmpl-1"} for n in range(1, 7)]
        await service.sql.send_many(follow_ups)
        await service.stored(7)
        names = await service.sql.rows("SELECT DISTINCT key_name FROM nexus.attempts")
    assert [row["key_name"] for row in names] == [keys[0]]
    assert {it.headers["authorization"] for it in server.requests} == {"Bearer key-a"}


async def test_who_meets_an_open_circuit_is_not_told_of_the_error_that_opened_it(
    database_url: str, tmp_path: Path
) -> None:
    async with scripted_server() as server:
        config = sections(server, base_url="http://127.0.0.1:1/v1", breaker_failures=1)
        async with running_service(database_url, tmp_path, **config) as service:
            await service.sql.send(request(1))
            await service.stored(1)
            await service.sql.send(request(2, timeout=5_000))
            await service.stored(2)
            first, second = [it["error"] for it in await service.sql.results()]
            assert "127.0.0.1:1" in first["message"]
            assert second["type"] == "connection_failed"
            assert re.fullmatch(
                r"it would wait another \d+ s for a circuit to close \(http/m\),"
                " longer than its timeout allows",
                second["message"],
            )
