"""What all providers behind HTTP have in common: settings, the connection, the deadline, streams,
the price, and that no message of a failure holds a key or a prompt.

How a call is written and what an answer means is an `HttpApi`'s business (`api.py`). A provider is
then a file of its own with its settings and the choice of the API: see `openai_compatible.py`.
`Answer.model` is the model that was asked for, by the name the routes know it by; the price goes by
the one that answered.

Expected trouble comes back as a `ProviderFailure`; anything else is raised, and the worker deals
with it.
"""

import ipaddress
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from math import inf
from typing import Any, Generic, Self, TypeVar
from urllib.parse import quote, urlsplit

import trio
from pydantic import ConfigDict, Field, SecretStr, field_validator, model_validator

from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.json_text import Parsed, parse
from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Answer, Usage
from nexus_actors.providers import pricing
from nexus_actors.providers.http.answer_stream import AnswerStream
from nexus_actors.providers.http.api import HttpApi, Prepared, Reading, invalid, refused
from nexus_actors.providers.http.exchange import (
    Body,
    Broken,
    HttpAnswer,
    HttpSession,
    http_session,
)
from nexus_actors.providers.port import (
    OnText,
    Outcome,
    ProviderFailure,
    ProviderSession,
    ProviderSettings,
)
from nexus_actors.providers.redact import request_secrets, request_texts, safe_message

MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,254}")
"""What a model may be called; it becomes part of a path with some APIs."""
_OWN_HEADERS = frozenset(
    {
        "anthropic-version",
        "api-key",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "host",
        "transfer-encoding",
        "x-api-key",
        "x-goog-api-key",
    }
)
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
"""Characters of a header's name (RFC 9110, 5.6.2)."""


class HttpSettings(ProviderSettings):
    """Settings every such provider has; a kind adds its own by subclassing."""

    # A URL may have a password in it, and is refused for that: it must not be shown then.
    model_config = ConfigDict(hide_input_in_errors=True)

    base_url: str
    """What stands before the API's own paths, such as `https://api.openai.com/v1`."""
    allow_insecure: bool = False
    """Allow plain http to other hosts than this one: keys and prompts can be read on the way."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Further headers of each call, such as `OpenAI-Organization`. No place for secrets."""
    free: bool = False
    """True for a server of one's own: answers cost 0. Otherwise an unknown price stays unknown."""
    idle_timeout: float = Field(default=60.0, gt=0)
    """Seconds allowed until the first byte of a streamed answer, and between its pieces."""

    @field_validator("base_url")
    @classmethod
    def _check_url(cls, text: str) -> str:
        url = urlsplit(text)  # its ValueErrors (a bad port, a bad IPv6 address) are clear enough
        if url.scheme not in ("http", "https") or not url.hostname or url.port == 0:
            raise ValueError("expected a URL like https://api.openai.com/v1")
        if url.username is not None or url.password is not None:
            raise ValueError("must hold no user name or password: name a variable in api_key_env")
        if "?" in text or "#" in text:
            raise ValueError("must have no query and no fragment")
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("must be printable ASCII without blanks")
        return text.rstrip("/")

    @field_validator("headers")
    @classmethod
    def _check_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not name or not _TOKEN.issuperset(name):
                raise ValueError(f"{name!r} is no name of a header")
            if name.lower() in _OWN_HEADERS:
                raise ValueError(f"{name} is set by the provider itself")
            if not _is_header_value(value):
                raise ValueError(f"the value of {name} must be printable ASCII")
        return headers

    @model_validator(mode="after")
    def _check_secrecy(self) -> Self:
        url = urlsplit(self.base_url)
        if url.scheme == "http" and not self.allow_insecure and not _is_loopback(url.hostname):
            raise ValueError(
                "base_url: http sends keys and prompts in the clear;"
                " use https, or set allow_insecure = true"
            )
        return self


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _is_header_value(text: str) -> bool:
    return text.isascii() and text.isprintable() and text == text.strip()


S = TypeVar("S", bound=HttpSettings)


class HttpProviderSession:
    """One worker's connection. Its repr shows no key."""

    def __init__(
        self, name: str, settings: HttpSettings, key: str, api: HttpApi, http: HttpSession
    ) -> None:
        self._name = name
        self._settings = settings
        self._api = api
        self._http = http
        self._secrets = tuple({form for form in (key, quote(key, safe="")) if form})

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name} {self._settings.base_url}>"

    async def complete(
        self,
        request: LLMRequest,
        model: str,
        *,
        timeout: float,
        on_text: OnText | None = None,
    ) -> Outcome:
        """Make one call. The deadline of `timeout` seconds is for all of it, connecting too."""
        prepared = self._prepare(request, model, stream=on_text is not None)
        if isinstance(prepared, ProviderFailure):
            return self._masked(prepared, request)
        # Escaped to ASCII, so that no text can fail to encode.
        body = Body(json.dumps(prepared.body, separators=(",", ":")).encode("ascii"))
        stream = None if on_text is None else AnswerStream(self._api.reader(), on_text)
        outcome = await self._call(prepared.path, body, model, timeout, stream)
        outcome = replace(outcome, dropped=prepared.dropped)
        return self._masked(outcome, request) if isinstance(outcome, ProviderFailure) else outcome

    def _prepare(
        self, request: LLMRequest, model: str, *, stream: bool
    ) -> Prepared | ProviderFailure:
        if not MODEL_NAME.fullmatch(model):
            return refused("the model's name has characters that no model's name has")
        return self._api.prepare(request, model, stream=stream)

    async def _call(
        self, path: str, body: Body, model: str, timeout: float, stream: AnswerStream | None
    ) -> Outcome:
        answer: HttpAnswer | Broken | None = None
        with trio.move_on_after(max(timeout, 0.0)):
            answer = await self._http.post(
                path,
                body,
                take=None if stream is None else stream.take,
                idle_timeout=inf if stream is None else self._settings.idle_timeout,
            )
        if isinstance(answer, HttpAnswer):
            return self._read(answer, model, stream)
        # A stream that came to its last event is an answer, and paid for, whatever came after.
        told = None if stream is None else stream.whole()
        if isinstance(told, Mapping):
            return self._understood(told, model, stream)
        return _late(timeout, body) if answer is None else _broken(answer)

    def _read(self, answer: HttpAnswer, model: str, stream: AnswerStream | None) -> Outcome:
        if not 200 <= answer.status < 300:
            return self._api.failed(answer.status, answer.headers, answer.body, now=time.time())
        streamed = stream is not None and not answer.body
        value = stream.whole() if stream is not None and streamed else read_object(answer.body)
        return invalid(value) if isinstance(value, str) else self._understood(value, model, stream)

    def _understood(
        self, value: Mapping[str, Any], model: str, stream: AnswerStream | None
    ) -> Outcome:
        reading = self._api.read(value)
        if isinstance(reading, ProviderFailure):
            return reading
        first = stream.seconds_to_first_text if stream is not None else None
        return self._answer(reading, model, first)

    def _answer(self, reading: Reading, model: str, seconds_to_first_text: float | None) -> Answer:
        return Answer(
            response=reading.response,
            provider=self._name,
            model=model,
            usage=reading.usage or Usage(0, 0, 0),
            cost=self._cost(reading, model),
            finish_reason=reading.finish_reason,
            native_finish_reason=reading.native_finish_reason,
            response_id=reading.response_id,
            tool_calls=reading.tool_calls,
            seconds_to_first_text=seconds_to_first_text,
        )

    def _cost(self, reading: Reading, model: str) -> float | None:
        """By the config's price for the model that was asked for, else by the list's."""
        configured = self._settings.models.get(model)
        tokens = reading_tokens(reading)
        cost = None if tokens is None else pricing.configured_cost(configured, tokens)
        return answer_cost(reading, model, self._price_of) if cost is None else cost

    def _price_of(self, model: str, tokens: pricing.Tokens) -> float | None:
        if self._settings.free:
            return 0.0
        return pricing.cost(self._name, self._settings.base_url, model, tokens)

    def _masked(self, failure: ProviderFailure, request: LLMRequest) -> ProviderFailure:
        # Here and nowhere else, so that no failure can leave without it.
        message = safe_message(
            failure.message,
            secrets=(*self._secrets, *request_secrets(request)),
            prompt=request_texts(request),
        )
        return replace(failure, message=message)


PriceOf = Callable[[str, pricing.Tokens], float | None]
"""US dollars for tokens of a model; None where unknown."""


def answer_cost(reading: Reading, asked: str, price_of: PriceOf) -> float | None:
    """By the model that answered, which a gateway may have chosen; else by the one asked for.

    None where no tokens were counted, which is not to say that it was free.
    """
    tokens = reading_tokens(reading)
    if tokens is None:
        return None
    served = reading.served_model
    by_served = price_of(served, tokens) if served else None
    return price_of(asked, tokens) if by_served is None else by_served


def reading_tokens(reading: Reading) -> pricing.Tokens | None:
    """What is to be paid for; None where nothing was counted."""
    usage = reading.usage
    if usage is None or not (usage.prompt_tokens or usage.completion_tokens):
        return None
    return pricing.Tokens(
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.cached_tokens,
        reading.cache_write_tokens,
    )


def read_object(body: bytes) -> Mapping[str, Any] | str:
    """The JSON object in `body`, or why there is none. The content type is not looked at: servers
    get it wrong."""
    try:
        parsed = parse(body.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return "not UTF-8"
    if not isinstance(parsed, Parsed):
        return parsed.reason
    return parsed.value if isinstance(parsed.value, Mapping) else "expected a JSON object"


def _late(timeout: float, body: Body) -> ProviderFailure:
    return ProviderFailure(
        type=ErrorType.TIMEOUT,
        message=f"no answer within {timeout:g} s",
        retryable=True,
        maybe_paid=body.sent,
    )


def _broken(exchange: Broken) -> ProviderFailure:
    match exchange.how:
        case "malformed":
            return invalid("it is cut short or malformed")
        case "too_large":
            return invalid("it is too large")
        case "unconnected":
            message = "cannot connect"
        case "lost":
            message = "the connection was lost"
        case "stalled":
            return ProviderFailure(
                type=ErrorType.TIMEOUT,
                message="the answer came to a standstill",
                retryable=True,
                maybe_paid=exchange.sent,
            )
    return ProviderFailure(
        type=ErrorType.CONNECTION_FAILED,
        message=message,
        retryable=True,
        maybe_paid=exchange.sent,
    )


class HttpKind(Generic[S]):
    """A kind of provider behind HTTP."""

    def __init__(self, settings: type[S], api_of: Callable[[S], HttpApi]) -> None:
        self.settings: type[ProviderSettings] = settings
        self._api_of = api_of

    def open(
        self, name: str, settings: S, api_key: SecretStr | None
    ) -> AbstractAsyncContextManager[ProviderSession]:
        """A session for one worker; ValueError, at once, for a key that cannot be sent."""
        return _open(name, settings, _checked_key(settings, api_key), self._api_of(settings))


def _checked_key(settings: HttpSettings, api_key: SecretStr | None) -> str:
    if api_key is None:
        return ""
    # A line end at the end is what files and shells leave there; it is no part of a key.
    key = api_key.get_secret_value().strip()
    if not key or not _is_header_value(key):
        where = settings.api_key_env or "the variable of the API key"
        raise ValueError(f"{where} must hold a key of printable ASCII characters")
    return key


@asynccontextmanager
async def _open(
    name: str, settings: HttpSettings, key: str, api: HttpApi
) -> AsyncIterator[ProviderSession]:
    if not settings.free and not pricing.load.cache_info().currsize:
        await trio.to_thread.run_sync(pricing.load)
    headers = {**settings.headers, **api.headers(key)}
    async with http_session(settings.base_url, headers) as http:
        yield HttpProviderSession(name, settings, key, api, http)
