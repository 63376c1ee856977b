"""Which route matches a request, in which order its models are tried, and which of them can serve
it: those with a large enough window that can honour all of its fields."""

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
"""The assumed tokens of an answer for which the request sets no limit, to compare prices."""


def matches(route: Route, request: LLMRequest) -> bool:
    """Whether the request matches everything that the route names."""
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
    """Order the candidates by the route's `pick`. Those at a preferred provider stay first."""
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
    """Weighted random order without replacement: descending u ** (1 / weight), with u uniform
    (Efraimidis and Spirakis, 2006).
    """
    weights = dict(zip(route.models, route.weights, strict=True))
    chance = random.Random(request_id)  # noqa: S311 - for balance, and reproducible
    keys = {
        c: chance.random() ** (1 / (weights.get(c) or weights.get(ModelRef(c.provider, "*"), 1)))
        for c in candidates
    }
    return sorted(candidates, key=keys.__getitem__, reverse=True)


def expected_tokens(request: LLMRequest) -> int:
    """Input and output tokens together, estimated before the call."""
    return estimate_input(request).expected + (request.max_tokens or EXPECTED_OUTPUT)


def expected_cost(candidate: Candidate, request: LLMRequest, catalog: Catalog) -> float | None:
    """US dollars that the call is likely to cost; None if the price is unknown."""
    tokens = Tokens(estimate_input(request).expected, request.max_tokens or EXPECTED_OUTPUT)
    return catalog.cost(candidate, tokens)


def _price_key(candidate: Candidate, request: LLMRequest, catalog: Catalog) -> tuple[bool, float]:
    cost = expected_cost(candidate, request, catalog)
    return cost is None, cost or 0.0


def fitting(routed: Routed, request: LLMRequest, catalog: Catalog) -> Routed | Unroutable:
    """The candidates whose windows and limits suffice. If some of these can honour the whole
    request, only those."""
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
    """Move these candidates to `skipped`, with the reasons."""
    if not passed_over:
        return routed
    skipped = (Skipped(c.provider, short(c.model), why) for c, why in passed_over.items())
    return replace(
        routed,
        candidates=tuple(c for c in routed.candidates if c not in passed_over),
        skipped=(*routed.skipped, *skipped),
    )
