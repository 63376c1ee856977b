"""Which of a provider's keys the next call is made with. Pure.

Of the keys that may be used, the one with the fewest calls under way. A key that the provider
refused, or whose allowance is spent, is set aside for a while; for a model that it asked to be left
alone with (429), until then, for that model.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

MOST_HELD = 256
"""Models that a key is held for at once; of more, those held the shortest are forgotten."""


@dataclass(slots=True)
class _Key:
    name: str
    calls: int = 0
    held: dict[str, tuple[float, str]] = field(default_factory=dict)
    """By model, `*` for all: until when, and why."""

    def wait(self, model: str, now: float) -> float:
        """Seconds until it may be used."""
        untils = (self.held[name][0] for name in (model, "*") if name in self.held)
        return max((until - now for until in untils), default=0.0)


class KeyRing:
    """Keys by their place; what they are does not matter here, and their names are no secret."""

    def __init__(self, names: Sequence[str]) -> None:
        self._keys = [_Key(name) for name in names]

    def __len__(self) -> int:
        return len(self._keys)

    def take(self, model: str, now: float, preferred: str | None = None) -> int | None:
        """The key for a call that begins now: the one of the preferred name, if it may be used.
        None if none may be. `put_back` must follow."""
        usable = [place for place, key in enumerate(self._keys) if key.wait(model, now) <= 0]
        if not usable:
            return None
        wanted = [place for place in usable if self._keys[place].name == preferred]
        place = min(wanted or usable, key=lambda place: self._keys[place].calls)
        self._keys[place].calls += 1
        return place

    def put_back(self, place: int) -> None:
        """The call ended."""
        self._keys[place].calls -= 1

    def hold(self, place: int, until: float, why: str, model: str = "*") -> bool:
        """Use a key no more until then, for one model or all. False if it was held already."""
        key = self._keys[place]
        before, _ = key.held.get(model, (until - 1.0, ""))
        if before < until:
            if len(key.held) >= MOST_HELD:  # requests can name any number of models
                soonest = min(key.held, key=lambda held: key.held[held][0])
                del key.held[soonest]
            key.held[model] = until, why
        return before < until - 1e-9

    def name(self, place: int) -> str:
        """Where the key comes from."""
        return self._keys[place].name

    def wait(self, model: str, now: float) -> float:
        """Seconds until some key may be used for the model; 0: now."""
        return max(min(key.wait(model, now) for key in self._keys), 0.0)

    def describe(self, now: float) -> dict[str, str]:
        """The keys that are held, in a few words, for `nexus status`."""
        described = {}
        for key in self._keys:
            key.held = {model: it for model, it in key.held.items() if it[0] > now}
            said = [
                f"{why}{'' if model == '*' else f' ({model})'}, for {until - now:.0f} s"
                for model, (until, why) in key.held.items()
            ]
            if said:
                described[key.name] = "; ".join(said)
        return described
