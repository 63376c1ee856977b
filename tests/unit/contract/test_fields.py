"""Fields by every name that an API has for them: read, refused by their path, or told."""

import json
from typing import Any

import pytest

from nexus_actors.contract.encode import Envelope, build_request
from nexus_actors.contract.foreign import (
    LONGEST_NAME,
    MOST_NAMES,
)
from tests.unit.contract.test_decode import MINIMAL, USER, accept, body, refuse

LOOK = {"name": "look", "description": "Looks.", "parameters": {"type": "object"}}
NESTED = {"type": "function", "function": LOOK}


@pytest.mark.parametrize(
    ("fields", "limit", "larger"),
    [
        ({"max_tokens": 5}, 5, []),
        ({"max_output_tokens": 5}, 5, []),
        ({"max_completion_tokens": 5.0}, 5, []),
        (
            {"max_tokens": 9, "max_output_tokens": 5, "max_completion_tokens": 7},
            5,
            ["max_tokens", "max_completion_tokens"],
        ),
        ({"max_tokens": 5, "max_completion_tokens": 7}, 5, ["max_completion_tokens"]),
        ({"max_tokens": 5, "max_output_tokens": 5}, 5, []),
        ({"max_tokens": None, "max_output_tokens": 7}, 7, []),
    ],
)
def test_of_several_limits_the_least_counts_and_larger_ones_are_reported(
    fields: dict[str, Any], limit: int, larger: list[str]
) -> None:
    request = accept(body(**fields))
    told = tuple(f"{name}: the least counts" for name in larger)
    assert (request.max_tokens, request.unknown) == (limit, told)


@pytest.mark.parametrize("name", ["n", "candidate_count"])
def test_a_request_has_one_answer(name: str) -> None:
    for one in (1, 1.0, None):
        assert accept(body(**{name: one})) == accept(body())
    others: list[Any] = [2, 0, -1, 1.5, True, "1", [1], {}]
    for other in others:
        assert refuse(body(**{name: other})).path == name


SPELLINGS = [
    ({"presence_penalty": -0.5}, "presence_penalty", -0.5),
    ({"frequency_penalty": 1}, "frequency_penalty", 1),
    ({"top_k": 40.0}, "top_k", 40),
    ({"service_tier": "flex"}, "service_tier", "flex"),
    ({"verbosity": "low"}, "verbosity", "low"),
    ({"text": {"verbosity": "high"}}, "verbosity", "high"),
    ({"reasoning": {"summary": "auto"}}, "reasoning_summary", "auto"),
    ({"reasoning": {"generate_summary": "auto"}}, "reasoning_summary", "auto"),
    ({"reasoning": {"effort": "max"}}, "reasoning_effort", "max"),
    ({"output_config": {"effort": "max"}}, "reasoning_effort", "max"),
    ({"include": ["a", "b"]}, "include", ("a", "b")),
    ({"prompt_cache_key": "k"}, "prompt_cache_key", "k"),
    ({"user": "u"}, "user", "u"),
    ({"safety_identifier": "s"}, "user", "s"),
    ({"metadata": {"a": "b"}}, "metadata", {"a": "b"}),
    ({"metadata": {}}, "metadata", None),
    ({"user": "", "safety_identifier": "s"}, "user", "s"),
    ({"service_tier": ""}, "service_tier", None),
    ({"prompt_cache_key": ""}, "prompt_cache_key", None),
    ({"cache_control": {"type": "ephemeral", "ttl": "1h"}}, "cache_control", ...),
    ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, "thinking", ...),
    ({"thinking": {"type": "adaptive", "display": "omitted"}}, "thinking", ...),
    ({"stop_sequences": ["a"]}, "stop", ("a",)),
    ({"stop": "a", "stop_sequences": ["a", "b"]}, "stop", ("a", "b")),
    (
        {"output_config": {"format": {"type": "json_schema", "schema": {}}}},
        "response_format",
        {"type": "json_schema", "schema": {}},
    ),
]


def test_what_several_names_stand_for_is_one() -> None:
    wrong = []
    for fields, name, value in SPELLINGS:
        request = accept(body(**fields))
        expected = next(iter(fields.values())) if value is ... else value
        found = (getattr(request, name), request.unknown)
        if found != (expected, ()):
            wrong.append((fields, name, value, found))
    assert not wrong, "\n".join(map(repr, wrong))


WRONG_VALUES = [
    ({"max_output_tokens": 0}, "max_output_tokens"),
    ({"max_completion_tokens": True}, "max_completion_tokens"),
    ({"presence_penalty": "1"}, "presence_penalty"),
    ({"frequency_penalty": True}, "frequency_penalty"),
    ({"top_k": -1}, "top_k"),
    ({"top_k": 1.5}, "top_k"),
    ({"service_tier": 7}, "service_tier"),
    ({"service_tier": "x" * 65}, "service_tier"),
    ({"verbosity": "loud"}, "verbosity"),
    ({"text": {"verbosity": 1}}, "text.verbosity"),
    ({"text": "x"}, "text"),
    ({"reasoning": {"summary": "all"}}, "reasoning.summary"),
    ({"reasoning": []}, "reasoning"),
    ({"output_config": {"effort": "hard"}}, "output_config.effort"),
    ({"include": [7]}, "include[0]"),
    ({"user": {}}, "user"),
    ({"safety_identifier": 7}, "safety_identifier"),
    ({"metadata": "x"}, "metadata"),
    ({"cache_control": {}}, "cache_control.type"),
    ({"cache_control": True}, "cache_control"),
    ({"thinking": {"type": 7}}, "thinking.type"),
    ({"thinking": {"type": "enabled", "budget_tokens": "x"}}, "thinking.budget_tokens"),
    ({"thinking": True}, "thinking"),
    ({"stop_sequences": [""]}, "stop_sequences[0]"),
    ({"system": 7}, "system"),
    ({"system": ["Be brief."]}, "system[0]"),
    ({"system": [{"type": "image", "text": "x"}]}, "system[0]"),
    ({"tools": [{}]}, "tools[0]"),
    ({"tools": [NESTED, {"functionDeclarations": [LOOK]}]}, "tools[1]"),
    ({"tools": [{"google_search": {}}]}, "tools[0]"),
    ({"functions": [{"name": 7}]}, "functions[0].name"),
    ({"functions": {}}, "functions"),
    ({"function_call": "look"}, "function_call"),
    ({"function_call": {"name": 7}}, "function_call"),
]


def test_a_fault_is_reported_by_the_name_that_was_sent() -> None:
    wrong = [
        (fields, path, found)
        for fields, path in WRONG_VALUES
        if (found := refuse(body(**fields))).path != path or found.type != "invalid_request"
    ]
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("background", True),
        ("background", "yes"),
        ("conversation", "conv_1"),
        ("conversation", {"id": "conv_1"}),
        ("prompt", {"id": "pmpt_1"}),
        ("prompt", "Why?"),
        ("thread", {"id": "t"}),
        ("inference_geo", "us"),
        ("contents", []),
        ("system_instruction", "Be brief."),
        ("systemInstruction", {"parts": [{"text": "Be brief."}]}),
        ("cachedContent", "cachedContents/1"),
        ("tool_config", {}),
        ("responseSchema", {}),
        ("response_json_schema", {}),
        ("responseMimeType", "application/json"),
    ],
)
def test_what_makes_it_another_question_is_refused(name: str, value: object) -> None:
    refusal = refuse(body(**{name: value}))
    assert (refusal.type, refusal.path) == ("invalid_request", name)


@pytest.mark.parametrize(("text", "size"), [("?", "1 character"), ("??", "2 characters")])
def test_a_prompt_of_text_is_led_to_its_field(text: str, size: str) -> None:
    expected = f"expected the text in input or messages, found a text of {size}"
    assert refuse(body(prompt=text)).message.endswith(expected)


@pytest.mark.parametrize(
    ("name", "value"),
    [("background", False), ("inference_geo", "global"), ("response_mime_type", "text/plain")],
)
def test_what_happens_anyway_may_be_asked_for(name: str, value: object) -> None:
    assert accept(body(**{name: value})) == accept(body())


def test_fields_of_no_api_are_reported_by_name() -> None:
    request = accept(
        body(
            trace={"id": 7},
            logprobs=True,
            nothing=None,
            reasoning={"effort": "low", "mode": "pro", "context": None},
            text={"format": {"type": "text"}, "voice": "x"},
            output_config={"task_budget": {}},
            retry_of="r-0",
            timestamp="yesterday",
            capabilities=["code"],
        )
    )
    assert request.unknown == (
        "trace",
        "logprobs",
        "reasoning.mode",
        "text.voice",
        "output_config.task_budget",
    )


def test_keys_of_messages_that_no_api_has_are_reported_once() -> None:
    said: dict[str, Any] = {**USER, "role": "assistant", "annotations": [], "audio": None}
    noted = [{**USER, "id": n, "sent at\n": "noon"} for n in range(1000)]
    request = accept(body(messages=[*noted, {**said, "refusal": "no"}], trace=1))
    assert request.unknown == (
        "trace",
        "messages.id",
        "messages.sent\ufffdat\ufffd",
        "messages.refusal",
    )
    known = {"role": "assistant", "content": "x", "name": "a", "reasoning_content": "Hm."}
    assert accept(body(messages=[known])).unknown == ()


def test_an_item_of_an_input_keeps_what_its_api_has() -> None:
    item = {"role": "assistant", "content": "x", "phase": "commentary", "id": "m", "status": "done"}
    request = accept(body(messages=..., input=[item]))
    assert (request.input, request.unknown) == ((item,), ())


def test_what_stands_beside_a_wrapped_request_is_reported() -> None:
    wrapped = {"request": {**MINIMAL, "max_tokens": 9}, "max_tokens": 5, "request_id": None}
    request = accept(json.dumps({**wrapped, "retry_of": "r-0", "timestamp": "now"}))
    assert (request.max_tokens, request.unknown) == (9, ("max_tokens",))


def test_names_of_a_producers_are_bounded_and_clean() -> None:
    names = ["x" * 1_000_000, "a\nb\x1b[0m", "tool_choice: sent", "a b", "", "ключ", "\ud800"]
    request = accept(body(**dict.fromkeys(names, 1), **{f"k{i}": 1 for i in range(50_000)}))
    assert len(request.unknown) == MOST_NAMES + 1
    assert request.unknown[:7] == (
        "x" * (LONGEST_NAME - 1) + "…",
        "a\ufffdb\ufffd[0m",
        "tool_choice\ufffd\ufffdsent",
        "a\ufffdb",
        "\ufffd",
        "ключ",
        "\ufffd",
    )
    assert request.unknown[-1] == f"… and {50_000 + len(names) - MOST_NAMES} more"


@pytest.mark.parametrize(
    ("fields", "notes"),
    [
        (
            {"reasoning_effort": "low", "reasoning": {"effort": "high"}},
            ("reasoning.effort: reasoning_effort counts",),
        ),
        ({"reasoning_effort": "low", "reasoning": {"effort": "low"}}, ()),
        ({"user": "a", "safety_identifier": "b"}, ("safety_identifier: user counts",)),
        (
            {"verbosity": "low", "text": {"verbosity": "high"}},
            ("text.verbosity: verbosity counts",),
        ),
        (
            {"tools": [NESTED], "tool_choice": "auto", "function_call": "none"},
            ("function_call: tool_choice counts",),
        ),
        (
            {
                "response_format": {"type": "json_object"},
                "text": {"format": {"type": "json_schema", "schema": {}}},
            },
            ("text.format: response_format counts",),
        ),
    ],
)
def test_a_name_without_effect_is_reported(fields: dict[str, Any], notes: tuple[str, ...]) -> None:
    assert accept(body(**fields)).unknown == notes


def test_tools_in_anthropics_form_are_functions() -> None:
    cache = {"type": "ephemeral"}
    tool: dict[str, Any] = {
        "name": "look",
        "description": "Looks.",
        "input_schema": {"type": "object"},
    }
    more = {"type": "custom", "strict": True, "cache_control": cache, "defer_loading": True}
    request = accept(body(tools=[tool, {**tool, **more}]))
    assert request.tools == (
        NESTED,
        {"type": "function", "function": {**LOOK, "strict": True}, "cache_control": cache},
    )
    assert request.unknown == ("tools[1].defer_loading",)


def test_tools_in_openais_forms_stay() -> None:
    tools = [
        NESTED,
        {"type": "function", **LOOK},
        LOOK,
        {"type": "custom", "name": "grep", "format": {"type": "text"}},
        {"type": "custom", "custom": {"name": "grep"}},
        {"type": "web_search"},
    ]
    assert [accept(body(tools=[it])).tools for it in tools] == [(it,) for it in tools]


def test_functions_of_old_are_tools() -> None:
    request = accept(body(functions=[LOOK], function_call={"name": "look"}))
    assert request.tools == (NESTED,)
    assert request.tool_choice == {"type": "function", "function": {"name": "look"}}
    assert accept(body(functions=[LOOK], function_call="none")).tool_choice == "none"
    assert request.unknown == ()


@pytest.mark.parametrize(
    ("choice", "read", "parallel"),
    [
        ({"type": "auto"}, "auto", None),
        ({"type": "any"}, "required", None),
        ({"type": "none"}, "none", None),
        (
            {"type": "tool", "name": "look"},
            {"type": "function", "function": {"name": "look"}},
            None,
        ),
        ({"type": "any", "disable_parallel_tool_use": True}, "required", False),
        ({"type": "auto", "disable_parallel_tool_use": False}, "auto", None),
        ({"type": "function", "name": "look"}, {"type": "function", "name": "look"}, None),
        ({"type": "custom", "name": "grep"}, {"type": "custom", "name": "grep"}, None),
    ],
)
def test_a_choice_in_anthropics_form_is_the_same_choice(
    choice: dict[str, Any], read: object, parallel: bool | None
) -> None:
    request = accept(body(tools=[NESTED], tool_choice=choice))
    assert (request.tool_choice, request.parallel_tool_calls) == (read, parallel)


def test_anthropics_system_stands_in_front() -> None:
    blocks = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    for given in ("Be brief.", blocks):
        request = accept(body(system=given, instructions="Be kind."))
        assert request.messages == (
            {"role": "system", "content": "Be kind."},
            {"role": "system", "content": given},
            USER,
        )
        assert request.unknown == ()
    assert accept(body(system="")) == accept(body(system=[])) == accept(body())


def test_beside_an_input_the_system_is_part_of_the_instructions() -> None:
    blocks = [
        {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "Be exact."},
    ]
    request = accept(body(messages=..., input="Why?", system=blocks, instructions="Be kind."))
    assert request.instructions == "Be kind.\n\nBe brief.\n\nBe exact."
    assert request.messages[0] == {"role": "system", "content": request.instructions}
    assert request.unknown == ("system[0].cache_control",)


def test_a_caller_may_use_every_name_and_no_other() -> None:
    good = build_request(
        [USER],
        complexity="simple",
        max_output_tokens=5,
        system="Be brief.",
        thinking={"type": "adaptive"},
        top_k=3,
        n=1,
    )
    assert isinstance(good, Envelope)
    assert good.request.unknown == ()
    for name in ("logprobs", "max_token", "request", "trace"):
        misspelt: dict[str, Any] = {name: 1}
        refusal = build_request([USER], complexity="simple", **misspelt)
        assert not isinstance(refusal, Envelope)
        assert refusal.path == name


def test_no_fault_quotes_what_was_sent() -> None:
    poison = "the launch code is 0000"
    faults: list[dict[str, Any]] = [
        {"conversation": poison},
        {"prompt": {"id": poison}},
        {"service_tier": poison * 9},
        {"thinking": {"type": poison * 9}},
        {"system": [poison]},
        {"functions": [{"name": {poison: poison}}]},
        {"function_call": poison},
        {"tools": [{poison: poison}]},
        {"n": poison},
        {"reasoning": {"summary": poison}},
        {"messages": [{"role": "assistant", "content": "", "provider_state": {poison: poison}}]},
        {"messages": [{"role": "assistant", "content": None, "refusal": [poison]}]},
    ]
    for fields in faults:
        refusal = refuse(body(**fields))
        assert "launch" not in repr(refusal), fields
        assert len(json.dumps(refusal.message)) < 300
