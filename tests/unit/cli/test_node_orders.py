"""Orders to the service that runs here, where the database does not take them on record."""

import json
from pathlib import Path
from typing import Any

import pytest

from nexus_actors.cli import exit_codes, node_orders, report


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What the service that runs here is asked."""
    asked: list[tuple[str, Any]] = []

    def ask_service(_config: object, command: str, arguments: Any = None) -> object:
        asked.append((command, arguments))
        return {"instance": "one", "actor": "Router", "ended": True}

    monkeypatch.setattr(node_orders, "ask_service", ask_service)
    return asked


@pytest.fixture
def config(tmp_path: Path) -> str:
    """Of a database that is away."""
    path = tmp_path / "nexus.toml"
    path.write_text(
        f"[service]\ndata_dir = {json.dumps(str(tmp_path))}\n"
        f'[database]\nurl = "postgresql:///nexus?host={tmp_path}"\n'
        "[providers.echo]\nkind = 'echo'\n[[routes]]\nmodels = ['echo/echo']"
    )
    return str(path)


ORDERS = [["restart", "Router"], ["actor", "stop", "Pruner"], ["actor", "start", "A"], ["reload"]]


@pytest.mark.parametrize("order", ORDERS)
def test_a_reason_that_cannot_be_on_record_is_not_dropped(
    order: list[str], asked: list[Any], config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = report.run([*order, "--why", "stuck", "--config", config])
    assert code == exit_codes.DATABASE
    assert "nothing is done, --why cannot be put on record: " in capsys.readouterr().err
    assert [command for command, _ in asked] == ["status"]


def test_an_order_without_a_reason_needs_no_database_and_says_that_it_is_not_on_record(
    asked: list[Any], config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report.run(["restart", "Router", "--config", config]) == 0
    err = capsys.readouterr().err
    assert "not on record: " in err
    assert "Router has ended" in err
    command, arguments = asked[-1]
    assert (command, arguments["actor"], arguments["why"]) == ("restart", "Router", None)
    assert "@" in arguments["by"]


def test_a_reason_for_what_is_not_done_is_wrong_usage(config: str) -> None:
    code = report.run(["reload", "--dry-run", "--why", "stuck", "--config", config])
    assert code == exit_codes.USAGE


@pytest.mark.parametrize("number", ["99999999999999999999", "-9223372036854775809"])
def test_a_number_that_no_letter_has_is_wrong_usage(
    number: str, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = report.run(["dead", "edit", number, "--request", config, "--config", config])
    assert code == exit_codes.USAGE
    assert "NUMBER" in capsys.readouterr().err


WHAT = "WHAT: expected queue, provider, model, agent or node"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["dead", "retry", "r-12"], 'NUMBER: expected a whole number, found "r-12" (As shown by'),
        (["dead", "retry", "--rate", "x"], '--rate: expected a number, found "x"'),
        (["status", "--json=maybe"], '--json: expected true or false, found "maybe"'),
        (["status", "extra"], "nexus status: unexpected argument extra; see nexus status --help\n"),
        (["dead", "list", "5", "6"], "nexus dead list: unexpected arguments 5 6; see nexus dead"),
        (["ask", "two", "words"], "nexus ask: unexpected argument words; see nexus ask --help"),
        (["waiting", "--reason", "pasued"], "--reason: expected paused, provider_full, "),
        (["pause", "nope"], f'{WHAT}, found "nope" (The kind of thing; its NAME follows)\n'),
        (["pause", "provder", "p"], f'{WHAT}, found "provder"; did you mean provider? (The'),
        (["pause"], "which? queue, provider, model, agent or node; everything: nexus pause queue"),
        (["resume"], "which? queue, provider, model, agent or node; everything: nexus resume"),
    ],
)
def test_a_wrong_word_is_told_in_the_operators_terms(
    words: list[str], told: str, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report.run([*words, "--config", config]) == exit_codes.USAGE
    assert capsys.readouterr().err.startswith(f"nexus: {told}")
