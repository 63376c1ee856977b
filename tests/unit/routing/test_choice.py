"""Routes that ask for more, in which order their models come, and what is too large for a model."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_actors.contract.request import LLMRequest
from nexus_actors.routing import Routed, Routes, Unroutable
from nexus_actors.routing.estimate import estimate_input
from nexus_actors.settings import Settings, SettingsErrors, parse_settings

PROVIDERS: dict[str, Any] = {
    "one": {"kind": "echo"},
    "two": {"kind": "echo"},
    "three": {"kind": "echo"},
    "locked": {"kind": "echo", "api_key_env": "LOCKED_KEY"},
}
PLAIN = {"models": ["one/plain"]}


def config(*routes: dict[str, Any], **models: Any) -> Settings:
    providers = {**PROVIDERS, "one": {**PROVIDERS["one"], "models": models}}
    settings = parse_settings({"providers": providers, "routes": [*routes, PLAIN]}, {})
    assert isinstance(settings, Settings), str(settings)
    return settings


def request(text: str = "hi", request_id: str = "r", **fields: Any) -> LLMRequest:
    message = {"role": "user", "content": text}
    fields = {"complexity": "simple", "messages": (message,)} | fields
    return LLMRequest(request_id=request_id, **fields)


def route(settings: Settings, asked: LLMRequest) -> list[str]:
    outcome = Routes(settings).candidates(asked)
    assert isinstance(outcome, Routed), outcome
    return [str(candidate) for candidate in outcome.candidates]


def test_capabilities_must_all_be_asked_for() -> None:
    settings = config({"capabilities": ["code", "fast"], "models": ["two/quick"]})
    assert route(settings, request(capabilities=("code", "speed"))) == ["two/quick"]
    assert route(settings, request(capabilities=("code",))) == ["one/plain"]
    assert route(settings, request(capabilities=("speed", "cost", "code"))) == ["two/quick"]


def test_an_agent_may_have_its_own() -> None:
    settings = config({"agent": "nightly-*", "models": ["two/cheap"]})
    assert route(settings, request(agent_id="nightly-1")) == ["two/cheap"]
    assert route(settings, request(agent_id="daily-1")) == ["one/plain"]
    assert route(settings, request()) == ["one/plain"]


def test_all_that_a_route_names_must_fit_and_the_first_counts() -> None:
    settings = config(
        {"agent": "a", "complexity": "complex", "models": ["two/first"]},
        {"agent": "a", "task_type": "coder", "models": ["two/second"]},
        {"agent": "*", "models": ["two/third"]},
    )
    assert route(settings, request(agent_id="a", complexity="complex")) == ["two/first"]
    assert route(settings, request(agent_id="a", task_type="coder")) == ["two/second"]
    assert route(settings, request(agent_id="a")) == ["two/third"]


def test_a_model_may_have_its_providers() -> None:
    settings = config({"model": "llama-*", "models": ["two/*", "three/llama-big", "one/*"]})
    wanted = request(model="llama-small")
    assert route(settings, wanted) == ["two/llama-small", "three/llama-big", "one/llama-small"]
    assert route(settings, request(model="three/llama-x")) == ["three/llama-x"]
    assert route(settings, request(model="llama-x", provider="one")) == ["one/llama-x"]
    assert route(settings, request()) == ["one/plain"]


def test_a_preferred_provider_comes_first_of_a_special_route_too() -> None:
    settings = config({"agent": "a", "models": ["one/a", "two/b"]})
    assert route(settings, request(agent_id="a", provider="two")) == ["two/b", "one/a"]


def test_weights_are_proportions_and_a_request_keeps_its_order() -> None:
    models = ["one/a", "two/b", "three/c"]
    settings = config(
        {"complexity": "simple", "models": models, "pick": "weighted", "weights": [6, 3, 1]}
    )
    routes = Routes(settings)
    first: Counter[str] = Counter()
    for number in range(2000):
        outcome = routes.candidates(request(request_id=str(number)))
        assert isinstance(outcome, Routed)
        assert outcome == routes.candidates(request(request_id=str(number)))
        assert sorted(map(str, outcome.candidates)) == sorted(models)
        first[str(outcome.candidates[0])] += 1
    assert first["one/a"] == pytest.approx(1200, abs=100)
    assert first["two/b"] == pytest.approx(600, abs=90)
    assert first["three/c"] == pytest.approx(200, abs=60)


def test_the_cheapest_comes_first_and_the_unknown_last() -> None:
    settings = parse_settings(
        {
            "providers": {
                "http": {
                    "kind": "openai_compatible",
                    "base_url": "https://llm.example/v1",
                    "models": {
                        "dear": {"input_price": 10.0, "output_price": 1.0},
                        "cheap": {"input_price": 1.0, "output_price": 2.0},
                    },
                }
            },
            "routes": [
                {
                    "models": ["http/unknown", "http/dear", "http/cheap"],
                    "pick": "cheapest",
                }
            ],
        },
        {},
    )
    assert isinstance(settings, Settings), str(settings)
    long = request("x" * 40_000)
    assert route(settings, long) == ["http/cheap", "http/dear", "http/unknown"]
    talkative = request(max_tokens=100_000)
    assert route(settings, talkative) == ["http/dear", "http/cheap", "http/unknown"]


def test_a_model_that_is_too_small_is_passed_over_before_it_is_called() -> None:
    settings = config(
        {"complexity": "simple", "models": ["one/small", "two/any"]},
        small={"context_window": 1000, "max_output_tokens": 100},
    )
    routes = Routes(settings)
    assert route(settings, request()) == ["one/small", "two/any"]
    outcome = routes.candidates(request("word " * 4000))
    assert isinstance(outcome, Routed)
    assert [str(candidate) for candidate in outcome.candidates] == ["two/any"]
    assert outcome.skipped[0].why == "about 5007 tokens do not fit its window of 1000"
    outcome = routes.candidates(request(max_tokens=200))
    assert isinstance(outcome, Routed)
    assert outcome.skipped[0].why == "it answers with 100 tokens at most, not 200"


def test_what_fits_nowhere_is_too_long() -> None:
    settings = config(
        {"complexity": "simple", "models": ["one/small"]}, small={"context_window": 1000}
    )
    outcome = Routes(settings).candidates(request("word " * 4000, max_tokens=10))
    assert isinstance(outcome, Unroutable)
    assert outcome.type == "context_too_long"
    assert "one/small" in outcome.message
    assert len(outcome.skipped) == 1


def test_the_price_list_knows_windows() -> None:
    settings = parse_settings({}, {"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"})
    assert isinstance(settings, Settings)
    routes = Routes(settings)
    for ref in routes.models():
        facts = routes.catalog.facts(ref)
        assert facts.context_window is not None, ref
        assert facts.input_price, ref
        assert facts.output_price, ref


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"agent": 7}, "agent"),
        ({"capabilities": "code"}, "capabilities"),
        ({"pick": "best"}, "pick"),
        ({"pick": "weighted"}, "weights"),
        ({"pick": "weighted", "weights": [0]}, "weights"),
        ({"pick": "weighted", "weights": [1, 2]}, "weights"),
        ({"weights": [1]}, "weights"),
        ({"models": ["one/*"]}, "models"),
    ],
)
def test_mistakes_in_a_route_are_reported_by_their_place(wrong: dict[str, Any], path: str) -> None:
    mapping = {"providers": PROVIDERS, "routes": [{"models": ["one/m"], **wrong}]}
    settings = parse_settings(mapping, {})
    assert isinstance(settings, SettingsErrors)
    assert [mistake.path for mistake in settings.mistakes] == [f"routes[0].{path}"]


CONTENTS = st.one_of(
    st.text(max_size=50),
    st.none(),
    st.lists(
        st.one_of(
            st.fixed_dictionaries({"type": st.just("text"), "text": st.text(max_size=9)}),
            st.fixed_dictionaries({"type": st.just("image_url"), "image_url": st.text()}),
            st.dictionaries(st.text(max_size=3), st.integers()),
        )
    ),
)
NAMES = st.sampled_from(["auto", "one", "two", "locked", "nobody", "one/small", "locked/x", "x/y"])
SETTINGS = config(
    {"agent": "a*", "models": ["locked/a", "two/b"], "pick": "weighted", "weights": [1, 2]},
    {"model": "x*", "models": ["two/*", "locked/*"]},
    {"capabilities": ["code"], "models": ["one/small", "two/b"], "pick": "cheapest"},
    small={"context_window": 10, "input_price": 1.0, "output_price": 1.0},
)


@given(
    content=CONTENTS,
    model=NAMES,
    provider=NAMES,
    agent=st.sampled_from([None, "abc", ""]),
    capabilities=st.lists(st.sampled_from(["code", "speed"])),
    max_tokens=st.one_of(st.none(), st.integers(1, 2**31)),
)
def test_routing_never_raises_and_never_goes_where_it_cannot(
    content: Any, model: str, provider: str, agent: Any, capabilities: Any, max_tokens: Any
) -> None:
    asked = request(
        messages=({"role": "user", "content": content},),
        model=model,
        provider=provider,
        agent_id=agent,
        capabilities=tuple(capabilities),
        max_tokens=max_tokens,
    )
    outcome = Routes(SETTINGS).candidates(asked)
    if isinstance(outcome, Routed):
        assert outcome.candidates
        assert {c.provider for c in outcome.candidates} <= SETTINGS.providers.keys()
    estimate = estimate_input(asked)
    assert 0 <= estimate.least <= estimate.expected
