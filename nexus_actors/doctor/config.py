"""Checks of the config and its sources, and of installed packages."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, distribution, version
from re import fullmatch, match
from typing import Final

from nexus_actors.config_file import find_file
from nexus_actors.doctor.check import Check, Configured, in_thread
from nexus_actors.doctor.finding import Advice, Finding, NotChecked, Ok, Wrong
from nexus_actors.settings import Settings, SettingsErrors
from nexus_actors.settings.database_url import exposed_password
from nexus_actors.settings.reach import echo_warning, gap_warning, left_out_warning

DISTRIBUTION: Final = "nexus-actors"
_INSTALL: Final = "make setup, or: pip install --require-hashes -r requirements.lock"


def look_at_config(at: Configured) -> Sequence[Finding]:
    """Report every mistake and warning of the file and the environment."""
    match at.loaded:
        case SettingsErrors(mistakes):
            if (closed := _closed(at)) is not None:
                return [closed]
            return [
                Wrong(f"{it.place}: found {it.found}", "no service starts with this config", it.fix)
                for it in mistakes
            ]
        case Settings() as settings:
            findings = list(_warnings(settings))
            file = settings.file or "built-in defaults"
            return findings or [Ok(f"{file}: valid; database from {_source(settings)}")]


def _closed(at: Configured) -> NotChecked | None:
    """The finding for a user who may not read the file, which says nothing about the config."""
    file = find_file(at.given.config, at.given.environ)
    if file is None or not os.path.lexists(file) or os.access(file, os.R_OK):
        return None
    why = f"{file} is closed to this user (uid {os.geteuid()})"
    return NotChecked(why, "nexus doctor as the service's user, or as root")


def _source(settings: Settings) -> str:
    if settings.database.embedded:
        return "data_dir (a PostgreSQL of the service's own)"
    source = settings.sources.get("database.url", "default")
    return "[database] url" if source == "file" else source


def _warnings(settings: Settings) -> Iterator[Finding]:
    """Warnings that no other check reports."""
    elsewhere = {left_out_warning(settings.left_out), gap_warning(settings.routes)}
    for warning in settings.warnings:
        if warning not in elsewhere:
            if warning == echo_warning(settings.left_out):
                yield _no_key(warning)
                continue
            fix = f"correct it in {settings.file or 'the environment'}; then nexus config check"
            yield Advice(warning, "the service starts nevertheless", fix)
    if (file := exposed_password(settings)) is not None:
        yield Advice(
            f"[database] url has a password, and everybody on this machine can read {file}",
            "whoever has an account here can read and change the queue and the results",
            f"chmod 640 {file}, or take it from DATABASE_URL",
        )


def _no_key(warning: str) -> Advice:
    """The running service may have keys: their variables are seldom set in every terminal."""
    return Advice(
        f"in this environment, {warning}",
        "a service started here only repeats its questions; one that runs may have keys of its own",
        "set one of these variables where the service gets its environment",
    )


def look_at_packages(_: Configured) -> Sequence[Finding]:
    """Check the Python version and the required packages."""
    try:
        ours = distribution(DISTRIBUTION)
    except PackageNotFoundError:
        return [NotChecked(f"{DISTRIBUTION} is not installed, only on the path", _INSTALL)]
    asks = ours.metadata["Requires-Python"] or ""
    findings = list(_lacking(asks, ours.requires or ()))
    return findings or [Ok(f"Python {sys.version.split()[0]}; all packages as {DISTRIBUTION} asks")]


def _lacking(python: str, requirements: Sequence[str]) -> Iterator[Finding]:
    leads_to = "the service may fail to start, or in the middle of its work"
    here = sys.version.split()[0]
    if not is_enough(here, python.removeprefix(">=")):
        yield Wrong(f"this is Python {here}, and {python} is asked for", leads_to, _INSTALL)
    for name, least in least_versions(requirements).items():
        try:
            found = version(name)
        except PackageNotFoundError:
            yield Wrong(f"the package {name} is not installed", leads_to, _INSTALL)
            continue
        if not is_enough(found, least):
            yield Wrong(f"{name} is {found}, and {least} or newer is asked for", leads_to, _INSTALL)


def least_versions(requirements: Sequence[str]) -> Mapping[str, str]:
    """Names and least versions of the required packages, without those of extras."""
    found = (fullmatch(r"([A-Za-z0-9._-]+)>=([0-9.]+)", it) for it in requirements)
    return {it[1]: it[2] for it in found if it is not None}


def is_enough(found: str, least: str) -> bool:
    """Whether a version is at least the other, by its numbers."""
    return _numbers(found) >= _numbers(least)


def _numbers(text: str) -> tuple[int, ...]:
    begin = match(r"\d+(\.\d+)*", text)
    numbers = list(map(int, begin[0].split("."))) if begin else []
    while numbers and not numbers[-1]:  # 1.2.0 is 1.2
        numbers.pop()
    return tuple(numbers)


CHECKS: Final = (
    Check("config", in_thread(look_at_config)),
    Check("packages", in_thread(look_at_packages)),
)
