"""What models are known to refuse, consulted before each call.

A passive table, like the gates. The workers read and write it synchronously, so what one call shows
is known before the next. The actor ModelQuirks keeps it equal to the store's table.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from nexus_actors.storage.quirks import PROVIDER_QUIRKS, QUIRK_SECONDS, Quirk

_NONE: Final[Mapping[str, str]] = MappingProxyType({})
Key = tuple[str, str, str, str]
"""Provider, model, field, effort."""


class Quirks:
    """The quirks of all providers' models. `on_learnt` is called when there is something to store;
    it must not block."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], dict[str, tuple[str, float]]] = {}
        """By provider, model and effort: for each field the reason, and until when it holds by
        `trio.current_time()`."""
        self._unwritten: dict[Key, Quirk] = {}
        self.on_learnt: Callable[[], None] = lambda: None

    def without(self, provider: str, model: str, effort: str, now: float) -> Mapping[str, str]:
        """The fields that this model does not accept in a request of this effort, and why."""
        known = self._known.get((provider, model, effort))
        if known is None:
            return _NONE
        return {field: reason for field, (reason, until) in known.items() if until > now}

    def learn(self, quirk: Quirk, now: float) -> None:
        """Remember a field without which an answer came, unless it is known already."""
        known = self.without(quirk.provider, quirk.model, quirk.effort, now)
        if quirk.field not in known and len(self._unwritten) < PROVIDER_QUIRKS:
            self._unwritten[_key(quirk)] = quirk
            self._know(quirk, now)
            self.on_learnt()

    def unwritten(self) -> tuple[Quirk, ...]:
        """What is still to be written to the store."""
        return tuple(self._unwritten.values())

    def written(self, quirk: Quirk) -> None:
        """The store has it, or has refused it for good."""
        self._unwritten.pop(_key(quirk), None)

    def replace(self, stored: Iterable[Quirk], now: float) -> None:
        """Replace everything by what the store has and what is still to be written."""
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
