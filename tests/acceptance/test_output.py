"""What goes to which stream, and what a terminal, a pipe and a script make of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nexus_actors import __version__
from tests.acceptance.nexus import LIMIT, Nexus

COMMANDS = [
    ("start",),
    ("stop",),
    ("status",),
    ("tree",),
    ("nodes",),
    ("top",),
    ("ask",),
    ("enqueue",),
    ("result",),
    ("route",),
    ("explain",),
    ("models",),
    ("config", "check"),
    ("config", "show"),
    ("db", "migrate"),
    ("db", "url"),
    ("demo",),
]
HEAVY = ("trio", "asyncpg", "pydantic", "structlog", "httpx2", "anyio", "rich.progress")


def test_help_imports_nothing_heavy(nexus: Nexus) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "nexus_actors.cli", "--help"],
        capture_output=True,
        text=True,
        env=nexus.environ,
        cwd=nexus.folder,
        timeout=LIMIT,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "cyclopts" in imported
    assert imported.isdisjoint(HEAVY)
    families = {name for name in imported if name.startswith("nexus_actors.")}
    assert families == {
        f"nexus_actors.{name}" for name in ("cli", "cli.app", "cli.exit_codes", "cli.report")
    }


def test_help_names_every_command_and_exit_code(nexus: Nexus) -> None:
    done = nexus.run("--help")
    assert done.returncode == 0
    for word in ("start", "stop", "status", "tree", "ask", "enqueue", "result", "config", "db"):
        assert f" {word} " in done.stdout
    for code in (0, 1, 2, 3, 4, 5, 6, 130):
        assert f" {code}  " in done.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_each_command_explains_itself(nexus: Nexus, command: tuple[str, ...]) -> None:
    done = nexus.run(*command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: nexus {' '.join(command)}")
    assert done.stderr == ""


def test_version(nexus: Nexus) -> None:
    assert nexus.run("--version").stdout == f"{__version__}\n"


def test_config_check_and_show_for_scripts(nexus: Nexus) -> None:
    nexus.configure(url="postgresql://me:hush@127.0.0.1/db")
    checked = nexus.json("config", "check")
    assert checked["ok"] is True
    assert checked["mistakes"] == []
    assert any("echo" in warning for warning in checked["warnings"])
    shown = nexus.run("config", "show")
    assert 'url = "postgresql://me:***@127.0.0.1/db"' in shown.stdout
    assert "hush" not in shown.stdout + json.dumps(nexus.json("config", "show"))

    nexus.configure("[queue]\nbatch_size = 0")
    done = nexus.run("config", "check", "--json")
    assert done.returncode == 2
    (mistake,) = json.loads(done.stdout)["mistakes"]
    assert mistake["path"] == "queue.batch_size"


EVERYTHING = """
[retention]
archive_days = 7.0

[security]
allowed_hosts = ["*.example.org"]

[budgets.small]
dollars = 1.5
provider = "one"

[providers.one]
kind = "echo"
models."gpt-6.1 x" = { context_window = 9, takes = { stop = false, efforts = ["low"] } }

[[routes]]
models = ["one/gpt-6.1 x"]
"""


def test_config_show_is_a_config(nexus: Nexus) -> None:
    nexus.configure(EVERYTHING)
    copy = nexus.folder / "copy.toml"
    copy.write_text(nexus.run("config", "show").stdout)
    assert nexus.run("config", "check", str(copy)).returncode == 0
    settings = nexus.json("config", "show")
    del settings["sources"], settings["file"]
    again = nexus.json("config", "show", "--config", str(copy))
    assert {name: again[name] for name in settings} == settings


@pytest.mark.parametrize("command", ["config show", "models", "demo"])
def test_a_reader_that_goes_away(nexus: Nexus, command: str) -> None:
    errors = nexus.folder / "errors.txt"
    reading, writing = os.pipe()
    os.close(reading)
    with (
        Path(os.devnull).open("rb") as nothing,
        os.fdopen(writing, "wb") as out,
        errors.open("wb") as err,
    ):
        process = nexus.begin(command.split(), nexus.environ, nothing, out, err)
    assert process.wait(LIMIT) == 141
    assert errors.read_text() == ""
    nexus.wait_all_gone()


def test_no_colours_without_a_terminal(nexus: Nexus) -> None:
    assert "\x1b" not in nexus.run("--help").stdout


def test_a_local_model_that_is_installed_is_not_installed_again(nexus: Nexus) -> None:
    shown = json.loads(nexus.run("local-model", "show", "--json").stdout)
    assert shown["missing"] is None
    done = nexus.run("local-model", "install")
    assert done.returncode == 0
    assert done.stderr == f"installed already: {shown['weights']}\n"
