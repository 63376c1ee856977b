"""`nexus config check|show`: check a config, and show the settings that result from it."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import App, Parameter

from nexus_actors.cli import exit_codes
from nexus_actors.cli.options import AsJson, ConfigPath, read_settings
from nexus_actors.cli.report import complain, print_json, say
from nexus_actors.contract.shown_text import json_text
from nexus_actors.data_dir import trouble

if TYPE_CHECKING:
    from nexus_actors.settings import Settings

config = App(name="config", help="Check or show the configuration.", help_format="plaintext")


_OTHERWISE: Final = ("budgets", "providers", "left_out", "sources")
"""What `masked` has beside the sections."""
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


@config.command
def check(
    file: Annotated[Path | None, Parameter(help="Config file; default: as for --config.")] = None,
    /,
    *,
    config: ConfigPath = None,
    json: AsJson = False,
) -> int:
    """Check a config. Lists every mistake, with what was expected.

    Example: nexus config check /etc/nexus/nexus.toml
    """
    from nexus_actors.settings import SettingsErrors, load_settings

    settings = load_settings(file or config, os.environ)
    if isinstance(settings, SettingsErrors):
        if json:
            mistakes = [asdict(mistake) for mistake in settings.mistakes]
            print_json({"ok": False, "mistakes": mistakes, "warnings": []})
        else:
            for mistake in settings.mistakes:
                complain(str(mistake))
        return exit_codes.USAGE
    warnings = [*settings.warnings, *config_warnings(settings)]
    if json:
        print_json({"ok": True, "mistakes": [], "warnings": warnings})
        return exit_codes.OK
    for warning in warnings:
        complain(f"warning: {warning}")
    say(
        f"{settings.file or 'built-in defaults'}: valid{_beside(len(warnings))};"
        f" providers: {', '.join(settings.providers)}; routes: {len(settings.routes)}"
    )
    return exit_codes.OK


def _beside(warnings: int) -> str:
    return f", {warnings} warning{'s' if warnings > 1 else ''}" if warnings else ""


def config_warnings(settings: "Settings") -> Iterator[str]:
    """Warnings that need more than the settings: the folder, the file, the names of models."""
    from nexus_actors.routing.config_warnings import misspelt, without_price
    from nexus_actors.settings.database_url import exposed_password

    if (why := trouble(settings.service.data_dir)) is not None:
        yield f"service.data_dir: {why}"
    if (file := exposed_password(settings)) is not None:
        told = "database.url has a password, and everybody on this machine can read"
        yield f"{told} {file}: chmod 640, or take it from url_file or DATABASE_URL"
    yield from map(str, misspelt(settings))
    yield from map(str, without_price(settings))


@config.command
def show(*, config: ConfigPath = None, json: AsJson = False) -> None:
    """Print every setting in force, as TOML, and where it comes from.

    The source is the file, an environment variable, or the default. Secrets are masked.

    Example: nexus config show
    """
    from nexus_actors.settings import masked

    shown = masked(read_settings(config))
    if json:
        print_json(shown)
    else:
        for line in _toml(shown):
            say(line)


def _toml(shown: Mapping[str, Any]) -> Iterator[str]:
    """The masked settings in the form of a config file."""
    sources: Mapping[str, str] = shown["sources"]
    yield f"# {shown['file'] or 'built-in defaults'}"
    for section, table in shown.items():
        if section in _OTHERWISE or not isinstance(table, Mapping):
            continue
        yield from ("", f"[{section}]")
        for name, value in table.items():
            source = sources.get(f"{section}.{name}", "default")
            if value is None:  # a comment, since TOML has no null
                yield f"{f'# {name}':<48} # {source}"
            else:
                yield f"{f'{name} = {_value(value)}':<48} # {source}"
    for name, budget in shown["budgets"].items():
        yield from ("", f"[budgets.{name}]")
        yield from _told(budget, f"budgets.{name}", sources)
    for name, table in shown["providers"].items():
        yield from ("", f"[providers.{name}]")
        rest = {key: value for key, value in table.items() if key != "api_key"}
        yield from _told(rest, f"providers.{name}", sources)
        if table.get("api_key_env"):
            yield f"# key: {table['api_key']}"
    for name, why in shown["left_out"].items():
        yield from ("", f"# [providers.{name}] is left out: {why}")
    yield from _routes(shown["routes"], sources)


def _routes(routes: Sequence[Mapping[str, Any]], sources: Mapping[str, str]) -> Iterator[str]:
    if sources.get("routes") == "file":
        yield from ("", "# All built-in routes are replaced by these:")
    elif "routes" in sources:
        yield from ("", f"# Stands in for all configured routes, since {sources['routes']}:")
    for route in routes:
        yield from ("", f"[[routes]]  # {sources.get('routes', 'default')}")
        yield from _lines(route)


def _told(table: Mapping[str, Any], path: str, sources: Mapping[str, str]) -> Iterator[str]:
    """Each value with its source."""
    for name, line in zip(
        (it for it in table if table[it] is not None), _lines(table), strict=True
    ):
        yield f"{line:<48} # {sources.get(f'{path}.{name}', 'default')}"


def _lines(table: Mapping[str, Any]) -> Iterator[str]:
    return (f"{_key(name)} = {_value(it)}" for name, it in table.items() if it is not None)


def _key(name: str) -> str:
    """A name as a TOML key, quoted if need be, as for most models."""
    return name if _BARE.fullmatch(name) else json_text(name)


def _value(value: Any) -> str:
    """A value in TOML. For values other than tables, JSON's syntax is valid."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(_lines(value)) + " }"
    return json_text(value)
