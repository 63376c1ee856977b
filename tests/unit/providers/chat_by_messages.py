"""A chat completion with these messages."""

import json
from typing import Any

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.chat.dialect import OPENAI, Dialect
from nexus_actors.providers.apis.chat.request import chat_call
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import Takes


def outcome(
    *messages: dict[str, Any], takes: Takes | None = None, dialect: Dialect = OPENAI, **fields: Any
) -> Prepared | ProviderFailure:
    request = LLMRequest(request_id="r", complexity="simple", messages=messages, **fields)
    return chat_call(request, "m", takes or Takes(), stream=False, dialect=dialect)


def call(*messages: dict[str, Any], **more: Any) -> Prepared:
    prepared = outcome(*messages, **more)
    assert isinstance(prepared, Prepared), prepared
    json.dumps(prepared.body, allow_nan=False)
    return prepared


def sent(*messages: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    messages_sent: list[dict[str, Any]] = call(*messages, **more).body["messages"]
    return messages_sent
