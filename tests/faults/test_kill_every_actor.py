"""Any actor of the tree may be killed while 40 requests are on their way: none is lost, none
is doubled. On the shipped defaults but for the pool of connections, with limits and a budget on.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import trio

from supervisors import tree
from tests.service import PATIENCE, request, running_service, walk

PROVIDERS = {
    "swift": {
        "kind": "echo",
        "pool_size": 3,
        "latency": 0.01,
        "requests_per_minute": 60_000,
        "tokens_per_minute": 10_000_000,
        "models": {"s": {"input_price": 1.0, "output_price": 1.0}},
    },
    "steady": {
        "kind": "echo",
        "pool_size": 2,
        "latency": 0.01,
        "models": {"t": {"input_price": 1.0, "output_price": 1.0}},
    },
}
SECTIONS: dict[str, Any] = {
    "service": {"drain_timeout": 1.0},  # without a database nobody is admitted, so no drain ends
    "providers": PROVIDERS,
    "budgets": {"all": {"dollars": 1000}},
}
ROUTES = [
    {"complexity": "simple", "task_type": "*", "models": ["swift/s", "steady/t"]},
    {"complexity": "*", "task_type": "*", "models": ["steady/t", "swift/s"]},
]
TREE = [
    "Nexus.Supervisor",
    "Registry",
    "Database",
    "Heartbeat.Supervisor",
    "Heartbeat",
    "ObserverBackend",
    "Pipeline.Supervisor",
    "LeaseKeeper",
    "ResultPublisher",
    "StreamPublisher",
    "Cancellations",
    "Steering",
    "ModelQuirks",
    "Providers.Supervisor",
    "swift.Supervisor",
    "swift.Breaker",
    "swift.RateLimiter",
    "swift.Pool",
    *(f"swift.Worker.{n}" for n in range(1, 4)),
    "steady.Supervisor",
    "steady.Breaker",
    "steady.Pool",
    *(f"steady.Worker.{n}" for n in range(1, 3)),
    "ProviderKeeper",
    "Router",
    "QueueConsumer",
    "ResultPoller",
    "Pruner",
    "Rollup",
    "Control",
    "Watchdog",
]
REQUESTS = 40
"""When the victim dies, five are being called, four wait for a worker, one is being given back, and
the others are in the queue."""


async def test_the_tree_is_the_one_that_the_readme_draws(database_url: str, tmp_path: Path) -> None:
    async with running_service(database_url, tmp_path, routes=ROUTES, **SECTIONS) as service:
        assert await service.names() == TREE


# Of each provider's workers one: the others are no different.
KILLED = [it for it in TREE if it != "Nexus.Supervisor" and not re.search(r"Worker\.[2-9]", it)]


@pytest.mark.parametrize("name", KILLED)
async def test_killing_it_loses_and_doubles_nothing(
    name: str, database_url: str, tmp_path: Path
) -> None:
    async with running_service(database_url, tmp_path, routes=ROUTES, **SECTIONS) as service:
        requests = [request(n, complexity="simple" if n % 2 else "medium") for n in range(REQUESTS)]
        await service.sql.send_many(requests)
        await service.running_calls(4)
        victim = await service.actor(name)
        victim.kill()
        await victim.wait()

        await service.stored(REQUESTS)
        assert await service.names() == TREE
        await service.sql.until("SELECT count(*) = 0 FROM pgmq.q_ai_results")
        results = await service.sql.results()
        assert sorted(r["request_id"] for r in results) == sorted(r["request_id"] for r in requests)
        assert {r["status"] for r in results} == {"ok"}
        assert await service.sql.value("SELECT count(*) FROM pgmq.q_ai_requests") == 0
        assert await service.sql.value("SELECT count(*) FROM pgmq.a_ai_requests") == REQUESTS
        assert await service.sql.value("SELECT count(*) FROM job_results") == REQUESTS


async def test_one_fault_that_crashes_every_worker_twice_ends_no_supervisor(
    database_url: str, tmp_path: Path
) -> None:
    """By the shipped defaults: two restarts of each child, all at once."""
    async with running_service(database_url, tmp_path, routes=ROUTES, **SECTIONS) as service:
        supervisor = await service.actor("swift.Supervisor")
        for count in (1, 2):
            for n in range(1, 4):
                (await service.actor(f"swift.Worker.{n}")).kill()
            with trio.fail_after(PATIENCE):
                while [
                    node.restarts
                    for node in walk(await tree(service.root))
                    if node.name.startswith("swift.Worker")
                ] != [count] * 3:
                    await trio.sleep(0.01)
        assert supervisor.is_alive


async def test_killing_the_root_and_starting_anew_loses_and_doubles_nothing(
    database_url: str, tmp_path: Path
) -> None:
    requests = [request(n, complexity="simple" if n % 2 else "medium") for n in range(REQUESTS)]
    async with running_service(database_url, tmp_path, routes=ROUTES, **SECTIONS) as service:
        await service.sql.send_many(requests)
        await service.running_calls(4)
        service.root.kill()
        await service.root.wait()
    async with running_service(database_url, tmp_path, routes=ROUTES, **SECTIONS) as service:
        await service.stored(REQUESTS)
        results = await service.sql.results()
        assert sorted(r["request_id"] for r in results) == sorted(r["request_id"] for r in requests)
