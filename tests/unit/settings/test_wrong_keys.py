"""A key that is set and is none: the start is refused, by the variable's name, not by the key."""

from typing import Any

import pytest

from nexus_actors.settings import Settings, SettingsErrors, parse_settings

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


@pytest.mark.parametrize("text", WRONG)
def test_it_is_refused_and_no_echo_answers(text: str) -> None:
    errors = parse_settings({}, {"OPENAI_API_KEY": text})
    assert isinstance(errors, SettingsErrors)
    (mistake,) = errors.mistakes
    assert (mistake.path, mistake.source) == ("OPENAI_API_KEY", "environment")
    assert WRONG[text] in mistake.found
    assert len(text.strip()) < 4 or text.strip() not in str(errors).replace("OPENAI_API_KEY: ", "")


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


def test_one_that_is_set_to_nothing_is_not_set() -> None:
    settings = parse_settings({}, {"OPENAI_API_KEY": ""})
    assert isinstance(settings, Settings)
    assert list(settings.providers) == ["echo"]
