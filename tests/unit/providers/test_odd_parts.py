"""Parts of content whose data is none, and keys of parts, calls and tools that nobody has a place for."""

from typing import Any

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.chat.request import chat_call
from nexus_actors.providers.apis.responses.request import responses_call
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import Takes


def asked(**fields: Any) -> LLMRequest:
    fields = {"messages": ({"role": "user", "content": "x"},)} | fields
    return LLMRequest(request_id="r", complexity="simple", **fields)


def said(part: dict[str, Any], role: str = "user") -> LLMRequest:
    return asked(messages=({"role": role, "content": [part]},))


def file(data: Any) -> dict[str, Any]:
    return {"type": "file", "file": {"file_data": data, "filename": "x.pdf"}}


@pytest.mark.parametrize(
    "part",
    [
        file("169.254.169.254/x"),
        file("../../etc/passwd"),
        file(["x"]),
        {"type": "input_file", "file_data": "169.254.169.254/x"},
        {"type": "input_audio", "input_audio": {"data": "10.0.0.1:80", "format": "wav"}},
        {"type": "input_audio", "input_audio": "10.0.0.1:80"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "a.b"}},
        {"type": "document", "source": {"type": "base64", "data": "a.b"}},
    ],
)
@pytest.mark.parametrize("role", ["user", "assistant"])
@pytest.mark.parametrize("write", [chat_call, responses_call])
def test_data_that_is_neither_base64_nor_a_data_url_is_refused(
    write: Any, role: str, part: dict[str, Any]
) -> None:
    outcome = write(said(part, role), "m", Takes(), stream=False)
    assert isinstance(outcome, ProviderFailure)
    assert "messages[0].content[0]" in outcome.message


@pytest.mark.parametrize("data", ["AAAA", "AA==\n", "data:application/pdf;base64,AAAA", "_-_-"])
@pytest.mark.parametrize("write", [chat_call, responses_call])
def test_data_goes(write: Any, data: str) -> None:
    assert isinstance(write(said(file(data)), "m", Takes(), stream=False), Prepared)
