"""A new config under load: what is under way goes on, and what begins goes by it."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio

from nexus_actors.operations import control
from nexus_actors.operations.control_client import ControlError
from nexus_actors.operations.reloading import Reloaded
from nexus_actors.pipeline.provider_tree.keeper import ProviderKeeper
from nexus_actors.settings import Settings, SettingsErrors, load_settings
from tests.http_server import Recorded, Reply, ScriptedServer, scripted_server
from tests.service import PATIENCE, Service, by_http, request, running_service

RESTARTED = ("http.Worker.1", "http.Pool", "http.Supervisor", "Providers.Supervisor", "Pruner")
ROUTES = [{"complexity": "*", "task_type": "*", "models": ["http/m"]}]


def toml(value: Any) -> str:
    """A value of TOML, which JSON is but for tables."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {toml(it)}" for name, it in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


@dataclass
class Reloadable:
    """A service and its config file."""

    service: Service
    file: Path

    async def reload(self, **sections: Any) -> Reloaded | SettingsErrors:
        write(self.file, sections)
        return await self.service.application.reloading.reload()

    async def workers(self, provider: str, count: int) -> None:
        """Wait until the tree has so many of them."""
        with trio.fail_after(PATIENCE):
            while True:
                names = await self.service.names()
                if sum(it.startswith(f"{provider}.Worker.") for it in names) == count:
                    return
                await trio.sleep(0.01)

    async def gone(self, provider: str) -> None:
        """Wait until nothing of it is in the tree."""
        with trio.fail_after(PATIENCE):
            while any(it.startswith(f"{provider}.") for it in await self.service.names()):
                await trio.sleep(0.01)


def write(file: Path, sections: Mapping[str, Any]) -> None:
    file.write_text("\n".join(f"{name} = {toml(it)}" for name, it in sections.items()))


@asynccontextmanager
async def reloadable(url: str, folder: Path, **sections: Any) -> AsyncIterator[Reloadable]:
    file = folder / "nexus.toml"
    write(file, sections)
    settings = load_settings(file, {})
    assert isinstance(settings, Settings), settings
    async with running_service(url, folder / "data", settings=settings) as service:
        yield Reloadable(service, file)


def config(url: str, folder: Path, server: ScriptedServer, **changed: Any) -> dict[str, Any]:
    """Two providers, of which one asks for a key; `changed` are whole sections."""
    key = folder / "key"
    if not key.exists():
        key.touch(0o600)
        key.write_text("key-number-0000")
    http = {
        "kind": "openai_compatible",
        "base_url": f"{server.url}/v1",
        "free": True,
        "pool_size": 6,
        "api_key_file": str(key),
    }
    return {
        "service": {"data_dir": str(folder / "data"), "drain_timeout": 2 * PATIENCE},
        "database": {"url": url},
        "queue": {"poll_interval": 0.05},
        "providers": {"http": http, "other": {"kind": "echo", "pool_size": 2, "latency": 0.01}},
        "routes": [{"complexity": "*", "task_type": "*", "models": ["http/m", "other/echo"]}],
        **changed,
    }


async def test_reloads_under_load_lose_nothing_and_cancel_nothing(
    database_url: str, tmp_path: Path
) -> None:
    """Sizes, keys, limits, routes and providers change; each request is answered once."""
    reloads, each = 8, 15

    def answer(_: Recorded) -> Reply:
        return Reply(delay=0.03)

    async with scripted_server({"*": answer}) as server:
        first = config(database_url, tmp_path, server)
        async with reloadable(database_url, tmp_path, **first) as it:
            sql = it.service.sql
            for n in range(reloads):
                await sql.send_many(request(f"{n}-{k}") for k in range(each))
                (tmp_path / "key").write_text(f"key-number-{n:04}")
                providers = dict(first["providers"])
                http = {**providers["http"], "pool_size": 1 + 3 * n % 10}
                if n % 3 == 1:
                    http["requests_per_minute"] = 60_000
                providers["http"] = http
                models = ["http/m", "other/echo"]
                if n % 4 < 2:
                    providers["third"] = {"kind": "echo", "pool_size": 3, "latency": 0.02}
                    models = ["third/echo", "http/m"]
                if n % 5 == 4:
                    del providers["other"]
                    models = [model for model in models if not model.startswith("other")]
                routes = [{"complexity": "*", "task_type": "*", "models": models}]
                done = await it.reload(**{**first, "providers": providers, "routes": routes})
                assert isinstance(done, Reloaded), done
                await trio.sleep(0.02)
            await it.service.stored(reloads * each)
            results = await sql.results()
            assert Counter(r["request_id"] for r in results).most_common(1)[0][1] == 1
            assert {r["status"] for r in results} == {"ok"}
            outcomes = await sql.rows("SELECT outcome, count(*) FROM nexus.attempts GROUP BY 1")
            assert outcomes == [{"outcome": "ok", "count": reloads * each}]
            await it.workers("third", 3 if n % 4 < 2 else 0)
            await it.workers("http", 1 + 3 * n % 10)
            restarts = it.service.application.metrics.restarts
            assert not restarts, restarts


async def test_what_waits_for_a_provider_that_was_removed_before_it_started_is_routed_anew(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle, may_settle = ProviderKeeper._settle, trio.Event()

    async def settle_later(keeper: ProviderKeeper) -> bool:
        await may_settle.wait()
        return await settle(keeper)

    async with scripted_server({"*": lambda _: Reply()}) as server:
        first = config(database_url, tmp_path, server)
        late = {"kind": "echo", "pool_size": 3}
        routes = [{"complexity": "*", "task_type": "*", "models": ["late/echo"]}]
        async with reloadable(database_url, tmp_path, **first) as it:
            monkeypatch.setattr(ProviderKeeper, "_settle", settle_later)
            providers = {**first["providers"], "late": late}
            await it.reload(**{**first, "providers": providers, "routes": routes})
            await it.service.sql.send_many(request(n) for n in range(3))
            await it.service.sql.until(
                "SELECT count(*) = 3 FROM nexus.requests WHERE state = 'waiting' AND lane = 'late'"
            )
            await it.reload(**first)
            may_settle.set()
            await it.service.stored(3)


async def test_a_changed_config_holds_for_what_begins_and_cuts_nothing(
    database_url: str, tmp_path: Path
) -> None:
    async def calls(server: ScriptedServer, count: int) -> None:
        with trio.fail_after(PATIENCE):
            while len(server.requests) < count:
                await trio.sleep(0.005)

    may_answer = trio.Event()

    def answer(_: Recorded) -> Reply:
        return Reply(after=may_answer)

    async with scripted_server({"*": answer}) as server:
        first = config(database_url, tmp_path, server)
        http = first["providers"]["http"]

        def with_http(**changed: Any) -> dict[str, Any]:
            return {**first, "providers": {"http": {**http, **changed}}, "routes": ROUTES}

        async with reloadable(database_url, tmp_path, **with_http(pool_size=4)) as it:
            sql, application = it.service.sql, it.service.application
            # Fewer workers: those that call end their calls, then leave; no more than that begin.
            await sql.send_many(request(n) for n in range(6))
            await calls(server, 4)
            (tmp_path / "key").write_text("key-number-0001")
            done = await it.reload(**with_http(pool_size=1))
            assert isinstance(done, Reloaded)
            assert [str(change) for change in done.changes] == [
                "providers.http.pool_size: 4 → 1",
                f"providers.http: {tmp_path / 'key'}: another one (not shown)",
            ]
            assert application.in_work.running == 4
            assert application.in_work.concurrency("http").limit == 1
            may_answer.set()
            await it.workers("http", 1)
            await it.service.stored(6)
            keys = [it.headers["authorization"] for it in server.requests]
            assert keys == ["Bearer key-number-0000"] * 4 + ["Bearer key-number-0001"] * 2
            # What holds is what was said last, also for a supervisor that is started anew.
            supervisor = await it.service.actor("http.Supervisor")
            supervisor.kill()
            await supervisor.wait()
            await it.workers("http", 1)
            # On any mistake the old one stays, and each is told.
            mistaken = {**with_http(pool_size=0), "queue": {"batch_size": "many"}}
            errors = await it.reload(**mistaken)
            assert isinstance(errors, SettingsErrors)
            assert {one.path for one in errors.mistakes} == {
                "providers.http.pool_size",
                "queue.batch_size",
            }
            assert application.settings.queue.poll_interval == 0.05
            # What needs a restart is told, and stays.
            done = await it.reload(
                **{**with_http(pool_size=2), "database": {"url": database_url, "pool_size": 3}}
            )
            assert isinstance(done, Reloaded)
            assert [change.path for change in done.needs_restart] == ["database.pool_size"]
            assert application.settings.database.pool_size == 8
            await it.workers("http", 2)
            # More of them may crash at once.
            await it.reload(**with_http(pool_size=9))
            await it.workers("http", 9)
            supervisor = await it.service.actor("http.Supervisor")
            for n in range(1, 10):
                (await it.service.actor(f"http.Worker.{n}")).kill()
            await it.workers("http", 9)
            assert supervisor.is_alive
            outcomes = await sql.rows("SELECT outcome, count(*) FROM nexus.attempts GROUP BY 1")
            assert outcomes == [{"outcome": "ok", "count": 6}]


async def test_what_has_not_begun_is_routed_anew_wherever_it_waits(
    database_url: str, tmp_path: Path
) -> None:
    """In a queue of ours, or in the store; what runs ends where it began."""

    def provider(name: str) -> dict[str, Any]:
        slow = by_http(server, pool_size=1)["providers"]["http"]
        return slow if name == "slow" else {"kind": "echo", "pool_size": 1}

    def sections(*providers: str) -> dict[str, Any]:
        return {
            "service": {"data_dir": str(tmp_path / "data"), "drain_timeout": 1.0},
            "database": {"url": database_url},
            "queue": {"poll_interval": 0.05},
            "providers": {name: provider(name) for name in providers},
            "routes": [
                {"complexity": "*", "task_type": "*", "models": [f"{providers[0]}/echo"]},
                {"complexity": "complex", "task_type": "*", "models": [f"{providers[-1]}/echo"]},
            ],
        }

    async with (
        scripted_server() as server,
        reloadable(database_url, tmp_path, **sections("slow", "quick")) as it,
    ):
        sql = it.service.sql

        async def send(*numbers: int) -> trio.Event:
            server.script["*"] = Reply(after=(may_answer := trio.Event()))
            await sql.send_many(request(n) for n in numbers)
            await it.service.running_calls(1)
            await sql.until("SELECT count(*) >= 3 FROM nexus.requests WHERE state = 'waiting'")
            return may_answer

        may_answer = await send(*range(1, 7))
        await it.reload(**sections("quick", "slow"))  # it is still there, but not for them
        may_answer.set()
        await it.service.stored(6)
        assert Counter(r["provider"] for r in await sql.results()) == {"slow": 1, "quick": 5}
        await it.reload(**sections("slow", "quick"))
        may_answer = await send(*range(7, 13))
        await it.reload(**sections("quick"))
        may_answer.set()
        await it.service.stored(12)
        assert Counter(r["provider"] for r in await sql.results()) == {"slow": 2, "quick": 10}
        await it.gone("slow")
        assert it.service.application.in_work.providers == ("quick",)


async def test_who_waits_for_a_limit_goes_by_the_new_one_or_elsewhere(
    database_url: str, tmp_path: Path
) -> None:
    def sections(model: str, **providers: Any) -> dict[str, Any]:
        return {
            "service": {"data_dir": str(tmp_path / "data"), "drain_timeout": 1.0},
            "database": {"url": database_url},
            "providers": {"quick": {"kind": "echo"}, **providers},
            "routes": [{"complexity": "*", "task_type": "*", "models": [model]}],
        }

    few = {"kind": "echo", "pool_size": 2, "requests_per_minute": 1}
    limited = sections("few/echo", few=few)
    async with reloadable(database_url, tmp_path, **limited) as it:
        await it.service.sql.send_many(request(n) for n in range(4))
        await it.service.stored(1)
        await it.service.running_calls(2)
        await it.reload(**sections("few/echo", few={**few, "requests_per_minute": 60_000}))
        await it.service.stored(4)
        await it.reload(**limited)
        await it.service.sql.send_many(request(n) for n in range(4, 9))
        await it.service.running_calls(2)
        await it.reload(**sections("quick/echo"))
        await it.service.stored(9)
        await it.gone("few")


async def test_an_actor_is_restarted_by_its_name_and_calls_below_it_end_first(
    database_url: str, tmp_path: Path
) -> None:
    async def restart(actor: str, **arguments: Any) -> Any:
        return await control.ask(tmp_path / "data", "restart", {"actor": actor, **arguments})

    async with scripted_server({"*": lambda _: Reply(delay=0.1)}) as server:
        sections = config(database_url, tmp_path, server)
        sections["providers"]["http"]["pool_size"] = 2
        async with reloadable(database_url, tmp_path, **{**sections, "routes": ROUTES}) as it:
            service = it.service
            before = {name: await service.actor(name) for name in RESTARTED}
            await service.sql.send_many(request(n) for n in range(6))
            await service.running_calls(2)
            for name in RESTARTED:
                told = await restart(name)
                assert told == {"actor": name, "ended": True}
            await service.stored(6)
            await it.workers("http", 2)
            for name, ref in before.items():
                assert (await service.actor(name)) != ref
            outcomes = await service.sql.rows("SELECT DISTINCT outcome FROM nexus.attempts")
            assert outcomes == [{"outcome": "ok"}]
            killed = await service.actor("Router")
            assert (await restart("Router", now=True))["ended"]
            assert not killed.is_alive
            with pytest.raises(ControlError, match=r"no actor is called http.Woker.1; .*Worker.1"):
                await restart("http.Woker.1")
            with pytest.raises(ControlError, match="is the service itself"):
                await restart("Nexus.Supervisor")
