"""What a config knows better of a model than the built-in file: `takes`."""

from typing import Any

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.takes import EFFORTS, Takes
from nexus_actors.routing.catalog import Catalog
from nexus_actors.settings import ModelRef, Settings, SettingsErrors, masked, parse_settings

KINDS = ("anthropic", "gemini", "openai", "openai_compatible")
MODEL = "claude-opus-5-5"
REQUEST = LLMRequest(request_id="r", complexity="simple", messages=())


def parsed(takes: Any, kind: str = "anthropic", **more: Any) -> Settings | SettingsErrors:
    models = {MODEL: {"takes": takes, **more}}
    provider = {"kind": kind, "base_url": "http://localhost:1/v1", "models": models}
    return parse_settings({"providers": {"p": provider}, "routes": [{"models": ["p/x"]}]}, {})


def good(takes: Any, kind: str = "anthropic") -> Settings:
    settings = parsed(takes, kind)
    assert isinstance(settings, Settings), str(settings)
    return settings


def mistakes(takes: Any, kind: str = "anthropic", **more: Any) -> list[tuple[str, str, str]]:
    errors = parsed(takes, kind, **more)
    assert isinstance(errors, SettingsErrors)
    place = f"providers.p.models.{MODEL}."
    return [(it.path.removeprefix(place), it.found, it.expected) for it in errors.mistakes]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_given_is_laid_over_what_the_file_says(kind: str) -> None:
    takes = {"samplers": "one", "efforts": ["low", "max"], "thinking_budget": [1, 9], "stop": False}
    catalog = Catalog(good(takes, kind))
    plain = Catalog(good({}, kind)).takes(ModelRef("p", MODEL), REQUEST)
    changed = catalog.takes(ModelRef("p", MODEL), REQUEST)
    assert changed.samplers == "one"
    assert changed.efforts == ("low", "max")
    assert changed.thinking_budget == (1, 9)
    assert not changed.stop
    others = Takes.model_fields.keys() - takes.keys()
    assert {name: getattr(changed, name) for name in others} == {
        name: getattr(plain, name) for name in others
    }


@pytest.mark.parametrize("kind", KINDS)
def test_every_mistake_is_reported_at_once_with_its_place(kind: str) -> None:
    wrong = {"sampler": "none", "efforts": ["low", "lots"], "stop": "no", "most_stops": "4"}
    assert sorted(path for path, _, _ in mistakes(wrong, kind, context_windows=3)) == [
        "context_windows",
        "takes.efforts[1]",
        "takes.most_stops",
        "takes.sampler",
        "takes.stop",
    ]


def test_a_mistake_says_what_was_expected() -> None:
    cases = [
        ({"samplers": "some"}, "takes.samplers", '"some"', "one of both, one, idle, none"),
        ({"samplers": True}, "takes.samplers", "true", "one of both, one, idle, none"),
        ({"efforts": ["lots"]}, "takes.efforts[0]", '"lots"', f"one of {', '.join(EFFORTS)}"),
        ({"efforts": "low"}, "takes.efforts", '"low"', "a list"),
        ({"stop": 1}, "takes.stop", "1", "true or false"),
        ({"most_stops": "4"}, "takes.most_stops", '"4"', "a whole number from 1"),
        ({"most_stops": 0}, "takes.most_stops", "0", "a whole number from 1"),
        (
            {"max_output_tokens": 1.5},
            "takes.max_output_tokens",
            "1.5",
            "a whole number from 1 (tokens)",
        ),
        ({"thinking_budget": [1]}, "takes.thinking_budget[1]", "nothing", "a whole number"),
        (7, "takes", "7", "a table"),
    ]
    wrong = [
        (takes, path, found, expected, kind, got)
        for takes, path, found, expected in cases
        for kind in KINDS
        if (got := mistakes(takes, kind)) != [(path, found, expected)]
    ]
    assert not wrong, "\n".join(map(repr, wrong))


def test_a_budget_has_its_least_first() -> None:
    [(path, _, expected)] = mistakes({"thinking_budget": [5, 1]})
    assert path == "takes"
    assert "least" in expected


def test_an_unknown_fact_is_reported_with_those_there_are_and_the_nearest() -> None:
    errors = parsed({"sampler": "none"})
    assert isinstance(errors, SettingsErrors)
    (mistake,) = errors.mistakes
    assert mistake.found == "an unknown setting"
    assert mistake.expected == f"one of {', '.join(sorted(Takes.model_fields))}"
    assert mistake.nearest == "samplers"


def test_it_is_shown_as_it_was_given() -> None:
    shown = masked(good({"efforts": ["low"]}))["providers"]["p"]["models"][MODEL]
    assert shown["takes"] == {"efforts": ["low"]}
