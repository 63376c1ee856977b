"""A request that goes on with an answer goes to whoever gave it."""

from typing import Any

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.routing import Candidate, Routed, Routes, Unroutable
from nexus_actors.routing.catalog import Catalog
from nexus_actors.settings import Settings, parse_settings

CONFIG: dict[str, Any] = {
    "providers": {
        "one": {"kind": "echo"},
        "two": {"kind": "echo", "models": {"small": {"context_window": 10}}},
        "idle": {"kind": "echo"},
        "locked": {"kind": "echo", "api_key_env": "LOCKED_KEY"},
    },
    "routes": [
        {"complexity": "simple", "models": ["one/a", "two/b", "two/c", "locked/d"]},
        {"complexity": "medium", "models": ["one/a"]},
        {
            "complexity": "complex",
            "models": ["one/a", "two/b", "two/c"],
            "pick": "weighted",
            "weights": [5, 5, 1],
        },
    ],
}


def settings() -> Settings:
    found = parse_settings(CONFIG, {})
    assert isinstance(found, Settings), str(found)
    return found


def routed(previous: str, complexity: Any = "simple", **fields: Any) -> Routed | Unroutable:
    message = {"role": "user", "content": "and then?"}
    asked = LLMRequest(
        request_id="r",
        complexity=complexity,
        messages=(message,),
        previous_response_id="resp_1",
        **fields,
    )
    provider, _, model = previous.partition("/")
    return Routes(settings()).candidates(asked, Candidate(provider, model))


@pytest.mark.parametrize(
    ("previous", "complexity", "fields", "expected"),
    [
        ("two/x", "simple", {}, ["two/b", "two/c"]),
        ("two/x", "medium", {}, ["two/x"]),
        ("idle/x", "simple", {}, ["idle/x"]),
        ("two/x", "simple", {"provider": "one"}, ["two/b", "two/c"]),
        ("two/x", "simple", {"provider": "two"}, ["two/b", "two/c"]),
        ("two/x", "simple", {"model": "b"}, ["two/b"]),
        ("two/x", "simple", {"model": "a"}, ["two/a"]),
        ("two/x", "simple", {"model": "unheard-of"}, ["two/unheard-of"]),
        ("two/x", "simple", {"model": "one/a"}, ["one/a"]),
        ("two/x", "simple", {"model": "a", "provider": "one"}, ["one/a"]),
    ],
    ids=[
        "its models of the route",
        "none of them: the one that answered",
        "in no route: the one that answered",
        "another is preferred",
        "it is preferred",
        "a model that it has",
        "a model that another has",
        "a model nobody is known to have",
        "another is ordered in the model",
        "another is ordered beside the model",
    ],
)
def test_it_stays_with_its_provider(
    previous: str, complexity: Any, fields: dict[str, str], expected: list[str]
) -> None:
    outcome = routed(previous, complexity, **fields)
    assert isinstance(outcome, Routed), outcome
    assert [str(candidate) for candidate in outcome.candidates] == expected


def test_the_others_are_said_to_be_skipped() -> None:
    why = {f"{one.provider}/{one.model}": one.why for one in routed("two/x").skipped}
    assert why == {
        "one/a": "the conversation is at two",
        "locked/d": "LOCKED_KEY is not set",
    }


def test_weights_count_among_its_models() -> None:
    outcome = routed("two/x", "complex")
    assert isinstance(outcome, Routed)
    assert sorted(map(str, outcome.candidates)) == ["two/b", "two/c"]


@pytest.mark.parametrize(("gone", "why"), [("locked", "LOCKED_KEY"), ("old", "no such provider")])
def test_without_its_provider_it_cannot_go_on(gone: str, why: str) -> None:
    outcome = routed(f"{gone}/x")
    assert isinstance(outcome, Unroutable)
    assert outcome.type == "model_unavailable"
    assert gone in outcome.message
    assert why in outcome.message


def test_a_model_too_small_for_it_is_still_passed_over() -> None:
    outcome = routed("two/small", "medium", max_tokens=100)
    assert isinstance(outcome, Unroutable)
    assert outcome.type == "context_too_long"


def test_models_that_requests_make_up_do_not_fill_the_memory() -> None:
    catalog = Catalog(settings())
    for number in range(3000):
        catalog.facts(Candidate("one", f"made-up-{number}"))
    assert catalog.kept <= 1024
