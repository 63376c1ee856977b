"""Where the commands on the pages are run.

Whatever is in no table of these is a mistake: either of the page or of this file.
"""

from collections.abc import Container, Sequence
from typing import Final

Words = tuple[str, ...]

SCREENS: Final = frozenset({"observer", "top"})
"""Commands that have a terminal to themselves. `q` ends them once they show the queues."""

CODES: Final[dict[Words, tuple[int, ...]]] = {
    # A provider of the demo always fails: while its circuit is open, the service is degraded.
    ("doctor",): (0, 1),
    ("status",): (0, 6),
    ("cancel",): (0, 1),  # the requests have ended here
}
"""Exit codes of commands that may have others than 0 here."""

RUN: Final[dict[Words, str]] = {
    ("$EDITOR",): "writes a config",
    ("cd",): "the lines below find its folder",
    ("createdb",): "on the server of the sandbox's database",
    ("elixir",): "on the sandbox's database, with the repository's scripts",
    ("export",): "the lines below find its variables",
    ("git", "clone"): "of this repository, by its folder",
    ("head",): "of a pipe or a file of the sandbox",
    ("install",): "in the user's folders",
    ("ln",): "in the user's folders",
    ("ls",): "in the user's folders",
    ("mkdir",): "in the user's folders",
    ("nexus",): "in this process' own database and folder",
    ("openssl", "rand"): "into a file of the user's",
    ("pg_dump",): "of the sandbox's database",
    ("pg_restore",): "into a database beside the sandbox's",
    ("psql",): "on the sandbox's database",
    ("tail",): "of a pipe or a file of the sandbox",
    ("umask",): "in the shell of its line",
}
"""Programs that are run, in a shell, where a line has no others, and where they are installed. An
absolute path is one below the user's home."""

OF_SHELL: Final = frozenset({"$EDITOR", "cd", "export", "umask"})
"""Those of them that are no file."""

INNER: Final = "INNER"
"""Stands for what a line has within `$(…)`."""

WRAPPERS: Final = frozenset({("sudo",), ("podman", "exec"), ("systemd-run",)})
"""Programs that run `nexus`. Here they are not run; the command that they give to it is."""

MACHINE: Final[dict[Words, str]] = {
    ("journalctl",): "of the unit",
    ("make", "bench-smoke"): "in a clone",
    ("make", "demo"): "in a clone",
    ("make", "dev"): "in a clone",
    ("make", "drill"): "in a clone",
    ("make", "quick"): "in a clone",
    ("make", "setup"): "in a clone",
    ("nexus", "drill"): "in a clone",
    ("nexus", "local-model", "install"): "beside a service that was installed",
    ("perf",): "of a service, if the kernel allows it",
    ("pg_basebackup",): "of the unit's database",
    ("pip", "install"): "what the unit runs; the library",
    ("pipx", "install"): "in homes of their own",
    ("python", "-m", "benchmarks", "--draw"): "of what was measured before",
    ("python", "-m", "benchmarks.latency"): "in a clone",
    ("python", "-m", "cProfile"): "a service",
    ("python", "-m", "pytest"): "in a clone",
    ("python3", "-m", "venv"): "of the unit",
    ("ssh", "-L"): "from a network of its own",
    ("sudo",): "root asks for no password",
    ("systemctl",): "of the unit, and of the machine",
    ("systemd-run",): "with the unit's environment",
    ("uv", "tool", "install"): "in homes of their own",
}
"""What is run on a machine of its own (`make test-machine`), on what. Here it is looked at that a
shell takes the line, and what tests/docs/programs.py knows of its arguments."""

GATE: Final[dict[Words, str]] = {
    ("make", "test"): "make test",
    ("podman", "build"): "make test-container",
    ("podman", "exec"): "make test-container",
    ("podman", "run"): "make test-container",
    ("podman", "secret", "create"): "make test-container",
}
"""What a line of `.ci/run` runs."""

PLACEHOLDERS: Final[dict[str, str]] = {"FILE": "requests.jsonl"}
"""What a page says in capitals; ids are the sandbox's."""
IDS: Final = frozenset({"ID"})


def key(words: Sequence[str], table: Container[Words]) -> Words | None:
    """A table's entry for a command, its longest beginning first."""
    return next((it for n in (4, 3, 2, 1) if (it := tuple(words[:n])) in table), None)
