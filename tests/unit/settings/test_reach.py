"""Which providers and routes a config comes to."""

from typing import Any

import pytest

from nexus_actors.providers.kinds import kind_names, load_kind
from nexus_actors.settings import (
    ModelRef,
    defaults,
)
from tests.unit.settings.parsing import bad, good

KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GROQ_API_KEY")


def test_kinds_are_the_modules_that_export_a_provider() -> None:
    assert {"echo", "openai_compatible"} <= set(kind_names())
    assert not {"port", "catalog"} & set(kind_names())
    assert load_kind("port") is None
    assert load_kind("os") is None
    assert load_kind("../echo") is None


def test_with_no_config_and_no_keys_echo_serves_every_route_and_says_so() -> None:
    settings = good({})
    assert list(settings.providers) == ["echo"]
    assert [str(ref) for route in settings.routes for ref in route.models] == ["echo/echo"]
    (warning,) = settings.warnings
    assert "echo serves every route" in warning
    assert all(key in warning for key in KEYS)


def test_echo_stands_in_only_where_nothing_of_routing_is_configured() -> None:
    assert list(good({"queue": {"batch_size": 3}}).providers) == ["echo"]
    errors = bad({"providers": {"groq": {"pool_size": 3}}})
    assert all("left out" in mistake.found for mistake in errors.mistakes)


@pytest.mark.parametrize(
    "mapping", [{}, {"routes": defaults.ROUTES}, {"routes": defaults.ROUTES, "providers": {}}]
)
def test_a_mistake_elsewhere_makes_no_route_wrong_that_echo_would_serve(
    mapping: dict[str, Any],
) -> None:
    (mistake,) = bad(mapping, {"DATABASE_URL": "127.0.0.1:15499/app"}).mistakes
    assert mistake.path == "DATABASE_URL"
    both = bad({**mapping, "queue": {"max_attempts": 0}}, {"OPENAI_API_KEY": "sk-..."}).mistakes
    assert {it.path for it in both} == {"queue.max_attempts", "OPENAI_API_KEY"}


@pytest.mark.parametrize("key", KEYS)
def test_the_key_of_any_one_provider_serves_every_built_in_route(key: str) -> None:
    settings = good({}, {key: "k"})
    (name,) = settings.providers
    assert all(name in {ref.provider for ref in route.models} for route in settings.routes)
    assert len(settings.left_out) == 3
    (warning,) = [it for it in settings.warnings if "left out" in it]
    assert warning.startswith(f"providers {', '.join(settings.left_out)} are left out: ")
    assert warning.count(" is not set") == 3


def test_with_every_key_nothing_is_left_out_or_warned_of() -> None:
    settings = good({}, dict.fromkeys(KEYS, "k"))
    assert set(settings.providers) == {"openai", "anthropic", "gemini", "groq"}
    assert settings.warnings == ()


def test_a_key_is_kept_secret_and_stripped() -> None:
    [key] = good({}, {"GROQ_API_KEY": " k0\n"}).providers["groq"].api_keys
    assert (key.name, key.secret.get_secret_value()) == ("GROQ_API_KEY", "k0")
    assert "k0" not in repr(key)


@pytest.mark.parametrize("key", ["", "  ", "two words", "schlüssel", "a\tb"])
def test_an_unusable_key_leaves_its_provider_out(key: str) -> None:
    settings = good({}, {"GROQ_API_KEY": key, "OPENAI_API_KEY": "k"})
    assert "GROQ_API_KEY" in settings.left_out["groq"].why


def test_a_built_in_provider_need_give_only_what_differs() -> None:
    settings = good({"providers": {"groq": {"pool_size": 32}}}, {"GROQ_API_KEY": "k"})
    provider = settings.providers["groq"].settings
    assert (provider.pool_size, provider.kind) == (32, "openai_compatible")


def test_a_built_in_provider_may_be_of_another_kind() -> None:
    settings = good({"providers": {"groq": {"kind": "echo"}}})
    assert settings.providers["groq"].settings.kind == "echo"


def test_an_empty_api_key_env_means_that_no_key_is_needed() -> None:
    table = {"api_key_env": "", "base_url": "http://localhost:1/v1"}
    assert good({"providers": {"openai": table}}).providers["openai"].api_keys == ()


def test_a_built_in_provider_that_nothing_mentions_is_dropped_in_silence() -> None:
    settings = good(
        {
            "providers": {"e": {"kind": "echo"}},
            "routes": [{"models": ["e/m", "groq/x"]}],
        },
        {"OPENAI_API_KEY": "k"},
    )
    assert list(settings.providers) == ["e"]
    assert list(settings.left_out) == ["groq"]
    assert settings.warnings == ("provider groq is left out: GROQ_API_KEY is not set",)


def test_a_route_whose_every_provider_is_left_out_is_a_mistake() -> None:
    routes = [{"models": ["groq/x", "groq/y"]}, {"complexity": "simple", "models": ["openai/z"]}]
    (mistake,) = bad({"routes": routes}, {"OPENAI_API_KEY": "k"}).mistakes
    assert mistake.path == "routes[0].models"
    assert "GROQ_API_KEY is not set" in mistake.found


def test_a_providers_name_is_one_that_actors_and_routes_can_bear() -> None:
    wrong = []
    for name in ["Big", "a b", "auto", "-x", "x.y", "x/y", "x" * 64, ""]:
        mistakes = bad({"providers": {name: {"kind": "echo"}}}, {"GROQ_API_KEY": "k"}).mistakes
        found = [mistake.path for mistake in mistakes]
        expected = [f"providers.{name}"]
        if found != expected:
            wrong.append((name, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize("model", ["nope", "/m", "e/", "e/ ", 7, ""])
def test_a_route_names_a_model_as_provider_and_model(model: Any) -> None:
    mapping = {"providers": {"e": {"kind": "echo"}}, "routes": [{"models": [model]}]}
    (mistake,) = bad(mapping).mistakes
    assert (mistake.path, mistake.expected) == ("routes[0].models[0]", "PROVIDER/MODEL")


def test_routes_are_normalised() -> None:
    routes = [
        {"complexity": "simple", "task_type": " Web  Search ", "models": ["e/a/b", "e/a/b"]},
        {"models": ["e/m"]},
    ]
    first, second = good({"providers": {"e": {"kind": "echo"}}, "routes": routes}).routes
    assert (first.task_type, first.models) == ("web_search", (ModelRef("e", "a/b"),))
    assert (second.complexity, second.task_type) == ("*", "*")


def test_gaps_and_routes_without_use_are_warned_of() -> None:
    routes = [
        {"complexity": "simple", "models": ["e/a"]},
        {"complexity": "simple", "task_type": "*", "models": ["e/b"]},
        {"complexity": "medium", "task_type": "coder", "models": ["e/b"]},
    ]
    warnings = good({"providers": {"e": {"kind": "echo"}}, "routes": routes}).warnings
    assert len(warnings) == 2
    assert "routes[1] is never used" in warnings[0]
    assert "medium, complex" in warnings[1]


def test_a_providers_own_rules_are_told_in_its_own_words() -> None:
    table = {"kind": "openai_compatible", "base_url": "ftp://h"}
    mistakes = bad({"providers": {"x": table}}, {"GROQ_API_KEY": "k"}).mistakes
    assert [mistake.path for mistake in mistakes] == ["providers.x.base_url"]
    assert "https://" in mistakes[0].expected


def test_a_setting_that_must_be_given_is_missed() -> None:
    (mistake,) = bad(
        {"providers": {"x": {"kind": "openai_compatible"}}}, {"GROQ_API_KEY": "k"}
    ).mistakes
    assert (mistake.path, mistake.found) == ("providers.x.base_url", "nothing")
