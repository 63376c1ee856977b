"""Which budgets a call counts towards, and what it may cost before it is made. Pure."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.pricing import Tokens
from nexus_actors.routing.catalog import Catalog
from nexus_actors.routing.estimate import estimate_input
from nexus_actors.settings.model import BudgetSettings, ModelRef
from nexus_actors.storage.ports import BudgetShare

LONG_ANSWER = 4096
"""Tokens that are reserved for an answer whose length nobody limits."""


def shares(
    budgets: Mapping[str, BudgetSettings], request: LLMRequest, provider: str
) -> tuple[BudgetShare, ...]:
    """The budgets that a call counts towards."""
    return tuple(
        BudgetShare(name, budget.per, budget.dollars)
        for name, budget in budgets.items()
        if budget.provider in (None, provider)
        and (budget.agent is None or fnmatchcase(request.agent_id or "", budget.agent))
    )


def most_it_may_cost(ref: ModelRef, request: LLMRequest, catalog: Catalog) -> float:
    """US dollars to reserve. 0 where the price is not known: what cannot be counted is not kept
    from running."""
    # A third more than expected: of what is reserved too much, the rest comes back.
    tokens_in = estimate_input(request).expected * 4 // 3
    # Not what the model could say at most: few answers are so long, and small budgets would shut.
    limit = request.max_tokens or catalog.own_limit(ref) or LONG_ANSWER
    tokens = Tokens(tokens_in, limit)
    usual = catalog.cost(ref, tokens) or 0.0
    # The tier asked for may be dearer; that it is cheaper is known by the answer only.
    return max(usual, catalog.cost(ref, tokens, request.service_tier) or 0.0)
