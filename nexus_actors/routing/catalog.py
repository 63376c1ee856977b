"""What is known of the models that can be reached: windows, limits, prices.

The facts come from the price list of `genai-prices` (offline), from `models.toml`, and from the
config, which overrides both. An unknown value is None and excludes no model.
"""

from dataclasses import dataclass
from functools import lru_cache

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers import pricing
from nexus_actors.providers.honours import Wanted, unhonoured
from nexus_actors.providers.port import ModelSettings
from nexus_actors.providers.takes import Takes
from nexus_actors.routing.estimate import Estimate
from nexus_actors.settings.model import ModelRef, Settings

_MILLION = 1_000_000
_FEW = 1_000
"""So few tokens that every model charges its first tier for them."""
_KEPT = 1024
"""The most models that are cached: requests can name any number of them."""
_ANY = LLMRequest(request_id="any", complexity="simple", messages=())
"""A placeholder for requests in general."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """Facts about one model. Prices are US dollars per million tokens, at its first tier."""

    context_window: int | None = None
    """Input and output tokens together."""
    max_output_tokens: int | None = None
    input_price: float | None = None
    cached_input_price: float | None = None
    output_price: float | None = None


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a model should not be asked."""

    why: str
    firm: bool = True
    """False: the model is used if there is no other. It then gets the nearest form of what it does
    not support. A limit from our own file is not firm: it may be older than the model."""


class Catalog:
    """Facts of one config's models, each looked up once."""

    def __init__(self, settings: Settings) -> None:
        self._providers = settings.providers
        self._named = {ref for route in settings.routes for ref in route.models}
        self._facts = lru_cache(_KEPT)(self._look_up)

    def facts(self, ref: ModelRef) -> ModelFacts:
        """What is known of a model. The provider must be one of the config's."""
        return self._facts(ref)

    def known_name(self, ref: ModelRef) -> str | None:
        """The model's name for metrics: from the config, else from the price list. None if neither
        knows it: requests can name any model, and each name would be a time series."""
        if ref.model != "*" and (ref in self._named or self._configured(ref) is not None):
            return ref.model
        base_url = getattr(self._providers[ref.provider].settings, "base_url", None)
        return None if base_url is None else pricing.listed_name(ref.provider, base_url, ref.model)

    @property
    def kept(self) -> int:
        """How many models' facts are cached."""
        return self._facts.cache_info().currsize

    def cost(self, ref: ModelRef, tokens: pricing.Tokens, tier: str | None = None) -> float | None:
        """US dollars for these tokens in a service tier (None: the default one). None if the price
        is unknown."""
        cost = pricing.configured_cost(self._configured(ref), tokens)
        return self._listed(ref, tokens, tier) if cost is None else cost

    def is_free(self, ref: ModelRef) -> bool:
        """Whether its calls cost nothing: a local model or a mock."""
        if pricing.configured_cost(self._configured(ref), pricing.Tokens(0, 0)) is not None:
            return False
        settings = self._providers[ref.provider].settings
        return getattr(settings, "base_url", None) is None or getattr(settings, "free", False)

    def server(self, ref: ModelRef, request: LLMRequest) -> str | None:
        """The name in `models.toml` of the server that answers this request; None if it has
        none."""
        return self._providers[ref.provider].settings.server(request)

    def own_limit(self, ref: ModelRef) -> int | None:
        """The most tokens of an answer that the config allows; None if it sets no limit."""
        configured = self._configured(ref)
        return None if configured is None else configured.max_output_tokens

    def misfit(
        self, ref: ModelRef, request: LLMRequest, estimate: Estimate, wants: Wanted | None
    ) -> Misfit | None:
        """Why a request is too large for a model, or why the model cannot honour what it `wants`.
        None if the model can be used, as far as is known."""
        facts, wanted = self.facts(ref), request.max_tokens or 0
        window, most = facts.context_window, facts.max_output_tokens
        if window is not None and estimate.least + wanted > window:
            asked = f" and {wanted} of answer" if wanted else ""
            return Misfit(
                f"about {estimate.expected} tokens{asked} do not fit its window of {window}"
            )
        if most is not None and wanted > most:
            firm = self.own_limit(ref) is not None
            return Misfit(f"it answers with {most} tokens at most, not {wanted}", firm)
        why = None if wants is None else unhonoured(wants, self.takes(ref, request))
        return None if why is None else Misfit(why, firm=False)

    def takes(self, ref: ModelRef, request: LLMRequest = _ANY) -> Takes:
        """What a model accepts through the API that this request uses."""
        return self._providers[ref.provider].settings.takes(ref.model, request)

    def _configured(self, ref: ModelRef) -> ModelSettings | None:
        return self._providers[ref.provider].settings.models.get(ref.model)

    def _look_up(self, ref: ModelRef) -> ModelFacts:
        configured = self._configured(ref) or ModelSettings()
        settings = self._providers[ref.provider].settings
        window, most = configured.context_window, configured.max_output_tokens
        most = self.takes(ref).max_output_tokens if most is None else most
        base_url = getattr(settings, "base_url", None)
        if window is None and base_url is not None:
            window = pricing.context_window(ref.provider, base_url, ref.model)
        return ModelFacts(
            context_window=window,
            max_output_tokens=most,
            input_price=self._per_million(ref, pricing.Tokens(_FEW, 0)),
            cached_input_price=self._per_million(ref, pricing.Tokens(_FEW, 0, _FEW)),
            output_price=self._per_million(ref, pricing.Tokens(0, _FEW)),
        )

    def _per_million(self, ref: ModelRef, few: pricing.Tokens) -> float | None:
        """The price at the first tier, without a fixed price per request."""
        some, none = self.cost(ref, few), self.cost(ref, pricing.Tokens(0, 0))
        if some is None or none is None:
            return None
        return round((some - none) * (_MILLION // _FEW), 9)

    def _listed(
        self, ref: ModelRef, tokens: pricing.Tokens, tier: str | None = None
    ) -> float | None:
        settings = self._providers[ref.provider].settings
        base_url = getattr(settings, "base_url", None)
        if base_url is None or getattr(settings, "free", False):
            return 0.0  # see is_free
        found = pricing.price(ref.provider, base_url, ref.model, pricing.Used(tokens, tier))
        return None if found is None else found.dollars
