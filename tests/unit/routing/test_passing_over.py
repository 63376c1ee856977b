"""A model that cannot honour what would change the question is passed over, if another can."""

from typing import Any

import pytest

from nexus_actors.cli.route import explain_route
from nexus_actors.contract.request import LLMRequest
from nexus_actors.routing import Candidate, Routed, Routes, Unroutable
from nexus_actors.settings import ModelRef, Settings, parse_settings

KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GROQ_API_KEY")
MODELS = {
    "mute": {"takes": {"stop": False, "forced_tool_choice": False, "prefill": False}},
    "blind": {"takes": {"images": False}},
    "short": {"takes": {"max_output_tokens": 100}},
    "firm": {"max_output_tokens": 100},
    "small": {"context_window": 300},
}


def config(*models: str, **route: Any) -> Settings:
    http = {"kind": "openai_compatible", "base_url": "http://localhost:1/v1", "models": MODELS}
    settings = parse_settings(
        {
            "providers": {"one": http, "two": {**http, "models": {}}},
            "routes": [{"models": list(models), **route}],
        },
        {},
    )
    assert isinstance(settings, Settings), str(settings)
    return settings


def request(**fields: Any) -> LLMRequest:
    message = {"role": "user", "content": "hi"}
    given = {"request_id": "r", "complexity": "simple", "messages": (message,)} | fields
    return LLMRequest(**given)


def routed(settings: Settings, asked: LLMRequest, previous: Candidate | None = None) -> Routed:
    outcome = Routes(settings).candidates(asked, previous)
    assert isinstance(outcome, Routed), outcome
    return outcome


def names(outcome: Routed) -> list[str]:
    return [str(candidate) for candidate in outcome.candidates]


def why(outcome: Routed) -> dict[str, str]:
    return {f"{one.provider}/{one.model}": one.why for one in outcome.skipped}


def test_it_is_passed_over_with_the_reason() -> None:
    settings = config("one/mute", "one/blind", "two/any")
    assert names(routed(settings, request())) == ["one/mute", "one/blind", "two/any"]
    outcome = routed(settings, request(stop=("END",)))
    assert names(outcome) == ["one/blind", "two/any"]
    assert why(outcome) == {"one/mute": "it takes no stop sequences"}
    picture = {"type": "image_url", "image_url": {"url": "https://example.org/x.png"}}
    seen = routed(settings, request(messages=({"role": "user", "content": [picture]},)))
    assert why(seen) == {"one/blind": "it takes no images"}


def test_where_none_can_all_stay() -> None:
    outcome = routed(config("one/mute"), request(stop=("END",)))
    assert (names(outcome), outcome.skipped) == (["one/mute"], ())
    both = config("one/mute", "one/short")
    outcome = routed(both, request(stop=("END",), max_tokens=200))
    assert (names(outcome), outcome.skipped) == (["one/mute", "one/short"], ())


def test_one_that_is_too_small_does_not_count_as_one_that_can() -> None:
    settings = config("one/mute", "one/small")
    outcome = routed(settings, request(stop=("END",), max_tokens=1000))
    assert names(outcome) == ["one/mute"]
    assert list(why(outcome)) == ["one/small"]


def test_a_model_that_is_named_keeps_its_request() -> None:
    settings = config("one/mute", "two/any")
    for fields in ({"model": "one/mute"}, {"model": "mute", "provider": "one"}):
        outcome = routed(settings, request(stop=("END",), **fields))
        assert names(outcome) == ["one/mute"]


def test_a_model_that_two_have_goes_to_the_one_that_can() -> None:
    settings = config("one/*", "two/*", model="mu*")
    assert names(routed(settings, request(model="mute"))) == ["one/mute", "two/mute"]
    outcome = routed(settings, request(model="mute", stop=("END",)))
    assert names(outcome) == ["two/mute"]
    assert list(why(outcome)) == ["one/mute"]


def test_a_conversation_stays_where_it_is() -> None:
    settings = config("one/mute", "two/any")
    outcome = routed(settings, request(stop=("END",)), Candidate("one", "mute"))
    assert names(outcome) == ["one/mute"]


def test_a_preferred_provider_that_cannot_is_passed_over() -> None:
    settings = config("two/any", "one/mute")
    outcome = routed(settings, request(stop=("END",), provider="one"))
    assert names(outcome) == ["two/any"]


def test_a_limit_of_our_file_gives_way_where_there_is_no_other_model() -> None:
    outcome = routed(config("one/short", "two/any"), request(max_tokens=200))
    assert names(outcome) == ["two/any"]
    assert why(outcome) == {"one/short": "it answers with 100 tokens at most, not 200"}
    assert names(routed(config("one/short"), request(max_tokens=200))) == ["one/short"]
    refusal = Routes(config("one/firm")).candidates(request(max_tokens=200))
    assert isinstance(refusal, Unroutable)
    assert refusal.message == "one/firm: it answers with 100 tokens at most, not 200"


def test_a_kind_of_which_the_file_does_not_speak_takes_everything() -> None:
    settings = parse_settings(
        {"providers": {"e": {"kind": "echo"}}, "routes": [{"models": ["e/claude-opus-5-5"]}]}, {}
    )
    assert isinstance(settings, Settings)
    catalog = Routes(settings).catalog
    assert catalog.takes(ModelRef("e", "claude-opus-5-5"), request()).prefill
    assert catalog.facts(ModelRef("e", "claude-opus-5-5")).max_output_tokens is None


def test_the_api_that_is_asked_for_decides() -> None:
    settings = parse_settings({}, dict.fromkeys(KEYS, "k"))
    assert isinstance(settings, Settings)
    catalog = Routes(settings).catalog
    ref = ModelRef("openai", "gpt-4o")
    assert not catalog.takes(ref, request(stop=("x",))).stop
    assert catalog.takes(ref, request(stop=("x",), api_version="chat_completions")).stop


@pytest.mark.parametrize("complexity", ["simple", "medium", "complex"])
def test_with_every_key_an_answer_begun_goes_to_a_model_that_goes_on(complexity: Any) -> None:
    settings = parse_settings({}, dict.fromkeys(KEYS, "k"))
    assert isinstance(settings, Settings)
    messages = ({"role": "user", "content": "hi"}, {"role": "assistant", "content": "{"})
    outcome = routed(settings, request(complexity=complexity, messages=messages))
    assert "anthropic" not in {candidate.provider for candidate in outcome.candidates}
    assert "anthropic" in {one.provider for one in outcome.skipped}


def test_the_limit_of_claude_is_known() -> None:
    settings = parse_settings({}, dict.fromkeys(KEYS, "k"))
    assert isinstance(settings, Settings)
    facts = Routes(settings).catalog.facts(ModelRef("anthropic", "claude-opus-5-5"))
    assert facts.max_output_tokens == 128_000


def test_explain_says_what_a_model_that_stays_cannot_honour() -> None:
    explained = explain_route(config("one/mute"), request(stop=("END",)))
    assert explained["candidates"][0]["unhonoured"] == "it takes no stop sequences"
    explained = explain_route(config("one/short"), request(max_tokens=200))
    assert "100 tokens" in explained["candidates"][0]["unhonoured"]
    explained = explain_route(config("one/mute", "two/any"), request(stop=("END",)))
    assert [row["unhonoured"] for row in explained["candidates"]] == [None]
