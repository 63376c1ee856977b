"""Messages that come back: calls, refusals, and the state that belongs to a provider."""

import json
from typing import Any

import pytest

from tests.unit.contract.test_decode import USER, accept, body, refuse

STATE = {"provider": "claude", "model": "claude-opus-5-5", "key": None, "state": "{}"}
BAD_JSON = (
    '{"x": NaN}',
    '{"x": Infinity}',
    '{"x": [-Infinity]}',
    '{"x": 1e999}',
    '{"x": -1e400}',
    '{"x": ' + "1" * 5000 + "}",
    "[" * 100_000 + "]" * 100_000,
    "[" * 100_000,
    '{"x":' * 200 + "1" + "}" * 200,
    "NaN",
)
LOOSE_TEXT = ("", "{}", '{"x": 1}', "look at it", '{"x": ', "[1]", '{"x": "NaN"}', "{'x': 1}")


def call(arguments: Any = "{}", **more: Any) -> dict[str, Any]:
    function = {"name": "look", "arguments": arguments}
    return {"id": "c1", "type": "function", "function": function, **more}


def assistant(**fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": "", **fields}


def read(*messages: dict[str, Any]) -> tuple[Any, ...]:
    return accept(body(messages=[USER, *messages])).messages[1:]


def test_a_developer_is_the_system() -> None:
    assert read({"role": "developer", "content": "x"}) == ({"role": "system", "content": "x"},)


def test_no_calls_are_none() -> None:
    assert read(assistant(content="Yes.", tool_calls=[])) == (assistant(content="Yes."),)
    assert refuse(body(messages=[assistant(content=None, tool_calls=[])])).path == (
        "messages[0].content"
    )


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning", "reasoning_details"])
def test_thoughts_alone_need_no_content(key: str) -> None:
    assert read({"role": "assistant", "content": None, key: "Hm."}) == (assistant(**{key: "Hm."}),)


def test_a_state_alone_needs_no_content() -> None:
    message = {"role": "assistant", "content": None, "provider_state": STATE}
    assert read(message) == (assistant(provider_state=STATE),)


@pytest.mark.parametrize("content", [None, ""])
def test_a_refusal_is_what_was_said(content: str | None) -> None:
    message = {"role": "assistant", "content": content, "refusal": "I will not."}
    assert read(message) == (assistant(content="I will not."),)


def test_no_refusal_is_none() -> None:
    assert read(assistant(content="Yes.", refusal=None)) == (
        assistant(content="Yes.", refusal=None),
    )
    for role in ("assistant", "user", "tool"):
        message = {"role": role, "content": None, "refusal": None}
        assert refuse(body(messages=[message])).path == "messages[0].content"


@pytest.mark.parametrize("role", ["user", "system", "tool"])
def test_others_need_content_whatever_they_have(role: str) -> None:
    message = {"role": role, "content": None, "refusal": "no", "reasoning_content": "Hm."}
    assert refuse(body(messages=[message])).path == "messages[0].content"


@pytest.mark.parametrize("text", BAD_JSON, ids=lambda text: text[:12])
def test_arguments_that_no_json_can_carry_are_refused(text: str) -> None:
    messages = [USER, assistant(tool_calls=[call(), call(text)])]
    refusal = refuse(body(messages=messages))
    assert refusal.type == "invalid_request"
    assert refusal.path == "messages[1].tool_calls[1].function.arguments"
    assert "NaN" not in refusal.message
    assert len(refusal.message) < 200
    item = {"type": "function_call", "call_id": "c", "name": "look", "arguments": text}
    refusal = refuse(body(messages=..., input=[{**USER}, item]))
    assert refusal.path == "input[1].arguments"


def test_arguments_that_are_no_json_at_all_stay() -> None:
    wrong = []
    for text in LOOSE_TEXT:
        [message] = read(assistant(tool_calls=[call(text)]))
        found = message["tool_calls"][0]
        expected = call(text)
        if found != expected:
            wrong.append((text, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


def test_arguments_as_an_object_become_text() -> None:
    given = {"x": {"y": [1, "é"]}}
    [message] = read(assistant(tool_calls=[call(given)]))
    assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == given
    item = {"type": "function_call", "call_id": "c", "name": "look", "arguments": given}
    request = accept(body(messages=..., input=[USER, item]))
    assert request.input is not None
    assert not isinstance(request.input, str)
    assert json.loads(request.input[1]["arguments"]) == given
    assert json.loads(request.messages[1]["tool_calls"][0]["function"]["arguments"]) == given


def test_absent_arguments_are_none() -> None:
    for function in ({"name": "look"}, {"name": "look", "arguments": None}):
        [message] = read(assistant(tool_calls=[{"id": "c1", "function": function}]))
        assert message["tool_calls"][0]["function"]["arguments"] == "{}"


@pytest.mark.parametrize("arguments", [[], [1], 7, True])
def test_arguments_are_text_or_an_object(arguments: object) -> None:
    refusal = refuse(body(messages=[assistant(tool_calls=[call(arguments)])]))
    assert refusal.path == "messages[0].tool_calls[0].function.arguments"


def test_further_keys_are_kept() -> None:
    signed = call(extra_content={"google": {"thought_signature": "s"}}, index=0)
    message = assistant(tool_calls=[signed], reasoning_content="Hm.", note={"by": 7})
    assert read(message) == (message,)


@pytest.mark.parametrize(
    "message",
    [
        assistant(
            tool_calls=[{"id": "c1", "type": "custom", "custom": {"name": "g", "input": "x"}}]
        ),
        assistant(content=[{"type": "thinking", "thinking": "Hm.", "signature": "s"}]),
        assistant(content=[{"type": "tool_use", "id": "t", "name": "look", "input": {}}]),
        {"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "u"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]},
    ],
)
def test_what_an_api_has_of_its_own_stays_as_it_is(message: dict[str, Any]) -> None:
    assert read(message) == (message,)


def test_the_call_of_old_is_refused() -> None:
    message = assistant(content=None, function_call={"name": "look", "arguments": "{}"})
    assert refuse(body(messages=[message])).path == "messages[0].function_call"
    assert read(assistant(content="x", function_call=None))


def test_state_stays_where_it_stands() -> None:
    message = assistant(provider_state=STATE, tool_calls=[call(provider_state=STATE)])
    assert read(message) == (message,)
    assert read(assistant(content="x", provider_state=None))


@pytest.mark.parametrize(
    ("state", "path"),
    [
        ("{}", ""),
        ([], ""),
        (7, ""),
        ({}, ".provider"),
        ({**STATE, "provider": 7}, ".provider"),
        ({**STATE, "model": None}, ".model"),
        ({**STATE, "key": 7}, ".key"),
        ({**STATE, "state": {"deep": []}}, ".state"),
    ],
)
def test_state_has_one_form(state: object, path: str) -> None:
    refusal = refuse(body(messages=[assistant(provider_state=state)]))
    assert refusal.path == f"messages[0].provider_state{path}"
    refusal = refuse(body(messages=[assistant(tool_calls=[call(provider_state=state)])]))
    assert refusal.path == f"messages[0].tool_calls[0].provider_state{path}"
    item = {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"}
    refusal = refuse(body(messages=..., input=[{**item, "provider_state": state}]))
    assert refusal.path == f"input[0].provider_state{path}"


@pytest.mark.parametrize("role", ["user", "system", "tool"])
def test_only_an_assistant_has_state(role: str) -> None:
    message = {"role": role, "content": "x", "provider_state": STATE}
    assert refuse(body(messages=[message])).path == "messages[0].provider_state"


def test_an_input_with_state_is_reported_by_messages() -> None:
    item = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"}
    items: list[dict[str, Any]] = [
        USER,
        {**item, "provider_state": STATE},
        {"type": "function_call_output", "call_id": "c1", "output": "a rose"},
    ]
    request = accept(body(messages=..., input=items, instructions="Be brief."))
    assert request.input is None
    assert request.instructions is None
    assert request.messages[0] == {"role": "system", "content": "Be brief."}
    assert request.messages[2]["tool_calls"] == [call(provider_state=STATE)]
    refusal = refuse(body(messages=..., input=[*items, {"type": "reasoning", "summary": []}]))
    assert refusal.path == "input[1].provider_state"
