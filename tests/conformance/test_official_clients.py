"""The same bad servers before the official clients and before ours: ours waits no less, and tries
no more often."""

import importlib
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from nexus_actors.contract.result import Answer
from nexus_actors.providers.retry import backoff
from tests.http_server import Reply, ScriptedServer, completion, scripted_server
from tests.integration.providers.helpers import KEY, LONG, MODELS, REQUEST, connected
from tests.lazy import Lazy

anthropic = Lazy("anthropic")
openai = Lazy("openai")
RETRIES = 2
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [{"type": "text", "text": "Hello."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 7, "output_tokens": 2},
}
GOOD: Mapping[str, Any] = {"openai_compatible": completion("Hello."), "anthropic": MESSAGE}


def failing(status: int, code: str = "x", **headers: str) -> Reply:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    body = {"type": "error", "error": {"type": code, "code": code, "message": "no"}}
    return Reply(status=status, body=body, headers=names)


SCRIPTS: Mapping[str, list[Reply]] = {
    "429": [failing(429)],
    "429 seconds": [failing(429, retry_after="7")],
    "429 fractional seconds": [failing(429, retry_after="1.5")],
    "429 milliseconds": [failing(429, retry_after_ms="1500", retry_after="9")],
    "429 date": [failing(429, retry_after="Fri, 31 Dec 1999 23:59:59 GMT")],
    "429 zero": [failing(429, retry_after="0")],
    "429 nonsense": [failing(429, retry_after="soon")],
    "429 twice, another delay each time": [
        failing(429, retry_after="3"),
        failing(429, retry_after="5"),
    ],
    "429 told not to": [failing(429, x_should_retry="false")],
    "spent": [failing(429, "insufficient_quota")] * 3,
    "500": [failing(500)],
    "500 for ever": [failing(500)] * 9,
    "503 with a delay": [failing(503, retry_after="4")],
    "503 with a long delay": [failing(503, retry_after="119")],
    "503 with a very long delay": [failing(503, retry_after="3600")] * 9,
    "503 told not to": [failing(503, x_should_retry="false")] * 3,
    "529": [failing(529, "overloaded_error")],
    "408": [failing(408)],
    "409": [failing(409)],
    "400": [failing(400)] * 3,
    "400 told to": [failing(400, x_should_retry="true")],
    "401": [failing(401)] * 3,
    "403": [failing(403)] * 3,
    "404": [failing(404)] * 3,
    "413": [failing(413)] * 3,
    "422": [failing(422)] * 3,
    "reset": [Reply(breaks="reset")],
    "reset for ever": [Reply(breaks="reset")] * 9,
}


class Calm(random.Random):
    """No jitter."""

    def random(self) -> float:
        return 0.0


async def official(kind: str, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The delays the official client would have waited, without waiting."""
    package = "anthropic" if kind == "anthropic" else "openai"
    base = importlib.import_module(f"{package}._base_client")
    monkeypatch.setattr(base, "random", lambda: 0.0)
    client: Any
    create: Callable[..., Awaitable[Any]]
    message: Any = list(REQUEST.messages)
    if kind == "anthropic":
        client = anthropic.AsyncAnthropic(api_key=KEY, base_url=server.url, max_retries=RETRIES)
        create = client.messages.create
        asked = {"model": "m", "max_tokens": 10, "messages": message}
    else:
        url = f"{server.url}/v1"
        client = openai.AsyncOpenAI(api_key=KEY, base_url=url, max_retries=RETRIES)
        create = client.chat.completions.create
        asked = {"model": "m", "messages": message}
    delays: list[float] = []
    calculate = client._calculate_retry_timeout

    def recorded(*args: Any, **kwargs: Any) -> float:
        delays.append(calculate(*args, **kwargs))
        return 0.0

    client._calculate_retry_timeout = recorded
    async with client:
        try:
            await create(**asked)
        except (openai.APIError, anthropic.APIError):
            return delays, False
    return delays, True


async def ours(kind: str, script: list[Reply]) -> tuple[list[float], int, bool]:
    """The delays ours would have waited, here or in the queue, and the calls it made."""
    delays: list[float] = []
    async with connected({"*": script}, kind=kind) as (server, session):
        for attempt in range(RETRIES + 1):
            outcome = await session.complete(REQUEST, MODELS[kind], timeout=LONG)
            if isinstance(outcome, Answer):
                return delays, len(server.requests), True
            pause = backoff(attempt, outcome, Calm())
            if not (outcome.retryable and attempt < RETRIES):
                break
            delays.append(pause)
        return delays, len(server.requests), False


@pytest.mark.parametrize("kind", ["openai_compatible", "anthropic"])
@pytest.mark.parametrize("name", SCRIPTS)
async def test_ours_waits_no_less_and_tries_no_more(
    name: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = [*SCRIPTS[name], Reply(body=GOOD[kind])]
    async with scripted_server({"*": list(script)}) as server:
        their_delays, they_succeeded = await official(kind, server, monkeypatch)
        their_calls = len(server.requests)
    our_delays, our_calls, we_succeeded = await ours(kind, list(script))
    # They cannot wait for hours; a request in the queue can, and is tried as after a short wait.
    assert our_calls <= their_calls or name == "503 with a very long delay"
    for mine, their in zip(our_delays, their_delays, strict=False):
        assert mine >= their
    # Not by doing nothing: what they get by trying again, we get too, but for what they should
    # not have tried: a spent quota.
    assert we_succeeded == they_succeeded or name in ("spent", "503 with a very long delay")
