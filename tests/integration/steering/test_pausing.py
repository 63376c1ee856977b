"""What an operator writes in SQL is obeyed by every node, and nothing is lost by it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from nexus_actors.pipeline import router
from nexus_actors.steering import steering
from tests.http_server import Reply, ScriptedServer, scripted_server
from tests.service import PATIENCE, Service, request, running_service

ROUTES = [
    {"complexity": "*", "task_type": "*", "models": ["one/m", "two/n"]},
]


def sections(url: str) -> Mapping[str, Any]:
    http = {"kind": "openai_compatible", "base_url": f"{url}/v1", "free": True, "pool_size": 4}
    return {"providers": {"one": http, "two": http}, "routes": ROUTES}


@asynccontextmanager
async def nodes(
    database_url: str, tmp_path: Path, count: int, delay: float = 0.0
) -> AsyncIterator[tuple[ScriptedServer, list[Service]]]:
    async with scripted_server({"*": Reply(delay=delay)}) as server, AsyncExitStack() as stack:
        yield (
            server,
            [
                await stack.enter_async_context(
                    running_service(database_url, tmp_path / str(number), **sections(server.url))
                )
                for number in range(count)
            ],
        )


async def heard(services: list[Service], count: int) -> None:
    """Wait until each node knows of so many pauses."""
    with trio.fail_after(PATIENCE):
        while any(len(it.application.desired.pauses) != count for it in services):
            await trio.sleep(0.01)


@pytest.mark.parametrize(
    ("pause", "named"),
    [
        (("provider", "one"), "provider one"),
        (("model", "one/m"), "model one/m"),
        (("agent", "test-agent"), "agent test-agent"),
        (("queue", "ai_requests"), "queue ai_requests"),
    ],
    ids=lambda it: it[0] if isinstance(it, tuple) else "",
)
async def test_what_is_paused_gets_no_call_says_why_and_goes_on_after_it(
    database_url: str, tmp_path: Path, pause: tuple[str, str], named: str
) -> None:
    async with nodes(database_url, tmp_path, 2) as (server, services):
        sql = services[0].sql
        await sql.rows("SELECT nexus.pause($1, $2, why => 'it burns', by => 'joe')", *pause)
        await heard(services, 1)
        await sql.send_many([*(request(n) for n in range(20)), request("late", timeout=1000)])
        if pause[0] == "queue":
            count = 21  # nobody has looked at them
            await trio.sleep(1.1)
        else:
            count = 20
            await services[0].stored(1)  # its timeout goes on
        said = "SELECT sum(requests) = $1 FROM nexus.waiting WHERE reason = 'paused'"
        await sql.until(said, count)
        waiting = await sql.rows("SELECT DISTINCT detail FROM nexus.waiting")
        assert len(waiting) == 1
        assert waiting[0]["detail"].startswith(f"{named} is paused by joe")
        assert waiting[0]["detail"].endswith("it burns")
        assert server.requests == []
        assert await sql.value("SELECT nexus.resume($1, $2)", *pause) == 1
        await services[0].stored(21)
        assert len(server.requests) == 20
        results = {it["request_id"]: it for it in await sql.results()}
        error = results.pop("request-late")["error"]
        assert error["type"] == "timeout"
        # Every producer reads it, so it does not say who paused and why.
        told = f"timed out after 1 s while waiting for the end of a pause of {named}"
        assert error["message"] == told
        assert {it["status"] for it in results.values()} == {"ok"}


@pytest.mark.parametrize(
    "pause",
    [("provider", "one"), ("queue", "ai_requests"), ("agent", "test-agent")],
    ids=lambda it: it[0],
)
async def test_what_one_node_alone_is_not_to_call_the_others_do(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pause: tuple[str, str]
) -> None:
    """Also those that have been up for long."""
    monkeypatch.setattr(steering, "RELEASING", 0.0)
    monkeypatch.setattr(router, "ELSEWHERE", 0.1)
    insert = "INSERT INTO nexus.control (action, subject, name, node) VALUES ('pause', $1, $2, $3)"
    async with nodes(database_url, tmp_path, 2) as (server, services):
        first = services[0].application.instance.id
        await services[0].sql.rows(insert, *pause, first)
        await heard(services[:1], 1)
        await services[0].sql.send_many(request(n) for n in range(60))
        await services[0].stored(60)
        owners = await services[0].sql.rows("SELECT DISTINCT owner FROM nexus.attempts")
        assert [it["owner"] for it in owners] == [services[1].application.instance.id]
        assert len(server.requests) == 60


async def test_with_fallback_routes_take_their_next_model_and_use_none_up(
    database_url: str, tmp_path: Path
) -> None:
    async with nodes(database_url, tmp_path, 1) as (_, services):
        sql = services[0].sql
        await sql.rows("SELECT nexus.pause('provider', 'one')")
        await heard(services, 1)
        await sql.send_many(request(n) for n in range(9))
        await sql.until("SELECT count(*) = 9 FROM nexus.waiting WHERE reason = 'paused'")
        await sql.rows("SELECT nexus.pause('provider', 'one', fallback => true)")
        await services[0].stored(9)
        assert {it["provider"] for it in await sql.results()} == {"two"}
        await sql.rows("SELECT nexus.pause('provider', 'two', fallback => true)")
        await heard(services, 2)
        await sql.send(request("last"))
        await sql.until("SELECT count(*) = 1 FROM nexus.waiting WHERE reason = 'paused'")
        await sql.rows("SELECT nexus.resume('provider', 'one')")
        await services[0].stored(10)
        assert [it["provider"] for it in await sql.results()][-1] == "one"


async def test_a_pause_ends_by_itself_and_holds_over_a_restart(
    database_url: str, tmp_path: Path
) -> None:
    async with nodes(database_url, tmp_path, 1) as (_, services):
        sql = services[0].sql
        await sql.rows("SELECT nexus.pause('model', 'm', until => now() + interval '1 h')")
        await heard(services, 1)
        await sql.send(request(1))
        await sql.until("SELECT count(*) = 1 FROM nexus.waiting WHERE reason = 'paused'")
    async with nodes(database_url, tmp_path, 1) as (server, services):
        sql = services[0].sql
        await sql.send(request(2))
        await sql.until("SELECT count(*) = 2 FROM nexus.waiting WHERE reason = 'paused'")
        assert server.requests == []
        until = "SELECT nexus.pause('model', 'm', until => clock_timestamp() + interval '0.2 s')"
        await sql.rows(until)
        await services[0].stored(2)


async def test_a_drained_node_leases_nothing_though_its_consumer_starts_anew(
    database_url: str, tmp_path: Path
) -> None:
    drain = "INSERT INTO nexus.control (action, subject) VALUES ('drain', 'node')"
    async with nodes(database_url, tmp_path, 1) as (server, services):
        (service,) = services
        await service.sql.rows(drain)
        await heard(services, 1)
        consumer = await service.actor("QueueConsumer")
        consumer.kill()
        with trio.fail_after(PATIENCE):
            while await service.actor("QueueConsumer") is consumer:
                await trio.sleep(0.01)
        await service.sql.send(request(1))
        await trio.sleep(0.3)
        assert service.application.status.state({}) == "drained"
        assert service.application.status.line() == "drained, until it is resumed"
        assert await service.sql.value("SELECT max(read_ct) FROM pgmq.q_ai_requests") == 0
        assert server.requests == []
        await service.sql.rows("DELETE FROM nexus.control")
        await service.stored(1)


async def test_a_node_that_drains_ends_its_calls_and_leaves_the_rest_to_the_others(
    database_url: str, tmp_path: Path
) -> None:
    async with nodes(database_url, tmp_path, 2, delay=0.2) as (_, services):
        sql = services[0].sql
        first = services[0].application
        drain = "INSERT INTO nexus.control (action, subject, node) VALUES ('drain', 'node', $1)"
        await sql.send_many(request(n) for n in range(60))
        with trio.fail_after(PATIENCE):
            while not first.in_work.running:
                await trio.sleep(0.01)
        await sql.rows(drain, first.instance.id)
        await heard(services[:1], 1)
        # What it has begun it ends, and begins no more.
        begun = first.metrics.calls["one"].succeeded + first.in_work.running
        assert 0 < begun < 60, "nothing is left for the others"
        await services[0].stored(60)
        attempts = await sql.rows("SELECT owner, outcome FROM nexus.attempts")
        assert len(attempts) == 60
        assert {it["outcome"] for it in attempts} == {"ok"}
        assert sum(it["owner"] == first.instance.id for it in attempts) == begun
        await sql.rows("DELETE FROM nexus.control")
        await heard(services, 0)
        await sql.send_many(request(n) for n in range(60, 96))
        await services[0].stored(96)
        mine = "SELECT count(*) FROM nexus.attempts WHERE owner = $1"
        assert await sql.value(mine, first.instance.id) > begun
