"""Which field a provider means that refuses one by name, and which names it may not say."""

from typing import Any

import pytest
from msgspec import structs

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.optional_fields import OPTIONAL_FIELDS
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.sent_fields import dispensable, names_a_value

REQUEST = LLMRequest(
    request_id="r",
    complexity="simple",
    messages=({"role": "user", "content": "temperature is not supported with this model"},),
    model="m",
    temperature=0.7,
    top_p=0.9,
    seed=7,
    reasoning_effort="high",
    reasoning_summary="auto",
    max_tokens=100,
    user="u",
    stop=("x",),
    tools=({"type": "function", "function": {"name": "f"}},),
    tool_choice="required",
    response_format={"type": "json_object"},
    include=("reasoning.encrypted_content",),
    metadata={"a": "b"},
)
BODY = {
    "model": "m",
    "messages": [{"role": "user", "content": "…"}],
    "temperature": 0.7,
    "stop": ["x"],
    "tools": [],
    "tool_choice": "required",
    "response_format": {},
    "max_completion_tokens": 100,
    "reasoning": {"effort": "high", "summary": "auto"},
    "generationConfig": {"topP": 0.9, "stopSequences": ["x"]},
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "random_seed": 7,
    "metadata": {"user_id": "u"},
    "include": ["reasoning.encrypted_content"],
    "stream": True,
}
NAMES = {
    "reasoning.effort": "reasoning_effort",
    "reasoning.summary": "reasoning_summary",
    "generationConfig.topP": "top_p",
    "generationConfig.stopSequences": "stop",
    "thinking": "reasoning_effort",
    "random_seed": "seed",
    "metadata.user_id": "user",
    "max_completion_tokens": "max_tokens",
}


def failure(word: str | None, **changes: Any) -> ProviderFailure:
    said = {
        "type": "request_rejected",
        "message": "no",
        "retryable": False,
        "scope": "request",
        "status_code": 400,
        "refused_field": word,
    }
    return ProviderFailure(**(said | changes))


def meant(word: str | None, **changes: Any) -> str | None:
    return dispensable(failure(word, **changes), REQUEST, BODY, NAMES)


def test_what_was_sent_and_may_be_missing_is_found() -> None:
    cases = [
        ("temperature", "temperature"),
        ("Temperature", "temperature"),
        ("include", "include"),
        ("include[0]", "include"),
        ("reasoning.effort", "reasoning_effort"),
        ("generationConfig.topP", "top_p"),
        ("generation_config.top_p", "top_p"),
        ("thinking.type.enabled", "reasoning_effort"),
        ("thinking", "reasoning_effort"),
        ("random_seed", "seed"),
        ("metadata.user_id", "user"),
        ("metadata", "user"),
        ("max_completion_tokens", "max_tokens"),
    ]
    wrong = [(word, field, found) for word, field in cases if (found := meant(word)) != field]
    assert not wrong, "\n".join(map(repr, wrong))


def test_what_the_request_cannot_go_without_or_nobody_knows_is_not() -> None:
    cases = [
        None,
        "",
        ".",
        "messages",
        "messages[0].content",
        "model",
        "stream",
        "stop",
        "tools",
        "tools[0].function.name",
        "tool_choice",
        "response_format",
        "instructions",
        "generationConfig.stopSequences",
        "generationConfig",
        "reasoning",
        "unknown",
        "__class__",
        "temperature " * 100,
    ]
    wrong = [(word, found) for word in cases if (found := meant(word)) is not None]
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize("word", ["top_k", "presence_penalty", "seed", "top_p", "max_tokens"])
def test_what_was_not_sent_under_this_name_is_not(word: str) -> None:
    assert meant(word) is None


def test_what_was_not_asked_for_is_not_even_if_we_sent_something_of_that_name() -> None:
    wrong = []
    for field in OPTIONAL_FIELDS:
        empty = structs.replace(REQUEST, **OPTIONAL_FIELDS)
        found = dispensable(failure(field), empty, {field: "x"}, {})
        if found is not None:
            wrong.append((field, found))
    assert not wrong, "\n".join(map(repr, wrong))


def test_the_limit_is_only_where_it_has_another_name_and_was_not_tried_under_it() -> None:
    assert dispensable(failure("max_tokens"), REQUEST, {"max_tokens": 9}, {}) is None
    names = {"max_tokens": "max_tokens"}
    assert dispensable(failure("max_tokens"), REQUEST, {"max_tokens": 9}, names) == "max_tokens"
    tried = dispensable(failure("max_tokens"), REQUEST, {"max_tokens": 9}, names, {"max_tokens"})
    assert tried is None


def test_a_limit_that_is_too_high_is_not_fixed_by_another_name() -> None:
    assert meant("max_completion_tokens", refused_value=True) is None
    assert meant("temperature", refused_value=True) == "temperature"


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "provider_error", "status_code": 500},
        {"type": "rate_limited", "status_code": 429},
        {"type": "authentication_failed", "status_code": 401},
        {"type": "context_too_long"},
        {"type": "content_filtered"},
        {"status_code": 413},
    ],
)
def test_other_failures_name_nothing(changes: dict[str, Any]) -> None:
    assert meant("temperature", **changes) is None


@pytest.mark.parametrize(
    ("refused", "field", "is_value"),
    [
        ("temperature", "temperature", False),
        ("reasoning.effort", "reasoning_effort", False),
        ("reasoning.effort.level", "reasoning_effort", True),
        ("metadata", "metadata", False),
        ("metadata.team", "metadata", True),
        ("thinking", "reasoning_effort", False),
        ("thinking", "thinking", True),
    ],
)
def test_what_lies_inside_a_field_says_nothing_of_the_field(
    refused: str, field: str, is_value: bool
) -> None:
    names = {"reasoning.effort": "reasoning_effort"}
    assert names_a_value(refused, field, names) is is_value
