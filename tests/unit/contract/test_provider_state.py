"""State that belongs to a provider: sealed with its owner, opened for nobody else."""

from typing import Any

import pytest

from nexus_actors.contract.provider_state import (
    STATE_LIMIT,
    Owner,
    key_of_states,
    open_states,
    seal_answer,
)
from nexus_actors.contract.request import LLMRequest

OWNER = Owner("openai", "gpt-6", "OPENAI_API_KEY")
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def request(*messages: dict[str, Any]) -> LLMRequest:
    user = {"role": "user", "content": "Hello"}
    return LLMRequest(request_id="r", complexity="simple", messages=(user, *messages))


def said(**more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": "Hi", **more}


def test_what_was_sealed_is_opened_for_its_owner_where_it_stood() -> None:
    state, calls, too_large = seal_answer(OWNER, "[1]", [{**CALL, "provider_state": "[2]"}, CALL])
    assert not too_large
    sent = request(said(provider_state=state, tool_calls=list(calls)))
    opened, dropped = open_states(sent, OWNER)
    assert dropped == ()
    message = opened.messages[1]
    assert message["provider_state"] == "[1]"
    assert [call.get("provider_state") for call in message["tool_calls"]] == ["[2]", None]
    assert message["content"] == "Hi"


@pytest.mark.parametrize(
    "other",
    [
        Owner("anthropic", "gpt-6", "OPENAI_API_KEY"),
        Owner("openai", "gpt-5", "OPENAI_API_KEY"),
        Owner("openai", "gpt-6", "OPENAI_API_KEY_2"),
        Owner("openai", "gpt-6", None),
    ],
)
def test_another_provider_model_or_key_is_not_shown_it_and_that_is_reported(other: Owner) -> None:
    state, calls, _ = seal_answer(OWNER, "[1]", [{**CALL, "provider_state": "[2]"}])
    sent = request(said(provider_state=state, tool_calls=list(calls)))
    opened, dropped = open_states(sent, other)
    assert "provider_state" not in opened.messages[1]
    assert opened.messages[1]["tool_calls"] == [CALL]
    why = "another provider's, model's or key's"
    assert dropped == (
        f"messages[1].provider_state: {why}",
        f"messages[1].tool_calls[0].provider_state: {why}",
    )


@pytest.mark.parametrize(
    "forged",
    [
        "text",
        ["openai"],
        {"provider": "openai", "model": "gpt-6", "key": "OPENAI_API_KEY"},
        {"provider": "openai", "model": "gpt-6", "key": "OPENAI_API_KEY", "state": {"a": 1}},
        {"provider": ["openai"], "model": "gpt-6", "key": "OPENAI_API_KEY", "state": "[1]"},
    ],
)
def test_what_is_no_state_of_ours_is_not_sent_on(forged: Any) -> None:
    opened, dropped = open_states(request(said(provider_state=forged)), OWNER)
    assert "provider_state" not in opened.messages[1]
    assert len(dropped) == 1


def test_a_request_without_states_is_left_as_it_is() -> None:
    sent = request(said(tool_calls=[CALL, "no call"]))
    assert open_states(sent, OWNER) == (sent, ())


def test_the_states_of_one_message_have_a_limit_together() -> None:
    half = "x" * (STATE_LIMIT // 2)
    state, calls, too_large = seal_answer(OWNER, half, [{**CALL, "provider_state": half}])
    assert not too_large
    sent = request(said(provider_state=state, tool_calls=list(calls)))
    assert open_states(sent, OWNER)[1] == ()

    state, calls, too_large = seal_answer(OWNER, half + "x", [{**CALL, "provider_state": half}])
    assert too_large
    assert state is None
    assert calls == (CALL,)

    sent = request(
        said(provider_state=OWNER.seal(half + "é"), tool_calls=[{**CALL, "provider_state": None}]),
        said(provider_state=OWNER.seal(half + half + "x")),
        said(provider_state=OWNER.seal("[1]")),
    )
    opened, dropped = open_states(sent, OWNER)
    assert dropped == ("messages[2].provider_state: larger than 256 KiB",)
    assert [message.get("provider_state") for message in opened.messages[1:]] == [
        half + "é",
        None,
        "[1]",
    ]


def test_a_conversation_goes_on_with_the_key_of_its_newest_state() -> None:
    newer = Owner("openai", "gpt-6", "OPENAI_API_KEY_2")
    sent = request(
        said(provider_state=OWNER.seal("[1]")),
        said(tool_calls=[{**CALL, "provider_state": newer.seal("[2]")}]),
        said(provider_state=Owner("anthropic", "claude", "ANTHROPIC_API_KEY").seal("[3]")),
        said(provider_state={"provider": "openai", "key": 7}),
    )
    assert key_of_states(sent, "openai") == "OPENAI_API_KEY_2"
    assert key_of_states(sent, "anthropic") == "ANTHROPIC_API_KEY"
    assert key_of_states(sent, "gemini") is None
