"""`echo`: answers with the question. Built in, without key or network, and always the same.

For the demo, load tests and the tests of everything around a provider. A request's fate depends
on `seed`, its `request_id` and the model alone: the same requests fail each time they are tried,
and a failing one succeeds only at another model or provider, which is how a fallback is shown.
"""

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from hashlib import blake2b
from typing import Any

import trio
from pydantic import Field, SecretStr

from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.request import LLMRequest, Message
from nexus_actors.contract.result import Answer, Usage
from nexus_actors.providers.failures import no_answer
from nexus_actors.providers.port import (
    NOTHING,
    OnText,
    Outcome,
    ProviderFailure,
    ProviderSession,
    ProviderSettings,
)


class EchoSettings(ProviderSettings):
    """Settings of the kind `echo`."""

    latency: float = Field(default=0.0, ge=0, le=3600)
    """How long each call takes."""
    failure_rate: float = Field(default=0.0, ge=0, le=1)
    """The share of requests that fail."""
    seed: int = 0
    """Decides which requests fail."""


class EchoSession:
    """One worker's echo. Stateless but for its settings."""

    def __init__(self, name: str, settings: EchoSettings) -> None:
        self._name = name
        self._settings = settings

    async def complete(
        self,
        request: LLMRequest,
        model: str,
        *,
        timeout: float,
        on_text: OnText | None = None,
        without: Mapping[str, str] = NOTHING,
        key_name: str | None = None,
    ) -> Outcome:
        """Echo the last user message after `latency` seconds, or fail as `failure_rate` has it."""
        if not await self._wait(timeout):
            return ProviderFailure(
                type=ErrorType.TIMEOUT, message=no_answer(timeout), retryable=True
            )
        if self._fails(request, model):
            return ProviderFailure(
                type=ErrorType.PROVIDER_ERROR,
                message="this request fails here, as failure_rate asks",
                retryable=True,
                status_code=503,
            )
        answer = self._answer(request, model)
        if on_text is not None:
            for word in re.findall(r"\s*\S+|\s+$", answer.response or ""):
                on_text(word)
        return answer

    async def _wait(self, timeout: float) -> bool:
        if not self._settings.latency:
            await trio.lowlevel.checkpoint()
            return True
        with trio.move_on_after(max(timeout, 0.0)) as scope:
            await trio.sleep(self._settings.latency)
        return not scope.cancelled_caught

    def _fails(self, request: LLMRequest, model: str) -> bool:
        rate = self._settings.failure_rate
        if rate in (0.0, 1.0):
            return rate == 1.0
        key = f"{self._settings.seed}\0{request.request_id}\0{model}".encode(errors="replace")
        drawn = int.from_bytes(blake2b(key, digest_size=8).digest()) / 2**64
        return drawn < rate

    def _answer(self, request: LLMRequest, model: str) -> Answer:
        words = f"echo: {_last_user_text(request.messages)}".split(" ")
        limit = request.max_tokens
        cut = limit is not None and len(words) > limit
        text = " ".join(words[:limit] if cut else words)
        prompt = sum(len(_text(message.get("content")).split()) for message in request.messages)
        answer = len(text.split())
        return Answer(
            response=text,
            provider=self._name,
            model=model,
            usage=Usage(prompt, answer, prompt + answer),  # a token is a word here
            cost=0.0,
            cost_basis="list",
            finish_reason="length" if cut else "stop",
            response_id=f"echo-{request.request_id}",
            dropped=request.unknown,
        )


def _last_user_text(messages: Iterable[Message]) -> str:
    texts = [_text(message.get("content")) for message in messages if message.get("role") == "user"]
    return texts[-1] if texts else ""


def _text(content: Any) -> str:
    """The text of a message's content, be it a string or a list of content parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list | tuple):
        return ""
    parts = (part.get("text") for part in content if isinstance(part, dict))
    return " ".join(text for text in parts if isinstance(text, str))


class EchoKind:
    """The kind `echo`."""

    settings = EchoSettings

    @asynccontextmanager
    async def open(
        self, name: str, settings: EchoSettings, api_key: SecretStr | None
    ) -> AsyncIterator[ProviderSession]:
        """A session that opens nothing; `api_key` is not used."""
        yield EchoSession(name, settings)


PROVIDER = EchoKind()
