"""What our own limits make of a request: the limit of its answer that is sent, and what is told."""

from typing import Any

import pytest

from nexus_actors.admission.budget_bounds import most_it_may_cost
from nexus_actors.admission.output_limit import limit_output
from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.port import ProviderFailure, ProviderSettings
from nexus_actors.providers.pricing import Tokens
from nexus_actors.routing.catalog import Catalog
from nexus_actors.settings import ModelRef, Settings, parse_settings
from nexus_actors.settings.model import BudgetSettings
from nexus_actors.work.job import LimitedRequest

OPUS = ModelRef("anthropic", "claude-opus-5-5")


def asked(text: str = "hello", **fields: Any) -> LLMRequest:
    message = {"role": "user", "content": text}
    return LLMRequest(request_id="r", complexity="simple", messages=(message,), **fields)


def sent(
    request: LLMRequest, *budgets: int, tokens_per_minute: float | None = None, **model: Any
) -> LimitedRequest | ProviderFailure:
    config = {"providers": {"anthropic": {"models": {OPUS.model: model}}}} if model else {}
    settings = parse_settings(config, {"ANTHROPIC_API_KEY": "k"})
    assert isinstance(settings, Settings), str(settings)
    counted = {f"b{most}": BudgetSettings(dollars=1, max_output_tokens=most) for most in budgets}
    provider = ProviderSettings(kind="echo", tokens_per_minute=tokens_per_minute)
    return limit_output(request, OPUS, provider, Catalog(settings), counted)


def limit(outcome: LimitedRequest | ProviderFailure) -> tuple[int | None, int]:
    """What is sent, and how many notes tell of it."""
    assert isinstance(outcome, LimitedRequest)
    return outcome.request.max_tokens, len(outcome.notes)


def test_a_budget_bounds_an_answer_that_nobody_else_does() -> None:
    assert limit(sent(asked())) == (None, 0)
    assert limit(sent(asked(), 8192)) == (8192, 1)
    assert limit(sent(asked(), 8192, 500)) == (500, 1)
    assert limit(sent(asked(), 8192, max_output_tokens=900)) == (900, 1)
    assert limit(sent(asked(max_tokens=60_000), 8192)) == (60_000, 0)
    assert limit(sent(asked("a" * 4_000), 8192, context_window=7_000)) == (5658, 1)
    outcome = sent(asked(), 500)
    assert isinstance(outcome, LimitedRequest)
    assert outcome.notes == (
        "max_tokens: sent as 500, since budgets.b500.max_output_tokens bounds it",
    )
    outcome = sent(asked(), 8192, max_output_tokens=900)
    assert isinstance(outcome, LimitedRequest)
    assert outcome.notes == (f"max_tokens: sent as 900, since what {OPUS} has room for bounds it",)


def test_what_is_sent_is_what_is_reserved() -> None:
    settings = parse_settings({}, {"ANTHROPIC_API_KEY": "k"})
    assert isinstance(settings, Settings)
    catalog, outcome = Catalog(settings), sent(asked(), 50_000)
    assert isinstance(outcome, LimitedRequest)
    answer = catalog.cost(OPUS, Tokens(0, 50_000))
    assert answer is not None
    assert most_it_may_cost(OPUS, outcome.request, catalog) >= answer


@pytest.mark.parametrize(
    ("text", "max_tokens", "what"),
    [
        ("a" * 4_000, 2_147_483_647, 28_993),  # capped to what the minute has beside the input
        ("a" * 4_000, 28_000, 28_000),
        ("a" * 119_000, None, 243),
        ("a" * 120_000, None, None),
        ("a" * 1_000_000, 1, None),
    ],
)
def test_what_never_fits_the_minute_is_capped_or_refused_by_the_name_of_the_setting(
    text: str, max_tokens: int | None, what: int | None
) -> None:
    outcome = sent(asked(text, max_tokens=max_tokens), tokens_per_minute=30_000.0)
    if what is None:
        assert isinstance(outcome, ProviderFailure)
        assert (outcome.type, outcome.retryable) == (ErrorType.RATE_LIMITED, False)
        assert "providers.anthropic.tokens_per_minute is 30000" in outcome.message
        return
    assert limit(outcome) == (what, int(what != max_tokens))
    assert isinstance(outcome, LimitedRequest)
    assert all("providers.anthropic.tokens_per_minute" in note for note in outcome.notes)


@pytest.mark.parametrize(
    "fields", [{"unknown_price": "count_as"}, {"count_as_dollars_per_million": 1}]
)
def test_count_as_needs_its_price_and_nothing_else_has_one(fields: Any) -> None:
    read = parse_settings({"budgets": {"x": {"dollars": 1, **fields}}}, {})
    assert "count_as_dollars_per_million" in str(read)
    assert not isinstance(read, Settings)
