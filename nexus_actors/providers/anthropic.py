"""`anthropic`: Anthropic's Messages API.

`POST {base_url}/messages` with `x-api-key` and `anthropic-version`. How a request is written, and
what cannot be said there, stands in `apis/messages/request.py`.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.messages.answer import read_message
from nexus_actors.providers.apis.messages.request import messages_call
from nexus_actors.providers.apis.messages.stream import MessageStream
from nexus_actors.providers.failures import failed_status
from nexus_actors.providers.http.api import Prepared, Reading
from nexus_actors.providers.http.provider import HttpKind
from nexus_actors.providers.http.settings import HttpSettings
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import Takes


class AnthropicSettings(HttpSettings):
    """Settings of the kind `anthropic`."""

    base_url: str = "https://api.anthropic.com/v1"
    api_version: str = Field(default="2023-06-01", pattern=r"^\d{4}-\d{2}-\d{2}$")
    """The API's version, sent as `anthropic-version`."""
    max_tokens: int | None = Field(default=None, ge=1)
    """For requests that set no limit of their own; None: the most that the model answers with."""
    cache: bool = False
    """Have every prompt cached as far as it goes: reading it again costs a tenth, writing it a
    quarter more. Requests may ask for it themselves (`cache_control`)."""


class MessagesApi:
    """An `HttpApi`."""

    def __init__(self, settings: AnthropicSettings) -> None:
        self._version = settings.api_version
        self._max_tokens = settings.max_tokens
        self._cache = settings.cache

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


PROVIDER = HttpKind(AnthropicSettings, MessagesApi)
