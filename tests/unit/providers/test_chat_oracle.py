"""Every body we send is one that the official OpenAI client could send."""

from typing import Any

import pytest
from pydantic import ValidationError

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.chat.request import chat_call
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.takes import model_takes
from tests.lazy import Lazy
from tests.unit.providers.conversations import EVERY_KIND
from tests.unit.providers.oracles import check_body

params = Lazy("openai.types.chat.completion_create_params")


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
