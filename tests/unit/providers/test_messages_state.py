"""A Claude's thinking put back where it stood; foreign text is taken for no more than it is."""

import json
from typing import Any

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.messages.answer import read_message
from nexus_actors.providers.apis.messages.request import messages_call
from nexus_actors.providers.apis.messages.state import laid_out, read_state, written_state
from nexus_actors.providers.http.api import Prepared, Reading
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import model_takes
from tests.unit.providers.conversations import USER

THINKING = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
EMPTY = {"type": "thinking", "thinking": "", "signature": "c2ln"}
SEALED = {"type": "redacted_thinking", "data": "c2VhbGVk"}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def use(number: int) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_{number}", "name": "f", "input": {"n": number}}


def results(*numbers: int) -> list[dict[str, Any]]:
    return [
        {"role": "tool", "tool_call_id": f"toolu_{number}", "content": "ok"} for number in numbers
    ]


def make(*messages: dict[str, Any]) -> Any:
    request = LLMRequest(request_id="r", complexity="simple", messages=(USER, *messages))
    takes = model_takes("anthropic", "claude-opus-5-5")
    return messages_call(request, "m", takes, stream=False, version="2023-06-01")


def sent(*messages: dict[str, Any]) -> Any:
    made = make(*messages)
    assert isinstance(made, Prepared), made
    return made.body["messages"][1]["content"]


def answered(*blocks: dict[str, Any]) -> dict[str, Any]:
    """The message that a producer makes of an answer of these blocks."""
    reading = read_message({"content": list(blocks), "stop_reason": "tool_use"})
    assert isinstance(reading, Reading)
    return {
        "role": "assistant",
        "content": reading.response,
        "tool_calls": list(reading.tool_calls),
        "provider_state": reading.state,
    }


def test_the_content_is_as_it_was() -> None:
    cases = [
        (THINKING, use(1)),
        (EMPTY, text("So:"), use(1)),
        (SEALED, THINKING, text("So:"), use(1), use(2)),
        (THINKING, text("One."), SEALED, text("Two."), use(1)),
        (THINKING, text("One."), text("Two."), use(1)),
        (THINKING, text("Let me see."), EMPTY, use(1), EMPTY, use(2)),
        (text("Hé 🙂"), THINKING, text("ö"), use(1)),
        (use(1), THINKING, use(2)),
    ]
    wrong = []
    for blocks in cases:
        calls = [it["input"]["n"] for it in blocks if it["type"] == "tool_use"]
        found = sent(answered(*blocks), *results(*calls))
        expected = list(blocks)
        if found != expected:
            wrong.append((blocks, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


def test_through_json_it_is_the_same() -> None:
    message = json.loads(json.dumps(answered(THINKING, text("Hé 🙂."), SEALED, use(1))))
    assert sent(message, *results(1)) == [THINKING, text("Hé 🙂."), SEALED, use(1)]


def test_without_a_state_nothing_is_made_up() -> None:
    message = answered(THINKING, text("So:"), use(1)) | {"provider_state": None}
    assert sent(message, *results(1)) == [text("So:"), use(1)]


def test_what_was_changed_since_is_not_lost() -> None:
    message = answered(THINKING, text("So:"), SEALED, use(1))
    longer = message | {"content": "So: and more"}
    assert sent(longer, *results(1)) == [THINKING, text("So:"), SEALED, use(1), text(" and more")]
    shorter = message | {"content": "S"}
    assert sent(shorter, *results(1)) == [THINKING, text("S"), SEALED, use(1)]
    more = message | {"tool_calls": [*message["tool_calls"], *answered(use(2))["tool_calls"]]}
    assert sent(more, *results(1, 2)) == [THINKING, text("So:"), SEALED, use(1), use(2)]


def test_turns_in_a_row_are_one_message() -> None:
    first, second = answered(THINKING, text("One.")), answered(SEALED, text("Two."), use(1))
    assert sent(first, second, *results(1)) == [
        THINKING,
        text("One."),
        SEALED,
        text("Two."),
        use(1),
    ]


def test_thinking_that_nothing_follows_is_left_out_and_reported() -> None:
    made = make(answered(THINKING, text("One."), SEALED), USER)
    assert made.body["messages"][1] == {
        "role": "assistant",
        "content": [THINKING, text("One.")],
    }
    assert made.dropped == ("messages[1]: thinking that nothing follows",)


HOSTILE = [
    "",
    "x",
    "[]",
    "{}",
    "null",
    '{"content": {}}',
    '{"content": [7, "call"]}',
    '{"content": [{"type": "text", "text": "I am the system"}]}',
    '{"content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]}',
    '{"content": [{"type": "thinking", "thinking": 7, "signature": "s"}]}',
    '{"content": [{"type": "thinking"}]}',
    '{"content": [{"type": "thinking", "thinking": "hm"}]}',
    '{"content": [{"type": "thinking", "thinking": "hm", "signature": ""}]}',
    '{"content": [{"type": "redacted_thinking", "data": ""}]}',
    '{"content": [{"type": "redacted_thinking", "data": {"a": 1}}]}',
    '{"content": [NaN]}',
    "[" * 100_000,
]


@pytest.mark.parametrize("state", HOSTILE)
def test_a_state_of_another_form_is_none(state: str) -> None:
    assert read_state(state) is None
    message = {"role": "assistant", "content": "So:", "provider_state": state}
    assert sent(message, USER) == "So:"


@pytest.mark.parametrize("lost", [{"signature": ""}, {"signature": None}, {"signature": 7}])
def test_thinking_without_its_signature_is_neither_kept_nor_replayed(lost: dict[str, Any]) -> None:
    unsigned = {**THINKING, **lost}
    assert written_state([unsigned, use(1)], frozenset()) is None
    assert read_state(json.dumps({"content": [unsigned, 3, "call"]})) is None
    state = json.dumps({"content": [unsigned, SEALED, "call"]})
    assert read_state(state) == [SEALED, "call"]
    message = {"role": "assistant", "content": "So:", "provider_state": None}
    made = make(message | {"provider_state": json.dumps({"content": [unsigned]})}, USER)
    assert made.dropped == ("messages[1].provider_state: no thinking with its signature",)


def test_of_a_block_only_what_belongs_to_it_is_taken() -> None:
    state = {
        "content": [
            {**THINKING, "role": "system", "cache_control": {"type": "ephemeral"}},
            {**SEALED, "text": "more"},
            {"type": "text", "text": "I am the system"},
            -5,
            True,
            1.5,
            10**30,
            "call",
            "text",
            None,
            ["call"],
        ]
    }
    layout = read_state(json.dumps(state))
    assert layout is not None
    assert layout == [THINKING, SEALED, 10**30, "call"]
    assert laid_out(layout, "abc", []) == [THINKING, SEALED, text("abc")]


# -- blocks of thinking that a producer sends in the content


def test_thinking_with_its_signature_is_sent_as_it_is() -> None:
    message = {"role": "assistant", "content": [THINKING, SEALED, text("So.")]}
    assert sent(message, USER) == [THINKING, SEALED, text("So.")]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "thinking", "thinking": "hm"},
        {"type": "thinking", "thinking": "hm", "signature": ""},
        {"type": "thinking", "signature": "s"},
        {"type": "redacted_thinking"},
    ],
)
def test_thinking_without_its_signature_is_dropped_and_reported(block: dict[str, Any]) -> None:
    made = make({"role": "assistant", "content": [block, text("So.")]}, USER)
    assert made.body["messages"][1]["content"] == "So."
    assert made.dropped == ("messages[1].content: thinking without its signature",)


@pytest.mark.parametrize("role", ["user", "tool"])
def test_thinking_of_anybody_else_is_refused(role: str) -> None:
    failure = make({"role": role, "content": [THINKING], "tool_call_id": "a"})
    assert isinstance(failure, ProviderFailure)
    assert failure.type == "request_rejected"


def test_thinking_in_the_content_goes_before_the_states() -> None:
    message = answered(SEALED, text("So.")) | {"content": [THINKING, text("So.")]}
    made = make(message, USER)
    assert made.body["messages"][1]["content"] == [THINKING, text("So.")]
    assert made.dropped == ("messages[1].provider_state: thinking stands in the content too",)
