"""A key that is set and is none: the start is refused, by the variable's name, not by the key."""

from pathlib import Path
from typing import Any

import pytest

from nexus_actors.settings import Settings, SettingsErrors, load_settings, parse_settings

WRONG = {
    "two words": "characters",
    "sk-abc\tdef": "characters",
    "sk-abc\ndef": "characters",
    "sk-\x1b[0mabc": "characters",
    "sk-schlüssel": "characters",
    "sk-\udcff": "characters",
    "   ": "empty",
    "\n": "empty",
    '""': "empty",
    "''": "empty",
    '"sk-proj-abc123"': "quotation marks",
    "sk-...": "placeholder",
    "sk-xxxxxxxx": "placeholder",
    "sk-proj-XXXX-XXXX": "placeholder",
    "xxx": "placeholder",
    "********": "placeholder",
    "changeme": "placeholder",
    "CHANGE_ME": "placeholder",
    "your-api-key": "placeholder",
    "your_openai_api_key_here": "placeholder",
    "sk-your-key-here": "placeholder",
    "<key>": "placeholder",
    "${OPENAI_API_KEY}": "placeholder",
    "$OPENAI_API_KEY": "placeholder",
    "REPLACE_ME": "placeholder",
    "insert-key-here": "placeholder",
    "TODO": "placeholder",
    "null": "placeholder",
    "KEY": "placeholder",
    "api-key": "placeholder",
    "PASSWORD": "placeholder",
    "GROQ_API_KEY": "placeholder",
    "OPENAI_API_KEY=sk-proj-abc123": "NAME=VALUE",
    "export OPENAI_API_KEY=sk-proj-abc123": "NAME=VALUE",
    "Bearer sk-proj-abc123": "Bearer",
    "Authorization: Bearer sk-proj-abc123": "header's line",
    "sk-": "only the beginning",
    "sk-proj-": "only the beginning",
    "sk-ant-api03-": "only the beginning",
    'sk-a"bc123': "quotation marks",
    "sk-abc123,sk-abc124": "a comma",
    "https://platform.example/api-keys": "is a URL",
}
PASTED = {
    "sk-proj-Abc123": "looks like the key itself",
    "OPENAI_API_KEY=sk-proj-Abc123": "NAME=VALUE",
    "Bearer sk-proj-Abc123": "Bearer",
    "sk-": "only the beginning",
    "sk-Abc123schlüssel": "not ASCII",
    'sk-Abc123"quoted': "quotation marks",
    "AKIA2E0A8F3Abc123C998": "looks like the key itself",
}
RIGHT = (
    "k",
    "any",
    "test-key",
    "dummy",
    "sk-test-0123456789",
    "sk-proj-Ab3xXxX9_k-QQ0changes",
    "gsk_0Kx9youR4keyboard",
    "AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY",
)


def test_it_is_refused_and_no_echo_answers() -> None:
    wrong = []
    for text, why in WRONG.items():
        errors = parse_settings({}, {"OPENAI_API_KEY": text})
        assert isinstance(errors, SettingsErrors), text
        [mistake, *more] = errors.mistakes
        shown = str(errors).replace("OPENAI_API_KEY: ", "")
        if (
            more
            or (mistake.path, mistake.source) != ("OPENAI_API_KEY", "environment")
            or not mistake.found.startswith("a value that ")
            or why not in mistake.found
            or (len(text.strip()) >= 4 and text.strip() in shown)
        ):
            wrong.append((text, why, errors))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize("config", [{"providers": {"openai": {"pool_size": 2}}}, {}])
def test_what_is_wrong_is_told_of_two_and_whatever_else_is_configured(
    config: dict[str, Any],
) -> None:
    keys = {"OPENAI_API_KEY": "sk-...", "GROQ_API_KEY": "two words"}
    errors = parse_settings(config, keys)
    assert isinstance(errors, SettingsErrors)
    for name in keys:
        assert name in str(errors)
    assert "two words" not in str(errors)


@pytest.mark.parametrize("text", RIGHT)
def test_what_may_be_a_key_is_taken_for_one(text: str) -> None:
    settings = parse_settings({}, {"OPENAI_API_KEY": text})
    assert isinstance(settings, Settings), str(settings)
    assert "openai" in settings.providers


def test_a_key_in_the_file_is_reported_by_what_is_wrong_with_its_form(tmp_path: Path) -> None:
    file = tmp_path / "nexus.toml"
    told = ("did you mean", "Abc123", "schl", "quoted", "8F3", "C998")
    wrong = []
    for setting in ("api_key", "api_key_env", "api_key_file"):
        for text, why in PASTED.items():
            file.write_text(f"[providers.openai]\n{setting} = '{text}'\n")
            [line, *more] = str(load_settings(file, {})).splitlines()
            if (
                more
                or not line.startswith(f"{file}:2: providers.openai.{setting}: ")
                or why not in line
                or any(words in line for words in told)
            ):
                wrong.append((setting, text, why, line, more))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize(
    ("setting", "text", "meant"),
    [
        ("api_key", "OPENAI_API_KEY", "did you mean api_key_env?"),
        ("api_key_file", "OPENAI_API_KEY", "did you mean api_key_env?"),
        ("api_key_env", "/run/keys/openai", "did you mean api_key_file?"),
        ("api_key_env", "$OPENAI_API_KEY", "the name alone"),
        ("api_key_env", "openai_api_key", "no name in capitals"),
    ],
)
def test_a_name_that_is_no_key_is_led_to_its_setting(setting: str, text: str, meant: str) -> None:
    errors = parse_settings({"providers": {"openai": {setting: text}}}, {})
    assert isinstance(errors, SettingsErrors)
    (mistake,) = errors.mistakes
    assert meant in str(mistake)


def test_one_that_is_set_to_nothing_is_not_set() -> None:
    settings = parse_settings({}, {"OPENAI_API_KEY": ""})
    assert isinstance(settings, Settings)
    assert list(settings.providers) == ["echo"]
