"""Ids of calls as each target takes them: one in a call and its result, and never two alike."""

import re
from typing import Any

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.call_ids import (
    ANTHROPIC,
    MISTRAL,
    OPENAI_CHAT,
    OPENAI_RESPONSES,
    CallIds,
)
from nexus_actors.providers.apis.chat.dialect import Dialect
from nexus_actors.providers.apis.chat.presets import PRESETS
from nexus_actors.providers.apis.chat.request import chat_call
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.takes import Takes

ODD = (
    "",
    "call_1",
    "toolu_01A09q90qw90lq917835lq9",
    "functions.weather:0",
    "x" * 41,
    "x" * 65,
    "y" * 500,
    "a b",
    "a-b",
    "a_b",
    "ä",
    "\ud800",
    "D681PevKs",
    "call_1 ",
)
"""Such as others' servers make them, and such as nobody should."""
TARGETS = {
    "anthropic": (ANTHROPIC, r"[a-zA-Z0-9_-]{1,64}"),
    "mistral": (MISTRAL, r"[a-zA-Z0-9]{9}"),
    "openai chat": (OPENAI_CHAT, r".{1,40}"),
    "openai responses": (OPENAI_RESPONSES, r".{1,64}"),
}


@pytest.mark.parametrize("target", TARGETS)
def test_every_id_fits_stays_itself_and_is_one_of_a_kind(target: str) -> None:
    ids, pattern = TARGETS[target]
    sent = ids.rewritten(ODD)
    assert all(re.fullmatch(pattern, it, re.DOTALL) for it in sent.values())
    assert len(set(sent.values())) == len(set(ODD))
    assert ids.rewritten(reversed(ODD)) == sent
    assert ids.rewritten([*ODD, *ODD]) == sent


@pytest.mark.parametrize("target", TARGETS)
def test_an_id_that_fits_is_left_alone(target: str) -> None:
    ids, _ = TARGETS[target]
    assert ids.rewritten(["D681PevKs"]) == {"D681PevKs": "D681PevKs"}


def test_a_made_id_that_is_taken_already_is_made_anew() -> None:
    tiny = CallIds(re.compile("[a-zA-Z0-9]"), 1)
    many = [f"too-long-{number}" for number in range(40)] + ["a", "b", "C"]
    sent = tiny.rewritten(many)
    assert len(set(sent.values())) == len(many)
    assert (sent["a"], sent["b"], sent["C"]) == ("a", "b", "C")


@pytest.mark.parametrize("target", TARGETS)
def test_a_call_and_its_result_have_the_same(target: str) -> None:
    ids, pattern = TARGETS[target]
    messages: list[dict[str, Any]] = [{"role": "user", "content": "go"}]
    for call_id in ODD:
        function = {"name": "f", "arguments": "{}"}
        call = {"id": call_id, "type": "function", "function": function}
        messages.append({"role": "assistant", "content": "", "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": call_id, "content": "done"})
    request = LLMRequest(request_id="r", complexity="simple", messages=tuple(messages))
    call_body = chat_call(request, "m", Takes(), stream=False, dialect=Dialect(ids=ids))
    assert isinstance(call_body, Prepared)
    sent = call_body.body["messages"][1:]
    for said, result in zip(sent[::2], sent[1::2], strict=True):
        assert said["tool_calls"][0]["id"] == result["tool_call_id"]
        assert re.fullmatch(pattern, result["tool_call_id"], re.DOTALL)


def test_mistral_has_nine_and_all_others_forty_at_most() -> None:
    for name, preset in PRESETS.items():
        assert preset.dialect.ids is (MISTRAL if name == "mistral" else OPENAI_CHAT)
