"""From a file and the environment to settings, or to everything that is wrong with them."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from nexus_actors.config_file import (
    CONFIG_VARIABLE,
    DEFAULT_DATA_DIR,
    Unreadable,
    absolute,
    find_file,
    read_text,
    read_toml,
)
from nexus_actors.providers.apis.chat.presets import PRESETS
from nexus_actors.providers.kinds import kind_names
from nexus_actors.providers.port import ProviderSettings
from nexus_actors.settings.access import read_access
from nexus_actors.settings.budgets import read_budgets
from nexus_actors.settings.database_url import EXAMPLE, PARTS
from nexus_actors.settings.defaults import PROVIDERS
from nexus_actors.settings.lines import line_numbers, line_of
from nexus_actors.settings.mistakes import (
    Mistake,
    Notes,
    SettingsErrors,
    add_validation_errors,
    shown,
    to_json,
)
from nexus_actors.settings.model import (
    AdminSettings,
    BudgetSettings,
    DashboardSettings,
    DatabaseSettings,
    QueueSettings,
    RequestSettings,
    ResultPollerSettings,
    RetentionSettings,
    SecuritySettings,
    ServiceSettings,
    Settings,
    SupervisionSettings,
)
from nexus_actors.settings.reach import read_reach
from nexus_actors.settings.routes import ROUTE_KEYS
from nexus_actors.settings.secret_files import folder_beside
from nexus_actors.settings.section import Section
from nexus_actors.settings.suggestions import nearest
from nexus_actors.settings.toml_slips import Slip, toml_slips
from nexus_actors.settings.tracing import TracingSettings
from nexus_actors.settings.url_source import choose_dashboard_url, choose_url

_MODELS: Final[Mapping[str, type[Section]]] = {
    "service": ServiceSettings,
    "database": DatabaseSettings,
    "queue": QueueSettings,
    "result_poller": ResultPollerSettings,
    "admin": AdminSettings,
    "dashboard": DashboardSettings,
    "supervision": SupervisionSettings,
    "security": SecuritySettings,
    "requests": RequestSettings,
    "retention": RetentionSettings,
    "tracing": TracingSettings,
}
_TOP: Final = (*_MODELS, "budgets", "providers", "routes")
_VARIABLES: Final = (
    CONFIG_VARIABLE,
    "NEXUS_POLL_INTERVAL_MS",
    "NEXUS_BATCH_SIZE",
    "NEXUS_FAILPOINT",
)
_S = TypeVar("_S", bound=Section)


def load_settings(
    path: Path | None, environ: Mapping[str, str], *, folder: Path | None = None
) -> Settings | SettingsErrors:
    """Settings from the first of: the file `path`, the one that NEXUS_CONFIG names,
    `config/nexus.toml` in `folder` (the working directory) if there is one, the defaults.

    Never raises for what a file or the environment contains.
    """
    file = find_file(path, environ, folder)
    if file is None:
        return parse_settings({}, environ)
    match read_toml(file):
        case Unreadable(found, expected, text):
            slips = toml_slips(text, {*_places(), *ROUTE_KEYS}) or (Slip(found, expected),)
            return SettingsErrors(
                tuple(
                    Mistake(
                        path="",
                        found=it.found,
                        expected=it.expected,
                        source=str(file),
                        line=it.line,
                    )
                    for it in slips
                )
            )
        case mapping:
            outcome = parse_settings(mapping, environ, file=file)
            return _with_lines(outcome, file) if isinstance(outcome, SettingsErrors) else outcome


def _with_lines(errors: SettingsErrors, file: Path) -> SettingsErrors:
    """Each mistake of the file's with its line, in the order of the lines; others come last."""
    text = read_text(file)
    lines = {} if isinstance(text, Unreadable) else line_numbers(text)
    noted = [
        replace(it, line=line_of(it.path, lines)) if it.source == str(file) else it
        for it in errors.mistakes
    ]
    return SettingsErrors(tuple(sorted(noted, key=lambda it: it.line or math.inf)))


def parse_settings(
    mapping: Mapping[str, Any], environ: Mapping[str, str], *, file: Path | None = None
) -> Settings | SettingsErrors:
    """Settings from a config already read (the shape of the TOML file) and the environment."""
    source = "config" if file is None else str(file)
    notes = Notes(source=source, secrets=folder_beside(file), places=_places())
    sources: dict[str, str] = {}
    mapping = _respelt(mapping, notes)
    _tell_unknown_variables(environ, notes)
    section = _read_sections(mapping, environ, notes, sources)
    access = read_access(section(DashboardSettings), environ, notes)
    _check_queue_names(section(QueueSettings), notes)
    _check_leases(section(QueueSettings), section(DatabaseSettings), notes)
    reach = read_reach(mapping.get("providers"), mapping.get("routes"), environ, notes, sources)
    known = [*reach.providers, *reach.left_out, *sorted(notes.spoilt)]
    budgets = _read_budgets(mapping, known, notes, sources)
    notes.tell_unknown([*PROVIDERS, *(name for name in known if name not in PROVIDERS)])
    if notes.mistakes:
        return SettingsErrors(tuple(notes.mistakes))
    return Settings(
        service=section(ServiceSettings),
        database=section(DatabaseSettings),
        queue=section(QueueSettings),
        result_poller=section(ResultPollerSettings),
        admin=section(AdminSettings),
        dashboard=section(DashboardSettings),
        access=access,
        supervision=section(SupervisionSettings),
        security=section(SecuritySettings),
        requests=section(RequestSettings),
        retention=section(RetentionSettings),
        tracing=section(TracingSettings),
        budgets=MappingProxyType(budgets),
        providers=MappingProxyType(reach.providers),
        left_out=MappingProxyType(reach.left_out),
        routes=reach.routes,
        warnings=tuple(notes.warnings),
        file=file,
        sources=MappingProxyType(sources),
    )


def _respelt(mapping: Mapping[str, Any], notes: Notes) -> Mapping[str, Any]:
    """Note the unknown sections. One with a misspelt name is read as it was meant, so that the
    mistakes in it are reported at once, too."""
    for name in sorted(mapping.keys() - set(_TOP)):
        _tell_unknown_section(name, mapping, notes)
    return {**mapping, **{meant: mapping[name] for meant, name in notes.written.items()}}


class _Sections:
    """The validated sections, by their model."""

    def __init__(self, sections: Iterable[Section]) -> None:
        self._by_model = {type(it): it for it in sections}

    def __call__(self, model: type[_S]) -> _S:
        section = self._by_model[model]
        assert isinstance(section, model)  # noqa: S101 - it is its own model's
        return section


def _read_sections(
    mapping: Mapping[str, Any], environ: Mapping[str, str], notes: Notes, sources: dict[str, str]
) -> _Sections:
    """The sections, with what the environment says in place of the file."""
    tables = {name: _table(mapping, name, notes, sources) for name in _MODELS}
    _place_data_dir(tables["service"], environ, notes)
    _tell_parts_of_url(tables["database"], notes)
    choose_url(tables["database"], environ, notes, sources)
    choose_dashboard_url(tables["dashboard"], environ, notes, sources)
    _override_queue(tables["queue"], environ, notes, sources)
    return _Sections([_section(model, name, tables, notes) for name, model in _MODELS.items()])


def _read_budgets(
    mapping: Mapping[str, Any], known: Sequence[str], notes: Notes, sources: dict[str, str]
) -> dict[str, BudgetSettings]:
    for name, table in _tables_of(mapping, "budgets"):
        sources.update({f"budgets.{name}.{key}": "file" for key in table})
    return read_budgets(mapping.get("budgets"), known, notes)


def _check_leases(queue: QueueSettings, database: DatabaseSettings, notes: Notes) -> None:
    """Warn of leases that lapse while a statement takes as long as it may: they are extended after
    each third of their time."""
    least = 1.5 * database.statement_timeout
    if queue.visibility_timeout < least:
        warning = f"queue.visibility_timeout: {queue.visibility_timeout:g} s is short"
        notes.warnings.append(
            f"{warning}: a statement that takes [database] statement_timeout"
            f" ({database.statement_timeout:g} s) keeps leases from being extended in time, and"
            f" another process pays for the same calls again; {least:g} or more outlast it"
        )


def _tables_of(mapping: Mapping[str, Any], name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    tables = mapping.get(name)
    for key, table in tables.items() if isinstance(tables, Mapping) else ():
        if isinstance(table, Mapping):
            yield key, table


def _tell_unknown_section(name: str, mapping: Mapping[str, Any], notes: Notes) -> None:
    value = mapping[name]
    tables = isinstance(value, list) and value and isinstance(value[0], Mapping)
    if isinstance(value, Mapping) or tables:
        close = _section_meant(name, value)
        notes.add(name, "an unknown section", f"one of {', '.join(_TOP)}", close)
        named = isinstance(value, Mapping) and all(isinstance(it, Mapping) for it in value.values())
        is_readable = (close == "providers" and named) or (close == "routes" and tables)
        if close is not None and is_readable and close not in {*mapping, *notes.written}:
            notes.written[close] = name
        elif close == "providers":
            notes.spoilt.update(value)  # routes that name them are not wrong, too
        return
    place = notes.places.get(name)
    expected = f"it in a section, {place}" if place else f"only sections: {', '.join(_TOP)}"
    notes.add(name, "a setting above the first section", expected)


def _section_meant(name: str, value: Any) -> str | None:
    if name in PROVIDERS or name in kind_names() or name in PRESETS:
        return f"providers.{name}"
    settings = value.keys() if isinstance(value, Mapping) else value[0].keys()
    return nearest(name, _TOP) or next(
        (it for it, model in _MODELS.items() if settings & model.model_fields.keys()), None
    )


def _places() -> dict[str, str]:
    """In which sections each setting stands."""
    places: dict[str, list[str]] = {}
    models: dict[str, type[BaseModel]] = {
        **_MODELS,
        "budgets.NAME": BudgetSettings,
        "providers.NAME": ProviderSettings,
    }
    for section, model in models.items():
        for name in model.model_fields:
            places.setdefault(name, []).append(f"[{section}]")
    return {name: " or ".join(it) for name, it in places.items()}


def _tell_unknown_variables(environ: Mapping[str, str], notes: Notes) -> None:
    unknown = (it for it in sorted(environ) if it.startswith("NEXUS_") and it not in _VARIABLES)
    for name in unknown:
        if (close := nearest(name, _VARIABLES, cutoff=0.8)) is not None:
            problem = f"{name} in the environment means nothing"
            notes.warnings.append(f"{problem}; did you mean {close}?")


def _table(
    mapping: Mapping[str, Any], name: str, notes: Notes, sources: dict[str, str]
) -> dict[str, Any]:
    table = mapping.get(name, {})
    if not isinstance(table, Mapping):
        notes.add(name, shown(table), f"a table: [{name}]")
        return {}
    sources.update({f"{name}.{key}": "file" for key in table})
    return dict(table)


def _section(model: type[_S], name: str, tables: Mapping[str, dict[str, Any]], notes: Notes) -> _S:
    """The section, its mistakes noted; the defaults where it has any."""
    try:
        # As JSON, because there strictness still lets a string be a path.
        return model.model_validate_json(to_json(tables[name]))
    except ValidationError as error:
        add_validation_errors(notes, error, model, name)
        return model()


def _place_data_dir(service: dict[str, Any], environ: Mapping[str, str], notes: Notes) -> None:
    """Make data_dir absolute, `~` being the home folder that the environment names."""
    text = service.get("data_dir", DEFAULT_DATA_DIR)
    if not isinstance(text, str):
        return
    try:
        place = absolute(text, environ)
    except RuntimeError:
        notes.add("service.data_dir", shown(text), "a folder; no home folder is known for ~")
        return
    if place is None:
        notes.add("service.data_dir", shown(text), "a folder")
    else:
        service["data_dir"] = str(place)


def _tell_parts_of_url(database: dict[str, Any], notes: Notes) -> None:
    """What other programs have as settings of their own."""
    parts = [name for name in database if name in PARTS]
    if parts:
        expected = f"them in one: url = {EXAMPLE!r}"
        notes.add(f"database.{parts[0]}", f"parts of a URL: {', '.join(parts)}", expected)
    for name in parts:
        del database[name]


OVERRIDES: Final = {
    "NEXUS_POLL_INTERVAL_MS": ("poll_interval", "milliseconds, above 0 up to 3600000"),
    "NEXUS_BATCH_SIZE": ("batch_size", "a whole number from 1 to 10000"),
}
"""Environment variables that take precedence over a setting of `[queue]`, and what they hold."""


def _override_queue(
    queue: dict[str, Any], environ: Mapping[str, str], notes: Notes, sources: dict[str, str]
) -> None:
    for variable, (name, expected) in OVERRIDES.items():
        text = environ.get(variable, "").strip()
        if not text:
            continue
        try:
            value = float(text) / 1000 if name == "poll_interval" else int(text)
            QueueSettings.model_validate({name: value})
        except ValueError:  # pydantic's error is one
            found = shown(text)
            notes.mistakes.append(
                Mistake(path=variable, found=found, expected=expected, source="environment")
            )
        else:
            queue[name] = value
            sources[f"queue.{name}"] = variable


def _check_queue_names(queue: QueueSettings, notes: Notes) -> None:
    seen: dict[str, str] = {}
    for name in ("requests", "results", "dead"):
        value = getattr(queue, name)
        if value in seen:
            expected = f"another name than queue.{seen[value]} has"
            notes.add(f"queue.{name}", shown(value), expected)
        seen[value] = name
