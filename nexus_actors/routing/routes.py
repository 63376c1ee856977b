"""The candidates of a request, in the order in which they are tried.

The fields `model` and `provider` of the request decide how they are found:

| `model` | `provider` | candidates |
|---|---|---|
| auto | auto | the models of the route |
| auto | P | P's models of the route, else all of P's in any route; then the rest of the route |
| M | P | M at P, nothing else |
| P/M | auto | M at P, nothing else |
| M | auto | as a route for M says; else M wherever a route has it, else at its maker |

`provider` is a preference, so the rest of the route follows it. An explicit model is an order: no
other model ever replaces it. The route is the first match of

1. the routes that name `capabilities`, an `agent` or a `model`, in the config's order, if
   everything they name fits the request;
2. complexity and task type, task type alone, complexity alone, `*` and `*`.

The route's `pick` then orders its models: as written; at random in proportion to their weights, but
always the same for a `request_id`; or by the expected price, unknown prices last. Providers that
are left out, and models that the request does not fit into, are skipped and reported.

A request with `previous_response_id` goes to the provider that gave that answer, if the journal
knows it: to its models of the route, else to the model that answered. Only an explicit pair of
provider and model takes precedence over this.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from nexus_actors.contract.foreign import clean_name
from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.tasks import COMPLEXITIES, TASK_COMPLEXITY, normalize_task_type
from nexus_actors.routing.catalog import Catalog
from nexus_actors.routing.choice import fitting, in_order, matches
from nexus_actors.routing.outcome import Candidate, Routed, Skipped, Unroutable, short
from nexus_actors.settings.model import ModelRef, Route, Settings
from nexus_actors.settings.suggestions import nearest

AUTO: Final = "auto"
_ANY: Final = "*"
_MAKERS: Final = (
    ("gpt-", "openai"),
    ("chatgpt-", "openai"),
    ("codex-", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("claude-", "anthropic"),
    ("gemini-", "gemini"),
)
"""Prefix of a model's name → the usual name of its maker's provider in a config. So a request can
name a model alone even if no route names it."""


class Routes:
    """The routing table of one config, computed once, so that a request costs a few look-ups."""

    def __init__(self, settings: Settings) -> None:
        self._providers = settings.providers
        self._left_out = settings.left_out
        self._settings = settings
        self._table: dict[tuple[str, str], Routed | Unroutable] = {}
        self._by_provider: dict[str, list[Candidate]] = {}
        self._by_model: dict[str, list[Candidate]] = {}
        self._names = {id(route): _name(i, route) for i, route in enumerate(settings.routes)}
        self._special = [route for route in settings.routes if route.is_special]
        self.catalog = Catalog(settings)
        for route in settings.routes:
            if route.is_special:
                self._learn(route)
                continue
            key = (route.complexity, route.task_type)
            if key not in self._table:  # the first of equal routes counts
                self._table[key] = self._split(route.models, route)
            self._learn(route)
        self._preferred = {
            (provider, *key): self._prefer(provider, routed)
            for key, routed in self._table.items()
            for provider in self._providers
        }

    def _learn(self, route: Route) -> None:
        for ref in route.models:
            if ref.provider in self._providers and ref.model != "*":
                _append_once(self._by_provider.setdefault(ref.provider, []), ref)
                _append_once(self._by_model.setdefault(ref.model, []), ref)

    def candidates(
        self, request: LLMRequest, previous: Candidate | None = None
    ) -> Routed | Unroutable:
        """The candidates for one request. `previous`: the model that gave the answer that the
        request continues."""
        found = self._find(request)
        if previous is not None:
            found = self._where_it_lives(found, request, previous)
        match found:
            case Routed() as routed:
                return fitting(in_order(routed, request, self.catalog), request, self.catalog)
            case refusal:
                return refusal

    def unheard(self, request: LLMRequest) -> str | None:
        """See the function `unheard`. For a request that has candidates."""
        return unheard(request, self._settings)

    def _find(self, request: LLMRequest) -> Routed | Unroutable:
        provider = request.provider.lower()  # names in a config are lower-case
        if request.model == AUTO or (provider == AUTO and not self._names_provider(request.model)):
            special = next((route for route in self._special if matches(route, request)), None)
            if special is not None:
                return self._by_special(special, request.model, provider)
        if request.model != AUTO:
            return self._named(request.model, provider)
        key = self._key(request.complexity, request.task_type)
        if provider in self._providers:
            return self._with_preference(provider, key)
        found: Routed | Unroutable
        if key is None:
            kind = request.complexity + (f"/{request.task_type}" if request.task_type else "")
            found = Unroutable(f"no route is for requests of {kind}")
        else:
            found = self._table[key]
        if provider == AUTO:
            return found
        # The preferred provider does not exist: the route decides.
        skipped = (self._skip(provider, AUTO), *found.skipped)
        match found:
            case Routed():
                return replace(found, skipped=skipped)
            case Unroutable():
                return replace(found, skipped=skipped)

    def _where_it_lives(
        self, found: Routed | Unroutable, request: LLMRequest, previous: Candidate
    ) -> Routed | Unroutable:
        """Keep only the candidates at the provider that holds the conversation, at least one."""
        home, model = previous.provider, request.model
        if model != AUTO and (request.provider.lower() != AUTO or self._names_provider(model)):
            return found  # an explicit provider and model take precedence
        if home not in self._providers:
            skipped = self._skip(home, previous.model if model == AUTO else model)
            message = f"{short(home)}, which holds the conversation: {skipped.why}"
            return Unroutable(message, (*found.skipped, skipped), route=found.route)
        there = found.candidates if isinstance(found, Routed) else ()
        kept = tuple(ref for ref in there if ref.provider == home)
        why = f"the conversation is at {home}"
        elsewhere = tuple(
            Skipped(ref.provider, short(ref.model), why) for ref in there if ref.provider != home
        )
        skipped_too = (*found.skipped, *elsewhere)
        if kept:
            return Routed(kept, skipped_too, found.route)
        return Routed((Candidate(home, previous.model if model == AUTO else model),), skipped_too)

    def name_of(self, route: Route | None) -> str:
        """The route's index in the config and what it matches, in words."""
        if route is None:
            return "none: the request names the model or the provider itself"
        return self._names[id(route)]

    def warm_up(self) -> None:
        """Look up the facts of all models, which imports the price list if one is needed."""
        for ref in self.models():
            self.catalog.facts(ref)

    def models(self) -> tuple[Candidate, ...]:
        """Every reachable model that a route names, in the order of the routes."""
        return tuple(ref for refs in self._by_model.values() for ref in refs)

    def _names_provider(self, model: str) -> bool:
        prefix = model.partition("/")[0]
        return prefix != model and (prefix in self._providers or prefix in self._left_out)

    def _by_special(self, route: Route, model: str, provider: str) -> Routed | Unroutable:
        refs = [ModelRef(ref.provider, model) if ref.model == "*" else ref for ref in route.models]
        found = self._split(refs, route)
        return self._prefer(provider, found) if provider in self._providers else found

    def _key(self, complexity: str, task_type: str | None) -> tuple[str, str] | None:
        task = task_type or _ANY
        for key in ((complexity, task), (_ANY, task), (complexity, _ANY), (_ANY, _ANY)):
            if key in self._table:
                return key
        return None

    def _named(self, model: str, provider: str) -> Routed | Unroutable:
        """The candidates for an explicit model: at the named provider, else where a route has
        it."""
        if provider != AUTO:
            # provider "openai" with model "openai/gpt-x" names the provider twice.
            return self._at(provider, model.removeprefix(f"{provider}/"))
        prefix, slash, rest = model.partition("/")
        if slash and rest and (prefix in self._providers or prefix in self._left_out):
            return self._at(prefix, rest)
        if (known := self._by_model.get(model)) is not None:
            return Routed(tuple(known))
        maker = next((name for start, name in _MAKERS if model.startswith(start)), None)
        if maker is not None and (maker in self._providers or maker in self._left_out):
            return self._at(maker, model)
        return Unroutable(_unknown_model(model))

    def _at(self, provider: str, model: str) -> Routed | Unroutable:
        if provider in self._providers:
            return Routed((Candidate(provider, model),))
        skipped = self._skip(provider, model)
        return Unroutable(f"{short(provider)}: {skipped.why}", (skipped,))

    def _with_preference(self, provider: str, key: tuple[str, str] | None) -> Routed | Unroutable:
        if key is not None:
            return self._preferred[(provider, *key)]
        own = self._by_provider.get(provider)
        if own:
            return Routed(tuple(own))
        return Unroutable(f"no route is for such requests, and none names a model of {provider}")

    def _prefer(self, provider: str, routed: Routed | Unroutable) -> Routed | Unroutable:
        rest = routed.candidates if isinstance(routed, Routed) else ()
        own = [ref for ref in rest if ref.provider == provider]
        own = own or self._by_provider.get(provider, [])
        others = [ref for ref in rest if ref.provider != provider]
        if own or others:
            return Routed((*own, *others), routed.skipped, routed.route)
        return routed

    def _split(self, refs: Iterable[ModelRef], route: Route) -> Routed | Unroutable:
        refs = tuple(refs)
        usable = tuple(ref for ref in refs if ref.provider in self._providers)
        skipped = tuple(self._skip(*ref) for ref in refs if ref.provider not in self._providers)
        if usable:
            return Routed(usable, skipped, route)
        return Unroutable("every provider of the route is left out", skipped, route=route)

    def _skip(self, provider: str, model: str) -> Skipped:
        left_out = self._left_out.get(provider)
        why = "no such provider" if left_out is None else left_out.why_in_results
        return Skipped(short(provider), short(model), why)


def _unknown_model(model: str) -> str:
    """The client takes a complexity or a model in one argument, so either may be misspelt."""
    if normalize_task_type(model) in TASK_COMPLEXITY:
        return f'"{short(model)}" is a task type: give it as task_type, or name a model'
    if "/" in model:
        return f'"{short(model)}" is no model that can be reached (nexus models)'
    return (
        f'"{short(model)}" is no complexity ({", ".join(COMPLEXITIES)})'
        " and no model that can be reached (nexus models)"
    )


def _append_once(refs: list[Candidate], ref: Candidate) -> None:
    if ref not in refs:
        refs.append(ref)


def unheard(request: LLMRequest, settings: Settings) -> str | None:
    """The note in `dropped` about a preferred provider that cannot be used, so that the route
    decides. None if there is nothing to note."""
    provider = request.provider.lower()
    if provider == AUTO or provider in settings.providers:
        return None
    left_out = settings.left_out.get(provider)
    if left_out is not None:
        why = left_out.why_in_results
    else:
        close = nearest(provider, settings.providers)
        why = "no such provider" + (f" (did you mean {close}?)" if close else "")
    return f"provider: the route decides, as {clean_name(request.provider)}: {why}"


def candidates(request: LLMRequest, settings: Settings) -> Routed | Unroutable:
    """The candidates for one request. Keep a `Routes` to route many."""
    return Routes(settings).candidates(request)


def _name(index: int, route: Route) -> str:
    named = {
        "complexity": route.complexity,
        "task_type": route.task_type,
        "capabilities": " ".join(sorted(route.capabilities)),
        "agent": route.agent,
        "model": route.model,
        "pick": route.pick,
    }
    words = ", ".join(f"{name} {value}" for name, value in named.items() if value)
    return f"routes[{index}]: {words}"


def available_models(settings: Settings) -> tuple[Candidate, ...]:
    """Every model that a route names and whose provider can be used."""
    return Routes(settings).models()
