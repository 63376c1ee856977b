"""Anthropic's Messages API, with its headers."""

from collections.abc import Mapping
from typing import Any

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.messages.answer import read_message
from nexus_actors.providers.apis.messages.request import messages_call
from nexus_actors.providers.apis.messages.stream import MessageStream
from nexus_actors.providers.failures import failed_status
from nexus_actors.providers.http.api import FreeCall, Prepared, Reading
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import Takes


class MessagesApi:
    """An `HttpApi`."""

    # https://platform.claude.com/docs/en/api/models/list: the default page has 20 models.
    free_call = FreeCall("/models?limit=1000")

    def __init__(self, *, version: str, max_tokens: int | None = None, cache: bool = False) -> None:
        self._version = version
        self._max_tokens = max_tokens
        self._cache = cache

    def headers(self, key: str) -> Mapping[str, str]:
        return {"anthropic-version": self._version, **({"x-api-key": key} if key else {})}

    def prepare(
        self, request: LLMRequest, model: str, takes: Takes, *, stream: bool
    ) -> Prepared | ProviderFailure:
        return messages_call(
            request,
            model,
            takes,
            stream=stream,
            version=self._version,
            max_tokens=self._max_tokens,
            cache=self._cache,
        )

    def read(self, value: Mapping[str, Any]) -> Reading | ProviderFailure:
        return read_message(value)

    def failed(
        self, status: int, headers: Mapping[str, str], body: bytes, *, now: float
    ) -> ProviderFailure:
        return failed_status(status, headers, body, now=now)

    def reader(self) -> MessageStream:
        return MessageStream()
