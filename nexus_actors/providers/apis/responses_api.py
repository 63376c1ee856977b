"""OpenAI's two APIs behind one: Responses, or chat completions where the request asks for it."""

from collections.abc import Mapping
from typing import Any

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.chat_api import ChatApi
from nexus_actors.providers.apis.chat_stream import ChatStream
from nexus_actors.providers.apis.responses_answer import read_response
from nexus_actors.providers.apis.responses_request import responses_call
from nexus_actors.providers.apis.responses_stream import ResponsesStream
from nexus_actors.providers.http.api import Prepared, Reading, StreamReader
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import Takes


class ResponsesOrChatApi(ChatApi):
    """An `HttpApi`. Which API answered is told by the answer: only chat's has `choices`."""

    def prepare(
        self, request: LLMRequest, model: str, takes: Takes, *, stream: bool
    ) -> Prepared | ProviderFailure:
        if request.api_version == "chat_completions":
            return super().prepare(request, model, takes, stream=stream)
        return responses_call(request, model, takes, stream=stream)

    def read(self, value: Mapping[str, Any]) -> Reading | ProviderFailure:
        return super().read(value) if "choices" in value else read_response(value)

    def reader(self) -> StreamReader:
        return _EitherStream()


class _EitherStream:
    """Goes by the first event: those of Responses have a `type`, chat's chunks have none."""

    def __init__(self) -> None:
        self._stream: StreamReader | None = None

    def take(self, event: Mapping[str, Any]) -> str:
        if self._stream is None:
            self._stream = ResponsesStream() if "type" in event else ChatStream()
        return self._stream.take(event)

    def whole(self) -> Mapping[str, Any] | None:
        return None if self._stream is None else self._stream.whole()
