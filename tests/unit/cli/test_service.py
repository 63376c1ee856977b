"""What `nexus status` and `tree` make of a service's answer."""

import io
import json
import os
import sys
from pathlib import Path

import pytest

from nexus_actors.cli import exit_codes, report
from nexus_actors.operations.instance import claim_instance
from tests.unit.cli.answering import answering


@pytest.mark.parametrize("options", [[], ["--json"]])
@pytest.mark.parametrize(
    ("state", "code"), [("ready", 0), ("degraded", exit_codes.DEGRADED), ("draining", 0)]
)
def test_a_degraded_service_is_told_by_the_exit_code(
    state: str, code: int, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with answering(tmp_path, {"state": state}) as where:
        assert report.run(["status", *where, *options]) == code
    assert state in capsys.readouterr().out


def test_whoever_answers_is_alive_also_while_it_is_degraded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with answering(tmp_path, {"pid": 7, "state": "degraded"}) as where:
        assert report.run(["status", "--alive", *where]) == 0
    assert capsys.readouterr().out == "alive (pid 7): degraded\n"


def test_one_that_waits_for_its_database_is_alive_and_one_that_is_gone_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "nexus.toml"
    config.write_text(f"[service]\ndata_dir = {json.dumps(str(tmp_path / 'data'))}")
    words = ["status", "--alive", "--config", str(config)]
    with claim_instance(tmp_path / "data") as instance:
        instance.wait_for("it waits for the database")
        assert report.run([*words, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told == {"pid": os.getpid(), "state": "starting or stopping"}
    assert report.run(words) == exit_codes.NOT_RUNNING


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_tree_is_drawn_with_what_the_terminal_has(
    encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = {
        "name": "Nexus.Supervisor",
        "type": "supervisor",
        "class_name": "Supervisor",
        "pid": 1,
        "status": "idle",
        "current_message": None,
        "restarts": 0,
        "max_restarts": 3,
        "recent_restarts": 0,
        "mailbox_length": 0,
        "uptime": 1.0,
        "children": [],
    }
    leaves = [{**node, "name": name, "type": "worker", "max_restarts": None} for name in "AB"]
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    with answering(tmp_path, {**node, "children": leaves}) as where:
        assert report.run(["tree", *where]) == 0
    text = written.getvalue().decode(encoding)
    first, last = ("├─ A", "└─ B") if encoding == "utf-8" else ("|- A", "`- B")
    assert first in text
    assert last in text
    assert "\\u" not in text


@pytest.mark.parametrize("command", [("stop",), ("ask", "x"), ("result", "x", "--wait")])
@pytest.mark.parametrize("seconds", ["nan", "inf", "-1"])
def test_a_time_that_is_none_is_refused(
    command: tuple[str, ...], seconds: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report.run([*command, f"--timeout={seconds}"]) == exit_codes.USAGE
    (told,) = capsys.readouterr().err.splitlines()
    assert "--timeout" in told
    assert "expected a finite number of seconds, 0 or more" in told
