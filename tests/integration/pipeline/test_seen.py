"""What operators see of a service that runs: its nodes, and what goes on, from the terminal."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import trio

from nexus_actors.cli import exit_codes, report
from tests.service import Service, request, running_service

FAILING = {
    "echo": {"kind": "echo", "pool_size": 4},
    "failing": {"kind": "echo", "pool_size": 2, "failure_rate": 1.0, "max_retries": 0},
}
ROUTES = [
    {"complexity": "simple", "models": ["echo/echo"]},
    {"complexity": "*", "models": ["failing/echo"]},
]


class Operator:
    """Runs commands beside the service, with a config that leads to it."""

    def __init__(self, url: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._config = folder / "nexus.toml"
        self._config.write_text(
            f"[service]\ndata_dir = {json.dumps(str(folder))}\n"
            f"[database]\nurl = {json.dumps(url)}\n[providers.echo]\nkind = 'echo'"
            "\n[[routes]]\nmodels = ['echo/echo']"
        )

    async def run(self, *command: str, refused: bool = False) -> tuple[int, str]:
        """The exit code, and what was printed, with the service's log between."""
        self._capsys.readouterr()
        words = [*command, "--config", str(self._config)]
        code = await trio.to_thread.run_sync(report.run, words)
        out, errors = self._capsys.readouterr()
        assert ("nexus: " in errors) is refused, errors
        return code, out

    async def json(self, *command: str) -> Any:
        _, out = await self.run(*command, "--json")
        found = re.search(r"^[\[{]", out, re.MULTILINE)
        assert found is not None, out
        document, _ = json.JSONDecoder().raw_decode(out[found.start() :])
        return document


async def test_a_node_is_seen_from_its_start_to_its_stop_and_as_lost(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    operator = Operator(database_url, tmp_path, capsys)
    async with running_service(
        database_url, tmp_path, providers=FAILING, routes=ROUTES, service={"name": "seen"}
    ) as service:
        await service.sql.until("SELECT state = 'ready' FROM nexus.node_states")
        [node] = await operator.json("nodes")
        assert (node["node"], node["state"]) == (service.application.instance.id, "ready")
        assert node["name"] == f"seen@{node['host']}"
        assert node["concurrency"] == {"echo": 4, "failing": 2}
        assert "prune" in node["chores"]  # and sum, a moment later
        assert await service.sql.value("SELECT nexus.node_id($1)", node["host"]) == node["node"]
        await another_node_that_says_nothing_more(service)
        code, shown = await operator.run("status", "--all")
        assert code == exit_codes.DEGRADED
        assert "other\\u202e@away" in shown
        assert "lost" in shown
        assert f"{node['name']} is leader for: prune" in shown
        await service.sql.send(request(1), request(2, complexity="medium"))
        await service.stored(2)
        told = await service.application.status()
        assert (told["totals"]["sent_to"]) == {"echo": 1, "failing": 1}
        assert told["providers"]["failing"]["calls_made"] == 1
        assert told["providers"]["failing"]["calls_answered"] == 0
        await orders_by_the_socket_are_on_record(operator, service)
    code, shown = await operator.run("nodes")
    assert code == 0
    assert "stopped" in shown
    assert "provider_error (failing)" in shown


async def orders_by_the_socket_are_on_record(operator: Operator, service: Service) -> None:
    node, status = service.application.instance.id, service.application.status
    await operator.run("restart", "Router", "--why", "stuck")
    await operator.run("actor", "stop", "Pruner")
    assert "nexus actor start Pruner" in str(status.outages()["actor Pruner"]["error"])
    assert status.state(status.outages()) == "degraded"
    await operator.run("actor", "start", "Pruner", "--why", "enough")
    assert "actor Pruner" not in status.outages()
    await operator.run("actor", "stop", "Router", refused=True)
    await operator.run("restart", "Ruoter", "--node", node, refused=True)
    acts = (await operator.json("audit"))[::-1]
    refused = [it["detail"].pop("refused", None) for it in acts]
    assert [it is not None for it in refused] == [False, False, False, False, True, True]
    command = acts[-1]["detail"].pop("command")
    assert isinstance(command, int)
    assert [(it["action"], it["subject"], it["detail"]) for it in acts] == [
        ("restart", f"Router on {node}", {"why": "stuck"}),
        ("stop", f"Pruner on {node}", {}),
        ("start", f"Pruner on {node}", {"why": "enough"}),
        ("stop", f"Router on {node}", {}),
        ("stop refused", f"Router on {node}", {}),
        ("restart refused", f"Ruoter on {node}", {}),
    ]
    _, shown = await operator.run("audit")
    assert acts[0]["role"] in shown.split()


async def another_node_that_says_nothing_more(service: Service) -> None:
    await service.sql.rows(
        "INSERT INTO nexus.nodes (node, name, host, version, pid, queue, started_at, beat_at,"
        " state, in_flight, concurrency, restarts) VALUES ('x', E'other\\u202e@away', 'away', '1',"
        " 1, 'q', now(), now() - interval '11 s', 'ready', 0, '{}', 0)"
    )


async def test_top_tells_of_what_goes_on(
    database_url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nexus_actors.cli.top.FIRST_INTERVAL", 0.4)
    operator = Operator(database_url, tmp_path, capsys)
    async with running_service(database_url, tmp_path, providers=FAILING, routes=ROUTES) as service:
        await service.sql.send_many([request(n) for n in range(5)])
        await service.stored(5)
        await service.sql.rows("UPDATE nexus.attempts SET cost = 0.25")
        told: dict[str, Any] = {}

        async def look() -> None:
            told.update(await operator.json("top", "--once"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(look)
            await trio.sleep(0.5)
            await service.sql.send(request("late"), request("bad", complexity="medium"))
            await service.sql.send({"request_id": "dead"})
        _, shown = await operator.run("top", "--once")
    assert told["service"]["state"] in ("ready", "degraded")
    assert told["trouble"] == []
    assert told["queues"]["ai_requests"]["total"] >= 0
    echo = told["providers"]["echo"]
    assert echo["limit"] == 4
    assert echo["spent_hour"] == echo["spent_day"] == 1.25
    assert "ai_requests_dead" in shown
    assert "failing" in shown
    # Where no service runs, the database's part is told.
    alone = await operator.json("top", "--once")
    assert alone["service"] is None
    assert "no service is running" in alone["trouble"][0]
    assert alone["queues"]["ai_requests_dead"]["oldest_seconds"] > 0
    assert alone["providers"]["echo"]["running"] is None
    assert alone["providers"]["echo"]["spent_hour"] >= 1.25
