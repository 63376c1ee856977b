"""Answers that come back in the next request: what of them goes to whom."""

import json
from typing import Any

import pytest

from nexus_actors.contract.provider_state import Owner, open_states, seal_answer
from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.chat.answer import read_chat
from nexus_actors.providers.http.api import Reading
from nexus_actors.providers.takes import Takes
from tests.http_server import completion
from tests.unit.providers.chat_by_messages import call, sent
from tests.unit.providers.conversations import CALL, USER


def test_an_answer_can_be_sent_back() -> None:
    cases = [
        ({"content": "A cat.", "tool_calls": []}, {"content": "A cat."}),
        ({"content": "", "tool_calls": []}, {"content": ""}),
        ({"content": None, "refusal": "No.", "tool_calls": []}, {"content": "No."}),
        ({"content": None, "tool_calls": None, "refusal": "No."}, {"content": "No."}),
        ({"content": "A cat.", "refusal": None}, {"content": "A cat."}),
        ({"content": None, "tool_calls": [CALL]}, {"content": None, "tool_calls": [CALL]}),
        ({"content": "", "tool_calls": [CALL]}, {"content": None, "tool_calls": [CALL]}),
        ({"content": "And", "tool_calls": [CALL]}, {"content": "And", "tool_calls": [CALL]}),
        (
            {"content": None, "audio": None, "annotations": [], "trace_id": 7, "refusal": "No."},
            {"content": "No."},
        ),
        (
            {"content": None, "tool_calls": [{**CALL, "index": 0}]},
            {"content": None, "tool_calls": [CALL]},
        ),
    ]
    wrong = []
    for said, back in cases:
        prepared = call(USER, {"role": "assistant", **said}, USER)
        found = (prepared.body["messages"][1], prepared.dropped)
        if found != ({"role": "assistant", **back}, ()):
            wrong.append((said, back, found))
    assert not wrong, "\n".join(map(repr, wrong))


CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
SIGNED = {"google": {"thought_signature": "c2ln"}}


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ({"content": "Hi", "reasoning_content": "Hm."}, {"reasoning_content": "Hm."}),
        ({**CALLING, "reasoning_content": "Hm."}, {"reasoning_content": "Hm."}),
        ({"content": "Hi", "reasoning": "Hm."}, {"reasoning": "Hm."}),
        (
            {
                "content": "Hi",
                "reasoning": "Hm.",
                "reasoning_details": [{"type": "x", "data": "y"}],
            },
            {"reasoning": "Hm.", "reasoning_details": [{"type": "x", "data": "y"}]},
        ),
        ({"content": "Hi", "extra_content": SIGNED}, {"extra_content": SIGNED}),
        ({"content": "Hi", "reasoning_content": "", "extra_content": {}}, {}),
        ({"content": "Hi", "reasoning_content": 7, "reasoning_details": "x"}, {}),
        ({"content": "Hi", "reasoning_details": [7]}, {}),
    ],
)
def test_what_an_answer_was_thought_with_comes_back_under_the_same_names(
    message: dict[str, Any], kept: dict[str, Any]
) -> None:
    finish = "tool_calls" if message.get("tool_calls") else "stop"
    reading = read_chat(completion(choices=[{"message": message, "finish_reason": finish}]))
    assert isinstance(reading, Reading)
    owner = Owner("p", "m", "KEY")
    state, calls, _ = seal_answer(owner, reading.state, reading.tool_calls)
    back = {
        "role": "assistant",
        "content": reading.response or "",
        "tool_calls": list(calls),
        "provider_state": state,
    }
    request = LLMRequest(request_id="r", complexity="simple", messages=(USER, back, USER))
    opened, dropped = open_states(request, owner)
    prepared = call(*opened.messages)
    again = prepared.body["messages"][1]
    assert {k: v for k, v in again.items() if k not in ("role", "content", "tool_calls")} == kept
    assert (prepared.dropped, dropped) == ((), ())
    # and to nobody else
    strange, dropped = open_states(request, Owner("other", "m", "KEY"))
    again = call(*strange.messages).body["messages"][1]
    assert set(again) <= {"role", "content", "tool_calls"}
    assert len(dropped) == bool(kept)


def test_a_calls_own_comes_back_in_the_call() -> None:
    message = {
        "content": None,
        "tool_calls": [{**CALL, "extra_content": SIGNED}, {**CALL, "id": "b"}],
    }
    reading = read_chat(completion(choices=[{"message": message, "finish_reason": "stop"}]))
    assert isinstance(reading, Reading)
    first, second = reading.tool_calls
    assert json.loads(first["provider_state"]) == {"extra_content": SIGNED}
    assert "extra_content" not in first
    assert "provider_state" not in second
    back = {"role": "assistant", "content": "", "tool_calls": [first, second]}
    calls = sent(USER, back)[1]["tool_calls"]
    assert calls == [{**CALL, "extra_content": SIGNED}, {**CALL, "id": "b"}]


@pytest.mark.parametrize(
    "key", ["reasoning_content", "reasoning", "reasoning_details", "extra_content"]
)
def test_a_producers_own_copy_is_sent_where_the_server_is_known_for_it(key: str) -> None:
    value: Any = {
        "reasoning_details": [{"type": "reasoning.text", "text": "Hm."}],
        "extra_content": SIGNED,
    }.get(key, "Hm.")
    said = {"role": "assistant", "content": "Hi", key: value}
    assert sent(USER, said, USER, takes=Takes(foreign=(key,)))[1] == said
    prepared = call(USER, said, USER)
    assert prepared.body["messages"][1] == {"role": "assistant", "content": "Hi"}
    assert prepared.dropped == (f"messages[1].{key}",)


def test_a_producers_own_signature_in_a_call_goes_where_it_is_known() -> None:
    said = {"role": "assistant", "content": None, "tool_calls": [{**CALL, "extra_content": SIGNED}]}
    assert sent(USER, said, takes=Takes(foreign=("extra_content",)))[1] == said
    prepared = call(USER, said)
    assert prepared.body["messages"][1]["tool_calls"] == [CALL]
    assert prepared.dropped == ("messages[1].tool_calls[0].extra_content",)


def test_of_a_state_only_what_an_answer_has_is_taken() -> None:
    cases = [
        "",
        "no JSON",
        "[]",
        "7",
        '{"role": "system", "content": "x", "name": "y"}',
        '{"reasoning_content": {"a": 1}, "reasoning": 7, "reasoning_details": {}}',
        '{"extra_content": "x"}',
        "[" * 100_000,
        '{"tool_calls": []}',
    ]
    wrong = []
    for state in cases:
        forged_call = {**CALL, "provider_state": state}
        said = {
            "role": "assistant",
            "content": "Hi",
            "tool_calls": [forged_call],
            "provider_state": state,
        }
        found = sent(USER, said)[1]
        if found != {"role": "assistant", "content": "Hi", "tool_calls": [CALL]}:
            wrong.append((state, found))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize("known", [{}, {"reasoning_content": "Hm."}])
def test_a_turn_of_calls_has_its_reasoning_though_it_be_none(known: dict[str, Any]) -> None:
    takes = Takes(reasoning_sent_back=True, foreign=("reasoning_content",))
    said = {"role": "assistant", "content": None, "tool_calls": [CALL], **known}
    assert sent(USER, said, takes=takes)[1] == {"reasoning_content": "", **said}
    spoken = {"role": "assistant", "content": "Hi"}
    assert sent(USER, spoken, USER, takes=takes)[1] == spoken


@pytest.mark.parametrize(
    ("calls", "first"),
    [
        ([CALL, {**CALL, "id": "b"}], "skip_thought_signature_validator"),
        ([{**CALL, "extra_content": SIGNED}], "c2ln"),
    ],
)
def test_a_turn_of_calls_is_signed_where_it_must_be(calls: list[Any], first: str) -> None:
    takes = Takes(signatures=True, foreign=("extra_content",))
    said = {"role": "assistant", "content": None, "tool_calls": calls}
    back = sent(USER, said, takes=takes)[1]["tool_calls"]
    assert back[0]["extra_content"]["google"]["thought_signature"] == first
    assert not [it for it in back[1:] if "extra_content" in it]
