"""A service's numbers and health over HTTP, while it works."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import trio
from prometheus_client.parser import text_string_to_metric_families

from nexus_actors.admin.families import BY_NAME
from nexus_actors.admin.kinds import KINDS, OTHER, kind_of
from tests.service import PATIENCE, Service, request, running_service

SECTIONS: Mapping[str, Any] = {
    "admin": {"listen": "127.0.0.1:0"},
    "providers": {
        "echo": {
            "kind": "echo",
            "pool_size": 2,
            "requests_per_minute": 60_000,
            "models": {"echo": {"input_price": 1.0, "output_price": 1.0}},
        }
    },
    "budgets": {"all": {"dollars": 10}},
}


async def get(service: Service, path: str) -> tuple[int, str]:
    """Code and body."""
    (address,) = service.application.admin.place.addresses
    assert isinstance(address, tuple)
    async with await trio.open_tcp_stream(*address) as stream:
        ask = f"GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n"
        await stream.send_all(ask.encode())
        answer = b"".join([chunk async for chunk in stream]).decode()
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split(" ")[1]), body


async def scrape(service: Service) -> dict[str, float]:
    """`name{label="value",…}`, the labels by their names, and its number."""
    code, text = await get(service, "/metrics")
    assert code == 200
    found = {}
    for family in text_string_to_metric_families(text):
        for it in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(it.labels.items()))
            found[f"{it.name}{{{labels}}}" if labels else it.name] = it.value
    return found


async def test_a_service_that_works_tells_its_numbers_and_its_health(
    database_url: str, tmp_path: Path
) -> None:
    async with running_service(database_url, tmp_path, **SECTIONS) as service:
        names = await service.names()
        assert names[-3:] == ["Admin.Supervisor", "Admin", "Watchdog"]
        assert {kind_of(name) for name in names} <= set(KINDS) - {OTHER}

        await service.sql.send_many(
            [*(request(n) for n in range(50)), {"request_id": "bad", "agent_id": "a"}]
        )
        await service.stored(51)
        code, body = await get(service, "/health/ready")
        assert (code, '"reasons": []' in body) == (200, True)
        assert (await get(service, "/health/startup"))[0] == 200

        found = await scrape(service)
        ok = 'nexus_requests_total{model="echo",outcome="ok",provider="echo"}'
        bad = 'nexus_requests_total{model="none",outcome="missing_fields",provider="none"}'
        assert (found[ok], found[bad]) == (50, 1)
        assert found["nexus_request_seconds_count"] == 51
        assert found['nexus_stage_seconds_count{stage="queue_wait"}'] == 51
        assert found['nexus_stage_seconds_count{stage="admission"}'] == 50
        assert found['nexus_objective_requests_total{within="true"}'] == 51
        status: Any = await service.application.status({"queues": False})
        hour = {"requests": 51, "within": 51, "share": 1.0}
        assert status["objective"] == {"seconds": 2.0, "last_hour": hour}
        assert (found["nexus_database_up"], found["nexus_database_counted"]) == (1, 1)
        assert found['nexus_queue_messages{queue="requests"}'] == 0
        assert found['nexus_queue_messages{queue="dead"}'] == 1
        assert found['nexus_budget_limit_dollars{budget="all"}'] == 10
        assert found['nexus_budget_spent_dollars{budget="all"}'] == 0  # echo costs nothing
        assert found['nexus_nodes{state="ready"}'] == 1
        assert found['nexus_state{state="ready"}'] == 1
        assert found["nexus_notifications_connected"] == 1
        assert {name.partition("{")[0] for name in found} >= {
            it.name for it in BY_NAME.values() if it.kind != "histogram" and not it.labels
        }

        # Its own crash restarts nothing else.
        others = {name: await service.actor(name) for name in ("Control", "Router", "Watchdog")}
        victim = await service.actor("Admin")
        victim.kill()
        await victim.wait()
        with trio.fail_after(PATIENCE):
            while not service.application.admin.place.addresses:
                await trio.sleep(0.01)
        assert {name: await service.actor(name) for name in others} == others
        again = await scrape(service)
        assert again['nexus_restarts_total{actor="Admin"}'] == 1
        assert again[ok] == 50, "what was counted outlives it"

        # A drained node lives, and takes no requests.
        await service.sql.rows("SELECT nexus.drain('*')")
        with trio.fail_after(PATIENCE):
            while (ready := await get(service, "/health/ready"))[0] == 200:
                await trio.sleep(0.01)
        assert '"reasons": ["drained"]' in ready[1]
        assert (await get(service, "/health/live"))[0] == 200
        assert (await scrape(service))['nexus_paused{subject="node"}'] == 1
