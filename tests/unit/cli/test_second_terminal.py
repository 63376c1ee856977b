"""A terminal that lacks what the service was started with: commands say what they looked for."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nexus_actors.cli import exit_codes, report
from nexus_actors.operations.control_client import SOCKET
from nexus_actors.operations.instance import claim_instance
from nexus_actors.settings.url_source import FILE_VARIABLE, URL_VARIABLES

REQUEST = {"complexity": "simple", "messages": [{"role": "user", "content": "?"}]}
VARIABLES = (*URL_VARIABLES, FILE_VARIABLE)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and an environment that names no database."""
    for name in (*VARIABLES, "NEXUS_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "requests.jsonl").write_text(json.dumps(REQUEST))
    return tmp_path


@contextmanager
def service_elsewhere(folder: Path) -> Iterator[list[str]]:
    """A service with another database, which hangs; gives the options that lead to it."""
    config = folder / "nexus.toml"
    config.write_text(f"[service]\ndata_dir = {json.dumps(str(folder))}")
    with claim_instance(folder, "external"), socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / SOCKET))
        server.listen()
        yield ["--config", str(config)]
        server.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody has asked it, and so waited for it
            server.accept()


@pytest.mark.parametrize("command", [("ask", "?"), ("explain", "x"), ("audit",)])
def test_a_service_that_has_no_database_yet_is_said_to_be_starting(
    command: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "nexus.toml"
    config.write_text(f"[service]\ndata_dir = {json.dumps(str(tmp_path))}")
    with claim_instance(tmp_path):
        assert report.run([*command, "--config", str(config)]) == exit_codes.DATABASE
    (why,) = capsys.readouterr().err.splitlines()
    assert why == (
        f"nexus: the service (pid {os.getpid()}) is starting its embedded database;"
        " try again in a moment"
    )


@pytest.mark.parametrize(
    "command",
    [
        ("dead", "list"),
        ("enqueue", "requests.jsonl"),
        ("db", "url"),
        ("db", "migrate"),
        ("audit",),
    ],
    ids=" ".join,
)
def test_no_embedded_server_is_taken_for_the_database_of_a_service_that_uses_another(
    command: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with service_elsewhere(tmp_path) as where:
        assert report.run([*command, *where]) == exit_codes.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    why, looked, then = err.splitlines()
    assert f"the service (pid {os.getpid()})" in why
    assert "uses a database that is not known here" in why
    assert all(name in looked for name in VARIABLES)
    assert f"from the config {tmp_path / 'nexus.toml'}" in looked
    assert "export DATABASE_URL=" in then
    assert not (tmp_path / "postgres").exists()


def test_the_doctor_does_not_advise_to_start_a_server_that_nobody_uses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with service_elsewhere(tmp_path) as where:
        report.run(["doctor", "--offline", "--only", "database", *where])
    out = capsys.readouterr().out
    assert out.startswith("not checked  database")
    assert "no database URL is set: not in SHARED_QUEUE_DB_URL, " in out
    assert "systemctl" not in out


@pytest.mark.parametrize("command", ["status", "stop", "tree", "dead list"])
def test_without_a_service_it_says_which_config_files_were_tried(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report.run(command.split()) == exit_codes.NOT_RUNNING
    err = capsys.readouterr().err
    assert "no service is running with data_dir " in err
    assert "NEXUS_CONFIG is not set, and there is no ./config/nexus.toml" in err
    assert "export " in err
