"""What was learnt about models, as all processes on a database know it: the port."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

QUIRKS_CHANNEL: Final = "nexus_model_quirks"
"""Notified whenever something was learnt or forgotten, by whomever."""
QUIRK_SECONDS: Final = 86_400.0
"""For how long what was learnt holds; the next request then asks the provider again."""
PROVIDER_QUIRKS: Final = 1_000
"""The most that is remembered of one provider: requests can name any number of models. The oldest
go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirk:
    """A model does not take a field."""

    provider: str
    """By its name in the config."""
    model: str
    field: str
    """By its name in `LLMRequest`."""
    effort: str = ""
    """The `reasoning_effort` of the request that it was learnt from; "" where it had none."""
    reason: str
    """As `dropped` tells it."""
    age: float = 0.0
    """Seconds since it was learnt."""


class QuirkStore(Protocol):
    """The table `nexus.model_quirks`. Raises as the other stores do."""

    async def read(self) -> Sequence[Quirk]:
        """What holds at present, the newest first; bounded."""
        ...

    async def learn(self, quirk: Quirk) -> None:
        """Remember this, or remember it anew; what is long over goes."""
        ...
