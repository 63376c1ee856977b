"""What is reserved of a budget before a call is made, and the prices that are shown of a model."""

from typing import Any

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.limits.budgets import LONG_ANSWER, most_it_may_cost
from nexus_actors.routing.catalog import Catalog
from nexus_actors.routing.estimate import estimate_input
from nexus_actors.settings import ModelRef, Settings, parse_settings

OPUS = ModelRef("anthropic", "claude-opus-5-5")
SOL = ModelRef("openai", "gpt-5.5")
KEYS = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"), "k")


def catalog(**models: Any) -> Catalog:
    config = {"providers": {"anthropic": {"models": {OPUS.model: models}}}} if models else {}
    settings = parse_settings(config, KEYS)
    assert isinstance(settings, Settings), str(settings)
    return Catalog(settings)


def request(**fields: Any) -> LLMRequest:
    message = {"role": "user", "content": "word " * 3_000}
    given: dict[str, Any] = {"request_id": "r", "complexity": "simple", "messages": (message,)}
    return LLMRequest(**given | fields)


def reserved(ref: ModelRef, known: Catalog, **fields: Any) -> tuple[float, float]:
    """For the input, and for the answer."""
    asked = request(**fields)
    both = most_it_may_cost(ref, asked, known)
    tokens_in = estimate_input(asked).expected * 4 // 3
    facts = known.facts(ref)
    assert facts.input_price is not None
    return tokens_in * facts.input_price / 1e6, both - tokens_in * facts.input_price / 1e6


def test_an_answer_without_a_limit_is_taken_to_be_long_not_endless() -> None:
    facts = catalog().facts(OPUS)
    assert facts.max_output_tokens is not None
    assert facts.max_output_tokens > 10 * LONG_ANSWER
    _, answer = reserved(OPUS, catalog())
    assert answer == pytest.approx(LONG_ANSWER * 20e-6)


@pytest.mark.parametrize(
    ("own", "fields", "tokens"),
    [
        ({}, {"max_tokens": 100}, 100),
        ({"max_output_tokens": 900}, {}, 900),
        ({"max_output_tokens": 900}, {"max_tokens": 100}, 100),
    ],
)
def test_a_limit_is_what_is_reserved(own: Any, fields: Any, tokens: int) -> None:
    _, answer = reserved(OPUS, catalog(**own), **fields)
    assert answer == pytest.approx(tokens * 20e-6)


@pytest.mark.parametrize(
    ("tier", "times"),
    [(None, 1), ("default", 1), ("flex", 1), ("priority", 2.5), ("unheard_of", 1)],
)
def test_a_dearer_tier_is_reserved_if_it_is_asked_for(tier: str | None, times: float) -> None:
    usual = most_it_may_cost(SOL, request(), catalog())
    asked = most_it_may_cost(SOL, request(service_tier=tier), catalog())
    assert asked == pytest.approx(usual * times)


@pytest.mark.parametrize(
    ("name", "prices"),
    [
        ("gemini/gemini-2.5-pro", (1.25, 0.125, 10)),
        ("openai/gpt-5.5", (5, 0.5, 30)),
        ("anthropic/claude-haiku-5-5", (0.1, 0.01, 0.5)),
        ("openai/no-such-model", (None, None, None)),
    ],
)
def test_the_prices_shown_are_those_of_the_first_tier(name: str, prices: Any) -> None:
    facts = catalog().facts(ModelRef(*name.split("/", 1)))
    assert (facts.input_price, facts.cached_input_price, facts.output_price) == prices
