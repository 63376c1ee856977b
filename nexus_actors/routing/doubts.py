"""Settings that are valid but probably not meant: reported by commands that check a config."""

from collections.abc import Iterator
from dataclasses import dataclass

from nexus_actors.providers.pricing import Tokens
from nexus_actors.routing.catalog import Catalog
from nexus_actors.routing.routes import Routes
from nexus_actors.settings import defaults
from nexus_actors.settings.meant import nearest
from nexus_actors.settings.model import Settings


@dataclass(frozen=True, slots=True)
class Doubt:
    """One of them."""

    path: str
    """Of the setting."""
    what: str
    mend: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}; {self.mend}"


def without_price(settings: Settings) -> Iterator[Doubt]:
    """Budgets that refuse every call to models whose price nobody knows."""
    routes = Routes(settings)
    unknown = [it for it in routes.models() if routes.catalog.cost(it, Tokens(1, 1)) is None]
    for name, budget in settings.budgets.items():
        refused = [str(it) for it in unknown if budget.provider in (None, it.provider)]
        if budget.unknown_price == "refuse" and refused:
            of = "" if budget.agent is None else f" of agents {budget.agent}"
            yield Doubt(
                f"budgets.{name}",
                f"refuses every call{of} to {', '.join(refused)}: no price known",
                'give it in [providers.NAME.models."MODEL"], or unknown_price here',
            )


def misspelt(settings: Settings) -> Iterator[Doubt]:
    """Models that no price list knows, and that are called nearly as one of the built-in routes."""
    catalog = Catalog(settings)
    known = {name for route in defaults.ROUTES for name in route["models"]}
    named = {
        ref: index for index, it in reversed(list(enumerate(settings.routes))) for ref in it.models
    }
    for ref, index in sorted(named.items(), key=lambda it: it[1]):
        if str(ref) in known or ref.provider not in settings.providers:
            continue
        path = f"routes[{index}].models"
        if ref.model.startswith(f"{ref.provider}/"):
            yield Doubt(path, f"{ref} names its provider twice", f"did you mean {ref.model}?")
            continue
        close = nearest(str(ref), known, cutoff=0.9)
        if close is not None and catalog.facts(ref).input_price is None:
            yield Doubt(path, f"{ref} is in no price list", f"did you mean {close}?")
