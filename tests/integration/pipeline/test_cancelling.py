"""Requests are cancelled while a service works on them: by SQL, by the command, by the client."""

import contextvars
import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio

from nexus_actors.cli import exit_codes
from nexus_actors.cli.report import run
from nexus_actors.client import InvalidArguments, RequestFailed
from tests.http_server import Reply, ScriptedServer, scripted_server
from tests.integration.client.client_helpers import QUESTION, client
from tests.service import PATIENCE, Service, request, running_service

HANGS = Reply(breaks="hang")
PRICE = {"input_price": 10_000.0, "output_price": 10_000.0}
CANCEL = "SELECT id, nexus.cancel(id, 'too dear', 'joe') FROM unnest($1::text[]) AS id"


def sections(server: ScriptedServer) -> dict[str, Any]:
    http = {"kind": "openai_compatible", "base_url": f"{server.url}/v1", "free": True}
    return {
        "providers": {"http": {**http, "pool_size": 2, "models": {"m": PRICE}}},
        "routes": [{"models": ["http/m"]}],
    }


async def all_busy(service: Service, server: ScriptedServer) -> None:
    """Both workers call, and two more requests wait here for a worker."""
    with trio.fail_after(PATIENCE):
        while len(server.requests) < 2:
            await trio.sleep(0.01)
    full = "SELECT count(*) = 4 FROM nexus.requests WHERE state = 'leased'"
    await service.sql.until(full)


async def test_wherever_a_request_is_it_ends_as_cancelled_and_the_service_goes_on(
    database_url: str, tmp_path: Path
) -> None:
    replies = [HANGS, HANGS, Reply(), HANGS]
    async with (
        scripted_server({"*": replies}) as server,
        running_service(
            database_url, tmp_path, **sections(server), budgets={"mine": {"dollars": 100.0}}
        ) as service,
    ):
        sql, names = service.sql, [f"request-{n}" for n in range(10)]
        await sql.send_many(request(n, max_tokens=2) for n in range(10))
        await all_busy(service, server)
        spending = "SELECT reserved::float8, spent::float8 FROM nexus.spending"
        [(reserved, _)] = [tuple(row.values()) for row in await sql.rows(spending)]
        found = [row["cancel"] for row in await sql.rows(CANCEL, names)]
        assert Counter(found) == {"running": 4, "queued": 6}
        await service.stored(10)
        results = {it["request_id"]: it["error"] for it in await sql.results()}
        assert results.keys() == set(names)
        assert {it["type"] for it in results.values()} == {"cancelled"}
        told = {"cancelled by joe: too dear"}
        assert {it["message"] for it in results.values()} == told
        assert [it["reason"] for it in await sql.dead()] == ["cancelled"] * 10
        assert await sql.value("SELECT count(*) FROM nexus.requests WHERE state = 'failed'") == 10
        # Each call that was begun may have been paid, and no other was.
        attempts = await sql.rows("SELECT outcome, maybe_paid, cost FROM nexus.attempts")
        assert attempts == [{"outcome": "cancelled", "maybe_paid": True, "cost": None}] * 2
        assert len(server.requests) == 2
        assert await sql.rows(spending) == [{"reserved": 0.0, "spent": reserved}]
        assert await sql.value("SELECT count(*) FROM nexus.cancellations") == 0
        # What is answered stays so.
        await sql.send(request("next"))
        await service.stored(11)
        assert await sql.rows(CANCEL, ["request-next"]) == [
            {"id": "request-next", "cancel": "ended"}
        ]
        assert (await sql.results())[-1]["status"] == "ok"
        await the_client_cancels(database_url, tmp_path, server)


async def the_client_cancels(url: str, folder: Path, server: ScriptedServer) -> None:
    """A stream that hangs, and what nobody knows."""
    async with client(url, folder, sections=sections(server)) as one:
        async with one.stream("simple", QUESTION, request_id="streamed") as stream:
            with trio.fail_after(PATIENCE):
                while len(server.requests) < 4:
                    await trio.sleep(0.01)
            assert await one.cancel("streamed", "too dear") == "running"
            with pytest.raises(RequestFailed, match="too dear") as caught:
                await anext(aiter(stream))
        assert caught.value.type == "cancelled"
        assert await one.cancel("streamed") == "ended"
        assert await one.cancel("nobody's") == "unknown"
        with pytest.raises(InvalidArguments, match="1 to 255 characters"):
            await one.cancel("")


@dataclass
class Commands:
    """The command line, in a thread as if trio were nowhere, beside the service's log."""

    capsys: Any
    out: str = ""
    err: str = ""

    async def run(self, *words: str) -> int:
        self.capsys.readouterr()
        code = await trio.to_thread.run_sync(lambda: contextvars.Context().run(run, words))
        told = self.capsys.readouterr()
        lines = told.out.splitlines(keepends=True)
        self.out = "".join(it for it in lines if not re.match(r"\d{4}-\d\d-\d\d ", it))
        self.err = told.err
        return code


async def test_an_operator_cancels_by_name_and_by_filter_and_sends_again_what_was_meant(
    database_url: str, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        scripted_server({"*": HANGS}) as server,
        running_service(database_url, tmp_path, **sections(server)) as service,
    ):
        monkeypatch.setenv("NEXUS_CONFIG", str(tmp_path / "nexus.toml"))
        (tmp_path / "nexus.toml").write_text(
            f"[database]\nurl = '{database_url}'\n[providers.http]\nkind = 'openai_compatible'\n"
            f"base_url = '{server.url}/v1'\nfree = true\n[[routes]]\nmodels = ['http/m']\n"
        )
        nexus = Commands(capsys)
        await service.sql.send(request("bad", messages=[], timeout=1500))
        await service.stored(1)
        await service.sql.send_many(request(n, agent_id="ab"[n % 2]) for n in range(9))
        await all_busy(service, server)
        assert await nexus.run("cancel", "request-0", "request-8", "--why", "too dear") == 0
        assert nexus.out == (
            "request-0 is interrupted\n"
            "request-8 ends as cancelled when a service leases it, now if one has room\n"
        )
        await service.stored(2)
        assert await nexus.run("cancel", "request-0", "x\x1b[2J", "--json") == 1
        assert [it["found"] for it in json.loads(nexus.out)] == ["ended", "unknown"]
        assert await nexus.run("cancel", "y", "z") == exit_codes.TIMED_OUT
        assert [line.split()[1] for line in nexus.err.splitlines()] == ["y", "z"]
        assert await nexus.run("cancel", "--agent", "a") == 2  # nobody is there to be asked
        assert "3 requests are meant" in nexus.err
        assert await nexus.run("cancel", "--agent", "a", "--yes") == 0
        assert nexus.out == "cancelled: 3\n"
        assert await nexus.run("cancel", "--provider", "ehco", "--yes") == exit_codes.TIMED_OUT
        assert "there is no provider ehco" in nexus.err
        assert await nexus.run("cancel", "--all", "--older-than", "1d") == 0
        assert "there is no request of that kind" in nexus.err
        assert await nexus.run("cancel", "--state", "running", "--json", "--yes") == 0
        assert json.loads(nexus.out)["cancelled"] >= 2
        assert await nexus.run("cancel", "--all", "--yes") == 0
        await service.stored(10)
        assert await nexus.run("cancel") == 2
        assert await nexus.run("cancel", "request-1", "--all") == 2
        # What was cancelled is sent again only if that is said.
        assert await nexus.run("dead", "retry", "--all", "--yes") == 0
        assert nexus.out.count(" is sent as ") == 1
        assert "skipped, because they were cancelled: 9 (--reason cancelled)" in nexus.err
        assert await nexus.run("dead", "show", "request-0") == 0
        assert json.loads(nexus.out)["detail"]["message"].endswith(": too dear")
        await service.stored(11)
        assert await nexus.run("dead", "show", "request-bad") == exit_codes.TIMED_OUT
        assert (
            await nexus.run("dead", "retry", "--reason", "cancelled", "--limit", "1", "--yes") == 0
        )
        assert nexus.out.count(" is sent as ") == 1
        assert await nexus.run("cancel", "--all", "--yes") == 0
        await service.stored(12)
