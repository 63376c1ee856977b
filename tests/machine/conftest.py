"""One machine for all tests of this stage, with the programs that the pages presume."""

from collections.abc import Iterator

import pytest

from tests.machine.lines import Shell, line
from tests.machine.machine import FORGE, Machine, missing, running_machine
from tests.machine.service import Service, install, start_database

GIT = f"""
[url "{FORGE}"]
insteadOf = https://github.com/nexus-actors/nexus-actors
[safe]
directory = *
"""
"""The forge is this repository."""
PRESUMED = {
    "curl": "command -v curl",
    "git": "command -v git",
    "iproute2": "command -v ip",
    "make": "command -v make",
    "openssh-client": "command -v ssh",
    "openssh-server": "command -v /usr/sbin/sshd",
    "pipx": "command -v pipx",
    "python3-venv": "python3 -c 'import ensurepip, venv'",
    "sudo": "command -v sudo",
}
"""Debian's packages that the lines need, and how to see that each is there."""


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    """It runs, with what the pages presume, and without what they install."""
    if (why := missing()) is not None:
        pytest.skip(why)
    with running_machine() as machine:
        packages = " ".join(it for it, look in PRESUMED.items() if machine.run(look).code != 0)
        if packages:
            machine.done("apt-get update -qq", online=True)
            machine.done(
                "DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "
                + packages,
                online=True,
            )
        machine.done(f"cat > /root/.gitconfig <<'EOF'\n{GIT}EOF")
        yield machine


@pytest.fixture(scope="session")
def clone(machine: Machine) -> Shell:
    """A shell in a fresh clone, which may install packages."""
    shell = Shell(machine, folder="/srv", online=True)
    shell.follow(line("supervisors/README.md", "git clone"))
    return shell


@pytest.fixture(scope="session")
def service(machine: Machine, clone: Shell) -> Service:
    """The unit, installed as the page says it, and its database."""
    start_database(machine)
    return install(clone)
