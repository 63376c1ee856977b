"""Warnings about settings that are valid but probably not intended, for commands that check a
config."""

from collections.abc import Iterator
from dataclasses import dataclass

from nexus_actors.providers.pricing import Tokens
from nexus_actors.routing.catalog import Catalog
from nexus_actors.routing.routes import Routes
from nexus_actors.settings import defaults
from nexus_actors.settings.model import Settings
from nexus_actors.settings.suggestions import nearest


@dataclass(frozen=True, slots=True)
class ConfigWarning:
    """One warning."""

    path: str
    """The setting's path."""
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}; {self.fix}"


def without_price(settings: Settings) -> Iterator[ConfigWarning]:
    """Budgets that refuse every call to models of unknown price."""
    routes = Routes(settings)
    unknown = [it for it in routes.models() if routes.catalog.cost(it, Tokens(1, 1)) is None]
    for name, budget in settings.budgets.items():
        refused = [str(it) for it in unknown if budget.provider in (None, it.provider)]
        if budget.unknown_price == "refuse" and refused:
            of = "" if budget.agent is None else f" of agents {budget.agent}"
            yield ConfigWarning(
                f"budgets.{name}",
                f"refuses every call{of} to {', '.join(refused)}: no price known",
                'give it in [providers.NAME.models."MODEL"], or unknown_price here',
            )


def misspelt(settings: Settings) -> Iterator[ConfigWarning]:
    """Models that no price list knows and whose names resemble one in the built-in routes."""
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
            yield ConfigWarning(
                path, f"{ref} names its provider twice", f"did you mean {ref.model}?"
            )
            continue
        close = nearest(str(ref), known, cutoff=0.9)
        if close is not None and catalog.facts(ref).input_price is None:
            yield ConfigWarning(path, f"{ref} is in no price list", f"did you mean {close}?")
