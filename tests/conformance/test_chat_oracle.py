"""Every body we send is one that the official OpenAI client could send, but for what a preset is
documented to have of its own."""

from typing import Any

import pytest
from pydantic import ValidationError

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.chat.preset_api import PresetApi
from nexus_actors.providers.apis.chat.presets import PRESETS
from nexus_actors.providers.apis.chat.request import chat_call
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.takes import model_takes
from tests.lazy import Lazy
from tests.unit.providers.conversations import EVERY_KIND
from tests.unit.providers.oracles import check_body

params = Lazy("openai.types.chat.completion_create_params")
REFUSED = {
    "image by URL": {"deepseek", "ollama"},
    "image as data": {"deepseek"},
    "image of the Responses API": {"deepseek"},
}
"""Kinds of requests, and the presets that take no such image."""


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-5", "o3"])
@pytest.mark.parametrize("name", EVERY_KIND)
def test_is_what_the_official_client_sends(name: str, model: str) -> None:
    request = LLMRequest(request_id="r", complexity="simple", **EVERY_KIND[name])
    takes = model_takes("openai/chat", model)
    whole, streamed = (
        params.CompletionCreateParamsNonStreaming,
        params.CompletionCreateParamsStreaming,
    )
    for wanted, stream in ((whole, False), (streamed, True)):
        call = chat_call(request, model, takes, stream=stream)
        assert isinstance(call, Prepared), call
        check_body(wanted, call.body)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", EVERY_KIND)
@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_sends_the_same_but_for_the_documented(
    preset: str, kind: str, stream: bool
) -> None:
    request = LLMRequest(request_id="r", complexity="simple", **EVERY_KIND[kind])
    api = PresetApi(PRESETS[preset], {})
    call = api.prepare(request, "m", model_takes(preset, "m"), stream=stream)
    if preset in REFUSED.get(kind, ()):
        assert not isinstance(call, Prepared)
        return
    assert isinstance(call, Prepared), call
    body = dict(call.body)
    if preset == "deepseek":
        body.pop("thinking", None)
        for message in body["messages"]:
            message.pop("reasoning_content", None)
    if preset == "mistral" and "random_seed" in body:
        body["seed"] = body.pop("random_seed")
    wanted = (
        params.CompletionCreateParamsStreaming
        if "stream" in body
        else params.CompletionCreateParamsNonStreaming
    )
    check_body(wanted, body)


@pytest.mark.parametrize(
    "wrong",
    [
        {"unknown": 1},
        {"messages": [{"role": "user", "content": "x", "trace": 1}]},
        {"messages": [{"role": "nobody", "content": "x"}]},
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        {"tools": [{"type": "function", "name": "flat"}]},
        {"max_tokens": "7"},
    ],
)
def test_the_oracle_is_strict(wrong: dict[str, Any]) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    check_body(params.CompletionCreateParamsNonStreaming, body)
    with pytest.raises(ValidationError):
        check_body(params.CompletionCreateParamsNonStreaming, body | wrong)
