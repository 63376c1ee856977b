"""A provider that takes no key of ours, or perhaps not this request: nobody else pays for it."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import trio
from structlog.testing import capture_logs

from tests.http_server import Recorded, Reply, scripted_server
from tests.service import Service, request, running_service

REVOKED = Reply(status=401, body={"error": {"message": "it was revoked: canary"}})


def sections(url: str, key: Path, **queue: Any) -> Mapping[str, Any]:
    key.touch(0o600)
    key.write_text("secret-key")
    return {
        "providers": {
            "http": {
                "kind": "openai_compatible",
                "base_url": f"{url}/v1",
                "free": True,
                "pool_size": 8,
                "api_key_file": str(key),
                "key_rest_seconds": 0.3,
            },
            "other": {"kind": "echo"},
        },
        "routes": [
            {"complexity": "*", "task_type": "*", "models": ["http/m"]},
            {"complexity": "complex", "task_type": "*", "models": ["http/m", "other/echo"]},
        ],
        "queue": {"poll_interval": 0.05, **queue},
    }


async def status(service: Service) -> Any:
    return await service.application.status()


async def test_a_revoked_key_holds_what_has_no_other_way_and_makes_no_dead_letter(
    database_url: str, tmp_path: Path
) -> None:
    is_revoked = True

    def answer(_: Recorded) -> Reply:
        return REVOKED if is_revoked else Reply()

    with capture_logs() as logged:
        async with (
            scripted_server({"*": answer}) as server,
            running_service(
                database_url, tmp_path / "data", **sections(server.url, tmp_path / "key")
            ) as service,
        ):
            await service.sql.send_many(request(n) for n in range(200))
            await service.sql.send(request("elsewhere", complexity="complex"))
            await service.stored(1)  # it goes to the other model of its route
            await service.sql.until("SELECT count(*) > 20 FROM nexus.attempts")  # several rests
            told = await status(service)
            assert told["state"] == "degraded"
            assert "authentication_failed (HTTP 401)" in told["outages"]["keys of http"]["error"]
            assert "canary" not in told["outages"]["keys of http"]["error"]
            assert await service.sql.dead() == []
            is_revoked = False
            await service.stored(201)
            results = await service.sql.results()
            assert Counter((r["status"], r["provider"]) for r in results) == {
                ("ok", "http"): 200,
                ("ok", "other"): 1,
            }
            assert await service.sql.dead() == []
            assert (await status(service))["state"] == "ready"
            # Without a word of it, however many requests wait, and however often the key is tried.
            lines = Counter(it["event"] for it in logged if it["log_level"] != "debug")
            assert lines["key suspended"] == lines["key works again"] == 1
            assert lines.total() < 20


async def test_what_waits_for_a_key_says_so_and_is_taken_at_once_by_a_process_with_a_good_one(
    database_url: str, tmp_path: Path
) -> None:
    """However long the refused key still has to rest."""
    is_revoked = True

    def answer(_: Recorded) -> Reply:
        return REVOKED if is_revoked else Reply()

    async with scripted_server({"*": answer}) as server:
        told = sections(server.url, tmp_path / "key")
        providers = {"http": {**told["providers"]["http"], "key_rest_seconds": 300.0}}
        settings = {**told, "providers": providers, "routes": told["routes"][:1]}
        async with running_service(database_url, tmp_path / "one", **settings) as one:
            await one.sql.send_many(request(n) for n in range(5))
            await one.sql.until("SELECT count(*) = 5 FROM nexus.waiting WHERE reason = 'no_key'")
            (waits,) = await one.sql.rows(
                "SELECT DISTINCT detail LIKE '%suspended: authentication_failed%' AS told,"
                " until > now() + interval '4 min' AS long FROM nexus.waiting"
            )
            assert waits == {"told": True, "long": True}
            is_revoked = False
            async with running_service(database_url, tmp_path / "two", **settings) as two:
                await two.stored(5)
                owners = await two.sql.value("SELECT count(DISTINCT owner) FROM nexus.requests")
                assert owners == 1
                assert await two.sql.dead() == []


async def test_where_they_are_to_fail_they_do_in_words_of_ours(
    database_url: str, tmp_path: Path
) -> None:
    async with scripted_server({"*": REVOKED}) as server:
        settings = sections(server.url, tmp_path / "key", on_no_key="fail")
        settings["providers"]["http"]["key_rest_seconds"] = 300.0  # no request finds it tried again
        async with running_service(database_url, tmp_path / "data", **settings) as service:
            await service.sql.send(request(1))
            await service.stored(1)
            await service.sql.send(request(2), request(3, complexity="complex"))
            await service.stored(3)
            results = {it["request_id"]: it for it in await service.sql.results()}
            assert results["request-3"]["provider"] == "other"
            errors = [results[f"request-{n}"]["error"] for n in (1, 2)]
            assert [error["type"] for error in errors] == ["authentication_failed"] * 2
            assert ["canary" in error["message"] for error in errors] == [True, False]
            assert errors[0]["message"].startswith("the key from key was refused: ")
            assert errors[1]["message"].split(", for ")[1].endswith(" s more (key)")
            assert str(tmp_path) not in str(errors)
            assert "secret-key" not in str(errors)
            assert len(server.requests) == 1


async def test_who_has_no_time_to_wait_for_a_key_ends_so(database_url: str, tmp_path: Path) -> None:
    """By its own timeout, and without one by `max_throttled_hours`."""
    hours = 4.0 / 3600
    async with scripted_server({"*": REVOKED}) as server:
        told = sections(server.url, tmp_path / "key", max_throttled_hours=hours)
        told["providers"]["http"]["key_rest_seconds"] = 3.0  # which the one cannot wait for once
        async with running_service(database_url, tmp_path / "data", **told) as service:
            await service.sql.send(request(1, timeout=2500), request(2))
            await service.stored(2)
            errors = [it["error"] for it in await service.sql.results()]
            assert {error["type"] for error in errors} == {"authentication_failed"}
            for it in errors:
                own_call = it["message"].startswith("the key from ")
                assert own_call or it["message"].startswith(
                    "every key of provider http is suspended: "
                )
                assert own_call or "canary" not in it["message"]  # what another was told


async def test_what_is_throttled_for_ever_ends_and_holds_nobody_on_its_own_count(
    database_url: str, tmp_path: Path
) -> None:
    def answer(got: Recorded) -> Reply:
        content = got.json["messages"][-1]["content"]
        return Reply(status=429) if content == "large" else Reply()

    large = [{"role": "user", "content": "large"}]
    async with (
        scripted_server({"*": answer}) as server,
        running_service(
            database_url,
            tmp_path / "data",
            **sections(server.url, tmp_path / "key", max_throttled_hours=1.0 / 3600),
        ) as service,
    ):
        await service.sql.send(request("large", messages=large))
        await service.sql.until("SELECT count(*) >= 1 FROM nexus.attempts")
        async with trio.open_nursery():
            for number in range(3):
                await service.sql.send(request(number))
                await service.stored(number + 1)
                assert service.application.gates.describe("http", trio.current_time()) == {}
        await service.stored(4)
        results = {it["request_id"]: it for it in await service.sql.results()}
        assert {results[f"request-{n}"]["attempts"] for n in range(3)} == {1}
        error = results["request-large"]["error"]
        assert error["type"] == "rate_limited"
        assert "the provider throttled it" in error["message"]
        assert service.application.in_work.concurrency("http").limit == 8


async def test_whichever_provider_takes_its_key_again_first_gets_what_waits(
    database_url: str, tmp_path: Path
) -> None:
    """Also the one that was passed over before the other's key was refused, too."""
    repaired: set[str] = set()

    def answer(got: Recorded) -> Reply:
        return Reply() if got.json["model"] in repaired else REVOKED

    async with scripted_server({"*": answer}) as server:
        told = sections(server.url, tmp_path / "key")
        http = told["providers"]["http"]
        routes = [{"complexity": "*", "task_type": "*", "models": ["http/m", "second/n"]}]
        providers = {"http": http, "second": {**http, "key_rest_seconds": 300.0}}
        settings = {**told, "providers": providers, "routes": routes}
        async with running_service(database_url, tmp_path / "data", **settings) as service:
            await service.sql.send_many(request(n) for n in range(5))
            await service.sql.until("SELECT count(*) >= 1 FROM nexus.attempts WHERE model = 'n'")
            told = await status(service)
            assert {"keys of http", "keys of second"} <= set(told["outages"])
            repaired.add("m")
            await service.stored(5)
            results = await service.sql.results()
            assert {(it["status"], it["provider"]) for it in results} == {("ok", "http")}
