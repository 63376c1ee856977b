"""Each cause of a mistake is one line, which says what to do about it."""

from typing import Any

import pytest

from nexus_actors.settings import Settings, SettingsErrors, load_settings, parse_settings

ECHO: dict[str, Any] = {"providers": {"e": {"kind": "echo"}}, "routes": [{"models": ["e/m"]}]}
CREATIV = ["creativ"]
SERVER = {"kind": "openai_compatible"}


def routed(provider: dict[str, Any], **route: Any) -> dict[str, Any]:
    return {"providers": {"x": provider}, "routes": [{"models": ["x/m"], **route}]}


def lines(mapping: dict[str, Any], **environ: str) -> list[str]:
    outcome = parse_settings(mapping, environ)
    assert isinstance(outcome, SettingsErrors)
    return [line.removeprefix("config: ") for line in str(outcome).splitlines()]


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        # a key that is not set, and a provider that is not there: once, however often it is named
        (
            {"routes": [{"models": ["openai/a"]}] * 4},
            [
                "routes[0].models: found only",
                "OPENAI_API_KEY is not set",
                "also in routes[1].models",
            ],
        ),
        (
            {"providers": {"e": {"kind": "echo"}}},
            ["routes: found none in the file", "a key for one of them, or [[routes]] of your own"],
        ),
        (
            {
                **ECHO,
                "routes": [{"models": ["f/a", "f/b"]}, {"models": ["f/a"]}],
                "budgets": {"b": {"dollars": 1, "provider": "f"}},
            },
            ['routes[0].models[0]: found the unknown provider "f" (also in routes[0].models[1],'],
        ),
        # a provider with a mistake is not unknown besides
        (routed({"kind": "ehco"}), ["providers.x.kind", "did you mean echo?"]),
        (routed({**SERVER, "preset": "grok"}), ["providers.x.preset", "did you mean groq?"]),
        ({**routed({}), "providers": {"x": "sk-123"}}, ["providers.x", "expected a table"]),
        (
            {"provider": {"x": {"kind": "echo"}}, "routes": [{"models": ["x/m"]}]},
            ["provider: found an unknown section", "did you mean providers?"],
        ),
        (
            {**routed({"kind": "ehco"}), "budgets": {"b": {"dollars": 1, "provider": "x"}}},
            ["providers.x.kind"],
        ),
        # what was meant
        ({**ECHO, "service": {"log_level": "warn"}}, ["did you mean warning?"]),
        ({**ECHO, "queue": {"batch_size": "100"}}, ["did you mean 100 without quotes?"]),
        ({**ECHO, "result_poller": {"enabled": "true"}}, ["did you mean true without quotes?"]),
        ({**ECHO, "queue": {"visibility_timeout": "60s"}}, ["from 1 to 43200 (seconds)"]),
        ({**ECHO, "retention": {"archive_days": "30d"}}, ["from 0 to 36500 (days)"]),
        ({**ECHO, "batch_size": 7}, ["batch_size: found a setting above", "[queue]"]),
        ({**ECHO, "routes": [{"models": ["gpt-6-luna"]}]}, ["did you mean openai/gpt-6-luna?"]),
        ({**ECHO, "budgets": {"b": {"dollars": 1, "provider": "ee"}}}, ["did you mean e?"]),
        # at the setting that is to be changed
        (routed(SERVER), ["providers.x.base_url: found nothing", "or a preset"]),
        (
            routed({**SERVER, "base_url": "host/v1"}),
            ["providers.x.base_url", "begins with https://"],
        ),
        (
            routed({**SERVER, "base_url": "http://h/v1"}),
            ['providers.x.base_url: found "http://h/v1", expected https, or allow_insecure = true'],
        ),
        (routed({"kind": "echo"}, pick="weightd", weights=[1]), ["did you mean weighted?"]),
        (
            routed({"kind": "echo"}, pick="weighted", weights=[1, 2]),
            ["routes[0].weights: found [1, 2]", "for each of the models, 1 in all"],
        ),
    ],
)
def test_each_cause_is_one_line_that_says_what_to_do(
    mapping: dict[str, Any], said: list[str]
) -> None:
    (line,) = lines(mapping)
    for words in said:
        assert words in line


def test_a_variable_that_is_set_under_nearly_the_same_name_is_told() -> None:
    mapping = {
        "providers": {"openai": {"api_key_env": "OPENAI_KEY"}},
        "routes": [{"models": ["openai/a"]}],
    }
    (line,) = lines(mapping, OPENAI_API_KEY="hunter2")
    assert line.endswith("did you mean OPENAI_API_KEY?")
    assert "hunter2" not in line


@pytest.mark.parametrize(
    ("mapping", "environ", "warned"),
    [
        (ECHO, {"NEXUS_BATCHSIZE": "7"}, "did you mean NEXUS_BATCH_SIZE?"),
        (ECHO, {"NEXUS_SOMETHING_ELSE": "7"}, None),
        (
            {
                **ECHO,
                "routes": [{"models": ["e/m"]}, {"models": ["e/m"], "capabilities": ["creativ"]}],
            },
            {},
            "did you mean creative?",
        ),
        (
            {**ECHO, "routes": [{"models": ["e/m"]}, *[{"models": ["e/m"], "agent": "a*"}] * 2]},
            {},
            "routes[2] is never used: routes[1] is for the same requests",
        ),
    ],
)
def test_what_is_no_mistake_but_hardly_meant_is_a_warning(
    mapping: dict[str, Any], environ: dict[str, str], warned: str | None
) -> None:
    outcome = parse_settings(mapping, environ)
    assert isinstance(outcome, Settings), outcome
    assert [warned in it for it in outcome.warnings if warned] == ([True] if warned else [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[queue]\nbatch_size = 1\nbatch_size = 2\n", "expected each key, and each [table], once"),
        ("[queue]\n[queue]\n", "expected each key, and each [table], once"),
        ("[service]\nlog_level = info\n", "no TOML at line 2, column 16"),
        ("[service\n", "no TOML at line 1, column 9"),
    ],
)
def test_what_is_no_toml_is_told_with_its_place(text: str, said: str, tmp_path: Any) -> None:
    file = tmp_path / "nexus.toml"
    file.write_text(text)
    (line,) = str(load_settings(file, {})).splitlines()
    assert said in line
