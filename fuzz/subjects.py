"""What reads foreign text, each with what may come of it. Whatever else comes is a finding.

Each subject runs the service's own functions, without a network and without a database, and raises
AssertionError or what the service raised.
"""

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, cast

from pydantic import SecretStr

from nexus_actors.contract.decode import decode_request
from nexus_actors.contract.encode import decode_result, encode_result
from nexus_actors.contract.errors import EXCERPT_LIMIT, REFUSALS, Refusal
from nexus_actors.contract.excerpt import excerpt
from nexus_actors.contract.json_text import Parsed, Unparsable, parse
from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Answer, Failure, LLMResult
from nexus_actors.providers import urls
from nexus_actors.providers.http.event_stream import EventStream
from nexus_actors.providers.http.exchange import HttpAnswer, Transport
from nexus_actors.providers.http.provider import HttpProviderSession
from nexus_actors.providers.kinds import load_kind
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.redact import MESSAGE_LIMIT
from nexus_actors.routing import Routed, Routes, Unroutable
from nexus_actors.settings import Settings
from nexus_actors.settings.load import parse_settings

KINDS: Final = {
    "chat": ("openai_compatible", "https://192.0.2.1/v1", "gpt-4o-mini"),
    "responses": ("openai", "https://api.openai.com/v1", "gpt-5"),
    "messages": ("anthropic", "https://api.anthropic.com/v1", "claude-sonnet-4-5"),
    "gemini": ("gemini", "https://generativelanguage.googleapis.com/v1beta", "gemini-2.5-flash"),
}
"""By API, who speaks it."""
KEY: Final = "sk-canary-0123456789"
SENT: Final = LLMRequest(
    request_id="r",
    complexity="simple",
    messages=({"role": "user", "content": "tell me what the weather is like in Springfield"},),
    tools=({"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}},),
    temperature=0.5,
)
_OUT: Final = 120
"""Entries of `dropped` at most, and characters of each at most 400: a little over what is told."""


class Canned:
    """An `HttpSession` with one answer. The bytes are real, the wire is not there."""

    def __init__(self) -> None:
        self.status = 200
        self.body = b""
        self.headers: Mapping[str, str] = {}
        self.pieces: list[bytes] | None = None

    async def post(
        self,
        path: str,
        body: Any,
        *,
        take: Any = None,
        timeout: float = 0.0,
        idle_timeout: float = 0.0,
    ) -> HttpAnswer:
        """As an exchange does: a stream is handed on as it comes."""
        if take is None or self.pieces is None:
            return HttpAnswer(self.status, self.headers, self.body)
        for piece in self.pieces:
            take(piece)
        return HttpAnswer(self.status, self.headers, b"")


@cache
def session(api: str) -> tuple[Canned, HttpProviderSession, str]:
    """A provider session of this API, what it is answered, and a model."""
    kind_name, base_url, model = KINDS[api]
    kind = cast("Any", load_kind(kind_name))
    settings = kind.settings.model_validate(
        {"kind": kind_name, "base_url": base_url, "api_key_env": "K"}
    )
    canned = Canned()
    http = cast("Transport", canned)
    key = SecretStr(KEY).get_secret_value()
    return canned, HttpProviderSession("p", settings, key, kind._api_of(settings), http), model


@cache
def routes() -> Routes:
    """Where requests may go."""
    settings = parse_settings(
        {
            "providers": {"echo": {"kind": "echo"}, "other": {"kind": "echo"}},
            "routes": [
                {"complexity": "simple", "models": ["echo/a", "other/b"], "pick": "cheapest"},
                {"models": ["other/b", "echo/gpt-4o"]},
            ],
        },
        {},
    )
    assert isinstance(settings, Settings), settings
    return Routes(settings)


def finished(call: Any) -> Any:
    """What a coroutine comes to that waits for nothing."""
    try:
        call.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waited for something")


def _is_short(text: str, most: int, what: str) -> None:
    assert len(text) <= most, f"{what}: {len(text)} characters"
    text.encode()


def check_decoded(text: str) -> LLMRequest | None:
    """From a message to a request, or a bounded refusal."""
    match decode_request(text):
        case LLMRequest() as request:
            assert 0 < len(request.request_id) <= 255
            assert request.messages
            _check_notes(request.unknown)
            return request
        case Refusal() as refusal:
            assert refusal.type in REFUSALS
            _is_short(refusal.message, 500, "a refusal's message")
            _is_short(refusal.excerpt, EXCERPT_LIMIT, "a refusal's excerpt")
            return None


def _check_notes(notes: Any) -> None:
    assert len(notes) <= _OUT, f"{len(notes)} notes"
    for note in notes:
        _is_short(note, 400, "a note")


def request(text: str) -> None:
    """A message, all its way to each of the providers."""
    found = check_decoded(text)
    if found is None:
        return
    assert isinstance(routes().candidates(found), Routed | Unroutable)
    urls.refusal(found, ("*", "files"))
    for api in KINDS:
        canned, provider, model = session(api)
        canned.status, canned.pieces = 400, None
        canned.body = json.dumps({"error": {"message": text[:500]}}).encode()
        check_outcome(finished(provider.complete(found, model, timeout=5.0)))


def check_outcome(outcome: Any) -> None:
    """An answer that can be published, or a failure whose words are bounded."""
    if isinstance(outcome, ProviderFailure):
        _is_short(outcome.message, MESSAGE_LIMIT, "a failure's message")
        assert KEY not in outcome.message
        assert outcome.cost is None or outcome.cost >= 0
        _check_notes(outcome.dropped)
        return
    assert isinstance(outcome, Answer)
    _check_notes(outcome.dropped)
    assert outcome.cost is None or 0 <= outcome.cost < 1e9
    result = LLMResult(
        request_id="r",
        agent_id=None,
        complexity="simple",
        task_type=None,
        outcome=outcome,
        latency_ms=1,
        attempts=1,
        timestamp=parse_time(),
    )
    text = encode_result(result)
    assert "\\u0000" not in text.replace("\\\\", "")
    assert isinstance(decode_result(text), LLMResult)


def parse_time() -> Any:
    """A time, whichever."""
    from datetime import UTC, datetime

    return datetime(2026, 1, 1, tzinfo=UTC)


def answer(api: str, body: bytes, pieces: list[bytes] | None, status: int) -> None:
    """A provider's bytes, whole or as they arrive."""
    canned, provider, model = session(api)
    canned.status, canned.body, canned.pieces = status, body, pieces
    canned.headers = {"content-type": "application/json", "retry-after": str(status)}
    on_text = None if pieces is None else _no_text
    outcome = provider.complete(SENT, model, timeout=5.0, on_text=on_text)
    check_outcome(finished(outcome))


def _no_text(text: str) -> None:
    assert isinstance(text, str)


def event_stream(body: bytes, chunks: list[bytes]) -> None:
    """The same events, however they are cut up."""
    whole, cut_up = EventStream(), EventStream()
    events = [*whole.feed(body), *whole.close()]
    again = [data for chunk in chunks for data in cut_up.feed(chunk)]
    assert events == [*again, *cut_up.close()], "pieces change the events"


def json_reading(text: str) -> None:
    """JSON that is taken, or why not."""
    match parse(text):
        case Parsed(value):
            excerpt(value)
            json.dumps(value, allow_nan=False).encode()
        case Unparsable(reason, path):
            _is_short(reason, 300, "a reason")
            _is_short(path or "", 4000, "a path")


def result(text: str) -> None:
    """A result of another publisher's."""
    match decode_result(text):
        case LLMResult(outcome=Failure() | Answer()) as found:
            encode_result(found)
        case str() as why:
            _is_short(why, 500, "a reason")
        case other:
            raise AssertionError(other)


TEXTS: Final[Mapping[str, Callable[[str], None]]] = {
    "request": request,
    "json": json_reading,
    "result": result,
}
"""Those that read a text."""
