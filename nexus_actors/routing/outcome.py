"""The possible outcomes of routing."""

from dataclasses import dataclass

from nexus_actors.contract.errors import ErrorType
from nexus_actors.settings.model import ModelRef, Route

Candidate = ModelRef
"""A provider's name in the config and a model's name there."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A choice that cannot be tried."""

    provider: str
    model: str
    why: str


@dataclass(frozen=True, slots=True)
class Routed:
    """Where a request can go: at least one candidate, first choice first."""

    candidates: tuple[Candidate, ...]
    skipped: tuple[Skipped, ...] = ()
    route: Route | None = None
    """The route of the candidates; None if the request named the model or its provider."""


@dataclass(frozen=True, slots=True)
class Unroutable:
    """No reachable model can serve the request. It ends with this error."""

    message: str
    skipped: tuple[Skipped, ...] = ()
    type: ErrorType = ErrorType.MODEL_UNAVAILABLE
    route: Route | None = None


def short(text: str, limit: int = 100) -> str:
    """Truncate a name from a request for use in a message."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
