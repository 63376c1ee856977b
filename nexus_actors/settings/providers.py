"""`[providers.NAME]`: each table checked by its own kind, its key taken from the environment."""

import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from nexus_actors.contract.shown_text import without_folder
from nexus_actors.providers.apis.chat.presets import PRESETS
from nexus_actors.providers.http.settings import HttpSettings
from nexus_actors.providers.kinds import kind_names, load_kind
from nexus_actors.providers.port import ProviderKind, ProviderSettings, ServedKind
from nexus_actors.settings import defaults
from nexus_actors.settings.key_names import checked_names
from nexus_actors.settings.keys import FoundKeys, LeftOutBecause, names_of_keys, read_keys
from nexus_actors.settings.mistakes import (
    HIDDEN,
    Notes,
    add_validation_errors,
    shown,
    to_json,
)
from nexus_actors.settings.model import LeftOut, Provider
from nexus_actors.settings.suggestions import VENDORS, nearest

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_KEYS: Final = frozenset({*HttpSettings.model_fields, *ProviderSettings.model_fields, "preset"})


def provider_tables(
    given: Any, environ: Mapping[str, str], notes: Notes, sources: dict[str, str]
) -> dict[str, dict[str, Any]]:
    """The built-in tables with the file's on top; what is no provider's table is noted. Beside an
    `api_key_file`, nobody misses the built-in variable: it counts where it is set."""
    tables = {name: dict(table) for name, table in defaults.PROVIDERS.items()}
    if given is None:
        return tables
    if not isinstance(given, Mapping):
        notes.add("providers", shown(given), "tables: [providers.NAME]")
        return tables
    loose = [name for name, it in given.items() if name in _KEYS and not isinstance(it, Mapping)]
    if loose:
        found = f"settings right below [providers]: {', '.join(loose)}"
        notes.add("providers", found, "them below a name: [providers.NAME]")
    for name, table in given.items():
        if name in loose:
            continue
        notes.spoilt.add(name)
        if not _is_provider_table(name, table, notes):
            tables.pop(name, None)
            continue
        notes.spoilt.discard(name)
        sources.update({f"providers.{name}.{key}": "file" for key in table})
        tables[name] = _merged(tables.get(name, {}), table, environ)
    return tables


def _is_provider_table(name: str, table: Any, notes: Notes) -> bool:
    """Whether the name and the shape are those of a provider; if not, the mistake is noted."""
    path = f"providers.{name}"
    if not isinstance(table, Mapping):
        # Perhaps a key that stands where its table should.
        found = HIDDEN if isinstance(table, str) else shown(table)
        notes.add(path, found, f"a table: [{path}]")
        return False
    if not _NAME.fullmatch(name) or name == "auto":
        expected = "a name of 1 to 63 lower-case letters, digits, - or _, not auto"
        close = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_")
        close = close if _NAME.fullmatch(close) and shown(close) == f'"{close}"' else ""
        notes.add(path, shown(name), expected, f"[providers.{close}]" if close else None)
        return False
    is_known = name in defaults.PROVIDERS or bool(_KEYS & table.keys())
    if table and not is_known and all(isinstance(it, Mapping) for it in table.values()):
        below = next(iter(table))
        notes.spoilt.add(f"{name}.{below}")
        expected = "a name without dots: [providers.NAME]"
        notes.add(f"{path}.{below}", "a table below a provider", expected)
        return False
    return True


def _merged(
    base: Mapping[str, Any], table: Mapping[str, Any], environ: Mapping[str, str]
) -> dict[str, Any]:
    """The file's table on top of the built-in one, unless they are of different kinds."""
    if table.get("kind", base.get("kind")) != base.get("kind"):
        return dict(table)
    if "api_key_file" in table and not environ.get(base.get("api_key_env", "")):
        base = {key: it for key, it in base.items() if key != "api_key_env"}
    return {**base, **table}


def read_provider(
    name: str, table: Mapping[str, Any], environ: Mapping[str, str], notes: Notes
) -> Provider | LeftOut | None:
    """One provider; None if its table has mistakes, which are then in `notes`."""
    path = f"providers.{name}"
    mistakes = len(notes.mistakes)
    table = checked_names(table, path, notes)
    kind = _kind(table, path, notes)
    if kind is not None:
        model = kind.settings
    else:
        model = _presumed_settings(table)
        elsewhere = _all_settings() - model.model_fields.keys()
        table = {key: value for key, value in table.items() if key not in elsewhere}
        if issubclass(model, HttpSettings):  # what lacks may come with the right kind
            table = {"base_url": "https://unknown.invalid", **table}
    try:
        settings = model.model_validate_json(
            to_json({**table, "kind": str(table.get("kind"))}), strict=True
        )
    except ValidationError as error:
        add_validation_errors(notes, error, model, path)
        notes.spoilt.add(name)
        return None
    if kind is None or len(notes.mistakes) > mistakes:
        notes.spoilt.add(name)
        return None
    if isinstance(kind, ServedKind) and (why := kind.missing(settings)) is not None:
        return LeftOut(name, why)
    match read_keys(settings.api_key_env, settings.api_key_file, environ, notes.secrets):
        case LeftOutBecause(why, wrong):
            named = map(without_folder, names_of_keys(settings.api_key_env, settings.api_key_file))
            told = f"no key in {', '.join(named)}" if settings.api_key_file else None
            return LeftOut(name, why, wrong, told)
        case FoundKeys(keys, missing):
            if missing:
                notes.warnings.append(
                    f"provider {name} works without a key that is named: {'; '.join(missing)}"
                )
            return Provider(name, settings, kind, keys)


def _presumed_settings(table: Mapping[str, Any]) -> type[ProviderSettings]:
    """By what the rest of a table is checked whose kind nobody knows: by the kind that was probably
    meant, else by as much as its keys tell of it.
    """
    name = str(table.get("kind"))
    meant = VENDORS.get(name.lower()) or nearest(name, kind_names())
    if "preset" in table or {name.lower(), meant} & PRESETS.keys():
        meant = "openai_compatible"
    kind = None if meant is None else load_kind(meant)
    if kind is not None:
        return kind.settings
    only_http = HttpSettings.model_fields.keys() - ProviderSettings.model_fields.keys()
    return HttpSettings if table.keys() & only_http else ProviderSettings


def _all_settings() -> frozenset[str]:
    """What tables of any kind may hold."""
    kinds = (kind for kind in map(load_kind, kind_names()) if kind is not None)
    return frozenset(_KEYS.union(*(kind.settings.model_fields for kind in kinds)))


def _kind(table: Mapping[str, Any], path: str, notes: Notes) -> ProviderKind | ServedKind | None:
    name = table.get("kind")
    kind = load_kind(name) if isinstance(name, str) else None
    if kind is None:
        known = kind_names()
        found = "nothing" if name is None else shown(name)
        close = VENDORS.get(str(name).lower()) or nearest(str(name), known)
        if isinstance(name, str) and name.lower() in PRESETS:
            close = f'kind = "openai_compatible" with preset = "{name.lower()}"'
        notes.add(f"{path}.kind", found, f"one of {', '.join(known)}", close)
    return kind
