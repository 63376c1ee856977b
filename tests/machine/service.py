"""A machine on which the service was installed as docs/service.md says it."""

import re
from dataclasses import dataclass
from typing import Final

from tests.docs.pages import pages
from tests.machine.lines import Shell, block
from tests.machine.machine import Machine

CONFIG: Final = "/etc/nexus/nexus.toml"
URL: Final = "postgresql://nexus@127.0.0.1:5432/nexus"
_PROVIDERS: Final = """
[providers.swift]
kind = "echo"

[providers.slow]
kind = "echo"
latency = 20.0

[[routes]]
complexity = "simple"
task_type = "*"
models = ["swift/pebble"]
"""
"""What is added to the pages' config: providers that need no network."""
_PATH: Final = "/mnt/postgres/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_DATABASE: Final = """
[Unit]
Description=PostgreSQL

[Service]
Type=exec
User=postgres
ExecStart=/mnt/postgres/bin/postgres -D /srv/postgres -h 127.0.0.1 -k /tmp
ExecStartPost=/bin/sh -c 'until /mnt/postgres/bin/pg_isready -q -h 127.0.0.1; do sleep 0.1; done'

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True, slots=True)
class Service:
    """The unit, and a shell of the operator's beside it."""

    machine: Machine
    shell: Shell

    def shown(self, name: str) -> str:
        """A property of the unit."""
        return self.machine.done(f"systemctl show nexus -p {name} --value").strip()

    def answers(self) -> bool:
        """Whether a question has its answer."""
        said = self.shell.do("nexus ask hello --complexity simple --timeout 60")
        return "hello" in said

    def journal(self, options: str = "") -> str:
        """What it has logged."""
        return self.machine.done(f"journalctl -u nexus -o cat --no-pager {options}")

    def at_last(self, condition: str) -> None:
        """Wait until a line of a shell succeeds."""
        self.machine.done(f"until {condition}; do sleep 0.2; done")


def start_database(machine: Machine) -> None:
    """A PostgreSQL that is started with the machine, on its own network."""
    machine.done("id -u postgres || useradd --system postgres")
    machine.done("install -d -m 700 -o postgres /srv/postgres")
    machine.done(
        "runuser -u postgres -- /mnt/postgres/bin/initdb -D /srv/postgres -U nexus -A trust -E UTF8"
    )
    machine.done(f"cat > /etc/systemd/system/postgresql.service <<'EOF'\n{_DATABASE}EOF")
    machine.done("systemctl daemon-reload && systemctl enable --now postgresql.service")
    machine.done("/mnt/postgres/bin/createdb -w -h 127.0.0.1 -U nexus nexus")


def install(clone: Shell) -> Service:
    """Carry out the page's first block in a clone, and start the unit."""
    machine = clone.machine
    shown = {it.name: it.of("toml") for it in pages()}
    config = shown["docs/service.md"][0].text + shown["docs/dashboard.md"][0].text + _PROVIDERS
    machine.done(f"cat > /root/edited.toml <<'EOF'\n{config}EOF")
    clone.do("export EDITOR='cp /root/edited.toml'")
    for command in block("docs/service.md", "systemctl enable --now"):
        typed = ""
        if "/dev/stdin" in command.text:
            typed = f"{URL}\n" if "database_url" in command.text else "sk-KEY\n"
        clone.follow(command, typed=typed)
    environ = {"NEXUS_CONFIG": CONFIG, "PATH": _PATH}
    return Service(machine, Shell(machine, environ=environ))


def restarts(said: str) -> int:
    """What `systemctl show -p NRestarts,Result` says of them."""
    found = re.search(r"NRestarts=(\d+)", said)
    assert found is not None, said
    return int(found[1])
