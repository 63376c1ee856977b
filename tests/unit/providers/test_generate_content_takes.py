"""What of a request a Gemini takes is sent; the rest is told."""

from typing import Any

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.generate_content.request import generate_content_call
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.optional_fields import OPTIONAL_FIELDS
from nexus_actors.providers.takes import model_takes
from tests.unit.providers.conversations import NESTED, SCHEMA, USER
from tests.unit.providers.gemini_oracle import check_call

SAMPLERS = {"temperature": 0.7, "top_p": 0.9, "top_k": 20}


def call(model: str = "gemini-3.8-flash", **fields: Any) -> Prepared:
    request = LLMRequest(request_id="r", complexity="simple", **{"messages": (USER,), **fields})
    takes = model_takes("gemini", model)
    prepared = generate_content_call(request, model, takes, stream=False)
    assert isinstance(prepared, Prepared), prepared
    check_call(prepared, model, stream=False)
    return prepared


def told(prepared: Prepared) -> tuple[str, ...]:
    return tuple(it.partition(":")[0] for it in prepared.dropped)


def test_samplers_go_where_the_model_takes_them() -> None:
    cases = [
        ("gemini-2.0-flash", True),
        ("gemini-2.5-flash", True),
        ("gemini-2.5-pro", True),
        ("gemini-3-flash-preview", True),
        ("gemini-3.1-pro-preview", True),
        ("gemini-3.5-flash", True),
        ("gemini-3.5-flash-lite", False),
        ("gemini-3.6-flash", False),
        ("gemini-3.8-flash", False),
        ("gemini-4-argon", False),
        ("models/gemini-4-hydrogen", False),
        ("gemini-flash-latest", False),
        ("gemini-5-newest", False),
        ("gemma-3-27b-it", True),
        ("future-model-9", True),
    ]
    wrong = []
    for model, taken in cases:
        prepared = call(model, **SAMPLERS)
        config = prepared.body.get("generationConfig", {})
        found = (config, told(prepared))
        expected = (
            {"temperature": 0.7, "topP": 0.9, "topK": 20} if taken else {},
            () if taken else tuple(SAMPLERS),
        )
        if found != expected:
            wrong.append((model, taken, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize(
    ("model", "taken"),
    [("gemini-2.5-flash", True), ("gemini-2.5-pro", False), ("gemini-3.8-flash", False)],
)
def test_penalties_go_where_the_model_takes_them(model: str, taken: bool) -> None:
    prepared = call(model, presence_penalty=0.5, frequency_penalty=0.25)
    config = prepared.body.get("generationConfig", {})
    assert config == ({"presencePenalty": 0.5, "frequencyPenalty": 0.25} if taken else {})
    assert told(prepared) == (() if taken else ("presence_penalty", "frequency_penalty"))


@pytest.mark.parametrize(
    ("asked", "sent", "dropped"),
    [
        ("flex", "flex", ()),
        ("priority", "priority", ()),
        ("standard", "standard", ()),
        ("default", "standard", ()),
        ("auto", None, ()),
        ("scale", None, ("service_tier",)),
    ],
)
def test_service_tiers_by_the_apis_names(asked: str, sent: str | None, dropped: Any) -> None:
    prepared = call(service_tier=asked)
    assert (prepared.body.get("serviceTier"), told(prepared)) == (sent, dropped)


THINKING = [
    ("gemini-2.5-flash", {"type": "disabled"}, {"thinkingBudget": 0}, ()),
    # It cannot but think.
    ("gemini-2.5-pro", {"type": "disabled"}, {"thinkingBudget": 128}, ("thinking",)),
    ("gemini-3.8-flash", {"type": "disabled"}, {"thinkingLevel": "LOW"}, ("thinking",)),
    (
        "gemini-2.5-flash",
        {"type": "enabled", "budget_tokens": 2000},
        {"thinkingBudget": 2000},
        (),
    ),
    (
        "gemini-2.5-pro",
        {"type": "enabled", "budget_tokens": 64},
        {"thinkingBudget": 128},
        ("thinking",),
    ),
    (
        "gemini-2.5-pro",
        {"type": "enabled", "budget_tokens": 90_000},
        {"thinkingBudget": 32_768},
        ("thinking",),
    ),
    (
        "gemini-3.8-flash",
        {"type": "enabled", "budget_tokens": 30_000},
        {"thinkingLevel": "HIGH"},
        ("thinking",),
    ),
    (
        "gemini-3.8-flash",
        {"type": "enabled", "budget_tokens": 1024},
        {"thinkingLevel": "LOW"},
        ("thinking",),
    ),
    ("gemini-3.8-flash", {"type": "adaptive"}, None, ("thinking",)),
    ("gemini-2.0-flash", {"type": "enabled", "budget_tokens": 1024}, None, ("thinking",)),
    ("gemini-2.0-flash", {"type": "disabled"}, None, ()),
]


def test_anthropics_thinking_has_a_nearest_form() -> None:
    wrong = []
    for model, thinking, config, dropped in THINKING:
        prepared = call(model, thinking=thinking)
        found = (prepared.body.get("generationConfig", {}).get("thinkingConfig"), told(prepared))
        if found != (config, dropped):
            wrong.append((model, thinking, config, dropped, found))
    assert not wrong, "\n".join(map(repr, wrong))


def test_an_effort_counts_before_thinking() -> None:
    prepared = call(reasoning_effort="low", thinking={"type": "enabled", "budget_tokens": 9000})
    assert prepared.body["generationConfig"]["thinkingConfig"] == {"thinkingLevel": "LOW"}
    assert told(prepared) == ("thinking",)


def test_what_only_other_apis_have_is_reported() -> None:
    cases = [
        "verbosity",
        "reasoning_summary",
        "include",
        "cache_control",
        "prompt_cache_key",
        "user",
        "metadata",
        "previous_response_id",
        "store",
        "parallel_tool_calls",
    ]
    wrong = []
    for name in cases:
        values: dict[str, Any] = {
            "include": ("x",),
            "cache_control": {"type": "ephemeral"},
            "metadata": {"a": "b"},
            "store": True,
            "parallel_tool_calls": False,
        }
        prepared = call(**{name: values.get(name, "auto")})
        found = (told(prepared), prepared.body.keys())
        expected = ((name,), {"contents"})
        if found != expected:
            wrong.append((name, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize(
    ("told_as", "field"),
    [
        ("generationConfig.topK", "top_k"),
        ("generation_config.top_k", "top_k"),
        ("topP", "top_p"),
        ("generationConfig.temperature", "temperature"),
        ("presencePenalty", "presence_penalty"),
        ("generationConfig.thinkingConfig.thinkingLevel", "reasoning_effort"),
        ("generation_config.thinking_config.thinking_level", "reasoning_effort"),
        ("thinkingLevel", "reasoning_effort"),
        ("thinking_budget", "reasoning_effort"),
        ("serviceTier", "service_tier"),
        ("service_tier", "service_tier"),
        ("generationConfig.seed", "seed"),
    ],
)
def test_a_refused_optional_field_is_known_by_the_apis_names_for_it(
    told_as: str, field: str
) -> None:
    assert call(reasoning_effort="low").names[told_as] == field
    assert field in OPTIONAL_FIELDS


def test_a_level_that_thinking_asked_for_is_known_as_thinking() -> None:
    assert call(thinking={"type": "disabled"}).names["thinkingLevel"] == "thinking"


def test_a_limit_beyond_the_most_is_the_most_and_reported() -> None:
    prepared = call(max_tokens=100_000)
    assert prepared.body["generationConfig"] == {"maxOutputTokens": 65_536}
    assert told(prepared) == ("max_tokens",)


def test_what_the_api_does_not_look_at_in_a_schema_is_held_against_the_answer() -> None:
    cases = [
        ({}, False),
        ({"title": "t"}, False),
        ({"properties": {"a": {"type": "string", "enum": ["x"]}}}, False),
        ({"$defs": {"a": {"type": "string"}}, "properties": {"a": {"$ref": "#/$defs/a"}}}, False),
        ({"properties": {"pattern": {"type": "string"}}}, False),
        ({"properties": {"a": {"type": "string", "pattern": "^x"}}}, True),
        ({"properties": {"a": {"type": "array", "items": {"minLength": 2}}}}, True),
        ({"$defs": {"a": {"const": 1}}}, True),
        ({"anyOf": [{"type": "string"}, {"not": {}}]}, True),
        ({"additionalProperties": {"type": "string", "maxLength": 3}}, True),
        ({"allOf": [{"type": "object"}]}, True),
    ]
    wrong = []
    for more, checked in cases:
        schema = {**SCHEMA, **more}
        prepared = call(response_format={"type": "json_schema", "schema": schema})
        found = (prepared.body["generationConfig"]["responseJsonSchema"], prepared.check)
        expected = (schema, schema if checked else None)
        if found != expected:
            wrong.append((more, checked, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


def test_a_choice_without_functions_is_reported() -> None:
    assert told(call(tool_choice="auto")) == ("tool_choice",)
    assert "toolConfig" in call(tool_choice="auto", tools=(NESTED,)).body
