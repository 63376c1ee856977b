"""Which route matches a request, in which order its models are tried, and which of them can answer
it: those that are large enough and can honour all of it."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.honours import wanted
from nexus_actors.providers.pricing import Tokens
from nexus_actors.routing.catalog import Catalog
from nexus_actors.routing.estimate import estimate_input
from nexus_actors.routing.outcome import Candidate, Routed, Skipped, Unroutable, short
from nexus_actors.settings.model import ModelRef, Route

EXPECTED_OUTPUT = 500
"""Tokens that an answer is taken to have where prices are compared and the request says nothing."""


def matches(route: Route, request: LLMRequest) -> bool:
    """Whether all that a route names fits the request."""
    if route.complexity not in ("*", request.complexity):
        return False
    if route.task_type not in ("*", request.task_type):
        return False
    if not route.capabilities.issubset(request.capabilities):
        return False
    if route.agent is not None and not fnmatchcase(request.agent_id or "", route.agent):
        return False
    if route.model is None:
        return request.model == "auto"
    return request.model != "auto" and fnmatchcase(request.model, route.model)


def in_order(routed: Routed, request: LLMRequest, catalog: Catalog) -> Routed:
    """The candidates as the route's `pick` has it. One that the request prefers stays first."""
    route = routed.route
    if route is None or route.pick == "ordered" or len(routed.candidates) == 1:
        return routed
    preferred = [c for c in routed.candidates if c.provider == request.provider.lower()]
    others = [c for c in routed.candidates if c not in preferred]
    if route.pick == "weighted":
        others = _shuffled(others, route, request.request_id)
    else:
        others.sort(key=lambda candidate: _price_key(candidate, request, catalog))
    return replace(routed, candidates=(*preferred, *others))


def _shuffled(candidates: Sequence[Candidate], route: Route, request_id: str) -> list[Candidate]:
    """Drawn one after another, each with the chance its weight gives it among those left.

    (Efraimidis and Spirakis, 2006: the largest of u ** (1 / weight) first.)
    """
    weights = dict(zip(route.models, route.weights, strict=True))
    chance = random.Random(request_id)  # noqa: S311 - for balance, and the same each time
    keys = {
        c: chance.random() ** (1 / (weights.get(c) or weights.get(ModelRef(c.provider, "*"), 1)))
        for c in candidates
    }
    return sorted(candidates, key=keys.__getitem__, reverse=True)


def expected_tokens(request: LLMRequest) -> int:
    """In and out together, as far as can be said before the call."""
    return estimate_input(request).expected + (request.max_tokens or EXPECTED_OUTPUT)


def expected_cost(candidate: Candidate, request: LLMRequest, catalog: Catalog) -> float | None:
    """US dollars that the call is likely to cost; None where the price is not known."""
    tokens = Tokens(estimate_input(request).expected, request.max_tokens or EXPECTED_OUTPUT)
    return catalog.cost(candidate, tokens)


def _price_key(candidate: Candidate, request: LLMRequest, catalog: Catalog) -> tuple[bool, float]:
    cost = expected_cost(candidate, request, catalog)
    return cost is None, cost or 0.0


def fitting(routed: Routed, request: LLMRequest, catalog: Catalog) -> Routed | Unroutable:
    """The candidates that the request fits into; of those, the ones that can honour all of it, if
    there are any."""
    estimate = estimate_input(request)
    wants = wanted(request, media=estimate.media > 0)
    misfits: dict[Candidate, str] = {}
    bending: dict[Candidate, str] = {}
    for candidate in routed.candidates:
        misfit = catalog.misfit(candidate, request, estimate, wants)
        if misfit is not None:
            (misfits if misfit.firm else bending)[candidate] = misfit.why
    if not misfits and not bending:
        return routed
    fit = _without(routed, misfits)
    if fit.candidates:
        return _without(fit, bending) if len(bending) < len(fit.candidates) else fit
    first, why = next(iter(misfits.items()))
    return Unroutable(
        f"{first.provider}/{short(first.model)}: {why}",
        fit.skipped,
        ErrorType.CONTEXT_TOO_LONG,
        routed.route,
    )


def _without(routed: Routed, passed_over: Mapping[Candidate, str]) -> Routed:
    """Without these candidates, and saying why."""
    if not passed_over:
        return routed
    skipped = (Skipped(c.provider, short(c.model), why) for c, why in passed_over.items())
    return replace(
        routed,
        candidates=tuple(c for c in routed.candidates if c not in passed_over),
        skipped=(*routed.skipped, *skipped),
    )
