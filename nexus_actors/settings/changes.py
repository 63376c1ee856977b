"""What another config would change, without a secret; and what of it needs a restart."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from nexus_actors.providers.port import ServedKind
from nexus_actors.settings.display import masked
from nexus_actors.settings.mistakes import mask_url
from nexus_actors.settings.model import Provider, Settings

NEEDS_RESTART: Final[Mapping[str, tuple[str, ...]]] = {
    "service": ("name", "data_dir", "spool_megabytes", "log_format"),
    "database": ("url", "url_file", "pool_size", "statement_timeout", "wait"),
    "queue": ("requests", "results", "dead", "acknowledge", "memory_megabytes"),
    "result_poller": ("enabled",),
    "admin": ("listen",),
    "dashboard": ("enabled", "url", "url_file"),
    "security": ("remote",),
    "supervision": ("max_restarts", "max_seconds"),
    "tracing": ("endpoint", "sample", "attributes"),
}
"""Settings that are read once, at the start, by section. A reload changes all others."""


@dataclass(frozen=True, slots=True)
class Change:
    """One value that differs; None: it is not there."""

    path: str
    """Dotted, as a config names it: `queue.batch_size`, `providers.groq`."""
    before: Any
    after: Any
    is_secret: bool = False
    """It is another secret: then neither is shown."""

    def __str__(self) -> str:
        if self.is_secret:
            return f"{self.path}: another one (not shown)"
        if self.before is None:
            return f"{self.path}: {self.after!r} (new)"
        if self.after is None:
            return f"{self.path}: removed (was {self.before!r})"
        return f"{self.path}: {self.before!r} → {self.after!r}"


def changes(before: Settings, after: Settings) -> tuple[Change, ...]:
    """What differs, in the order of the config's sections. A provider or a budget that is new or
    gone is one change."""
    old, new = masked(before), masked(after)
    secrets = _other_secrets(before, after, old["providers"], new["providers"])
    return (*_differences("", old, new), *secrets)


def _differences(path: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for name in dict.fromkeys((*old, *new)):
        if not path and name in ("file", "sources"):
            continue
        here = f"{path}.{name}" if path else name
        one: Any = old.get(name)
        other: Any = new.get(name)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from _differences(here, one, other)
        elif here == "routes" and isinstance(one, list) and isinstance(other, list):
            yield from _route_differences(one, other)
        elif one != other:
            yield Change(here, one, other)


def _route_differences(old: list[Any], new: list[Any]) -> Iterator[Change]:
    for place in range(max(len(old), len(new))):
        one = old[place] if place < len(old) else None
        other = new[place] if place < len(new) else None
        if one != other:
            yield Change(f"routes[{place}]", one, other)


def _other_secrets(
    before: Settings, after: Settings, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[Change]:
    """Those that look the same, masked, and are not. `old` and `new`: the providers, masked."""
    yield from _other_access(before, after)
    for name, provider in after.providers.items():
        was = before.providers.get(name)
        if was is None:
            continue
        one, other = (it.settings.model_dump(mode="json") for it in (was, provider))
        yield from _unseen(f"providers.{name}", one, other, old[name], new[name])
        keys = {key.name: key.secret for key in was.api_keys}
        for key in provider.api_keys:
            if key.name in keys and keys[key.name] != key.secret:
                yield Change(f"providers.{name}: {key.name}", None, None, is_secret=True)
            elif key.name not in keys:
                yield Change(f"providers.{name}: {key.name}", None, "a key")
        there = {key.name for key in provider.api_keys}
        for gone in (key for key in keys if key not in there):
            yield Change(f"providers.{name}: {gone}", "a key", None)


def _other_access(before: Settings, after: Settings) -> Iterator[Change]:
    """To databases, and to the dashboard."""
    for section in ("database", "dashboard"):
        urls = [getattr(it, section).url.get_secret_value() for it in (before, after)]
        if urls[0] != urls[1] and mask_url(urls[0]) == mask_url(urls[1]):
            yield Change(f"{section}.url", None, None, is_secret=True)
    tokens = {it.name: it.secret for it in before.access}
    for token in after.access:
        if tokens.get(token.name, token.secret) != token.secret:
            yield Change(f"dashboard.tokens.{token.name}", None, None, is_secret=True)


def _unseen(
    path: str,
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    seen_old: Mapping[str, Any],
    seen_new: Mapping[str, Any],
) -> Iterator[Change]:
    for name in [it for it in old if it in new and old[it] != new[it]]:
        here, one, other = f"{path}.{name}", seen_old[name], seen_new[name]
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from _unseen(here, old[name], new[name], one, other)
        elif one == other:
            yield Change(here, None, None, is_secret=True)


@dataclass(frozen=True, slots=True)
class Merged:
    """Settings that can be in force without a restart."""

    settings: Settings
    needs_restart: tuple[Change, ...]
    """What keeps its old value until then."""


def without_restart(before: Settings, wanted: Settings) -> Merged:
    """What is wanted, but for what only a restart changes: that is as before."""
    sections: dict[str, Any] = {}
    for section, names in NEEDS_RESTART.items():
        old, new = getattr(before, section), getattr(wanted, section)
        sections[section] = new.model_copy(update={name: getattr(old, name) for name in names})
    providers = {
        name: _kept(before.providers.get(name), provider)
        for name, provider in wanted.providers.items()
    }
    merged = replace(wanted, **sections, providers=MappingProxyType(providers))
    return Merged(merged, changes(merged, wanted))


def _kept(before: Provider | None, wanted: Provider) -> Provider:
    """The provider with what its server was started with; as it was, if it is none that has one
    any more, or was none."""
    if before is None or before == wanted:
        return wanted if before is None else before
    if not (isinstance(wanted.kind, ServedKind) or isinstance(before.kind, ServedKind)):
        return wanted
    if before.kind is not wanted.kind or not isinstance(wanted.kind, ServedKind):
        return before
    old = {name: getattr(before.settings, name) for name in wanted.kind.server_settings}
    return replace(wanted, settings=wanted.settings.model_copy(update=old))
