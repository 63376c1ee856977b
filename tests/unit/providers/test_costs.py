"""What an answer cost, and who says so."""

import math
from collections.abc import Mapping
from typing import Any

import pytest

from nexus_actors.contract.result import Usage
from nexus_actors.providers.http.api import Reading
from nexus_actors.providers.http.costs import COST_HEADER, Cost, answer_price, reading_tokens
from nexus_actors.providers.openai_compatible import OpenAICompatibleSettings
from nexus_actors.providers.pricing import MOST_A_CALL_COSTS, Tokens

OPENAI = "https://api.openai.com/v1"
SPENT = Usage(1_000, 100, 1_100)
LISTED = 1_000 * 1.25e-6 + 100 * 10e-6
"""Of the answer below, in US dollars."""
NO_HEADERS: Mapping[str, str] = {}


def cost(
    headers: Mapping[str, str] = NO_HEADERS,
    *,
    url: str = OPENAI,
    model: str = "gpt-5.1",
    usage: Usage | None = SPENT,
    settings: Mapping[str, Any] | None = None,
    **reading: Any,
) -> Cost:
    checked = OpenAICompatibleSettings(kind="openai_compatible", base_url=url, **(settings or {}))
    return answer_price("x", checked, model, Reading(response="a", usage=usage, **reading), headers)


LIST = Cost(pytest.approx(LISTED), "list")


def test_by_the_list() -> None:
    assert cost() == LIST


@pytest.mark.parametrize("told", [0.0, 1e-9, LISTED, 9.9 * LISTED])
def test_what_the_provider_says_counts_first(told: float) -> None:
    assert cost(reported_cost=told) == Cost(told, "told")
    own = {"models": {"gpt-5.1": {"input_price": 1.25, "output_price": 10.0}}}
    assert cost(reported_cost=told, settings=own) == Cost(told, "told")


def test_but_not_what_makes_no_sense() -> None:
    cases = [-1e-9, -1.0, math.nan, math.inf, -math.inf, 10.1 * LISTED, 1e6, 1e300]
    wrong = [(told, found) for told in cases if (found := cost(reported_cost=told)) != LIST]
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize("told", [-1.0, math.nan, math.inf, MOST_A_CALL_COSTS * 1.01, 1e300])
def test_nor_where_the_list_says_nothing(told: float) -> None:
    assert cost(reported_cost=told, model="no-such-model") == Cost(None, "unknown")
    assert cost(reported_cost=told, usage=None) == Cost(None, "unknown")


@pytest.mark.parametrize("told", [0.0, 0.5, 100.0])
def test_it_is_the_only_one_where_the_list_says_nothing(told: float) -> None:
    assert cost(reported_cost=told, model="no-such-model") == Cost(told, "told")
    assert cost(reported_cost=told, usage=None) == Cost(told, "told")
    assert cost(reported_cost=told, service_tier="unheard_of") == Cost(told, "told")
    assert cost(reported_cost=told, url="https://llm.example/v1") == Cost(told, "told")


def test_a_list_price_of_nothing_is_no_measure() -> None:
    free = {"models": {"gpt-5.1": {"input_price": 0.0, "output_price": 0.0}}}
    assert cost(settings=free) == Cost(0.0, "list")
    assert cost(settings=free, reported_cost=0.25) == Cost(0.25, "told")


def test_the_configs_prices_are_a_list_too() -> None:
    own = {"models": {"gpt-5.1": {"input_price": 10.0, "output_price": 20.0}}}
    dollars = (1_000 * 10 + 100 * 20) / 1e6
    assert cost(settings=own) == Cost(pytest.approx(dollars), "list")
    assert cost(settings=own, reported_cost=9 * dollars) == Cost(9 * dollars, "told")
    assert cost(settings=own, reported_cost=11 * dollars) == Cost(pytest.approx(dollars), "list")
    # A price that is given for a model of one's own server is meant.
    assert cost(settings={**own, "free": True}) == Cost(pytest.approx(dollars), "list")


@pytest.mark.parametrize(
    "reading", [{}, {"reported_cost": 0.5}, {"service_tier": "x"}, {"usage": None}]
)
def test_a_server_of_ones_own_costs_nothing(reading: Any) -> None:
    assert cost(settings={"free": True}, **reading) == Cost(0.0, "list")
    assert cost({COST_HEADER: "0.5"}, settings={"free": True}, **reading) == Cost(0.0, "list")


@pytest.mark.parametrize(
    "reading",
    [
        {"service_tier": "unheard_of"},
        {"geo": "mars", "url": "https://api.anthropic.com/v1", "model": "claude-opus-5-5"},
        {"hosted_calls": {"time_travel": 1}},
        {"audio_input_tokens": 5},
        {"audio_output_tokens": 5},
    ],
)
def test_what_has_no_price_makes_it_unknown(reading: Any) -> None:
    assert cost(**reading) == Cost(None, "partial")


@pytest.mark.parametrize(
    "reading",
    [
        {"model": "no-such-model"},
        {"usage": None},
        {"usage": Usage(0, 0, 0)},
        {"url": "https://llm.example/v1"},
        {"model": "no-such-model", "hosted_calls": {"web_search": 1}},
    ],
)
def test_so_does_a_model_or_a_count_that_nobody_knows(reading: Any) -> None:
    assert cost(**reading) == Cost(None, "unknown")


@pytest.mark.parametrize("header", ["0.002", " 2e-3", "0.0020000"])
def test_a_proxy_says_it_in_a_header(header: str) -> None:
    assert cost({COST_HEADER: header}) == Cost(0.002, "told")
    assert cost({COST_HEADER: header}, reported_cost=0.001) == Cost(0.001, "told")
    for unbelieved in (float("nan"), -1.0, 1e9):
        assert cost({COST_HEADER: header}, reported_cost=unbelieved) == Cost(0.002, "told")


def test_but_not_where_it_does_not_know() -> None:
    cases = ["", "None", "0", "0.0", "-0.1", "nan", "inf", "1e999", "1", "x"]
    wrong = [(header, found) for header in cases if (found := cost({COST_HEADER: header})) != LIST]
    assert not wrong, "\n".join(map(repr, wrong))


def test_the_model_that_answered_is_what_is_paid() -> None:
    assert cost(model="auto", served_model="gpt-5.1") == LIST
    assert cost(served_model="no-such-model") == LIST


def test_all_kinds_of_tokens_are_told_apart() -> None:
    reading = Reading(
        response="a",
        usage=Usage(9, 8, 17, 3, 2),
        cache_write_tokens=2,
        cache_write_1h_tokens=1,
        audio_input_tokens=4,
        audio_output_tokens=5,
    )
    assert reading_tokens(reading) == Tokens(9, 8, 3, 2, 1, 4, 5, 2)
    hour = Reading(response="a", usage=Usage(9, 8, 17), cache_write_1h_tokens=1)
    assert reading_tokens(hour) == Tokens(9, 8, 0, 1, 1)
