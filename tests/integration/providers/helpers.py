"""A session connected to a scripted server, for the tests beside this file."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import trio
import trio.testing
from pydantic import SecretStr

from nexus_actors.contract.request import LLMRequest, Message
from nexus_actors.providers.apis.chat.presets import PRESETS
from nexus_actors.providers.kinds import load_kind
from nexus_actors.providers.port import Answer, Outcome, ProviderFailure, ProviderSession
from tests.http_server import (
    Reply,
    Script,
    ScriptedServer,
    scripted_server,
)
from tests.vendors.rules import complaints, vendor

KEY = "sk-canary-0123456789"
PROMPT = "tell me what the weather is like in Springfield"
REQUEST = LLMRequest(
    request_id="r", complexity="simple", messages=({"role": "user", "content": PROMPT},)
)
MODELS = {
    "anthropic": "claude-sonnet-4-5",
    "gemini": "gemini-2.5-flash",
    "openai": "gpt-4o-mini",
    "openai_compatible": "gpt-4o-mini",
}
"""By kind, one that its vendor has."""
LONG = 60.0
"""Seconds; never reached."""
SHORT = 0.5
"""Seconds; over sooner than a busy machine connects and sends. See `let_it_pass`."""


@asynccontextmanager
async def connected(
    script: Script | None = None,
    *,
    key: str | None = KEY,
    kind: str = "openai_compatible",
    name: str = "openai",
    by_the_rules: bool = True,
    **settings: Any,
) -> AsyncIterator[tuple[ScriptedServer, ProviderSession]]:
    """A session, and the server that it is connected to. Afterwards every call that was made is
    held against the rules of the vendor (`tests/vendors/`), unless the test makes odd ones."""
    async with scripted_server(script) as server:
        provider = load_kind(kind)
        assert provider is not None
        checked = provider.settings.model_validate(
            {"kind": kind, "base_url": f"{server.url}/v1", "api_key_env": "LLM_KEY", **settings}
        )
        secret = None if key is None else SecretStr(key)
        async with provider.open(name, checked, secret) as session:
            yield server, session
        if by_the_rules:
            check_rules(server, kind, settings.get("preset"))


def check_rules(
    server: ScriptedServer,
    kind: str,
    preset: str | None = None,
    *,
    base: str = "/v1",
    model: str | None = None,
) -> None:
    """Fail for a call that the vendor would refuse. A server of no particular vendor is taken to be
    OpenAI's. `model`: one that the vendor has, where the calls are for odd ones."""
    name = preset or ("openai" if kind == "openai_compatible" else kind)
    if (answer := vendor(name)) is None:
        return
    if preset is None:
        url = {"gemini": "/v1beta"}.get(kind, "/v1")
    else:
        url = urlsplit(PRESETS[preset].base_url or "").path
    broken = complaints(answer, server.requests, base=base, own=url, model=model)
    assert not broken, broken


async def ask(reply: Reply, *, timeout: float = LONG, **settings: Any) -> Outcome:
    async with connected({"*": reply}, **settings) as (_, session):
        return await session.complete(REQUEST, "gpt-4o-mini", timeout=timeout)


async def fail(reply: Reply, *, timeout: float = LONG) -> ProviderFailure:
    failure = await ask(reply, timeout=timeout)
    assert isinstance(failure, ProviderFailure), failure
    return failure


async def let_it_pass(
    server: ScriptedServer, clock: trio.testing.MockClock, seconds: float = SHORT
) -> None:
    """Have a clock that stands still go on by so much, once the server has a request and both sides
    have done what they can."""
    await server.until(lambda it: len(it.requests) > 0)
    await trio.testing.wait_all_tasks_blocked(0.02)
    clock.jump(seconds)


async def streamed(
    reply: Reply, *, clock: trio.testing.MockClock | None = None, **settings: Any
) -> tuple[list[str], Outcome]:
    """`clock`: one that stands still, and goes on by `SHORT` when nothing more comes."""
    told: list[str] = []
    async with connected({"*": reply}, **settings) as (server, session):
        async with trio.open_nursery() as nursery:
            if clock is not None:
                nursery.start_soon(let_it_pass, server, clock)
            outcome = await session.complete(REQUEST, "m", timeout=LONG, on_text=told.append)
            nursery.cancel_scope.cancel()  # the clock stands still for the second call

        # The session is as good as before, though the server may be as it was, too.
        if reply.breaks == "hang":
            await _hangs_again(server, session)
        else:
            second = await session.complete(REQUEST, "m", timeout=LONG, on_text=str)
            assert _gist(second) == _gist(outcome)
    return told, outcome


async def _hangs_again(server: ScriptedServer, session: ProviderSession) -> None:
    """See a second call reach the server, and leave it there."""

    async def again() -> None:
        second = await session.complete(REQUEST, "m", timeout=LONG, on_text=str)
        raise AssertionError(second)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(again)
        await server.until(lambda it: len(it.requests) == 2)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()


def _gist(outcome: Outcome) -> tuple[type[Outcome], str | None]:
    """What two calls that are answered alike have in common."""
    return type(outcome), outcome.response if isinstance(outcome, Answer) else outcome.type


async def pass_by(clock: trio.testing.MockClock, seconds: float) -> None:
    """Have a clock that stands still go on by so much whenever there is nothing else to do."""
    while True:
        await trio.testing.wait_all_tasks_blocked(0.001)
        clock.jump(seconds)


def events(*told: Any, done: bool = True) -> Reply:
    """A stream of these, as JSON."""
    return Reply(body=event_text(told, done=done), headers={"content-type": "text/event-stream"})


def event_text(told: Iterable[Any], *, done: bool = True) -> str:
    last = "data: [DONE]\n\n" if done else ""
    return "".join(f"data: {json.dumps(it)}\n\n" for it in told) + last


def message_of(answer: Answer, **changes: Any) -> Message:
    """As a producer sends a result back."""
    return {
        "role": "assistant",
        "content": answer.response or "",
        "tool_calls": [dict(call) for call in answer.tool_calls],
        "provider_state": answer.provider_state,
        **changes,
    }


def after(messages: tuple[Message, ...], answer: Answer) -> tuple[Message, ...]:
    """The conversation with the answer, and the result of its call."""
    [call] = answer.tool_calls
    result = {"role": "tool", "tool_call_id": call["id"], "content": "rain"}
    return (*messages, message_of(answer), result)
