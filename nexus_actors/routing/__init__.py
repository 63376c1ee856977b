"""Which provider and model a request goes to. Pure: settings and a request in, candidates out."""

from nexus_actors.routing.outcome import Candidate, Routed, Skipped, Unroutable
from nexus_actors.routing.routes import Routes, available_models, candidates, unheard

__all__ = [
    "Candidate",
    "Routed",
    "Routes",
    "Skipped",
    "Unroutable",
    "available_models",
    "candidates",
    "unheard",
]
