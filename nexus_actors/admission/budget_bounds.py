"""Which budgets a call counts towards, and the most it may cost. Pure.

The reservation is an upper bound: the largest input (`routing.estimate.most_input`) and an answer
as long as the limit that is sent (`admission.output_limit`), reasoning included, at the highest
price that may apply. So parallel calls never spend more than the budget has.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.pricing import Tokens
from nexus_actors.routing.catalog import Catalog
from nexus_actors.routing.estimate import most_input
from nexus_actors.settings.model import BudgetSettings, ModelRef
from nexus_actors.storage.accounts import BudgetShare

LONG_ANSWER = BudgetSettings(dollars=0).max_output_tokens
"""Tokens that are reserved for an answer without a limit."""
SHORTEST_LIMIT = 16
"""The smallest limit that the Responses API accepts. A smaller one is sent as this."""
_MILLION = 1_000_000


def counted(
    budgets: Mapping[str, BudgetSettings], request: LLMRequest, provider: str
) -> Mapping[str, BudgetSettings]:
    """The budgets that a call counts towards."""
    if not budgets:
        return budgets
    return {
        name: budget
        for name, budget in budgets.items()
        if budget.provider in (None, provider)
        and (budget.agent is None or fnmatchcase(request.agent_id or "", budget.agent))
    }


def shares(budgets: Mapping[str, BudgetSettings]) -> tuple[BudgetShare, ...]:
    """The budgets as the store takes them."""
    return tuple(BudgetShare(name, it.per, it.dollars) for name, it in budgets.items())


def most_it_may_cost(ref: ModelRef, request: LLMRequest, catalog: Catalog) -> float:
    """US dollars to reserve; 0 where they are not known."""
    dollars = most_cost(ref, request, catalog)
    return 0.0 if isinstance(dollars, str) else dollars


def most_cost(ref: ModelRef, request: LLMRequest, catalog: Catalog) -> float | str:
    """The most US dollars that a call may cost, or why that is unknown."""
    if catalog.is_free(ref):
        return 0.0
    given, answer = most_input(request), _longest_answer(ref, request, catalog)
    if given.unbounded is not None:
        return f"{given.unbounded} may cost any number of calls"
    window = catalog.facts(ref).context_window
    if given.fills_window and window is None:
        return f"nobody knows how much of its window {ref} may have to read"
    most = given.tokens + given.heard
    tokens = most if window is None else (window if given.fills_window else min(most, window))
    heard = min(given.heard, tokens)
    kinds = (
        Tokens(tokens, answer, audio_input=heard),
        Tokens(tokens, answer, cached=tokens),
        Tokens(tokens, answer, cache_write=tokens),
        Tokens(tokens, answer, cache_write=tokens, cache_write_1h=tokens),
    )
    usual = catalog.cost(ref, kinds[0])
    if usual is None:
        return f"the price of {ref} is not known"
    # The requested tier may cost more. Whether it costs less is known only from the answer.
    costs = [catalog.cost(ref, it, tier) for it in kinds for tier in (None, request.service_tier)]
    return max(usual, *(it for it in costs if it is not None))


def refused_as_unknown(budgets: Mapping[str, BudgetSettings], dollars: float | str) -> str | None:
    """Why one of these budgets refuses a call of unknown cost. `dollars` is the result of
    `most_cost`. None if no budget refuses it."""
    refusing = next((name for name, it in budgets.items() if it.unknown_price == "refuse"), None)
    if refusing is None or not isinstance(dollars, str):
        return None
    return f"budget {refusing} makes no call of unknown cost (unknown_price): {dollars}"


def counted_as(
    ref: ModelRef, request: LLMRequest, catalog: Catalog, budgets: Mapping[str, BudgetSettings]
) -> float:
    """US dollars to reserve for a call of unknown price, at the rate that the budgets set."""
    given, answer = most_input(request), _longest_answer(ref, request, catalog)
    window = catalog.facts(ref).context_window or 0
    tokens = max(given.tokens + given.heard, window if given.fills_window else 0) + answer
    prices = (it.count_as_dollars_per_million for it in budgets.values())
    return tokens * max((it for it in prices if it is not None), default=0.0) / _MILLION


def _longest_answer(ref: ModelRef, request: LLMRequest, catalog: Catalog) -> int:
    limit = request.max_tokens or catalog.own_limit(ref) or LONG_ANSWER
    server = catalog.server(ref, request) or ""
    return max(limit, SHORTEST_LIMIT) if server.endswith("/responses") else limit
