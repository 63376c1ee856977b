"""Where settings come from, and what is said of those that are wrong."""

from pathlib import Path
from typing import Any

import pytest

from nexus_actors.settings import (
    Settings,
    SettingsErrors,
    load_settings,
    masked,
)
from nexus_actors.settings.database_url import bad_url
from tests.unit.settings.parsing import bad, good

ECHO = {"providers": {"e": {"kind": "echo"}}, "routes": [{"models": ["e/m"]}]}
HOME = {"HOME": "/home/somebody"}


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_named_file_comes_before_the_variables_and_that_before_the_folders(
    tmp_path: Path,
) -> None:
    names = {}
    for which in ("option", "variable", "config/nexus"):
        file = tmp_path / f"{which}.toml"
        names[which] = write(file, f'[service]\nname = "{which.partition("/")[0]}"')
    environ = {"NEXUS_CONFIG": str(names["variable"])}

    def name(path: Path | None, environ: dict[str, str], folder: Path) -> str:
        outcome = load_settings(path, environ, folder=folder)
        assert isinstance(outcome, Settings), outcome
        return outcome.service.name

    assert name(names["option"], environ, tmp_path) == "option"
    assert name(None, environ, tmp_path) == "variable"
    assert name(None, {}, tmp_path) == "config"
    assert name(None, {}, tmp_path / "elsewhere") == "nexus"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[queue]\nbatch_size = = 3\n", "line 2"),
        (b"a = " + b"[" * 100_000, "found"),
        (b"a = " + b"1" * 10_000, "found"),
    ],
    ids=["missing", "not text", "not TOML", "too deep", "huge number"],
)
def test_a_file_that_cannot_be_read_is_one_mistake(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    file = tmp_path / "nexus.toml"
    if content is not None:
        file.write_bytes(content)
    outcome = load_settings(file, {})
    assert isinstance(outcome, SettingsErrors)
    assert said in str(outcome)
    assert str(file) in str(outcome)


def test_a_folder_is_no_config(tmp_path: Path) -> None:
    outcome = load_settings(tmp_path, {})
    assert isinstance(outcome, SettingsErrors)


def test_every_mistake_is_reported_at_once() -> None:
    told = str(
        bad(
            {
                "service": {"drain_timeout": -1, "log_level": "loud"},
                "queue": {"batch_size": "many", "dead": "it's"},
                "providers": {"e": {"kind": "echo", "pool_size": 0}},
                "routes": [{"models": ["f/m"]}, {"complexity": "hard", "models": []}],
            },
            {"NEXUS_BATCH_SIZE": "x"},
        )
    )
    for path in (
        "service.drain_timeout: found -1, expected a number from 0 to 86400",
        'service.log_level: found "loud", expected one of debug, info',
        'queue.batch_size: found "many", expected a whole number from 1 to 10000',
        'queue.dead: found "it\'s", expected 1 to 47 lower-case letters, digits or _',
        "providers.e.pool_size: found 0, expected a whole number from 1 to 10000",
        'routes[0].models[0]: found no provider "f"',
        'routes[1].complexity: found "hard"',
        "routes[1].models: found an empty list",
        'environment: NEXUS_BATCH_SIZE: found "x"',
    ):
        assert path in told


@pytest.mark.parametrize(
    ("mapping", "path", "nearest"),
    [
        ({"queues": {}}, "queues", "queue"),
        ({"queue": {"bach_size": 1}}, "queue.bach_size", "batch_size"),
        ({"result_poller": {"enable": True}}, "result_poller.enable", "enabled"),
        ({"providers": {"openai": {"pool": 3}}}, "providers.openai.pool", "pool_size"),
        ({"providers": {"e": {"kind": "ehco"}}}, "providers.e.kind", "echo"),
        (
            {**ECHO, "routes": [{"model": [], "models": ["e/m"]}]},
            "routes[0].model",
            "models",
        ),
        ({"routes": [{"models": ["opnai/gpt"]}]}, "routes[0].models[0]", "openai"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_known(
    mapping: dict[str, Any], path: str, nearest: str
) -> None:
    mistakes = {mistake.path: mistake for mistake in bad(mapping, {"OPENAI_API_KEY": "k"}).mistakes}
    assert mistakes[path].nearest == nearest


WRONG_VALUES = [
    ("service", "drain_timeout", True),
    ("service", "drain_timeout", float("inf")),
    ("service", "drain_timeout", float("nan")),
    ("service", "name", ""),
    ("service", "data_dir", ""),
    ("service", "data_dir", 7),
    ("service", "data_dir", "~nobody-of-this-name/x"),
    ("database", "pool_size", 0),
    ("database", "pool_size", "8"),
    ("database", "url", 7),
    ("queue", "requests", "AI_Requests"),
    ("queue", "requests", "x" * 48),
    ("queue", "requests", "a'; drop table x; --"),
    ("queue", "results", "ai_requests"),
    ("queue", "dead", "ai_results"),
    ("queue", "poll_interval", 0),
    ("queue", "visibility_timeout", 0.5),
    ("queue", "max_attempts", 1.5),
    ("queue", "acknowledge", "forget"),
    ("result_poller", "enabled", 1),
    ("supervision", "max_restarts", -1),
    ("supervision", "max_seconds", 0),
]


def test_a_wrong_value_is_refused_at_its_path() -> None:
    wrong = []
    for section, key, value in WRONG_VALUES:
        found = bad({section: {key: value}}).mistakes
        if [it.path for it in found] != [f"{section}.{key}"]:
            wrong.append((section, key, value, found))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize("section", ["service", "database", "queue", "providers", "routes"])
def test_a_section_of_the_wrong_kind_is_refused(section: str) -> None:
    (mistake,) = bad({section: 7}).mistakes
    assert mistake.path == section


def test_the_home_folder_is_the_environments() -> None:
    assert good({}, HOME).service.data_dir == Path("/home/somebody/.local/state/nexus")
    assert good({"service": {"data_dir": "~"}}, HOME).service.data_dir == Path("/home/somebody")


def test_a_relative_data_dir_is_made_absolute() -> None:
    assert good({"service": {"data_dir": "x"}}).service.data_dir == Path("x").absolute()


def test_the_database_is_the_files_else_the_environments_else_embedded() -> None:
    cases = [
        ("", {}, "", None),
        ("postgresql://file/d", {"DATABASE_URL": "postgres://e/d"}, "postgresql://file/d", "file"),
        ("", {"DATABASE_URL": "postgres://e/d"}, "postgres://e/d", "DATABASE_URL"),
        (
            "",
            {"DATABASE_URL": "postgres://e/d", "SHARED_QUEUE_DB_URL": "postgres://shared/d"},
            "postgres://shared/d",
            "SHARED_QUEUE_DB_URL",
        ),
        ("", {"SHARED_QUEUE_DB_URL": " ", "DATABASE_URL": "postgres://e"}, "postgres://e", ...),
        ("", {"DATABASE_URL": "ecto://u:p@e/d"}, "postgresql://u:p@e/d", "DATABASE_URL"),
        ("postgresql://a:1,b:2/d", {}, "postgresql://a:1,b:2/d", "file"),
        ("postgresql:///d?host=/run/pg", {}, "postgresql:///d?host=/run/pg", "file"),
    ]
    wrong = []
    for configured, environ, url, source in cases:
        settings = good({"database": {"url": configured}}, environ)
        if not (
            settings.database.url.get_secret_value() == url
            and settings.database.embedded is (not url)
            and (source is ... or settings.sources.get("database.url") == source)
        ):
            wrong.append((configured, environ, url, source, settings))
    assert not wrong, "\n".join(map(repr, wrong))


BAD_URLS = [
    "mysql://u:hunter2@h/d",
    "postgresql://u:hunter2@h:port/d",
    "postgresql://u:hunter2",
    "postgresql://u:hun?ter2@h:x",
    "postgresql:/u:hunter2@h",
    "u:hunter2@h",
    "postgresql://h:x/d?user=u&password=hunter2",
    "postgresql://[h?password=hunter2@x",
]


def test_a_bad_url_is_reported_without_its_password() -> None:
    wrong = []
    for url in BAD_URLS:
        for path, errors in (
            ("DATABASE_URL", bad({}, {"DATABASE_URL": url})),
            ("database.url", bad({"database": {"url": url}})),
        ):
            paths = [it.path for it in errors.mistakes]
            if paths != [path] or "hunter2" in repr(errors) or "ter2" in str(errors):
                wrong.append((url, path, errors))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize("hosts", ["a,[::1", "a:1,b,::1]:7"])
def test_brackets_among_several_hosts_are_told_to_stand_in_the_query(hosts: str) -> None:
    """Python 3.11 lets most of them pass, later ones none; these are refused by all."""
    (mistake,) = bad({"database": {"url": f"postgresql://u:hunter2@{hosts}/d"}}).mistakes
    assert "?host=" in mistake.expected
    assert bad_url("postgresql://u:hunter2@/d?host=a:1,b,[::1]:7") == ()


def test_the_environment_overrides_batch_size_and_poll_interval() -> None:
    environ = {"NEXUS_POLL_INTERVAL_MS": "250", "NEXUS_BATCH_SIZE": "7"}
    settings = good({"queue": {"batch_size": 50, "poll_interval": 9}}, environ)
    assert (settings.queue.poll_interval, settings.queue.batch_size) == (0.25, 7)
    assert settings.sources["queue.batch_size"] == "NEXUS_BATCH_SIZE"


def test_a_bad_override_is_reported_by_its_variable() -> None:
    wrong = []
    for variable in ("NEXUS_POLL_INTERVAL_MS", "NEXUS_BATCH_SIZE"):
        for text in ("0", "-5", "soon", "nan", "inf", "99999999999"):
            found = bad({}, {variable: text}).mistakes
            if [(it.path, it.source) for it in found] != [(variable, "environment")]:
                wrong.append((variable, text, found))
    assert not wrong, "\n".join(map(repr, wrong))


def test_what_is_shown_has_no_secrets() -> None:
    settings = good(
        {
            "database": {"url": "postgresql://u:hunter2@h/d"},
            "providers": {
                "openai": {"headers": {"X-Team": "hunter2"}},
                "local": {"kind": "openai_compatible", "base_url": "http://localhost:1/v1"},
            },
        },
        {"OPENAI_API_KEY": "hunter2"},
    )
    shown = masked(settings)
    assert shown["database"]["url"] == "postgresql://u:***@h/d"
    assert shown["providers"]["openai"]["api_key"] == "set"
    assert shown["providers"]["openai"]["api_key_env"] == "OPENAI_API_KEY"
    assert shown["providers"]["local"]["api_key"] == "none"
    assert shown["left_out"]["groq"] == "GROQ_API_KEY is not set"
    assert shown["sources"]["database.url"] == "file"
    assert "hunter2" not in repr(shown)
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    "mapping",
    [
        {"providers": {"groq": {"api_key": "gsk_hunter2"}}},
        {"providers": {"groq": {"api_key_env": "gsk_hunter2"}}},
        {"providers": {"groq": {"api_key_env": "sk-HUNTER2"}}},
        {"providers": {"groq": "gsk_hunter2"}},
        {"providers": {"groq": {"base_url": "https://u:hunter2@h/v1"}}},
        {"providers": {"groq": {"headers": {"authorization": "hunter2"}}}},
        {"database": "postgresql://u:hunter2@h"},
    ],
)
def test_a_secret_in_the_wrong_place_is_not_shown(mapping: dict[str, Any]) -> None:
    assert "hunter2" not in repr(bad(mapping, {"GROQ_API_KEY": "k"})).lower()
