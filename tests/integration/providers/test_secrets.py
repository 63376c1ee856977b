"""The key and the prompt stay where they belong."""

import logging
from typing import Any

import pytest
from msgspec import structs

from nexus_actors.providers.port import ProviderFailure
from tests.http_server import (
    Recorded,
    Reply,
    completion,
)
from tests.integration.providers.helpers import LONG, REQUEST, SHORT, connected


def quoting(status: int) -> Any:
    """A server that sends back whatever it was sent, in each place an error has."""

    def reply(request: Recorded) -> Reply:
        key = request.headers["authorization"]
        quoted = f"{key} is no good for {request.body.decode()} ({key[-10:]})"
        body = {"error": {"message": quoted, "type": quoted, "code": quoted}}
        return Reply(status=status, body=body, headers={"x-you-sent": key})

    return reply


HOSTILE: dict[str, Any] = {
    "quote-200": quoting(200),
    "quote-400": quoting(400),
    "quote-401": quoting(401),
    "quote-429": quoting(429),
    "quote-500": quoting(500),
    "codes": lambda r: Reply(status=500, body={"error": {"code": r.headers["authorization"]}}),
    "html": lambda r: Reply(body=r.headers["authorization"]),
    "reset": Reply(breaks="reset"),
    "truncate": Reply(breaks="truncate", after_headers=True),
    "hang": Reply(breaks="hang"),
}


async def test_neither_key_nor_prompt_leaves_with_a_failure(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    async with connected(HOSTILE) as (_, session):
        for model in HOSTILE:
            timeout = SHORT if model == "hang" else LONG
            failure = await session.complete(REQUEST, model, timeout=timeout)
            assert isinstance(failure, ProviderFailure), model
            told = repr(failure) + repr(session) + repr(vars(session).get("_http"))
            assert "canary" not in told, told
            assert "23456789" not in told, told
            assert "Springfield" not in told, told
            assert 0 < len(failure.message) <= 300
    captured = capsys.readouterr()
    for text in (caplog.text, captured.out, captured.err):
        assert "canary" not in text
        assert "Springfield" not in text


@pytest.mark.parametrize("where", ["mcp_servers", "tools"])
async def test_nor_does_a_secret_that_the_request_brings_for_a_server(where: str) -> None:
    server = {"type": "mcp", "server_label": "a", "server_url": "https://a.example/"}
    for more in ({"authorization": "tok-meadow-7"}, {"headers": {"X-Token": "tok-meadow-7"}}):
        brought: dict[str, Any] = {where: (server | more,)}
        request = structs.replace(REQUEST, **brought)
        quoted = Reply(status=400, body={"error": {"message": "no: tok-meadow"}})
        async with connected({"*": quoted}) as (_, session):
            failure = await session.complete(request, "m", timeout=LONG)
        assert isinstance(failure, ProviderFailure)
        assert failure.message == "HTTP 400: no: [key]"


@pytest.mark.parametrize("where", ["tools", "calls", "format"])
async def test_each_place_that_may_hold_a_prompt_is_masked(where: str) -> None:
    prompt = "the patient lives in Springfield"
    call = {"id": "c", "function": {"name": "f", "arguments": prompt}}
    said: dict[str, Any] = {"role": "assistant", "content": "", "tool_calls": [call]}
    fields: dict[str, Any] = {
        "tools": {"tools": ({"type": "function", "name": "f", "description": prompt},)},
        "calls": {"messages": (said,)},
        "format": {"response_format": {"type": "json_schema", "schema": {"title": prompt}}},
    }
    request = structs.replace(REQUEST, **fields[where])
    quoted = Reply(status=400, body={"error": {"message": prompt}})
    # a call that nobody answered breaks the rules
    async with connected({"*": quoted}, by_the_rules=where != "calls") as (_, session):
        failure = await session.complete(request, "m", timeout=LONG)
    assert isinstance(failure, ProviderFailure)
    assert failure.message == "HTTP 400: [prompt]"


async def test_the_key_is_in_no_exception() -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"x": object()}}}
    unsendable = structs.replace(REQUEST, tools=(tool,))
    async with connected() as (_, session):
        with pytest.raises(TypeError) as error:
            await session.complete(unsendable, "m", timeout=LONG)
    assert "canary" not in repr(error.value)


@pytest.mark.parametrize("status", [200, 400])
async def test_what_was_dropped_is_reported_bounded_and_on_one_line(status: int) -> None:
    """Whatever names a producer gave to things, and however many."""
    foreign = tuple(f"\x1b[2J\n{number}" + "x" * 10_000 for number in range(1000))
    asked = structs.replace(REQUEST, unknown=foreign, seed=7)
    reply = Reply(status=status, body=completion() if status == 200 else {"error": {}})
    async with connected({"*": reply}) as (_, session):
        outcome = await session.complete(asked, "gpt-4o-mini", timeout=LONG)
    assert len(outcome.dropped) == 101
    assert outcome.dropped[-1] == "… and 900 more"
    assert all(len(told) <= 300 and told.isprintable() for told in outcome.dropped)
