"""OpenAI's two APIs behind one: the Responses API, or chat completions if the request asks for it
and the model supports it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from msgspec import structs

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.chat.api import ChatApi
from nexus_actors.providers.apis.chat.stream import ChatStream
from nexus_actors.providers.apis.responses.answer import read_response
from nexus_actors.providers.apis.responses.request import (
    DIGEST,
    own_tier,
    responses_call,
    short_key,
)
from nexus_actors.providers.apis.responses.stream import ResponsesStream
from nexus_actors.providers.http.api import Prepared, Reading, StreamReader
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import Takes, nearest

_MOVED = "api_version: the Responses API was asked, for the model does not answer this in chat"


def answers_in_chat(request: LLMRequest, takes: Takes) -> bool:
    """Whether the model answers this in chat completions. Some accept no tools there while they
    think, others do not support that API."""
    if takes.chat == "always" or (takes.chat == "without_tools" and not request.tools):
        return True
    asked = request.reasoning_effort or takes.default_effort
    thinks = asked is None or nearest(asked, takes.efforts or ("high",)) != "none"
    return takes.chat == "without_tools" and not thinks


def _in_own_words(request: LLMRequest) -> tuple[LLMRequest, tuple[str, ...]]:
    """The request for OpenAI's own chat completions, and what to report about it."""
    asked = request.prompt_cache_key
    key = None if asked is None else short_key(asked)
    own = structs.replace(
        request, service_tier=own_tier(request.service_tier), prompt_cache_key=key
    )
    return own, (f"prompt_cache_key: {DIGEST}",) if key != asked else ()


class ResponsesOrChatApi(ChatApi):
    """An `HttpApi`. Answers show which API sent them: only those of chat have `choices`."""

    def prepare(
        self, request: LLMRequest, model: str, takes: Takes, *, stream: bool
    ) -> Prepared | ProviderFailure:
        if request.api_version != "chat_completions":
            return responses_call(request, model, takes, stream=stream)
        if answers_in_chat(request, takes):
            own, remarks = _in_own_words(request)
            prepared = super().prepare(own, model, takes, stream=stream)
        else:
            prepared, remarks = responses_call(request, model, takes, stream=stream), (_MOVED,)
        if isinstance(prepared, Prepared):
            return replace(prepared, dropped=(*remarks, *prepared.dropped))
        return prepared

    def read(self, value: Mapping[str, Any]) -> Reading | ProviderFailure:
        return super().read(value) if "choices" in value else read_response(value)

    def reader(self) -> StreamReader:
        return _EitherStream()


class _EitherStream:
    """Chooses by the first event: those of the Responses API have a `type` or a `response`, chunks
    of chat completions have neither."""

    def __init__(self) -> None:
        self._stream: StreamReader | None = None

    def take(self, event: Mapping[str, Any]) -> str:
        if self._stream is None:
            self._stream = (
                ResponsesStream() if {"type", "response"} & event.keys() else ChatStream()
            )
        return self._stream.take(event)

    def whole(self) -> Mapping[str, Any] | None:
        return None if self._stream is None else self._stream.whole()
