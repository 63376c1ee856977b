"""A model newer than this release: what it refuses is learnt from its first answer, by all
processes, and by nothing but an answer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from structlog.testing import capture_logs

from nexus_actors.storage.postgres.quirk_store import forget_quirks
from tests.http_server import Recorded, Reply, ScriptedServer, completion, scripted_server
from tests.service import PATIENCE, Service, request, running_service

NEW = "future-model-9"
LEARNT = "SELECT count(*) FROM nexus.model_quirks"
TOLD = "temperature: refused by the model (unsupported_parameter)"


def error(param: str | None, code: str | None, message: str = "no", status: int = 400) -> Reply:
    said = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return Reply(status=status, body={"error": said})


def unsupported(param: str, instead: str = "") -> Reply:
    # https://platform.openai.com/docs/guides/error-codes, and as the API words it
    message = f"Unsupported parameter: '{param}' is not supported with this model.{instead}"
    return error(param, "unsupported_parameter", message)


def new_model(asked: Recorded) -> Reply:
    """It takes no temperature, and the limit by its newer name."""
    if "temperature" in asked.json:
        return unsupported("temperature")
    if "max_tokens" in asked.json:
        return unsupported("max_tokens", " Use 'max_completion_tokens' instead.")
    return Reply(body=completion())


def thinking_model(asked: Recorded) -> Reply:
    """It takes a temperature only while it does not think."""
    thinks = asked.json.get("reasoning_effort", "high") != "none"
    return unsupported("temperature") if thinks and "temperature" in asked.json else Reply()


def value_model(asked: Recorded) -> Reply:
    """It takes the usual temperature only."""
    if asked.json.get("temperature", 1) == 1:
        return Reply()
    return error("temperature", "unsupported_value", "Unsupported value: 'temperature'")


@asynccontextmanager
async def served(
    server: ScriptedServer, url: str, data_dir: Path, **sections: Any
) -> AsyncIterator[Service]:
    provider = {"kind": "openai_compatible", "base_url": f"{server.url}/v1", "max_retries": 0}
    async with running_service(
        url,
        data_dir,
        providers={"p": provider},
        routes=[{"models": [f"p/{NEW}"]}],
        **sections,
    ) as service:
        yield service


async def known(service: Service, count: int) -> None:
    """Wait until the service knows so many fields that are not taken."""
    with trio.fail_after(PATIENCE):
        while len(service.application.quirks) != count:
            await trio.sleep(0.01)


async def ask(service: Service, name: str, **fields: Any) -> dict[str, Any]:
    """The result of one request."""
    await service.sql.send(request(name, **({"temperature": 0.7} | fields)))
    await service.sql.until(
        "SELECT EXISTS (SELECT FROM nexus.requests WHERE request_id = $1"
        " AND finished_at IS NOT NULL)",
        f"request-{name}",
    )
    results = {one["request_id"]: one for one in await service.sql.results()}
    return results[f"request-{name}"]


async def test_a_new_model_is_answered_by_the_second_call_and_by_the_first_for_all_after(
    database_url: str, tmp_path: Path
) -> None:
    async with scripted_server({NEW: new_model}) as server:
        async with served(server, database_url, tmp_path / "one") as one:
            first = await ask(one, "a")
            assert (first["status"], first["attempts"]) == ("ok", 2)
            assert TOLD in first["dropped"]
            assert [("temperature" in it.json) for it in server.requests] == [True, False]
            tried = await one.sql.attempts("request-a")
            assert [(it["outcome"], it["spared"]) for it in tried] == [
                ("request_rejected", True),
                ("ok", False),
            ]
            second = await ask(one, "b")
            assert (second["attempts"], second["dropped"]) == (1, first["dropped"])
            await one.sql.until(f"SELECT ({LEARNT}) = 1")
        async with served(server, database_url, tmp_path / "two") as later:
            assert (await ask(later, "c"))["attempts"] == 1
    assert len(server.requests) == 4


async def test_processes_that_run_learn_and_forget_together(
    database_url: str, tmp_path: Path
) -> None:
    others = {"requests": "b_requests", "results": "b_results", "dead": "b_dead"}
    async with (
        scripted_server({NEW: new_model}) as server,
        served(server, database_url, tmp_path / "one") as one,
        served(server, database_url, tmp_path / "two", queue=others) as two,
    ):
        await ask(one, "a")
        await known(two, 1)
        await two.sql.send(request("b", temperature=0.7), queue="b_requests")
        await two.sql.until("SELECT count(*) = 1 FROM pgmq.a_b_requests")
        assert [it["outcome"] for it in await two.sql.attempts("request-b")] == ["ok"]
        assert len(server.requests) == 3

        await one.application.database.run(forget_quirks, "p", NEW, "temperature")
        await known(one, 0)
        await known(two, 0)
        assert (await ask(one, "c"))["attempts"] == 2


async def test_requests_at_once_are_all_answered_and_learn_it_once(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        scripted_server({NEW: new_model}) as server,
        served(server, database_url, tmp_path) as service,
    ):
        with capture_logs() as log:
            await service.sql.send_many(request(n, temperature=0.1) for n in range(60))
            await service.stored(60)
            with trio.fail_after(PATIENCE):
                while service.application.quirks.unwritten():
                    await trio.sleep(0.01)
        told = [it for it in log if it["event"] == "learnt what a model does not take"]
        fields = {"provider": "p", "model": NEW, "field": "temperature"}
        assert [it | fields | {"log_level": "info"} for it in told] == told
        assert len(told) == await service.sql.value(LEARNT) == 1
        results = await service.sql.results()
        assert {it["status"] for it in results} == {"ok"}
        assert all(TOLD in it["dropped"] for it in results)
        workers = service.application.settings.providers["p"].settings.pool_size
        refused = await service.sql.value("SELECT count(*) FROM nexus.attempts WHERE spared")
        assert 1 <= refused <= workers
        assert len(server.requests) == 60 + refused


async def test_the_limit_goes_under_its_other_name_and_nothing_is_lost(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        scripted_server({NEW: new_model}) as server,
        served(server, database_url, tmp_path) as service,
    ):
        first = await ask(service, "a", max_tokens=77)
        second = await ask(service, "b", max_tokens=77)
        assert (first["attempts"], second["attempts"]) == (3, 1)
        assert "max_tokens" not in str([first["dropped"], second["dropped"]])
        limits = [it.json.get("max_completion_tokens") for it in server.requests]
        assert limits == [None, None, 77, 77]


async def test_it_is_learnt_for_the_effort_it_was_asked_with(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        scripted_server({NEW: thinking_model}) as server,
        served(server, database_url, tmp_path) as service,
    ):
        await ask(service, "a")
        await ask(service, "b", reasoning_effort="none")
        assert "temperature" in server.requests[-1].json
        await ask(service, "c", reasoning_effort="low")
        await service.sql.until(f"SELECT ({LEARNT}) = 2")
        rows = await service.sql.rows("SELECT effort FROM nexus.model_quirks ORDER BY effort")
        assert [row["effort"] for row in rows] == ["", "low"]


async def test_after_a_day_it_is_asked_for_anew(database_url: str, tmp_path: Path) -> None:
    async with (
        scripted_server({NEW: [unsupported("temperature"), Reply()]}) as server,
        served(server, database_url, tmp_path) as service,
    ):
        await ask(service, "a")
        await known(service, 1)
        await service.sql.until(f"SELECT ({LEARNT}) = 1")
        await service.sql.rows(
            "UPDATE nexus.model_quirks SET learnt_at = learnt_at - interval '1 day'"
        )
        await known(service, 0)
        third = await ask(service, "b")  # it takes a temperature now
        assert (third["attempts"], "temperature" in server.requests[-1].json) == (1, True)
        assert TOLD not in third["dropped"]


QUOTED = "Unsupported parameter: 'temperature' is not supported with this model."
POISON: dict[str, tuple[Any, int]] = {
    # What the provider answers, and with how many calls it ends.
    "quotes the prompt": (error(None, None, f"Invalid message: {QUOTED}"), 1),
    "quotes it with a code": (error(None, "invalid_value", f"'{QUOTED}' is no name"), 1),
    "names the conversation": (unsupported("messages"), 1),
    "names a message": (unsupported("messages[0].content"), 1),
    "names the model": (unsupported("model"), 1),
    "names the tools": (unsupported("tools"), 1),
    "names the forced tool": (unsupported("tool_choice"), 1),
    "names the stop": (unsupported("stop"), 1),
    "names what was not sent": (unsupported("seed"), 1),
    "names a field of the producer's own": (unsupported("my_own_field"), 1),
    "names nothing": (error(None, "unsupported_parameter"), 1),
    "never answers": (unsupported("temperature"), 2),
    "fails at the repeat": ([unsupported("temperature"), Reply(status=500)], 2),
    "refuses the value": (value_model, 2),
}


@pytest.mark.parametrize(("answers", "calls"), POISON.values(), ids=POISON)
async def test_nothing_but_an_answer_without_an_optional_field_teaches(
    database_url: str, tmp_path: Path, answers: Any, calls: int
) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    async with (
        scripted_server({NEW: answers}) as server,
        served(server, database_url, tmp_path) as service,
    ):
        result = await ask(
            service,
            "a",
            messages=[{"role": "user", "content": QUOTED}],
            tools=[tool],
            tool_choice="required",
            stop=["x"],
            my_own_field=1,
        )
        assert len(server.requests) == calls
        assert service.application.quirks.unwritten() == ()
        assert len(service.application.quirks) == 0
        assert await service.sql.value(LEARNT) == 0
        if answers is value_model:
            assert "temperature: refused by the model (unsupported_value)" in result["dropped"]
        else:
            assert result["status"] == "error"


async def test_while_it_cannot_be_stored_requests_are_answered_and_it_is_stored_later(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        scripted_server({NEW: new_model}) as server,
        served(server, database_url, tmp_path) as service,
    ):
        await service.sql.rows("ALTER TABLE nexus.model_quirks RENAME TO away")
        attempts = [(await ask(service, name))["attempts"] for name in "abc"]
        assert attempts == [2, 1, 1]
        with trio.fail_after(PATIENCE):
            while "ModelQuirks" not in service.application.outages.describe(0.0):
                await trio.sleep(0.01)
        await service.sql.rows("ALTER TABLE nexus.away RENAME TO model_quirks")
        await service.sql.until(f"SELECT ({LEARNT}) = 1")
    assert len(server.requests) == 4
