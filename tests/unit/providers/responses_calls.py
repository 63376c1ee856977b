"""Calls of the Responses API as they are written, for the tests beside this file."""

import json
from typing import Any

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.responses.request import responses_call
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.takes import model_takes

USER = {"role": "user", "content": "Hi"}
SAID = {"type": "message", **USER}


def spoken(role: str, content: Any) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": content}


def call(model: str = "gpt-4o-mini", *, stream: bool = False, **fields: Any) -> Prepared:
    fields = {"messages": (USER,)} | fields
    request = LLMRequest(request_id="r", complexity="simple", **fields)
    prepared = responses_call(request, model, model_takes("openai/responses", model), stream=stream)
    assert isinstance(prepared, Prepared), prepared
    return prepared


def told(prepared: Prepared) -> tuple[str, ...]:
    """The paths in `dropped`, without what is said of them."""
    return tuple(it.partition(":")[0] for it in prepared.dropped)


def body(model: str = "gpt-4o-mini", **fields: Any) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(json.dumps(call(model, **fields).body))
    return decoded


def items(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = body(messages=messages)["input"]
    return found
