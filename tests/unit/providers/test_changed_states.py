"""A state that somebody changed on its way: nothing of it is sent back, and that is told."""

from typing import Any

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.chat.request import chat_call
from nexus_actors.providers.apis.generate_content.request import generate_content_call
from nexus_actors.providers.apis.messages.request import messages_call
from nexus_actors.providers.apis.responses.request import responses_call
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.takes import model_takes

CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CHANGED = ["no JSON", "[]", "7", "{}", '{"role": "user"}', '{"reasoning": 7}', '{"content": [{}]}']


def written(server: str, model: str, request: LLMRequest) -> Any:
    takes = model_takes(server, model)
    match server:
        case "anthropic":
            return messages_call(request, model, takes, stream=False, version="2023-06-01")
        case "gemini":
            return generate_content_call(request, model, takes, stream=False)
        case "openai/responses":
            return responses_call(request, model, takes, stream=False)
        case _:
            return chat_call(request, model, takes, stream=False)


def asked(state: str, call_state: str | None = None) -> LLMRequest:
    call = CALL if call_state is None else {**CALL, "provider_state": call_state}
    said = {"role": "assistant", "content": "Hm.", "tool_calls": [call], "provider_state": state}
    result = {"role": "tool", "tool_call_id": "call_1", "content": "1"}
    user = {"role": "user", "content": "Hello"}
    return LLMRequest(request_id="r", complexity="simple", messages=(user, said, result))


def test_it_is_reported() -> None:
    cases = [
        ("anthropic", "claude-opus-5"),
        ("gemini", "gemini-3.8-flash"),
        ("openai/responses", "gpt-5.5"),
        ("openai_compatible", "m"),
    ]
    wrong = []
    for state in CHANGED:
        for server, model in cases:
            prepared = written(server, model, asked(state))
            if not (
                isinstance(prepared, Prepared)
                and any(it.startswith("messages[1].provider_state: ") for it in prepared.dropped)
                and "provider_state" not in str(prepared.body)
            ):
                wrong.append((state, server, model, prepared))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize("state", CHANGED)
@pytest.mark.parametrize(
    ("server", "model"), [("gemini", "gemini-3.8-flash"), ("openai_compatible", "m")]
)
def test_so_is_that_of_a_call(server: str, model: str, state: str) -> None:
    prepared = written(server, model, asked("x", state))
    assert isinstance(prepared, Prepared)
    told = "messages[1].tool_calls[0].provider_state: nothing in it can be sent back"
    assert told in prepared.dropped
