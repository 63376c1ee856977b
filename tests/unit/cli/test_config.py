"""The warnings of `nexus config check`, and where `config show` says that values come from."""

import dataclasses
import os
import tomllib
from pathlib import Path

import pytest

from nexus_actors.cli import report
from nexus_actors.settings import Settings, load_settings
from nexus_actors.settings.section import Section

SHIPPED = Path(__file__).parents[3] / "config" / "nexus.toml"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [it for it in os.environ if it.endswith(("_API_KEY", "DATABASE_URL", "_DB_URL"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    return tmp_path / "nexus.toml"


def test_what_the_settings_cannot_know_is_doubted(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(
        f"[service]\ndata_dir = '{config}/data'\n"
        "[database]\nurl = 'postgresql://u:hunter2@h/d'\n"
        "[[routes]]\nmodels = ['openai/gpt-6.1-soll', 'openai/openai/gpt-6-luna']\n"
    )
    config.chmod(0o644)
    assert report.run(["config", "check", str(config)]) == 0
    told, said = capsys.readouterr()[::-1]
    assert "valid, 4 warnings; " in said
    assert f"service.data_dir: {config} is a file, a directory was expected" in told
    assert "everybody on this machine can read" in told
    assert "openai/gpt-6.1-soll is in no price list; did you mean openai/gpt-6.1-sol?" in told
    assert "openai/openai/gpt-6-luna names its provider twice" in told
    assert "hunter2" not in told
    config.chmod(0o600)
    report.run(["config", "check", str(config)])
    assert "everybody" not in capsys.readouterr().err


def test_a_budget_that_refuses_models_without_a_price_is_doubted(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = (
        "[[routes]]\nmodels = ['openai/in-no-list', 'openai/gpt-5.2', 'e/free']\n"
        "[[routes]]\nmodels = ['openai/in-no-list']\ncomplexity = 'complex'\n"
        "[providers.e]\nkind = 'echo'\n[budgets.free]\ndollars = 1\nprovider = 'e'\n"
        "[budgets.day]\ndollars = 1\n"
    )
    (request := tmp_path / "request.json").write_text(
        '{"complexity": "complex", "messages": [{"role": "user", "content": "hello"}]}'
    )
    route = ["route", str(request), "--config", str(config)]
    config.write_text(given)
    assert report.run(["config", "check", str(config)]) == 0
    warned = "warning: budgets.day: refuses every call to openai/in-no-list: no price known; give"
    assert [it for it in capsys.readouterr().err.splitlines() if "price" in it] == [
        f'nexus: {warned} it in [providers.NAME.models."MODEL"], or unknown_price here'
    ]
    assert report.run(route) == 1
    shown, told = capsys.readouterr()
    assert "budget day makes no call of unknown cost" in shown
    assert told.startswith("nexus: quota_exceeded: budget day makes no call of unknown cost")
    config.write_text(given + "unknown_price = 'ignore'\n")
    report.run(["config", "check", str(config)])
    assert report.run(route) == 0
    assert "budget" not in capsys.readouterr().err


def test_every_value_is_shown_with_its_source(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(
        "[providers.openai]\npool_size = 3\n[budgets.all]\ndollars = 7.0\n"
        "[[routes]]\nmodels = ['openai/gpt-6.1-sol']\n"
    )
    monkeypatch.setenv("NEXUS_BATCH_SIZE", "7")
    assert report.run(["config", "show", "--config", str(config)]) == 0
    shown = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    for line in (
        "batch_size = 7 # NEXUS_BATCH_SIZE",
        "pool_size = 3 # file",
        "max_retries = 2 # default",
        "dollars = 7.0 # file",
        'per = "day" # default',
        "[[routes]] # file",
        "# All built-in routes are replaced by these:",
    ):
        assert line in shown
    config.write_text("")
    report.run(["config", "show", "--config", str(config)])
    assert "replaced" not in capsys.readouterr().out


def test_echo_is_not_shown_as_the_route_of_a_file(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    config.write_text(SHIPPED.read_text())
    report.run(["config", "show", "--config", str(config)])
    shown = capsys.readouterr().out
    assert "# Stands in for all configured routes, since no provider has a key:" in shown
    assert "[[routes]]  # no provider has a key" in shown
    assert "replaced" not in shown


def test_no_section_is_left_out_and_no_secret_is_shown(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (token := config.with_name("joe")).write_text("canary-0123456789abcdef")
    token.chmod(0o600)
    config.write_text(
        "[admin]\nlisten = '127.0.0.1:9999'\n[dashboard]\nurl = 'postgresql://u:hunter2@h/d'\n"
        f"[dashboard.tokens.joe]\nrole = 'read'\ntoken_file = '{token}'\n"
    )
    assert report.run(["config", "show", "--config", str(config)]) == 0
    out = capsys.readouterr().out
    shown = tomllib.loads(out)
    settings = load_settings(config, os.environ)
    assert isinstance(settings, Settings)
    sections = {it.name: getattr(settings, it.name) for it in dataclasses.fields(settings)}
    names = {name for name, it in sections.items() if isinstance(it, Section)}
    assert names > {"admin", "dashboard"}
    assert names <= shown.keys()
    assert shown["admin"]["listen"] == "127.0.0.1:9999"
    assert shown["dashboard"]["tokens"] == {"joe": {"role": "read", "token_file": str(token)}}
    assert "hunter2" not in out
    assert "canary" not in out
