"""The port for what was learnt about models, shared by all processes on a database."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

QUIRKS_CHANNEL: Final = "nexus_model_quirks"
"""Notified whenever any process or operator adds or deletes a quirk."""
QUIRK_SECONDS: Final = 86_400.0
"""How long a quirk holds. The next request then tries the field again."""
PROVIDER_QUIRKS: Final = 1_000
"""The most quirks per provider, since requests can name any number of models. The oldest are
deleted first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirk:
    """A field that a model does not accept."""

    provider: str
    """The provider's name in the config."""
    model: str
    field: str
    """The field's name in `LLMRequest`."""
    effort: str = ""
    """The `reasoning_effort` of the request that showed it; "" if it had none."""
    reason: str
    """The text for `dropped`."""
    age: float = 0.0
    """Seconds since it was learnt."""


class QuirkStore(Protocol):
    """The table `nexus.model_quirks`. Raises what `RequestStore` raises."""

    async def read(self) -> Sequence[Quirk]:
        """The quirks in force, newest first, up to a bound."""
        ...

    async def learn(self, quirk: Quirk) -> None:
        """Store a quirk or renew it, and delete those that are long over."""
        ...
