"""A config is parsed, and is right or wrong as the test expects."""

from typing import Any

from nexus_actors.settings import Settings, SettingsErrors, parse_settings


def good(mapping: dict[str, Any], environ: dict[str, str] | None = None) -> Settings:
    outcome = parse_settings(mapping, environ or {})
    assert isinstance(outcome, Settings), str(outcome)
    return outcome


def bad(mapping: dict[str, Any], environ: dict[str, str] | None = None) -> SettingsErrors:
    outcome = parse_settings(mapping, environ or {})
    assert isinstance(outcome, SettingsErrors)
    return outcome
