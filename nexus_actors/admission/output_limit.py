"""The request as it is sent if our own settings limit the length of the answer. Pure.

Two settings do so: a budget's `max_output_tokens`, if the request has no limit of its own; and a
provider's `tokens_per_minute`, which no single call can exceed.
"""

from collections.abc import Mapping

from msgspec import structs

from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.port import ProviderFailure, ProviderSettings
from nexus_actors.routing.catalog import Catalog
from nexus_actors.routing.choice import EXPECTED_OUTPUT
from nexus_actors.routing.estimate import estimate_input
from nexus_actors.settings.model import BudgetSettings, ModelRef
from nexus_actors.work.job import LimitedRequest

LEAST_ROOM = 1024
"""The least limit of an answer, in tokens, however full the model's window seems to be."""


def limit_output(
    request: LLMRequest,
    ref: ModelRef,
    settings: ProviderSettings,
    catalog: Catalog,
    budgets: Mapping[str, BudgetSettings],
) -> LimitedRequest | ProviderFailure:
    """The request with the limit of its answer applied, or why it can never be sent. `budgets` are
    those that the call counts towards."""
    limit, note = request.max_tokens, None
    if limit is None and budgets:
        limit, note = _by_budget(request, ref, settings, catalog, budgets)
    per_minute = settings.tokens_per_minute
    if per_minute is not None:
        setting = f"providers.{ref.provider}.tokens_per_minute"
        room = int(per_minute) - estimate_input(request).expected
        if room < 1:
            tokens = estimate_input(request).expected
            return _never(f"{setting} is {per_minute:g}, and its input alone has about {tokens}")
        if (limit or EXPECTED_OUTPUT) > room:
            limit, note = room, f"max_tokens: sent as {room}, the most that {setting} allows"
    if note is None or limit == request.max_tokens:
        return LimitedRequest(request)
    return LimitedRequest(structs.replace(request, max_tokens=limit), (note,))


def _by_budget(
    request: LLMRequest,
    ref: ModelRef,
    settings: ProviderSettings,
    catalog: Catalog,
    budgets: Mapping[str, BudgetSettings],
) -> tuple[int | None, str | None]:
    if catalog.is_free(ref):
        return None, None
    name = min(budgets, key=lambda it: budgets[it].max_output_tokens)
    most = budgets[name].max_output_tokens
    facts = catalog.facts(ref)
    own = (
        facts.max_output_tokens,
        getattr(settings, "max_tokens", None),
        _room(request, facts.context_window),
    )
    limit = min([most, *(it for it in own if it is not None)])
    bound = f"budgets.{name}.max_output_tokens" if limit == most else f"what {ref} has room for"
    return limit, f"max_tokens: sent as {limit}, since {bound} bounds it"


def _room(request: LLMRequest, window: int | None) -> int | None:
    if window is None:
        return None
    return max(window - estimate_input(request).expected * 4 // 3, LEAST_ROOM)


def _never(why: str) -> ProviderFailure:
    return ProviderFailure(
        type=ErrorType.RATE_LIMITED, message=why, retryable=False, scope="request"
    )
