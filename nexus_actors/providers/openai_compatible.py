"""`openai_compatible`: chat completions of OpenAI and of every server that speaks as it does
(Groq, OpenRouter, vLLM, llama.cpp, LM Studio, Ollama's `/v1`, …).

`POST {base_url}/chat/completions` with `Authorization: Bearer`. What of a request the API cannot
honour is dropped by the rule in `chat_request.py`; how an answer is read stands in
`chat_answer.py`; what an error means in `failures.py`. `Answer.model` is the model that was asked
for, by the name the routes know it by; the price goes by the one that answered.

Expected trouble comes back as a `ProviderFailure`, whose message holds neither key nor prompt;
anything else is raised, and the worker's supervisor deals with it.
"""

import ipaddress
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Self
from urllib.parse import quote, urlsplit

import trio
from pydantic import ConfigDict, Field, SecretStr, field_validator, model_validator

from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers import pricing
from nexus_actors.providers.chat_answer import invalid, read_answer
from nexus_actors.providers.chat_request import chat_body
from nexus_actors.providers.failures import failed_status
from nexus_actors.providers.http_exchange import Body, Broken, HttpSession, http_session
from nexus_actors.providers.port import Outcome, ProviderFailure, ProviderSession, ProviderSettings
from nexus_actors.providers.redact import prompt_texts, safe_message

_OWN_HEADERS = frozenset(
    {
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "host",
        "transfer-encoding",
    }
)
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
"""Characters of a header's name (RFC 9110, 5.6.2)."""


class OpenAICompatibleSettings(ProviderSettings):
    """Settings of the kind `openai_compatible`."""

    # A URL may have a password in it, and is refused for that: it must not be shown then.
    model_config = ConfigDict(hide_input_in_errors=True)

    base_url: str
    """What stands before `/chat/completions`, such as `https://api.openai.com/v1`."""
    allow_insecure: bool = False
    """Allow plain http to other hosts than this one: keys and prompts can be read on the way."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Further headers of each call, such as `OpenAI-Organization`. No place for secrets."""
    free: bool = False
    """True for a server of one's own: answers cost 0. Otherwise an unknown price stays unknown."""

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


class OpenAICompatibleSession:
    """One worker's connection. Its repr shows no key."""

    def __init__(
        self, name: str, settings: OpenAICompatibleSettings, key: str, http: HttpSession
    ) -> None:
        self._name = name
        self._settings = settings
        self._http = http
        self._secrets = tuple({form for form in (key, quote(key, safe="")) if form})

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name} {self._settings.base_url}>"

    async def complete(self, request: LLMRequest, model: str, *, timeout: float) -> Outcome:
        """Make one call. The deadline of `timeout` seconds is for all of it, connecting too."""
        body = Body(chat_body(request, model))
        outcome: Outcome | None = None
        with trio.move_on_after(max(timeout, 0.0)):
            outcome = await self._call(body, model)
        if outcome is None:
            outcome = ProviderFailure(
                type=ErrorType.TIMEOUT,
                message=f"no answer within {timeout:g} s",
                retryable=True,
                maybe_paid=body.sent,
            )
        if isinstance(outcome, ProviderFailure):
            # Here and nowhere else, so that no failure can leave without it.
            return replace(
                outcome,
                message=safe_message(
                    outcome.message,
                    secrets=self._secrets,
                    prompt=prompt_texts(request.messages),
                ),
            )
        return outcome

    async def _call(self, body: Body, model: str) -> Outcome:
        answer = await self._http.post(body)
        if isinstance(answer, Broken):
            return _broken(answer)
        if not 200 <= answer.status < 300:
            return failed_status(answer.status, answer.headers, answer.body, now=time.time())
        return read_answer(answer.body, provider=self._name, model=model, price_of=self._price_of)

    def _price_of(self, model: str, tokens: pricing.Tokens) -> float | None:
        if self._settings.free:
            return 0.0
        return pricing.cost(self._name, self._settings.base_url, model, tokens)


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
    return ProviderFailure(
        type=ErrorType.CONNECTION_FAILED,
        message=message,
        retryable=True,
        maybe_paid=exchange.sent,
    )


class OpenAICompatibleKind:
    """The kind `openai_compatible`."""

    settings = OpenAICompatibleSettings

    def open(
        self, name: str, settings: OpenAICompatibleSettings, api_key: SecretStr | None
    ) -> AbstractAsyncContextManager[ProviderSession]:
        """A session for one worker; ValueError, at once, for a key that cannot be sent."""
        return _open(name, settings, _checked_key(settings, api_key))


def _checked_key(settings: OpenAICompatibleSettings, api_key: SecretStr | None) -> str:
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
    name: str, settings: OpenAICompatibleSettings, key: str
) -> AsyncIterator[ProviderSession]:
    if not settings.free and not pricing.load.cache_info().currsize:
        await trio.to_thread.run_sync(pricing.load)
    headers = {**settings.headers, **({"Authorization": f"Bearer {key}"} if key else {})}
    async with http_session(f"{settings.base_url}/chat/completions", headers) as http:
        yield OpenAICompatibleSession(name, settings, key, http)


PROVIDER = OpenAICompatibleKind()
