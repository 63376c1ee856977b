"""What models are known to refuse, consulted before each call.

A passive table, like the gates. The workers read it and write to it synchronously, so what one call
taught is known before the next. The actor ModelQuirks keeps it equal to the store's table.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from nexus_actors.storage.quirks import PROVIDER_QUIRKS, QUIRK_SECONDS, Quirk

_NONE: Final[Mapping[str, str]] = MappingProxyType({})
Key = tuple[str, str, str, str]
"""Provider, model, field, effort."""


class Quirks:
    """Every provider's. `on_learnt` is called when there is something to be stored; it must not
    block."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], dict[str, tuple[str, float]]] = {}
        """By provider, model and effort: each field's reason, and until when it holds, by
        `trio.current_time()`."""
        self._unwritten: dict[Key, Quirk] = {}
        self.on_learnt: Callable[[], None] = lambda: None

    def without(self, provider: str, model: str, effort: str, now: float) -> Mapping[str, str]:
        """The fields that this model does not take in a request of this effort, and why."""
        known = self._known.get((provider, model, effort))
        if known is None:
            return _NONE
        return {field: reason for field, (reason, until) in known.items() if until > now}

    def learn(self, quirk: Quirk, now: float) -> None:
        """An answer came only without this field. Learnt before, it is nothing new."""
        known = self.without(quirk.provider, quirk.model, quirk.effort, now)
        if quirk.field not in known and len(self._unwritten) < PROVIDER_QUIRKS:
            self._unwritten[_key(quirk)] = quirk
            self._know(quirk, now)
            self.on_learnt()

    def unwritten(self) -> tuple[Quirk, ...]:
        """What the store does not have yet, as far as is known."""
        return tuple(self._unwritten.values())

    def written(self, quirk: Quirk) -> None:
        """The store has it, or will never take it."""
        self._unwritten.pop(_key(quirk), None)

    def replace(self, stored: Iterable[Quirk], now: float) -> None:
        """What the store has, and what it has not been told yet, is all that is known."""
        self._known = {}
        for quirk in (*stored, *self._unwritten.values()):
            self._know(quirk, now)

    def __len__(self) -> int:
        return sum(len(known) for known in self._known.values())

    def _know(self, quirk: Quirk, now: float) -> None:
        fields = self._known.setdefault((quirk.provider, quirk.model, quirk.effort), {})
        fields[quirk.field] = quirk.reason, now + QUIRK_SECONDS - quirk.age


def _key(quirk: Quirk) -> Key:
    return quirk.provider, quirk.model, quirk.field, quirk.effort
