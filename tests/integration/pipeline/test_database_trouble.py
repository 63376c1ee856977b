"""Connections come and go; what is in work does not notice."""

from pathlib import Path

import trio

from tests.service import request, running_service


async def test_ended_backends_lose_and_double_nothing(database_url: str, tmp_path: Path) -> None:
    providers = {"echo": {"kind": "echo", "latency": 0.01, "pool_size": 4}}
    async with running_service(database_url, tmp_path, providers=providers) as service:
        await service.sql.send_many(request(n) for n in range(300))
        for _ in range(5):
            await service.running_calls(1)
            await service.sql.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'nexus' AND datname = current_database()"
            )
            await trio.sleep(0.1)
        await service.stored(300)
        results = await service.sql.results()
        assert len({result["request_id"] for result in results}) == len(results) == 300
