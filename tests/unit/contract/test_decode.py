"""One message to a request, or to a named reason; never an exception."""

import json
from typing import Any

import pytest
from msgspec import structs

from nexus_actors.contract.decode import decode_request
from nexus_actors.contract.errors import Refusal
from nexus_actors.contract.request import LLMRequest

USER = {"role": "user", "content": "Design a feature"}
MINIMAL: dict[str, Any] = {"request_id": "r-1", "complexity": "simple", "messages": [USER]}


def body(**changes: Any) -> str:
    """The minimal request with changes; `...` takes a field away."""
    fields = {**MINIMAL, **changes}
    return json.dumps({key: value for key, value in fields.items() if value is not ...})


def accept(text: str) -> LLMRequest:
    outcome = decode_request(text)
    assert isinstance(outcome, LLMRequest), outcome
    return outcome


def refuse(text: str | None) -> Refusal:
    outcome = decode_request(text)
    assert isinstance(outcome, Refusal), outcome
    return outcome


def test_the_contracts_example_is_read_in_full() -> None:
    request = accept(
        """{"request_id": "550e8400-e29b-41d4-a716-446655440000",
        "agent_id": "self-improving-agent", "complexity": "complex", "task_type": "architect",
        "messages": [{"role": "user", "content": "Design a feature"}],
        "model": "auto", "provider": "auto", "api_version": "responses",
        "max_tokens": 4000, "temperature": 0.7, "timestamp": "2025-10-25T22:00:00Z"}"""
    )
    assert request == LLMRequest(
        request_id="550e8400-e29b-41d4-a716-446655440000",
        agent_id="self-improving-agent",
        complexity="complex",
        task_type="architect",
        messages=(USER,),
        max_tokens=4000,
        temperature=0.7,
    )


def test_a_wrapped_request_is_the_same_request() -> None:
    assert accept(json.dumps({"request": MINIMAL})) == accept(body())


def test_an_outer_request_id_makes_request_an_unknown_field() -> None:
    wrapped: dict[str, Any] = {**MINIMAL, "request": {**MINIMAL, "request_id": "inner"}}
    assert accept(json.dumps(wrapped)).request_id == "r-1"


def test_null_optional_fields_count_as_absent() -> None:
    optional = "task_type agent_id model provider api_version max_tokens temperature stream timeout"
    optional += " capabilities previous_response_id mcp_servers store tools input"
    nulls = dict.fromkeys(optional.split())
    assert accept(body(**nulls)) == accept(body())


def test_unknown_fields_are_tolerated_and_reported() -> None:
    request = accept(body(trace={"id": 7}, timestamp="yesterday"))
    assert request.unknown == ("trace",)
    assert structs.replace(request, unknown=()) == accept(body())


def test_of_a_key_that_stands_twice_the_last_counts() -> None:
    text = body()[:-1] + ', "complexity": "complex"}'
    assert accept(text).complexity == "complex"


@pytest.mark.parametrize(
    ("fields", "complexity"),
    [
        ({"complexity": ..., "task_type": "architect"}, "complex"),
        ({"complexity": ..., "task_type": " Simple \t Chat "}, "simple"),
        ({"complexity": "simple", "task_type": "architect"}, "simple"),
        ({"complexity": "medium", "task_type": "juggling"}, "medium"),
    ],
    ids=["task decides", "normalised task decides", "explicit stands", "unknown task"],
)
def test_complexity_comes_from_the_field_else_from_a_known_task(
    fields: dict[str, Any], complexity: str
) -> None:
    assert accept(body(**fields)).complexity == complexity


@pytest.mark.parametrize(
    ("fields", "missing"),
    [
        ({"request_id": ...}, ("request_id",)),
        ({"complexity": ...}, ("complexity",)),
        ({"complexity": None, "task_type": "juggling"}, ("complexity",)),
        ({"complexity": ..., "messages": ...}, ("complexity", "messages")),
        (
            {"request_id": None, "complexity": ..., "messages": ...},
            ("request_id", "complexity", "messages"),
        ),
    ],
)
def test_all_missing_fields_are_listed(fields: dict[str, Any], missing: tuple[str, ...]) -> None:
    refusal = refuse(body(**fields))
    assert (refusal.type, refusal.fields) == ("missing_fields", missing)
    assert all(name in refusal.message for name in missing)


@pytest.mark.parametrize(
    ("task_type", "said"),
    [
        (..., "missing: request_id, complexity"),
        ("juggling", 'missing: request_id, complexity (task_type "juggling" is none of architect,'),
        (7, "missing: request_id, complexity (task_type a number is none of architect,"),
    ],
)
def test_a_task_type_that_implies_no_complexity_is_named(task_type: Any, said: str) -> None:
    refusal = refuse(body(request_id=..., complexity=..., task_type=task_type))
    assert refusal.message.startswith(said)
    assert "none of" in said or refusal.message == said


FAULTS = [
    ({"messages": ...}, "missing_input", None),
    ({"messages": ..., "input": ""}, "missing_input", "input"),
    ({"messages": [], "input": []}, "missing_input", "input"),
    ({"messages": []}, "empty_messages", "messages"),
    ({"complexity": "Simple"}, "invalid_complexity", "complexity"),
    ({"complexity": 3}, "invalid_complexity", "complexity"),
    ({"complexity": ["simple"]}, "invalid_complexity", "complexity"),
    ({"complexity": "hard", "task_type": "coder"}, "invalid_complexity", "complexity"),
    ({"api_version": "v2"}, "unsupported_api_version", "api_version"),
    ({"api_version": {}}, "unsupported_api_version", "api_version"),
    ({"request_id": ""}, "invalid_request", "request_id"),
    ({"request_id": 7}, "invalid_request", "request_id"),
    ({"request_id": "x" * 256}, "invalid_request", "request_id"),
    ({"agent_id": 7}, "invalid_request", "agent_id"),
    ({"task_type": ["coder"]}, "invalid_request", "task_type"),
    ({"model": {}}, "invalid_request", "model"),
    ({"max_tokens": 0}, "invalid_request", "max_tokens"),
    ({"max_tokens": True}, "invalid_request", "max_tokens"),
    ({"max_tokens": "many"}, "invalid_request", "max_tokens"),
    ({"max_tokens": 1.5}, "invalid_request", "max_tokens"),
    ({"temperature": -1}, "invalid_request", "temperature"),
    ({"temperature": True}, "invalid_request", "temperature"),
    ({"stream": "yes"}, "invalid_request", "stream"),
    ({"store": 1}, "invalid_request", "store"),
    ({"timeout": 0}, "invalid_request", "timeout"),
    ({"timeout": "2s"}, "invalid_request", "timeout"),
    ({"capabilities": ["code", 7]}, "invalid_request", "capabilities[1]"),
    ({"tools": [[]]}, "invalid_request", "tools[0]"),
    ({"mcp_servers": [{"server_label": "x"}]}, "invalid_request", "mcp_servers[0].server_url"),
    ({"messages": "hi"}, "invalid_request", "messages"),
    ({"messages": ["hi"]}, "invalid_request", "messages[0]"),
    ({"messages": [USER, {**USER, "role": "bot"}]}, "invalid_request", "messages[1].role"),
    ({"messages": [{"role": "user"}]}, "invalid_request", "messages[0].content"),
    ({"messages": [{**USER, "content": 7}]}, "invalid_request", "messages[0].content"),
    ({"messages": [{**USER, "content": [7]}]}, "invalid_request", "messages[0].content[0]"),
    ({"messages": [{**USER, "tool_calls": 5}]}, "invalid_request", "messages[0].tool_calls"),
    (
        {"messages": [{"role": "assistant", "content": None, "tool_calls": [{}, "x"]}]},
        "invalid_request",
        "messages[0].tool_calls[1]",
    ),
    (
        {"messages": [{"role": "tool", "content": "1", "tool_call_id": ["c"]}]},
        "invalid_request",
        "messages[0].tool_call_id",
    ),
    (
        {
            "response_format": {
                "type": "json_schema",
                "schema": {},
                "json_schema": {"schema": "x"},
            }
        },
        "invalid_request",
        "response_format",
    ),
    (
        {"messages": [{**USER, "content": [{"text": "x"}]}]},
        "invalid_request",
        "messages[0].content[0].type",
    ),
    (
        {"messages": [{**USER, "content": [{"type": "text", "text": {"a": 1}}]}]},
        "invalid_request",
        "messages[0].content[0].text",
    ),
    (
        {"messages": ..., "input": [{**USER, "content": [{"type": "input_text"}]}]},
        "invalid_request",
        "input[0].content[0].text",
    ),
    ({"messages": ..., "input": 7}, "invalid_request", "input"),
    ({"messages": ..., "input": [7]}, "invalid_request", "input[0]"),
    ({"messages": ..., "input": [{"type": "reasoning"}]}, "invalid_request", "input"),
]


def test_a_fault_is_named_with_its_path() -> None:
    wrong = []
    for fields, name, path in FAULTS:
        refusal = refuse(body(**fields))
        found = (refusal.type, refusal.path)
        if found != (name, path):
            wrong.append((fields, name, path, found))
    assert not wrong, "\n".join(map(repr, wrong))


def test_absence_is_reported_before_what_is_wrong_with_the_rest() -> None:
    refusal = refuse(body(request_id=..., complexity="hard", api_version="v2"))
    assert refusal.type == "missing_fields"


def test_hostile_json_is_refused() -> None:
    cases = [
        (None, None, None),
        ("", None, None),
        ("null", None, None),
        ("7", None, None),
        ('"text"', None, None),
        ("[]", None, None),
        ('{"request_id": "r-1"', None, None),
        ("[" * 10_000 + "]" * 10_000, None, None),
        ('{"a":' * 10_000 + "1" + "}" * 10_000, None, None),
        (body(deep=json.loads("[" * 150 + "]" * 150)), "deep" + "[0]" * 65 + "…", "r-1"),
        (body(n=0)[:-2] + "1e131071}", "n", "r-1"),
        (body(n=0)[:-2] + "1" + "0" * 131_071 + "}", "n", "r-1"),
        (body(max_tokens=float("nan")), "max_tokens", "r-1"),
        (body(tools=[{"x": float("-inf")}]), "tools[0].x", "r-1"),
    ]
    wrong = []
    for text, path, request_id in cases:
        refusal = refuse(text)
        found = (refusal.type, refusal.request_id, (refusal.path or "")[:150])
        expected = ("invalid_request", request_id, (path or "")[:150])
        if found != expected:
            wrong.append((text, path, request_id, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


def test_a_large_text_is_read() -> None:
    text = "x" * 5_000_000
    assert accept(body(messages=[{"role": "user", "content": text}])).messages[0]["content"] == text


def test_text_that_no_database_holds_is_replaced() -> None:
    request = accept(body(messages=[{"role": "user", "content": "a\ud800b\x00c"}]))
    assert request.messages[0]["content"] == "a\ufffdb\ufffdc"


def test_a_refusal_tells_nothing_of_the_prompt() -> None:
    prompt = "the launch code is 0000"
    refusals = [
        refuse(body(messages=[{"role": prompt, "content": prompt}])),
        refuse(body(messages=[{"role": "user", "content": {"type": prompt}}])),
        refuse(body(complexity=prompt * 9, system=prompt)),
        refuse(body(max_tokens=prompt)),
        refuse(body(messages=..., input=[{"type": "function_call", "call_id": {prompt: prompt}}])),
        refuse('{"request_id": "r", "messages": [{"content": "' + prompt),
    ]
    assert not [refusal for refusal in refusals if "launch" in repr(refusal)]


def test_a_refusal_keeps_what_routes_the_error_result() -> None:
    refusal = refuse(body(agent_id="agent", task_type="Code Analysis", timeout=-1))
    assert (refusal.request_id, refusal.agent_id) == ("r-1", "agent")
    assert (refusal.complexity, refusal.task_type) == ("simple", "code_analysis")
    assert refusal.excerpt.startswith('request_id: "r-1"')


def test_options_are_converted_to_what_the_pipeline_uses() -> None:
    request = accept(
        body(
            timeout=1500,
            max_tokens=4000.0,
            capabilities=["Coding", "fast", "code", "sorcery"],
            model=" AUTO ",
            provider="",
            mcp_servers=[{"server_label": "l", "server_url": "u", "allowed_tools": None, "x": 1}],
        )
    )
    assert request.timeout == 1.5
    assert request.max_tokens == 4000
    assert request.capabilities == ("code", "speed", "sorcery")
    assert (request.model, request.provider) == ("auto", "auto")
    assert request.mcp_servers == ({"server_label": "l", "server_url": "u", "x": 1},)


def test_a_text_as_input_is_one_user_message() -> None:
    request = accept(body(messages=..., input="Why?"))
    assert request.messages == ({"role": "user", "content": "Why?"},)
    assert request.input == "Why?"


def test_messages_count_where_input_is_given_as_well() -> None:
    request = accept(body(input="ignored"))
    assert request.messages == (USER,)
    assert request.input is None
    assert request.unknown == ("input: messages counts",)


def test_responses_items_become_chat_messages() -> None:
    items = [
        {"type": "message", "id": "m1", "role": "developer", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "What is this?"},
                {"type": "input_image", "image_url": "data:,", "detail": "low"},
                {"type": "input_file", "file_url": "https://a.example/b.pdf"},
            ],
        },
        {"type": "reasoning", "summary": []},
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
        {"type": "function_call", "call_id": "c2", "name": "smell", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "a rose"},
    ]
    request = accept(body(messages=..., input=items))
    assert request.input == tuple(items)
    assert [message["role"] for message in request.messages] == [
        "system",
        "user",
        "assistant",
        "tool",
    ]
    assert request.messages[1]["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:,", "detail": "low"}},
        {"type": "file", "file": {"file_url": "https://a.example/b.pdf"}},
    ]
    assert [call["id"] for call in request.messages[2]["tool_calls"]] == ["c1", "c2"]
    assert request.messages[3] == {"role": "tool", "tool_call_id": "c1", "content": "a rose"}


def test_an_assistants_message_of_tool_calls_needs_no_content() -> None:
    message = {"role": "assistant", "content": None, "tool_calls": [{"id": "c1"}]}
    assert accept(body(messages=[message])).messages[0]["content"] == ""
