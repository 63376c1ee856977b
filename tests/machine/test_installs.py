"""The lines that install the command or the library for somebody, each in a home of its own."""

import itertools
from collections.abc import Iterator

import pytest

from tests.docs.shell import Command
from tests.machine.lines import Shell, block, line
from tests.machine.machine import Machine
from tests.machine.service import Service

STARTED = "docs/getting_started.md"
INSTALLED = [*block(STARTED, "pipx install ."), *block(STARTED, 'pipx install ".[local]"')]
LIBRARY = [
    line("supervisors/README.md", "pip install"),
    line("docs/supervisors.md", 'pip install "./supervisors[pytest]"'),
]
TOOLS = "/opt/tools"
_number = itertools.count(1)


@pytest.fixture(scope="session")
def tools(machine: Machine, clone: Shell) -> str:
    """The folder of uv, which Debian does not have."""
    clone.do(f"python3 -m venv {TOOLS} && {TOOLS}/bin/pip install --quiet uv")
    return f"{TOOLS}/bin"


@pytest.fixture
def home(machine: Machine, clone: Shell, tools: str) -> Iterator[Shell]:
    """A shell in the clone of somebody with nothing installed."""
    folder = f"/srv/home-{next(_number)}"
    machine.done(f"mkdir {folder}")
    path = f"{folder}/.local/bin:{folder}/venv/bin:/usr/sbin:/usr/bin:/sbin:/bin:{tools}"
    # What was downloaded for one of them is there for the next.
    environ = {"HOME": folder, "PATH": path, "XDG_CACHE_HOME": "/root/.cache"}
    if machine.run("test -e /root/.config/pip/pip.conf").code == 0:
        environ["PIP_CONFIG_FILE"] = "/root/.config/pip/pip.conf"  # where packages come from
    yield Shell(machine, folder=clone.folder, online=True, environ=environ)
    machine.done(f"rm -r {folder}")


@pytest.mark.parametrize("command", INSTALLED, ids=lambda it: it.text)
def test_the_installed_command_runs(command: Command, home: Shell) -> None:
    home.follow(command)
    assert home.do("command -v nexus").startswith("/srv/home-")
    assert home.do("cd / && nexus --version").strip()
    if "local" in command.text:
        python = '"$(head -1 "$(readlink -f "$(command -v nexus)")" | cut -c3-)"'
        home.do(f"{python} -c 'import xllamacpp'")


@pytest.mark.parametrize("command", LIBRARY, ids=lambda it: f"{it.where}")
def test_the_installed_library_can_be_imported(command: Command, home: Shell) -> None:
    home.do("python3 -m venv ~/venv")
    home.follow(command)
    home.do("cd /")
    assert home.do("python -c 'import supervisors; print(supervisors.__file__)'").startswith(
        "/srv/"
    )
    if "pytest" in command.text:
        assert "supervised" in home.do("python -m pytest --fixtures -p no:cacheprovider ~")


def test_a_local_model_is_installed_beside_the_service(service: Service) -> None:
    shell = Shell(service.machine, online=True)
    install, show = block("docs/providers_and_models.md", "nexus local-model install")
    shell.follow(install)
    assert "smollm2" in shell.follow(show).lower()
