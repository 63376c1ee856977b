"""Chat completions, the API that most servers have. Keys are sent as `Authorization: Bearer`."""

from collections.abc import Mapping
from typing import Any

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.chat.answer import read_chat
from nexus_actors.providers.apis.chat.dialect import OPENAI, Dialect
from nexus_actors.providers.apis.chat.request import chat_call
from nexus_actors.providers.apis.chat.stream import ChatStream
from nexus_actors.providers.failures import failed_status
from nexus_actors.providers.http.api import FreeCall, Prepared, Reading, StreamReader
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import Takes


class ChatApi:
    """Stateless; an `HttpApi`."""

    dialect: Dialect = OPENAI
    free_call = FreeCall()

    def headers(self, key: str) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {key}"} if key else {}

    def prepare(
        self, request: LLMRequest, model: str, takes: Takes, *, stream: bool
    ) -> Prepared | ProviderFailure:
        return chat_call(request, model, takes, stream=stream, dialect=self.dialect)

    def read(self, value: Mapping[str, Any]) -> Reading | ProviderFailure:
        return read_chat(value)

    def failed(
        self, status: int, headers: Mapping[str, str], body: bytes, *, now: float
    ) -> ProviderFailure:
        return failed_status(status, headers, body, now=now)

    def reader(self) -> StreamReader:
        return ChatStream()
