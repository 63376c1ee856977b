"""Any actor of the tree may be killed while 200 requests are in work: none is lost, none is
doubled.
"""

from pathlib import Path

import pytest

from tests.service import request, running_service

PROVIDERS = {
    "swift": {"kind": "echo", "pool_size": 3, "latency": 0.01},
    "steady": {"kind": "echo", "pool_size": 2, "latency": 0.01},
}
ROUTES = [
    {"complexity": "simple", "task_type": "*", "models": ["swift/s", "steady/t"]},
    {"complexity": "*", "task_type": "*", "models": ["steady/t", "swift/s"]},
]
TREE = [
    "Nexus.Supervisor",
    "Registry",
    "Database",
    "Pipeline.Supervisor",
    "LeaseKeeper",
    "ResultPublisher",
    "StreamPublisher",
    "ModelQuirks",
    "Providers.Supervisor",
    "swift.Supervisor",
    "swift.Breaker",
    "swift.Pool",
    *(f"swift.Worker.{n}" for n in range(1, 4)),
    "steady.Supervisor",
    "steady.Breaker",
    "steady.Pool",
    *(f"steady.Worker.{n}" for n in range(1, 3)),
    "Router",
    "QueueConsumer",
    "ResultPoller",
    "Pruner",
    "Control",
    "Watchdog",
]
REQUESTS = 200


async def test_the_tree_is_the_one_that_the_readme_draws(database_url: str, tmp_path: Path) -> None:
    async with running_service(
        database_url, tmp_path, providers=PROVIDERS, routes=ROUTES
    ) as service:
        assert await service.names() == TREE


@pytest.mark.parametrize("name", [name for name in TREE if name != "Nexus.Supervisor"])
async def test_killing_it_loses_and_doubles_nothing(
    name: str, database_url: str, tmp_path: Path
) -> None:
    async with running_service(
        database_url, tmp_path, providers=PROVIDERS, routes=ROUTES
    ) as service:
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


async def test_killing_the_root_and_starting_anew_loses_and_doubles_nothing(
    database_url: str, tmp_path: Path
) -> None:
    requests = [request(n, complexity="simple" if n % 2 else "medium") for n in range(REQUESTS)]
    async with running_service(
        database_url, tmp_path, providers=PROVIDERS, routes=ROUTES
    ) as service:
        await service.sql.send_many(requests)
        await service.running_calls(4)
        service.root.kill()
        await service.root.wait()
    async with running_service(
        database_url, tmp_path, providers=PROVIDERS, routes=ROUTES
    ) as service:
        await service.stored(REQUESTS)
        results = await service.sql.results()
        assert sorted(r["request_id"] for r in results) == sorted(r["request_id"] for r in requests)
