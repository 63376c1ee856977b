"""The body sent to the Responses API, field by field."""

import json
from typing import Any

import pytest

from nexus_actors.contract.decode import decode_request
from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.responses.request import responses_call
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import model_takes
from tests.unit.providers.conversations import CALL, CALLED, FLAT, FUNCTION, NESTED, SCHEMA
from tests.unit.providers.responses_calls import SAID, USER, body, call, items, spoken, told


def test_sends_no_more_than_was_asked() -> None:
    prepared = call()
    assert (prepared.path, prepared.dropped, prepared.check) == ("/responses", (), None)
    assert prepared.body == {"model": "gpt-4o-mini", "input": [SAID]}
    assert call(stream=True).body == {"model": "gpt-4o-mini", "input": [SAID], "stream": True}


def test_input_goes_as_the_producer_sent_it_with_its_instructions() -> None:
    given: list[dict[str, Any]] = [
        {"role": "developer", "content": "d"},
        {"type": "item_reference", "id": "rs_1"},
        {"role": "user", "content": [{"type": "input_text", "text": "Hi", "anything": 1}]},
    ]
    text = json.dumps(
        {"request_id": "r", "complexity": "simple", "input": given, "instructions": "i"}
    )
    request = decode_request(text)
    assert isinstance(request, LLMRequest)
    prepared = responses_call(
        request, "gpt-5", model_takes("openai/responses", "gpt-5"), stream=False
    )
    assert isinstance(prepared, Prepared)
    message = {"type": "message"}
    sent = [{**message, **given[0]}, given[1], {**message, **given[2]}]
    assert prepared.body == {"model": "gpt-5", "input": sent, "instructions": "i"}
    assert body(input="Hi")["input"] == "Hi"


def test_instructions_beside_messages_are_a_system_message() -> None:
    text = json.dumps(
        {"request_id": "r", "complexity": "simple", "messages": [USER], "instructions": "i"}
    )
    request = decode_request(text)
    assert isinstance(request, LLMRequest)
    prepared = responses_call(
        request, "gpt-5", model_takes("openai/responses", "gpt-5"), stream=False
    )
    assert isinstance(prepared, Prepared)
    assert prepared.body == {
        "model": "gpt-5",
        "input": [spoken("system", "i"), SAID],
    }


def test_system_messages_stay_where_they_stood() -> None:
    system = {"role": "system", "content": "Be brief."}
    assert items(USER, system, USER) == [SAID, spoken("system", "Be brief."), SAID]


def test_tool_calls_and_results_are_items_of_their_own() -> None:
    both = {**CALLED[1], "content": "Well."}
    assert items(CALLED[0], both, CALLED[2]) == [
        {"type": "message", **CALLED[0]},
        spoken("assistant", "Well."),
        {
            "type": "function_call",
            "call_id": "call_1",
            "name": "weather",
            "arguments": '{"city": "Oslo"}',
        },
        {"type": "function_call_output", "call_id": "call_1", "output": "rain"},
    ]
    assert [it["type"] for it in items(CALLED[1])] == ["function_call"]
    assert items({"role": "assistant", "content": ""}) == [spoken("assistant", "")]


@pytest.mark.parametrize(
    ("arguments", "sent"), [("", "{}"), (" ", "{}"), (None, "{}"), ({"a": 1}, '{"a": 1}')]
)
def test_arguments_go_as_json_text(arguments: Any, sent: str) -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": arguments}}
    told = items({"role": "assistant", "content": "", "tool_calls": [call]})
    assert [it["arguments"] for it in told] == [sent]


def test_the_result_of_a_custom_tool_is_reported_as_one() -> None:
    custom = {"id": "c9", "type": "custom", "custom": {"name": "shout", "input": "ho"}}
    told = items(
        {"role": "assistant", "content": "", "tool_calls": [custom]},
        {"role": "tool", "tool_call_id": "c9", "content": "HO"},
    )
    assert told == [
        {"type": "custom_tool_call", "call_id": "c9", "name": "shout", "input": "ho"},
        {"type": "custom_tool_call_output", "call_id": "c9", "output": "HO"},
    ]


@pytest.mark.parametrize("call", [{}, "f", {**CALL, "id": 7}, {"id": "c", "function": {}}])
def test_a_call_that_is_none_is_refused_by_its_place(call: Any) -> None:
    message = {"role": "assistant", "content": "", "tool_calls": [CALL, call]}
    request = LLMRequest(request_id="r", complexity="simple", messages=(USER, message))
    failure = responses_call(
        request, "gpt-5", model_takes("openai/responses", "gpt-5"), stream=False
    )
    assert isinstance(failure, ProviderFailure)
    assert (failure.type, failure.scope) == ("request_rejected", "request")
    assert "messages[1].tool_calls[1]" in failure.message


def test_translates_parts_of_the_chat_api_and_passes_others_on() -> None:
    odd = {"type": "something_new", "x": 1}
    parts = [
        {"type": "text", "text": "what is this?"},
        {"type": "input_text", "text": "this"},
        {"type": "image_url", "image_url": {"url": "https://a.example/b.png", "detail": "low"}},
        {"type": "image_url", "image_url": "https://a.example/c.png"},
        {"type": "input_image", "image_url": "https://a.example/d.png"},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:…"}},
        odd,
    ]
    [message] = items({"role": "user", "content": parts})
    assert message["content"] == [
        {"type": "input_text", "text": "what is this?"},
        {"type": "input_text", "text": "this"},
        {"type": "input_image", "image_url": "https://a.example/b.png", "detail": "low"},
        {"type": "input_image", "image_url": "https://a.example/c.png", "detail": "auto"},
        {"type": "input_image", "image_url": "https://a.example/d.png", "detail": "auto"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:…"},
        odd,
    ]


def test_an_assistants_texts_are_one_text_unless_there_is_more() -> None:
    texts = [{"type": "text", "text": "I "}, {"type": "refusal", "refusal": "cannot."}]
    odd = {"type": "something_new"}
    assert items({"role": "assistant", "content": texts}) == [spoken("assistant", "I cannot.")]
    assert items({"role": "assistant", "content": [texts[0], odd]}) == [
        spoken("assistant", [{"type": "output_text", "text": "I "}, odd])
    ]


def test_tools_are_flat_and_those_of_the_api_its_own() -> None:
    search = {"type": "web_search", "search_context_size": "low"}
    assert body(tools=(NESTED, FLAT, search))["tools"] == [FLAT, FLAT, search]


def test_a_function_of_the_chat_api_is_strict_only_if_it_says_so() -> None:
    lax = {key: value for key, value in FUNCTION.items() if key != "strict"}
    [nested, flat] = body(
        tools=({"type": "function", "function": lax}, {"type": "function", **lax})
    )["tools"]
    assert nested["strict"] is False
    assert "strict" not in flat


def test_mcp_servers_are_tools_that_need_no_approval_unless_they_say_so() -> None:
    server = {"server_label": "a", "server_url": "https://a.example", "allowed_tools": ["x"]}
    wary = {**server, "require_approval": "always", "server_description": "d"}
    assert body(mcp_servers=(server, wary), tools=(FLAT,))["tools"] == [
        FLAT,
        {"type": "mcp", "require_approval": "never", **server},
        {"type": "mcp", **wary},
    ]


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("required", "required"),
        (
            {"type": "function", "function": {"name": "f"}},
            {"type": "function", "name": "f"},
        ),
        ({"type": "function", "name": "f"}, {"type": "function", "name": "f"}),
        ({"function": {"name": "f"}}, {"type": "function", "name": "f"}),
        ({"type": "web_search"}, {"type": "web_search"}),
        ({"type": "mcp", "server_label": "a"}, {"type": "mcp", "server_label": "a"}),
    ],
)
def test_names_the_tool_flat(choice: Any, sent: Any) -> None:
    assert body(tools=(FLAT,), tool_choice=choice)["tool_choice"] == sent
    prepared = call(tool_choice=choice)
    assert "tool_choice" not in prepared.body
    assert prepared.dropped == ("tool_choice",)


def test_passes_on_how_the_answer_shall_be() -> None:
    sent = body(
        "gpt-5",
        max_tokens=100,
        reasoning_effort="low",
        parallel_tool_calls=False,
        previous_response_id="resp_1",
        store=False,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "place", "schema": SCHEMA, "strict": True},
        },
    )
    assert sent == {
        "model": "gpt-5",
        "input": [SAID],
        "max_output_tokens": 100,
        "reasoning": {"effort": "low"},
        "parallel_tool_calls": False,
        "previous_response_id": "resp_1",
        "store": False,
        "text": {
            "format": {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True}
        },
    }
    nameless = {"type": "json_schema", "schema": SCHEMA}
    assert body(response_format=nameless)["text"]["format"] == {**nameless, "name": "answer"}


def test_drops_what_the_api_does_not_have_and_says_so() -> None:
    prepared = call(
        messages=({**USER, "name": "ann", "trace_id": 7},),
        stop=("END",),
        seed=7,
        capabilities=("code",),
    )
    assert prepared.body == {"model": "gpt-4o-mini", "input": [SAID]}
    assert prepared.dropped == ("messages[0].name", "stop", "seed")


def test_reasoning_models_get_no_temperature() -> None:
    sent = body("gpt-4o", temperature=0.5, top_p=0.0)
    assert (sent["temperature"], sent["top_p"]) == (0.5, 0.0)
    for model in ("gpt-5", "o3"):
        prepared = call(model, temperature=0.5, top_p=0.0)
        assert prepared.body == {"model": model, "input": [SAID]}
        assert told(prepared) == ("temperature", "top_p")


def test_a_limit_below_the_least_is_the_least_and_reported() -> None:
    for asked, sent, dropped in ((15, 16, ("max_tokens",)), (16, 16, ())):
        prepared = call(max_tokens=asked)
        assert (prepared.body["max_output_tokens"], told(prepared)) == (sent, dropped)


@pytest.mark.parametrize("kind", ["mcp", "shell", "code_interpreter", "web_search"])
@pytest.mark.parametrize("outer", [{}, {"type": "function"}, {"type": None}])
def test_what_is_nested_as_a_function_is_a_function(kind: str, outer: dict[str, Any]) -> None:
    smuggled = {"type": kind, "name": "x", "server_url": "https://a.example", "require_approval": 1}
    prepared = call(tools=({**outer, "function": smuggled, "server_label": "y"},))
    (sent,) = prepared.body["tools"]
    assert sent["type"] == "function"
    assert sent.keys() == {"type", "name", "parameters", "strict"}
    assert set(told(prepared)) == {
        "tools[0].server_label",
        "tools[0].function.type",
        "tools[0].function.server_url",
        "tools[0].function.require_approval",
    }


def test_what_is_nested_as_a_custom_tool_is_one() -> None:
    smuggled = {"type": "mcp", "name": "x", "server_url": "https://a.example"}
    prepared = call(tools=({"type": "custom", "custom": smuggled},))
    assert prepared.body["tools"] == [{"type": "custom", "name": "x"}]
    assert set(told(prepared)) == {"tools[0].custom.type", "tools[0].custom.server_url"}


def test_what_is_nested_in_a_choice_or_a_format_does_not_change_its_type() -> None:
    function = {"type": "function", "name": "f"}
    choice = {"type": "function", "function": {"type": "mcp", "name": "f"}}
    assert body(tools=(function,), tool_choice=choice)["tool_choice"] == function


def test_names_that_a_producer_gave_are_reported_clean() -> None:
    (name,) = told(call(metadata={"a\n\x1b[31m": "v" * 513}))
    assert name.isprintable()
