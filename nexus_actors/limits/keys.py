"""Which of a provider's keys the next call is made with. Pure.

Of the keys that may be used, the one with the fewest calls under way. A key that the provider
refused, or whose allowance is spent, is set aside for a while; one that it asked to leave alone
(429) until then.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf


@dataclass(slots=True)
class _Key:
    name: str
    calls: int = 0
    held_until: float = -inf
    why: str = field(default="")


class KeyRing:
    """Keys by their place; what they are does not matter here, and their names are no secret."""

    def __init__(self, names: Sequence[str]) -> None:
        self._keys = [_Key(name) for name in names]

    def __len__(self) -> int:
        return len(self._keys)

    def take(self, now: float) -> int | None:
        """The key for a call that begins now; None if none may be used. `put_back` must follow."""
        usable = [place for place, key in enumerate(self._keys) if key.held_until <= now]
        if not usable:
            return None
        place = min(usable, key=lambda place: self._keys[place].calls)
        self._keys[place].calls += 1
        return place

    def put_back(self, place: int) -> None:
        """The call ended."""
        self._keys[place].calls -= 1

    def hold(self, place: int, until: float, why: str) -> bool:
        """Use a key no more until then. False if it was held already."""
        key = self._keys[place]
        was_held = key.held_until > until - 1e-9
        key.held_until, key.why = max(key.held_until, until), why
        return not was_held

    def name(self, place: int) -> str:
        """Where the key comes from."""
        return self._keys[place].name

    def wait(self, now: float) -> float:
        """Seconds until some key may be used; 0: now."""
        return max(min(key.held_until for key in self._keys) - now, 0.0)

    def describe(self, now: float) -> dict[str, str]:
        """The keys that are held, in a few words, for `nexus status`."""
        return {
            key.name: f"{key.why}, for {key.held_until - now:.0f} s"
            for key in self._keys
            if key.held_until > now
        }
