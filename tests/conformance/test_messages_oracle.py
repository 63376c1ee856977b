"""Every body we send to Anthropic is one that its official client could send."""

from typing import Any

import pytest
from pydantic import ValidationError

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.messages.request import messages_call
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.takes import model_takes
from tests.lazy import Lazy
from tests.unit.providers.conversations import EVERY_KIND
from tests.unit.providers.oracles import check_body

params = Lazy("anthropic.types.message_create_params")


def call(*, stream: bool = False, version: str = "2023-06-01", **fields: Any) -> Prepared:
    request = LLMRequest(request_id="r", complexity="simple", **fields)
    takes = model_takes("anthropic", "claude")
    prepared = messages_call(request, "claude", takes, stream=stream, version=version)
    assert isinstance(prepared, Prepared), prepared
    return prepared


@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21"])
@pytest.mark.parametrize("name", EVERY_KIND)
def test_is_what_the_official_client_sends(name: str, version: str) -> None:
    # The client's types are those of the newest version, which has these no more.
    gone = {"temperature", "top_p"} if version < "2026-10-21" else set()
    fields = {key: value for key, value in EVERY_KIND[name].items() if key not in gone}
    check_body(params.MessageCreateParamsNonStreaming, call(version=version, **fields).body)
    check_body(
        params.MessageCreateParamsStreaming, call(stream=True, version=version, **fields).body
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"unknown": 1},
        {"messages": [{"role": "system", "content": 7}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
        {"tools": [{"name": "f"}]},
        {"max_tokens": "7"},
        {"response_format": {"type": "json_object"}},
    ],
)
def test_the_oracle_is_strict(wrong: dict[str, Any]) -> None:
    body = {"model": "m", "max_tokens": 7, "messages": [{"role": "user", "content": "x"}]}
    check_body(params.MessageCreateParamsNonStreaming, body)
    with pytest.raises(ValidationError):
        check_body(params.MessageCreateParamsNonStreaming, body | wrong)
