"""Answers heard as they come, from trio and from asyncio programs."""

import asyncio
import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import trio

from nexus_actors.client import LLMService, RequestFailed, Restarted, Timeout, Unavailable
from tests.http_server import Recorded, Reply, ScriptedServer, scripted_server
from tests.integration.client.client_helpers import QUESTION, client, listening, nobody_waits
from tests.service import PATIENCE, open_sql, running_service

WORDS = ("The ", "cat ", "sat ", "on ", "the ", "mat.")


def event(**fields: Any) -> str:
    return f"data: {json.dumps({'id': 'c', 'model': 'm', **fields})}\n\n"


def chunk(text: str | None = None, finish: str | None = None) -> str:
    delta = {} if text is None else {"content": text}
    return event(choices=[{"index": 0, "delta": delta, "finish_reason": finish}])


def streamed(*words: str, whole: bool = True, **reply: Any) -> Reply:
    body = "".join(chunk(word) for word in words)
    if whole:
        usage = {"prompt_tokens": 3, "completion_tokens": 6, "total_tokens": 9}
        body += chunk(finish="stop") + event(choices=[], usage=usage) + "data: [DONE]\n\n"
    return Reply(body=body, headers={"content-type": "text/event-stream"}, **reply)


def sections(server: ScriptedServer) -> Mapping[str, Any]:
    http = {"kind": "openai_compatible", "base_url": f"{server.url}/v1", "free": True}
    return {
        "providers": {"http": {**http, "pool_size": 2, "max_retries": 1}},
        "routes": [{"complexity": "*", "task_type": "*", "models": ["http/m"]}],
    }


async def listen(service: LLMService) -> tuple[list[str | Restarted], Any]:
    async with service.stream("simple", QUESTION) as stream:
        events = [event async for event in stream]
    return events, stream.answer


async def test_the_text_comes_before_the_answer_is_whole(database_url: str, tmp_path: Path) -> None:
    asked: list[Recorded] = []

    def reply(request: Recorded) -> Reply:
        asked.append(request)
        return streamed(*WORDS, drip=0.002)

    async with (
        scripted_server({"m": reply}) as server,
        running_service(database_url, tmp_path, **sections(server)) as running,
        client(database_url, tmp_path) as service,
    ):
        async with service.stream("simple", QUESTION) as stream:
            first = await anext(stream)
            assert running.application.metrics.succeeded == 0
            with pytest.raises(RuntimeError, match="not at its end"):
                _ = stream.answer
            rest = [event async for event in stream]
        assert (first, *rest) != ("".join(WORDS),)
        assert "".join([str(first), *map(str, rest)]) == "".join(WORDS)
        assert stream.answer.text == "".join(WORDS)
        assert stream.answer.tokens_used == 9
        assert asked[0].json["stream"] is True
        [row] = await running.sql.attempts(stream.answer.request_id)
        assert 0 <= row["first_text_ms"] <= row["duration_ms"]
        await nobody_waits(service)


async def test_a_call_that_breaks_off_is_begun_anew(database_url: str, tmp_path: Path) -> None:
    replies = [streamed("Wrong ", whole=False), streamed(*WORDS)]
    async with (
        scripted_server({"m": replies}) as server,
        running_service(database_url, tmp_path, **sections(server)),
        client(database_url, tmp_path) as service,
    ):
        events, answer = await listen(service)
    assert events[:2] == ["Wrong ", Restarted()]
    assert "".join(map(str, events[2:])) == answer.text == "".join(WORDS)


async def test_what_is_not_streamed_comes_whole(database_url: str, tmp_path: Path) -> None:
    async with (
        scripted_server() as server,
        running_service(database_url, tmp_path, **sections(server)),
        client(database_url, tmp_path) as service,
    ):
        events, answer = await listen(service)
    assert events == [answer.text] == ["Hello."]


async def test_errors_are_those_of_a_call(database_url: str, tmp_path: Path) -> None:
    async with (
        scripted_server({"m": Reply(status=400)}) as server,
        client(database_url, tmp_path) as service,
    ):
        async with running_service(database_url, tmp_path, **sections(server)):
            async with service.stream("simple", QUESTION) as stream:
                with pytest.raises(RequestFailed):
                    await anext(stream)
            with pytest.raises(ZeroDivisionError):  # the block's own, as itself
                async with service.stream("simple", QUESTION):
                    raise ZeroDivisionError
        with pytest.raises(Unavailable):
            async with service.stream("simple", QUESTION):
                pass


async def test_leaving_early_leaves_nothing_behind(database_url: str, tmp_path: Path) -> None:
    async with (
        scripted_server({"m": streamed(*WORDS, drip=0.01)}) as server,
        running_service(database_url, tmp_path, **sections(server)) as running,
        client(database_url, tmp_path) as service,
    ):
        async with service.stream("simple", QUESTION) as stream:
            await anext(stream)
        await nobody_waits(service)
        async with open_sql(database_url) as sql:
            await sql.until(
                "SELECT count(*) = 0 FROM pg_stat_activity"
                " WHERE query ILIKE 'LISTEN %nexus_stream%' AND state = 'active'"
            )
        await running.stored(1)  # the request is the service's


async def test_a_service_hears_many_streams_at_once(database_url: str, tmp_path: Path) -> None:
    async with (
        running_service(database_url, tmp_path),
        client(database_url, tmp_path) as service,
    ):
        answers: list[tuple[str, str]] = []

        async def one(number: int) -> None:
            question = [{"role": "user", "content": f"question {number} of many"}]
            async with service.stream("simple", question) as stream:
                events = [str(event) async for event in stream]
            answers.append(("".join(events), f"echo: question {number} of many"))

        async with trio.open_nursery() as nursery:
            for number in range(50):
                nursery.start_soon(one, number)
    assert len(answers) == 50
    assert all(heard == wanted for heard, wanted in answers)


async def test_from_an_asyncio_program(database_url: str, tmp_path: Path) -> None:
    async def program() -> tuple[list[str | Restarted], Any]:
        async with LLMService(url=database_url) as service:
            return await listen(service)

    run: Callable[..., Any] = asyncio.run
    async with running_service(database_url, tmp_path):
        events, answer = await trio.to_thread.run_sync(run, program())
    assert "".join(map(str, events)) == answer.text == "echo: hello"


@pytest.mark.parametrize("when", ["while it is heard", "cancelled", "while it is sent"])
async def test_a_stream_is_left_in_time_while_the_server_is_frozen(
    when: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if statements had no limit of their own.
    for module in ("storage.postgres.listen", "client.connection"):
        monkeypatch.setattr(f"nexus_actors.{module}.GRACE", 0.2)
        monkeypatch.setattr(f"nexus_actors.{module}.COMMAND_TIMEOUT", 3600.0)
    slow = {
        "providers": {"slow": {"kind": "echo", "latency": 3600.0}},
        "routes": [{"models": ["slow/m"]}],
        "service": {"drain_timeout": 0.0},
    }
    async with (
        running_service(database_url, tmp_path, **slow),
        open_sql(database_url) as sql,
        client(database_url, tmp_path, pool_size=1) as service,
    ):
        async with service.stream("simple", QUESTION):
            await listening(sql)
        rows = await sql.rows(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = $1",
            "nexus client" if when == "while it is sent" else "nexus client listener",
        )
        (pid,) = (row["pid"] for row in rows)
        try:
            with trio.fail_after(PATIENCE):
                if when == "while it is sent":
                    os.kill(pid, signal.SIGSTOP)
                    with pytest.raises(Timeout):
                        async with service.stream("simple", QUESTION, timeout=0.3) as stream:
                            await anext(stream)
                else:
                    with trio.CancelScope() as scope:
                        async with service.stream("simple", QUESTION):
                            os.kill(pid, signal.SIGSTOP)
                            if when == "cancelled":
                                scope.cancel()
        finally:
            os.kill(pid, signal.SIGCONT)
