"""What is reserved of a budget before a call is made, and the prices that are shown of a model."""

from typing import Any

import pytest

from nexus_actors.admission.budget_bounds import LONG_ANSWER, most_cost, most_it_may_cost
from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.pricing import Tokens
from nexus_actors.routing.catalog import Catalog
from nexus_actors.routing.estimate import most_input
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
    tokens_in = most_input(asked).tokens
    facts = known.facts(ref)
    assert facts.input_price is not None
    dearest = known.cost(ref, Tokens(tokens_in, 0, cache_write=tokens_in, cache_write_1h=tokens_in))
    assert dearest is not None
    return dearest, both - dearest


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


PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
DOCUMENT = {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}}
SOUND = {"type": "input_audio", "input_audio": {"data": "A" * 10_000, "format": "mp3"}}


def of_user(*parts: Any) -> Any:
    return ({"role": "user", "content": list(parts)},)


@pytest.mark.parametrize(
    "text",
    ["word " * 1_000, "漢字" * 1_000, "0123456789abcdef" * 100, "\U0001f9d1\u200d" * 500, ""],
)
def test_no_tokenizer_makes_more_of_a_text_than_it_has_bytes(text: str) -> None:
    asked = request(messages=({"role": "user", "content": text},))
    assert len(text.encode()) <= most_input(asked).tokens <= len(text.encode()) + 10


def test_all_that_a_model_has_to_read_is_counted() -> None:
    cases = [
        ({"messages": of_user(PICTURE, PICTURE)}, 100_000),
        ({"messages": ({"role": "tool", "content": [{"content": [PICTURE]}]},)}, 50_000),
        ({"messages": of_user(SOUND)}, 1_000),
        ({"tools": ({"type": "function", "function": {"name": "f" * 500}},)}, 2_500),
        ({"response_format": {"type": "json_schema", "schema": {"a": "b" * 500}}}, 2_500),
        ({"messages": ({"role": "assistant", "tool_calls": [{"arguments": "x" * 500}]},)}, 500),
        ({"messages": of_user(DOCUMENT)}, 1_000_000),
        ({"previous_response_id": "resp_1"}, 1_000_000),
    ]
    wrong = []
    for fields, least in cases:
        known = catalog(context_window=1_000_000, input_price=5.0, output_price=20.0)
        dollars = most_cost(OPUS, request(**fields), known)
        floor = known.cost(OPUS, Tokens(least, LONG_ANSWER))
        if not (isinstance(dollars, float) and floor is not None and dollars >= floor):
            wrong.append((fields, least, dollars, floor))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize(
    ("ref", "fields", "why"),
    [
        (SOL, {"tools": ({"type": "web_search"},)}, "the tool web_search may cost"),
        (OPUS, {"tools": ({"type": "code_execution_20250825"},)}, "the tool code_execution"),
        (SOL, {"mcp_servers": ({"server_url": "https://x"},)}, "mcp_servers may cost"),
        (ModelRef("openai", "no-such-model"), {}, "the price of openai/no-such-model"),
        (ModelRef("openai", "no-such"), {"previous_response_id": "r"}, "its window"),
    ],
)
def test_what_nothing_bounds_is_named(ref: ModelRef, fields: Any, why: str) -> None:
    told = most_cost(ref, request(**fields), catalog())
    assert isinstance(told, str)
    assert why in told


def test_no_more_is_read_than_the_window_holds() -> None:
    text = "a" * 5_000_000
    known = catalog(context_window=100_000, input_price=1.0, output_price=1.0)
    asked = request(messages=({"role": "user", "content": text},), max_tokens=100)
    assert most_cost(OPUS, asked, known) == pytest.approx(0.1001)


@pytest.mark.parametrize("tool", ["function", "custom", "bash_20250124", "computer_use_preview"])
def test_tools_that_the_caller_runs_bound_a_call(tool: str) -> None:
    assert isinstance(
        most_cost(SOL, request(tools=({"type": tool, "name": "x"},)), catalog()), float
    )
