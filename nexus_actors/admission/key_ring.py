"""Which of a provider's keys the next call uses. Pure.

It is the usable key with the fewest running calls. A key that the provider refused, or whose quota
is used up, is suspended for a while. If the provider throttled a model (429), the key is blocked
for that model only, until the delay is over.

A refusal that may or may not be the key's fault, or a 429 without a delay, concerns only the
request that met it. It counts against the key only if the next request meets it, too, with no
answer in between.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from math import inf

MOST_BLOCKED = 256
"""The most models that a key is blocked for at once. Beyond that, the block that ends first is
forgotten."""


@dataclass(slots=True)
class _Throttled:
    """Consecutive 429s of one model."""

    first: object
    """The request that met the first."""
    proven: int = 0
    """How many there were since a second request met one."""


@dataclass(slots=True)
class _Key:
    name: str
    calls: int = 0
    blocked: dict[str, tuple[float, str]] = field(default_factory=dict)
    """Until when the key is blocked and why, by model; `*` means all models."""
    suspect: object | None = None
    """The request whose call was refused last, perhaps because of the key."""
    refused_at: float | None = None
    """When the key was suspended; None once a call that began later has shown that it works. -inf
    if it was only suspected: then any answer shows that it works."""
    throttled: dict[str, _Throttled] = field(default_factory=dict)
    """By model."""

    def wait(self, model: str, now: float) -> float:
        """Seconds until it may be used."""
        untils = (self.blocked[name][0] for name in (model, "*") if name in self.blocked)
        return max((until - now for until in untils), default=0.0)


class KeyRing:
    """A provider's keys by index. The keys themselves are not known here; their names are no
    secret."""

    def __init__(self, names: Sequence[str]) -> None:
        self._keys = [_Key(name) for name in names]

    def take(
        self, model: str, now: float, preferred: str | None = None, without: Collection[int] = ()
    ) -> int | None:
        """Take the key for a call that begins now: the one with the preferred name, if that is
        usable; none of `without`. None if no key is usable. `put_back` must follow."""
        usable = self._usable(model, now, without)
        if not usable:
            return None
        wanted = [place for place in usable if self._keys[place].name == preferred]
        place = min(wanted or usable, key=lambda place: self._keys[place].calls)
        self._keys[place].calls += 1
        return place

    def has_another(self, model: str, now: float, without: Collection[int]) -> bool:
        """Whether `take` would find another key than these."""
        return bool(self._usable(model, now, without))

    def _usable(self, model: str, now: float, without: Collection[int]) -> list[int]:
        return [
            place
            for place, key in enumerate(self._keys)
            if place not in without and key.wait(model, now) <= 0
        ]

    def put_back(self, place: int) -> None:
        """The call that took the key has ended."""
        self._keys[place].calls -= 1

    def block(self, place: int, until: float, why: str, model: str = "*") -> None:
        """Do not use a key until then, for one model or for all."""
        key = self._keys[place]
        before, _ = key.blocked.get(model, (until - 1.0, ""))
        if before < until:
            if len(key.blocked) >= MOST_BLOCKED:  # requests can name any number of models
                soonest = min(key.blocked, key=lambda held: key.blocked[held][0])
                del key.blocked[soonest]
            key.blocked[model] = until, why

    def suspend(self, place: int, now: float, seconds: float, why: str, *, sure: bool) -> bool:
        """Suspend a key for all models. False if it was suspended before and has not been seen to
        work since."""
        key = self._keys[place]
        is_new, key.refused_at = key.refused_at is None, now if sure else -inf
        self.block(place, now + seconds, why)
        return is_new

    def suspect(self, place: int, who: object) -> bool:
        """A call was refused, perhaps because of the key. True if the previous call was, too, and
        belonged to another request."""
        key = self._keys[place]
        before, key.suspect = key.suspect, who
        return before is not None and before != who

    def throttled(self, place: int, model: str, who: object) -> int:
        """A 429 without a delay came. Returns how many came in a row since two different requests
        had met them; 0 if a single request has met all of them."""
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
        """The model has answered, so its throttling is over."""
        self._keys[place].throttled.pop(model, None)

    def works(self, place: int, began: float) -> bool:
        """The provider accepted the key in a call that began then. True if it had been
        suspended."""
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

    @property
    def names(self) -> tuple[str, ...]:
        """Where the keys come from."""
        return tuple(key.name for key in self._keys)

    def wait(self, model: str, now: float) -> float:
        """Seconds until some key may be used for the model; 0: now."""
        return max(min(key.wait(model, now) for key in self._keys), 0.0)

    def all_refused_until(self, now: float) -> float | None:
        """When the first suspension ends, if all keys are suspended; else None."""
        untils = [key.blocked.get("*", (now, ""))[0] for key in self._keys]
        return min(untils) if min(untils) > now else None

    def __len__(self) -> int:
        return len(self._keys)

    def suspended(self, now: float) -> int:
        """How many keys are suspended for all models at present."""
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
