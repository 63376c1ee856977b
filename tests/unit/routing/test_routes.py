"""Which candidates a request has, and why others are not among them."""

from typing import Any

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.routing import (
    Routed,
    Routes,
    Skipped,
    Unroutable,
    available_models,
    candidates,
    unheard,
)
from nexus_actors.settings import Settings, parse_settings

KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GROQ_API_KEY")
CONFIG: dict[str, Any] = {
    "providers": {
        "one": {"kind": "echo"},
        "two": {"kind": "echo"},
        "idle": {"kind": "echo"},
        "locked": {"kind": "echo", "api_key_env": "LOCKED_KEY"},
        "anthropic": {"kind": "echo", "api_key_env": ""},
    },
    "routes": [
        {"complexity": "simple", "task_type": "parser", "models": ["one/exact"]},
        {"complexity": "*", "task_type": "parser", "models": ["one/by-task"]},
        {"complexity": "simple", "task_type": "*", "models": ["one/by-complexity", "two/other"]},
        {"complexity": "simple", "task_type": "*", "models": ["two/never"]},
        {"complexity": "medium", "models": ["locked/a", "two/shared", "one/shared", "two/b"]},
    ],
}


def config(**changes: Any) -> Settings:
    settings = parse_settings({**CONFIG, **changes}, {})
    assert isinstance(settings, Settings), str(settings)
    return settings


def request(complexity: Any = "simple", **fields: Any) -> LLMRequest:
    message = {"role": "user", "content": "hi"}
    return LLMRequest(request_id="r", complexity=complexity, messages=(message,), **fields)


def route(asked: LLMRequest, settings: Settings | None = None) -> list[str]:
    outcome = candidates(asked, settings or config())
    assert isinstance(outcome, Routed), outcome
    return [str(candidate) for candidate in outcome.candidates]


def refusal(asked: LLMRequest) -> Unroutable:
    outcome = candidates(asked, config())
    assert isinstance(outcome, Unroutable), outcome
    assert outcome.type == "model_unavailable"
    return outcome


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (request(task_type="parser"), ["one/exact"]),
        (request("complex", task_type="parser"), ["one/by-task"]),
        (request(task_type="chat"), ["one/by-complexity", "two/other"]),
        (request(), ["one/by-complexity", "two/other"]),
        (request("medium"), ["two/shared", "one/shared", "two/b"]),
    ],
    ids=["both", "task type", "complexity", "no task type", "one left out"],
)
def test_the_most_specific_route_is_the_one(asked: LLMRequest, expected: list[str]) -> None:
    assert route(asked) == expected


def test_a_provider_left_out_is_skipped_and_said_to_be() -> None:
    outcome = candidates(request("medium"), config())
    assert isinstance(outcome, Routed)
    assert outcome.skipped == (Skipped("locked", "a", "LOCKED_KEY is not set"),)


def test_a_result_does_not_say_where_a_key_file_is() -> None:
    locked = {"kind": "echo", "api_key_env": "LOCKED_KEY", "api_key_file": "/nowhere/at/all/key"}
    settings = config(providers={**CONFIG["providers"], "locked": locked})
    assert "/nowhere/at/all/key" in settings.left_out["locked"].why
    outcome = candidates(request("medium"), settings)
    assert isinstance(outcome, Routed)
    assert outcome.skipped == (Skipped("locked", "a", "no key in LOCKED_KEY, key"),)
    told = "provider: the route decides, as locked: no key in LOCKED_KEY, key"
    assert unheard(request(provider="locked"), settings) == told


def test_a_request_without_a_route_has_no_model() -> None:
    assert "complex/chat" in refusal(request("complex", task_type="chat")).message


def test_an_explicit_model_is_the_only_model() -> None:
    cases = [
        ({"model": "one/anything"}, ["one/anything"]),
        ({"model": "idle/anything"}, ["idle/anything"]),
        ({"model": "anything", "provider": "two"}, ["two/anything"]),
        ({"model": "two/anything", "provider": "two"}, ["two/anything"]),
        ({"model": "one/anything", "provider": "two"}, ["two/one/anything"]),
        ({"model": "shared"}, ["two/shared", "one/shared"]),
        ({"model": "claude-next"}, ["anthropic/claude-next"]),
        ({"model": "exact", "provider": "One"}, ["one/exact"]),
    ]
    wrong = [
        (fields, expected, found)
        for fields, expected in cases
        if (found := route(request(**fields))) != expected
    ]
    assert not wrong, "\n".join(map(repr, wrong))


def test_an_explicit_model_has_no_stand_in() -> None:
    cases = [
        ({"model": "locked/a"}, "LOCKED_KEY is not set"),
        ({"model": "a", "provider": "locked"}, "LOCKED_KEY is not set"),
        ({"model": "a", "provider": "nowhere"}, "no such provider"),
        ({"model": "unheard-of"}, '"unheard-of" is no complexity (simple, medium, complex)'),
        ({"model": "coder"}, '"coder" is a task type: give it as task_type'),
        ({"model": "gpt-next"}, "gpt-next"),
        ({"model": "nowhere/a"}, '"nowhere/a" is no model that can be reached (nexus models)'),
        ({"model": "x" * 9999}, "x…"),
    ]
    wrong = []
    for fields, said in cases:
        message = refusal(request(**fields)).message
        if not (said in message and len(message) < 200):
            wrong.append((fields, said, message))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (request(provider="two"), ["two/other", "one/by-complexity"]),
        (request("medium", provider="ONE"), ["one/shared", "two/shared", "two/b"]),
        (
            request(task_type="parser", provider="two"),
            ["two/other", "two/never", "two/shared", "two/b", "one/exact"],
        ),
        (request(provider="idle"), ["one/by-complexity", "two/other"]),
        (request("complex", provider="two"), ["two/other", "two/never", "two/shared", "two/b"]),
    ],
    ids=["in the route", "in the route, any case", "elsewhere", "without models", "no route"],
)
def test_a_preferred_provider_comes_first_and_the_route_after(
    asked: LLMRequest, expected: list[str]
) -> None:
    assert route(asked) == expected


@pytest.mark.parametrize("provider", ["locked", "nowhere"])
def test_a_preferred_provider_that_is_not_there_leaves_the_request_to_its_route(
    provider: str,
) -> None:
    outcome = candidates(request(provider=provider), config())
    assert isinstance(outcome, Routed)
    assert [str(candidate) for candidate in outcome.candidates] == [
        "one/by-complexity",
        "two/other",
    ]
    assert [skipped.provider for skipped in outcome.skipped] == [provider]


def test_available_models_are_those_of_the_routes_that_can_be_reached() -> None:
    models = {str(model) for model in available_models(config())}
    expected = "one/exact one/by-task one/by-complexity two/other two/never two/shared one/shared"
    assert models == {*expected.split(), "two/b"}


def test_a_catch_all_takes_what_no_route_is_for() -> None:
    routes = [*CONFIG["routes"], {"models": ["one/last"]}]
    assert route(request("complex", task_type="qa"), config(routes=routes)) == ["one/last"]


@pytest.mark.parametrize(
    ("complexity", "task_type", "first", "then"),
    [
        ("simple", "parser", "gemini/", "openai/"),
        ("medium", "coder", "openai/", "openai/"),
        ("medium", "planning", "openai/", "anthropic/"),
        ("medium", "chat", "anthropic/", "openai/"),
        ("complex", "architect", "openai/", "anthropic/"),
        ("complex", "code_generation", "openai/", "anthropic/"),
        ("complex", "refactoring", "openai/", "anthropic/"),
        ("complex", "qa", "anthropic/", "anthropic/"),
    ],
)
def test_the_built_in_routes_are_the_contracts(
    complexity: str, task_type: str, first: str, then: str
) -> None:
    settings = parse_settings({}, dict.fromkeys(KEYS, "k"))
    assert isinstance(settings, Settings)
    models = route(request(complexity, task_type=task_type), settings)
    assert models[0].startswith(first)
    assert models[1].startswith(then)


def test_one_table_serves_many_requests() -> None:
    routes = Routes(config())
    assert routes.candidates(request()) is routes.candidates(request())


@pytest.mark.parametrize(
    ("provider", "told"),
    [
        ("auto", None),
        ("One", None),
        ("onee", "provider: the route decides, as onee: no such provider (did you mean one?)"),
        ("\x1b[2J:", "provider: the route decides, as \ufffd[2J\ufffd: no such provider"),
        ("locked", "provider: the route decides, as locked: LOCKED_KEY is not set"),
    ],
)
def test_a_preferred_provider_that_is_not_there_is_reported(
    provider: str, told: str | None
) -> None:
    assert unheard(request(provider=provider), config()) == told
