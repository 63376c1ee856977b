"""One provider that is slow, saturated or down keeps nothing waiting that is not its own."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import trio

from nexus_actors.storage.errors import StorageUnavailable
from nexus_actors.storage.postgres.request_store import PostgresRequestStore
from tests.service import PATIENCE, request, running_service

PROVIDERS = {
    "hung": {"kind": "echo", "latency": 3600.0, "pool_size": 2},
    "swift": {"kind": "echo", "pool_size": 2},
}
ROUTES = [
    {"complexity": "complex", "task_type": "*", "models": ["hung/h"]},
    {"complexity": "*", "task_type": "*", "models": ["swift/s"]},
]


async def test_requests_behind_a_hanging_provider_pass_it(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(
        database_url, tmp_path, providers=PROVIDERS, routes=ROUTES
    ) as service:
        await service.sql.send_many(request(f"hung-{n}", complexity="complex") for n in range(300))
        await service.running_calls(2)
        await service.sql.send_many(request(f"swift-{n}") for n in range(50))
        await service.stored(50)
        results = await service.sql.results()
        assert {result["provider"] for result in results} == {"swift"}
        # Nothing is hoarded: the lane has its slots and its room, the rest waits in the store.
        assert service.application.in_work.running == 2
        assert len(service.application.in_work.queue("hung")) <= 4
        await service.sql.until(
            "SELECT count(*) >= 296 FROM nexus.requests WHERE state = 'waiting' AND lane = 'hung'"
        )


async def test_the_first_behind_thousands_for_a_hanging_provider_waits_for_a_few_of_them(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(
        database_url, tmp_path, providers=PROVIDERS, routes=ROUTES
    ) as service:
        hung = (request(f"hung-{n}", complexity="complex") for n in range(2000))
        await service.sql.send_many([*hung, request("behind")])
        await service.stored(1)
        count = await service.sql.value(
            "SELECT count(*) FROM nexus.requests WHERE first_leased_at <"
            " (SELECT finished_at FROM nexus.requests WHERE state = 'done')"
        )
        assert count < 1000
        # Nobody is overtaken for ever: the others come in their order meanwhile.
        await service.sql.until("SELECT count(*) = 2001 FROM nexus.requests")


async def test_what_waits_for_a_provider_is_taken_as_soon_as_there_is_room_and_is_no_attempt(
    database_url: str, tmp_path: Path
) -> None:
    narrow = {
        "narrow": {"kind": "echo", "latency": 0.005, "pool_size": 1},
        "swift": {"kind": "echo", "pool_size": 8},
    }
    routes = [
        {"complexity": "complex", "task_type": "*", "models": ["narrow/n"]},
        {"complexity": "*", "task_type": "*", "models": ["swift/s"]},
    ]
    async with running_service(database_url, tmp_path, providers=narrow, routes=routes) as service:
        await service.sql.send_many(request(n, complexity="complex") for n in range(100))
        await service.stored(100)
        attempts = await service.sql.rows("SELECT attempts FROM nexus.requests")
        assert {row["attempts"] for row in attempts} == {1}


async def test_what_one_process_put_to_wait_another_with_room_takes(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(
        database_url, tmp_path / "one", providers=PROVIDERS, routes=ROUTES
    ) as one:
        await one.sql.send_many(request(n, complexity="complex") for n in range(20))
        await one.running_calls(2)
        await one.sql.until(
            "SELECT count(*) = 16 FROM nexus.requests WHERE state = 'waiting' AND lane = 'hung'"
        )
        able = {**PROVIDERS, "hung": {"kind": "echo", "pool_size": 2}}
        async with running_service(
            database_url, tmp_path / "two", providers=able, routes=ROUTES
        ) as two:
            await two.stored(16)
            with trio.fail_after(PATIENCE):
                while len(two.application.in_work):
                    await trio.sleep(0.02)
            owners = await two.sql.rows(
                "SELECT owner, count(*) AS n FROM nexus.requests"
                " WHERE state = 'done' GROUP BY owner"
            )
            assert {row["owner"]: row["n"] for row in owners} == {two.application.instance.id: 16}
        one.root.kill()


async def test_a_passing_fault_does_not_make_it_forget_what_waits(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    providers = {
        "narrow": {"kind": "echo", "latency": 0.1, "pool_size": 1},
        "swift": {"kind": "echo", "pool_size": 2},
    }
    routes = [{**ROUTES[0], "models": ["narrow/n"]}, ROUTES[1]]
    works = PostgresRequestStore.take_waiting
    faults = iter([True, True])

    async def fail_at_first(self: PostgresRequestStore, *args: Any, **options: Any) -> Any:
        if set(args[0]) == {"narrow"} and next(faults, False):  # a lane it remembers
            raise StorageUnavailable("for a moment")
        return await works(self, *args, **options)

    monkeypatch.setattr(PostgresRequestStore, "take_waiting", fail_at_first)
    async with (
        running_service(
            database_url,
            tmp_path,
            providers=providers,
            routes=routes,
            # The look at all lanes that comes with each interval would find it too.
            queue={"poll_interval": 3600.0},
        ) as service,
        trio.open_nursery() as nursery,
    ):
        await service.sql.send_many(request(n, complexity="complex") for n in range(12))

        async def traffic() -> None:  # so that the queue is never idle
            for n in itertools.count():
                await service.sql.send(request(f"swift-{n}"))

        nursery.start_soon(traffic)
        await service.sql.until(
            "SELECT count(*) = 12 FROM nexus.requests WHERE state = 'done' AND provider = 'narrow'"
        )
        assert next(faults, None) is None
        nursery.cancel_scope.cancel()


async def test_the_time_of_a_request_passes_while_it_waits_too(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(
        database_url,
        tmp_path,
        providers=PROVIDERS,
        routes=ROUTES,
        service={"drain_timeout": 0.1},
    ) as service:
        # The lane is full of requests that have time; the others wait in the store.
        await service.sql.send_many(request(n, complexity="complex") for n in range(4))
        await service.running_calls(2)
        await service.sql.until("SELECT count(*) = 4 FROM nexus.requests")
        await service.sql.send_many(
            request(f"late-{n}", complexity="complex", timeout=500) for n in range(6)
        )
        await service.stored(6)
        results = await service.sql.results()
        assert {result["error"]["type"] for result in results} == {"timeout"}
        assert {result["attempts"] for result in results} == {0}
        assert service.application.in_work.running == 2
