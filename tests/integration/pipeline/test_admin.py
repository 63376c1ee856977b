"""A service's numbers and health over HTTP, while it works."""

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families

from nexus_actors.admin.families import BY_NAME
from nexus_actors.admin.kinds import KINDS, OTHER, kind_of
from nexus_actors.application import ROOT, Application
from nexus_actors.cli import exit_codes, report
from nexus_actors.operations.instance import claim_instance
from nexus_actors.storage.errors import StorageError
from supervisors import Shutdown, StartError, open_tree
from tests.service import PATIENCE, request, running_service, settings_for

PRICED = {"input_price": 1.0, "output_price": 1.0}
SECTIONS: Mapping[str, Any] = {
    "admin": {"listen": "127.0.0.1:0"},
    "providers": {
        "echo": {
            "kind": "echo",
            "pool_size": 2,
            "requests_per_minute": 60_000,
            "models": {"echo": PRICED},
        },
        "my-own_2": {"kind": "echo", "latency": 3600.0, "models": {"echo": PRICED}},
    },
    "routes": [
        {"complexity": "*", "task_type": "endless", "models": ["my-own_2/echo"]},
        {"complexity": "*", "task_type": "*", "models": ["echo/echo"]},
    ],
    "service": {"drain_timeout": 600.0},
    "budgets": {"all": {"dollars": 10}},
}


READY = "/health/ready"
OBJECTIVE = 'nexus_objective_requests_total{{within="{}"}}'
IS_READY = 'nexus_nodes{state="ready"}'


async def get(application: Application, path: str) -> tuple[int, str]:
    """Code and body."""
    (address,) = application.admin.place.addresses
    assert isinstance(address, tuple)
    async with await trio.open_tcp_stream(*address) as stream:
        ask = f"GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n"
        await stream.send_all(ask.encode())
        answer = b"".join([chunk async for chunk in stream]).decode()
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split(" ")[1]), body


async def scrape(application: Application) -> dict[str, float]:
    """`name{label="value",…}`, the labels by their names, and its number."""
    code, text = await get(application, "/metrics")
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
        assert names[:5] == [ROOT, "Registry", "Admin.Supervisor", "Admin", "Database"]
        assert {kind_of(name) for name in names} <= set(KINDS) - {OTHER}

        await service.sql.send_many(
            [*(request(n) for n in range(50)), {"request_id": "bad", "agent_id": "a"}]
        )
        await service.stored(51)
        code, body = await get(service.application, READY)
        assert (code, '"reasons": []' in body) == (200, True)
        assert (await get(service.application, "/health/startup"))[0] == 200

        ok = 'nexus_requests_total{model="echo",outcome="ok",provider="echo"}'
        bad = 'nexus_requests_total{model="none",outcome="missing_fields",provider="none"}'
        # A result is counted just after it is stored, and the node after its next beat.
        with trio.fail_after(PATIENCE):
            while (found := await scrape(service.application)).get(IS_READY) != 1 or (
                found["nexus_request_seconds_count"] < 51
            ):
                await trio.sleep(0.1)
        assert (found[ok], found[bad]) == (50, 1)
        assert found["nexus_request_seconds_count"] == 51
        assert found['nexus_stage_seconds_count{stage="queue_wait"}'] == 51
        assert found['nexus_stage_seconds_count{stage="admission"}'] == 50
        # A loaded machine may take longer than the objective says.
        within, later = (found[OBJECTIVE.format(it)] for it in ("true", "false"))
        assert within + later == 51
        status: Any = await service.application.status({"queues": False})
        hour = {"requests": 51, "within": within, "share": round(within / 51, 4)}
        assert status["objective"] == {"seconds": 2.0, "last_hour": hour}
        assert (found["nexus_database_up"], found["nexus_database_counted"]) == (1, 1)
        assert found['nexus_queue_messages{queue="requests"}'] == 0
        assert found['nexus_queue_messages{queue="dead"}'] == 1
        assert found['nexus_budget_limit_dollars{budget="all"}'] == 10
        assert found['nexus_budget_spent_dollars{budget="all"}'] == 0  # echo costs nothing
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
        again = await scrape(service.application)
        assert again['nexus_restarts_total{actor="Admin"}'] == 1
        assert again[ok] == 50, "what was counted outlives it"

        # A drained node lives, and takes no requests.
        await service.sql.rows("SELECT nexus.drain('*')")
        with trio.fail_after(PATIENCE):
            while '"reasons": ["drained"]' not in (await get(service.application, READY))[1]:
                await trio.sleep(0.01)
        assert (await get(service.application, READY))[0] == 503
        assert (await get(service.application, "/health/live"))[0] == 200
        assert (await scrape(service.application))['nexus_paused{subject="node"}'] == 1
        await service.sql.rows("SELECT nexus.resume('node', '*')")

        # A stop can be looked at while calls run.
        await service.sql.send(request("endless", task_type="endless"))
        await service.running_calls(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(service.root.stop, Shutdown())
            with trio.fail_after(PATIENCE):
                while not service.application.in_work.draining:
                    await trio.sleep(0.01)
            code, body = await get(service.application, READY)
            assert (code, '"reasons": ["draining"]' in body) == (503, True)
            assert (await get(service.application, "/health/live"))[0] == 200
            last = await scrape(service.application)
            assert (last[ok], last['nexus_in_flight_requests{place="held"}']) == (50, 1)
            await service.sql.rows("SELECT nexus.cancel('request-endless')")

        # It outlives the database, whose numbers are then absent.
        with pytest.raises(StorageError):
            await service.application._count()


NOWHERE = "postgresql://me@/db?host=/nowhere/at/all"
"""Where a start waits."""


async def starts(application: Application) -> None:
    async with open_tree(application.supervisor):
        raise AssertionError("it has no database")


async def test_a_start_that_waits_for_its_database_answers_probes_and_scrapes(
    tmp_path: Path,
) -> None:
    settings = settings_for(NOWHERE, tmp_path, **SECTIONS)
    with claim_instance(tmp_path) as instance:
        application = Application(settings, instance)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(starts, application)
            with trio.fail_after(PATIENCE):
                while application.status.waits_for is None:
                    await trio.sleep(0.01)
            assert (await get(application, "/health/live"))[0] == 200
            assert (await get(application, "/health/startup"))[0] == 503
            code, body = await get(application, "/health/ready")
            assert (code, '"reasons": ["starting", "database"' in body) == (503, True)
            found = await scrape(application)
            assert (found["nexus_database_up"], found["nexus_database_counted"]) == (0, 0)
            assert "nexus_notifications_connected" not in found
            assert found['nexus_state{state="starting"}'] == 1
            nursery.cancel_scope.cancel()


async def test_a_port_that_is_taken_ends_the_start_before_anything_is_asked_of_the_database(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, claim_instance(tmp_path) as instance:
        admin = {"listen": f"127.0.0.1:{taken.getsockname()[1]}"}
        application = Application(settings_for(NOWHERE, tmp_path, admin=admin), instance)
        with trio.fail_after(PATIENCE), pytest.raises(StartError) as caught:
            await starts(application)
    assert report._report(caught.value) == exit_codes.FAILED
    assert application.status.waits_for is None
