"""`[providers.NAME]`: each table checked by its own kind, its key taken from the environment."""

import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from nexus_actors.providers.apis.chat.presets import PRESETS
from nexus_actors.providers.catalog import kind_names, load_kind
from nexus_actors.providers.port import ProviderKind, ProviderSettings, ServedKind
from nexus_actors.settings import defaults
from nexus_actors.settings.keys import FoundKeys, LeftOutBecause, read_keys
from nexus_actors.settings.meant import nearest
from nexus_actors.settings.mistakes import (
    HIDDEN,
    Notes,
    add_validation_errors,
    shown,
    to_json,
)
from nexus_actors.settings.model import LeftOut, Provider

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_VARIABLE: Final = re.compile(r"[A-Z_][A-Z0-9_]{0,127}")


def provider_tables(given: Any, notes: Notes, sources: dict[str, str]) -> dict[str, dict[str, Any]]:
    """The built-in tables with the file's on top; what is no provider's table is noted."""
    tables = {name: dict(table) for name, table in defaults.PROVIDERS.items()}
    if given is None:
        return tables
    if not isinstance(given, Mapping):
        notes.add("providers", shown(given), "tables: [providers.NAME]")
        return tables
    for name, table in given.items():
        path = f"providers.{name}"
        notes.spoilt.add(name)
        if not isinstance(table, Mapping):
            # Perhaps a key that stands where its table should.
            notes.add(
                path, HIDDEN if isinstance(table, str) else shown(table), f"a table: [{path}]"
            )
            tables.pop(name, None)
            continue
        if not _NAME.fullmatch(name) or name == "auto":
            expected = "a name of 1 to 63 lower-case letters, digits, - or _, not auto"
            notes.add(path, shown(name), expected)
            continue
        notes.spoilt.discard(name)
        sources.update({f"{path}.{key}": "file" for key in table})
        base = tables.get(name, {})
        merge = table.get("kind", base.get("kind")) == base.get("kind")
        tables[name] = {**base, **table} if merge else dict(table)
    return tables


def read_provider(
    name: str, table: Mapping[str, Any], environ: Mapping[str, str], notes: Notes
) -> Provider | LeftOut | None:
    """One provider; None if its table has mistakes, which are then in `notes`."""
    path = f"providers.{name}"
    table = {**table, "api_key_env": _key_variable(table, path, notes)}
    kind = _kind(table, path, notes)
    # Of an unknown kind, what every kind has can be checked all the same.
    model = ProviderSettings if kind is None else kind.settings
    if kind is None:
        table = {key: table[key] for key in table.keys() & model.model_fields.keys()}
    try:
        settings = model.model_validate_json(
            to_json({**table, "kind": str(table.get("kind"))}), strict=True
        )
    except ValidationError as error:
        add_validation_errors(notes, error, model, path)
        notes.spoilt.add(name)
        return None
    if kind is None:
        notes.spoilt.add(name)
        return None
    if isinstance(kind, ServedKind) and (why := kind.missing(settings)) is not None:
        return LeftOut(name, why)
    match read_keys(settings.api_key_env, settings.api_key_file, environ):
        case LeftOutBecause(why, wrong):
            return LeftOut(name, why, wrong)
        case FoundKeys(keys, missing):
            if missing:
                notes.warnings.append(f"provider {name} has a key less: {'; '.join(missing)}")
            return Provider(name, settings, kind, keys)


def _kind(table: Mapping[str, Any], path: str, notes: Notes) -> ProviderKind | ServedKind | None:
    name = table.get("kind")
    kind = load_kind(name) if isinstance(name, str) else None
    if kind is None:
        known = kind_names()
        found = "nothing" if name is None else shown(name)
        close = nearest(str(name), known)
        if isinstance(name, str) and name.lower() in PRESETS:
            close = f'kind = "openai_compatible" with preset = "{name.lower()}"'
        notes.add(f"{path}.kind", found, f"one of {', '.join(known)}", close)
    return kind


def _key_variable(table: Mapping[str, Any], path: str, notes: Notes) -> Any:
    variables = table.get("api_key_env") or None
    for variable in variables if isinstance(variables, list) else [variables]:
        if isinstance(variable, str) and not _VARIABLE.fullmatch(variable):
            # Whoever puts the key itself here must not find it in a log.
            expected = "the name of an environment variable (A-Z, 0-9, _), not the key itself"
            notes.add(f"{path}.api_key_env", HIDDEN, expected)
            return None
    return variables
