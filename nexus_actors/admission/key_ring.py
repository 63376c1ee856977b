"""Which of a provider's keys the next call uses. Pure.

Of the usable keys, the one with the fewest running calls. A key that the provider refused, or whose
allowance is spent, is suspended for a while; for a model that the provider throttled (429), until
the delay is over, for that model only.

A refusal that may or may not be the key's fault, or a 429 without a delay, concerns only the
request that met it. It says something about the key once the next request meets it, too, with no
answer in between.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from math import inf

MOST_BLOCKED = 256
"""Models that a key is throttled for at once; of more, those for the shortest are forgotten."""


@dataclass(slots=True)
class _Throttled:
    """429s of one model in a row."""

    first: object
    """Whose was the first."""
    proven: int = 0
    """How many there were since another's came too."""


@dataclass(slots=True)
class _Key:
    name: str
    calls: int = 0
    blocked: dict[str, tuple[float, str]] = field(default_factory=dict)
    """By model, `*` for all: until when, and why."""
    suspect: object | None = None
    """Whose call was refused last, perhaps for the key."""
    refused_at: float | None = None
    """When it was suspended, if no call that began later has shown since that it works. Long ago
    where it was no more than suspected: then any answer shows it."""
    throttled: dict[str, _Throttled] = field(default_factory=dict)
    """By model."""

    def wait(self, model: str, now: float) -> float:
        """Seconds until it may be used."""
        untils = (self.blocked[name][0] for name in (model, "*") if name in self.blocked)
        return max((until - now for until in untils), default=0.0)


class KeyRing:
    """Keys by their place; what they are does not matter here, and their names are no secret."""

    def __init__(self, names: Sequence[str]) -> None:
        self._keys = [_Key(name) for name in names]

    def take(
        self, model: str, now: float, preferred: str | None = None, without: Collection[int] = ()
    ) -> int | None:
        """The key for a call that begins now: the one of the preferred name, if it may be used;
        none of `without`. None if none may be. `put_back` must follow."""
        usable = self._usable(model, now, without)
        if not usable:
            return None
        wanted = [place for place in usable if self._keys[place].name == preferred]
        place = min(wanted or usable, key=lambda place: self._keys[place].calls)
        self._keys[place].calls += 1
        return place

    def has_another(self, model: str, now: float, without: Collection[int]) -> bool:
        """Whether `take` would find one besides these."""
        return bool(self._usable(model, now, without))

    def _usable(self, model: str, now: float, without: Collection[int]) -> list[int]:
        return [
            place
            for place, key in enumerate(self._keys)
            if place not in without and key.wait(model, now) <= 0
        ]

    def put_back(self, place: int) -> None:
        """The call ended."""
        self._keys[place].calls -= 1

    def block(self, place: int, until: float, why: str, model: str = "*") -> None:
        """Use a key no more until then, for one model or all."""
        key = self._keys[place]
        before, _ = key.blocked.get(model, (until - 1.0, ""))
        if before < until:
            if len(key.blocked) >= MOST_BLOCKED:  # requests can name any number of models
                soonest = min(key.blocked, key=lambda held: key.blocked[held][0])
                del key.blocked[soonest]
            key.blocked[model] = until, why

    def suspend(self, place: int, now: float, seconds: float, why: str, *, sure: bool) -> bool:
        """Use a key for nothing for so long. False if it was suspended before, and has not been
        seen to work since."""
        key = self._keys[place]
        is_new, key.refused_at = key.refused_at is None, now if sure else -inf
        self.block(place, now + seconds, why)
        return is_new

    def suspect(self, place: int, who: object) -> bool:
        """A call was refused, perhaps for the key. True if the one before was, too, and another
        request's."""
        key = self._keys[place]
        before, key.suspect = key.suspect, who
        return before is not None and before != who

    def throttled(self, place: int, model: str, who: object) -> int:
        """A 429 came that names no delay. How many there were in a row since they were those of two
        requests at least; 0: one request alone meets them."""
        throttled = self._keys[place].throttled
        if model not in throttled:
            if len(throttled) >= MOST_BLOCKED:
                throttled.clear()
            throttled[model] = _Throttled(who)
        of_model = throttled[model]
        if of_model.proven or of_model.first != who:
            of_model.proven += 1
        return of_model.proven

    def answered(self, place: int, model: str) -> None:
        """A model answered: whatever it throttled is over."""
        self._keys[place].throttled.pop(model, None)

    def works(self, place: int, began: float) -> bool:
        """The key was taken by a call that began then. True if it had been suspended."""
        key = self._keys[place]
        key.suspect = None
        if key.refused_at is None or began < key.refused_at:
            return False
        key.refused_at = None
        key.blocked.pop("*", None)
        return True

    def name(self, place: int) -> str:
        """Where the key comes from."""
        return self._keys[place].name

    def wait(self, model: str, now: float) -> float:
        """Seconds until some key may be used for the model; 0: now."""
        return max(min(key.wait(model, now) for key in self._keys), 0.0)

    def all_refused_until(self, now: float) -> float | None:
        """When the first of the keys has rested, if all are suspended; else None."""
        untils = [key.blocked.get("*", (now, ""))[0] for key in self._keys]
        return min(untils) if min(untils) > now else None

    def __len__(self) -> int:
        return len(self._keys)

    def suspended(self, now: float) -> int:
        """How many may not be used at present, whatever the model."""
        return sum(key.blocked.get("*", (now, ""))[0] > now for key in self._keys)

    def describe(self, now: float) -> dict[str, str]:
        """The keys that are suspended or throttled, in a few words, for `nexus status`."""
        described = {}
        for key in self._keys:
            key.blocked = {model: it for model, it in key.blocked.items() if it[0] > now}
            said = [
                f"{why}{'' if model == '*' else f' ({model})'}, for {until - now:.0f} s"
                for model, (until, why) in key.blocked.items()
            ]
            if said:
                described[key.name] = "; ".join(said)
        return described
