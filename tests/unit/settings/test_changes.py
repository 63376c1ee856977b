"""What a reload says and does of two configs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from nexus_actors.providers.local import LocalKind
from nexus_actors.settings import Settings, parse_settings
from nexus_actors.settings.changes import changes, without_restart

ECHO = {"kind": "echo", "pool_size": 4}
HTTP = {"kind": "openai_compatible", "base_url": "http://127.0.0.1:1/v1", "free": True}
ROUTES = [{"complexity": "*", "task_type": "*", "models": ["a/m"]}]


def settings(environ: Mapping[str, str] | None = None, **sections: Any) -> Settings:
    given = {"providers": {"a": ECHO}, "routes": ROUTES, **sections}
    parsed = parse_settings(given, environ or {})
    assert isinstance(parsed, Settings), parsed
    return parsed


def told(before: Settings, after: Settings) -> list[str]:
    return [str(it) for it in changes(before, after)]


def test_nothing_differs_of_the_same() -> None:
    assert changes(settings(), settings()) == ()


def test_each_value_is_named_with_both_and_whole_parts_are_one_line() -> None:
    new = settings(
        queue={"batch_size": 7},
        budgets={"all": {"dollars": 3}},
        providers={"a": {**ECHO, "pool_size": 5}, "b": ECHO},
        routes=[*ROUTES, {"complexity": "complex", "task_type": "*", "models": ["b/m"]}],
    )
    lines = told(settings(), new)
    assert lines[:1] == ["queue.batch_size: 100 → 7"]
    assert "providers.a.pool_size: 4 → 5" in lines
    heads = [line.partition(" ")[0] for line in lines]
    assert heads == [
        "queue.batch_size:",
        "budgets.all:",
        "providers.a.pool_size:",
        "providers.b:",
        "routes[1]:",
    ]
    assert told(new, settings())[-1].startswith("routes[1]: removed")


def test_of_a_secret_that_is_another_no_character_is_reported() -> None:
    def with_key(key: str, password: str) -> Settings:
        url = f"postgresql://me:{password}@db.example/x"
        http = {**HTTP, "api_key_env": "THE_KEY", "headers": {"x-token": password}}
        return settings({"THE_KEY": key}, database={"url": url}, providers={"a": ECHO, "b": http})

    before = with_key("old-secret-key-1", "pa55word-one")
    after = with_key("new-secret-key-2", "pa55word-two")
    lines = told(before, after)
    assert lines == [
        "database.url: another one (not shown)",
        "providers.b.headers: another one (not shown)",
        "providers.b: THE_KEY: another one (not shown)",
    ]
    assert not any(word in str(changes(before, after)) for word in ("secret-key", "pa55word"))


def test_what_only_a_start_reads_stays_and_is_reported(tmp_path: Path) -> None:
    wanted = settings(
        service={"name": "other", "log_level": "debug", "data_dir": str(tmp_path)},
        queue={"requests": "elsewhere", "acknowledge": "delete", "max_attempts": 9},
        database={"pool_size": 3},
        supervision={"max_restarts": 4},
        security={"allowed_hosts": ["a.example"], "remote": False},
        admin={"listen": "127.0.0.1:9464"},
    )
    before = settings()
    merged = without_restart(before, wanted)
    assert [it.path for it in merged.needs_restart] == [
        "service.name",
        "service.data_dir",
        "database.pool_size",
        "queue.requests",
        "queue.acknowledge",
        "admin.listen",
        "supervision.max_restarts",
        "security.remote",
    ]
    assert [it.path for it in changes(before, merged.settings)] == [
        "service.log_level",
        "queue.max_attempts",
        "security.allowed_hosts",
    ]


def test_a_local_model_keeps_what_its_server_was_started_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalKind, "missing", lambda *_: None)  # where no engine is installed
    weights = tmp_path / "m.gguf"
    weights.write_bytes(b"GGUF")

    def local(**changed: Any) -> Settings:
        mine = {"kind": "local", "model_file": str(weights), **changed}
        return settings(providers={"a": ECHO, "mine": mine})

    before, wanted = local(), local(threads=1, timeout=7.0, context_window=512)
    merged = without_restart(before, wanted)
    assert {it.path for it in merged.needs_restart} >= {"providers.mine.context_window"}
    assert merged.settings.providers["mine"].settings.timeout == 7.0
