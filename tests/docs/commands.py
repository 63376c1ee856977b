"""What is run of the commands on the pages, what is only read, and why.

Whatever is in no table of these is a mistake: either of the page or of this file.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

Words = tuple[str, ...]

PARSED: Final[dict[Words, str]] = {
    ("start",): "one runs, and a second one of its data_dir is refused; acceptance/test_start.py",
    ("stop",): "the other commands need the service; acceptance/test_ending.py",
    ("drill",): "takes minutes; acceptance/test_drill.py",
    ("observer",): "needs a terminal; acceptance/test_observer.py",
    ("service",): "looks at and changes systemd's units; acceptance/test_service_manager.py",
    ("local-model", "install"): "installs packages",
    ("dead", "purge"): "other pages show these letters; acceptance/test_dead.py",
    ("actor", "stop"): "the other commands need the actor; acceptance/test_steering.py",
    ("actor", "start"): "only what was stopped is started; acceptance/test_steering.py",
}
"""Commands of `nexus` that are not run; their arguments are those that the command line takes."""

UNENDING: Final[dict[Words, tuple[str, ...]]] = {
    ("top",): ("--once",),
    ("remote",): ("-e", "--execute"),
}
"""Commands that run until they are ended, but for these options; parsed without one of them."""

CODES: Final[dict[Words, tuple[int, ...]]] = {
    ("doctor",): (0, 1, 6),  # it has advice: the sandbox's data_dir is below /tmp, for one
    ("status",): (0, 6),  # a provider of the demo always fails: its circuit may be open
    ("cancel",): (0, 1),  # the requests have ended here
}
"""Exit codes of commands that may have others than 0 here."""

RUN: Final[dict[Words, str]] = {
    ("nexus",): "in this process' own database and folder",
    ("psql",): "on the sandbox's database",
    ("head",): "of a pipe or a file of the sandbox",
    ("tail",): "of a pipe or a file of the sandbox",
}
"""Programs that are run, in a shell, where a line has no others, and where they are installed."""

INNER: Final = "INNER"
"""Stands for what a line has within `$(…)`."""

WRAPPERS: Final[dict[Words, str]] = {
    ("sudo",): "nobody's password is asked for",
    ("podman", "exec"): "there are no images",
    ("systemd-run",): "systemd is not there, or is the machine's own",
}
"""Programs that run `nexus`. They are not run; what they give to it is parsed."""

NOT_RUN: Final[dict[Words, str]] = {
    ("cd",): "the commands run in the sandbox's folder",
    ("createdb",): "changes the server",
    ("elixir",): "acceptance/test_elixir.py runs the script; that it is there is looked at",
    ("export",): "the environment is the sandbox's",
    ("git", "clone"): "needs the network",
    ("install",): "changes the machine",
    ("journalctl",): "systemd is not there, or is the machine's own",
    ("ln",): "changes the machine",
    ("ls",): "the folder is the sandbox's",
    ("openssl", "rand"): "makes keys",
    ("perf", "record"): "needs the kernel's leave",
    ("perf", "report"): "needs a record",
    ("pg_basebackup",): "needs leave to replicate, and the server's own release",
    ("pg_dump",): "needs the server's own release",
    ("pg_restore",): "needs the server's own release",
    ("pip", "install"): "installs packages; that these are ours, or pinned, is looked at",
    ("pipx", "install"): "installs packages; that these are ours, or pinned, is looked at",
    ("podman", "build"): "there are no images",
    ("podman", "run"): "there are no images",
    ("ssh", "-L"): "there is no other host",
    ("systemctl", "daemon-reload"): "systemd is not there, or is the machine's own",
    ("systemctl", "enable"): "systemd is not there, or is the machine's own",
    ("systemctl", "reboot"): "ends the machine",
    ("systemctl", "restart"): "systemd is not there, or is the machine's own",
    ("systemctl", "show"): "systemd is not there, or is the machine's own",
    ("systemctl", "status"): "systemd is not there, or is the machine's own",
    ("umask",): "changes the shell",
    ("uv", "tool", "install"): "installs packages; that these are ours, or pinned, is looked at",
}
"""Other programs, with their subcommands: that a shell takes the line is looked at, and what
tests/docs/programs.py knows of their arguments. `make`, `python` and `pytest` are there, too."""

PLACEHOLDERS: Final[dict[str, str]] = {"FILE": "requests.jsonl"}
"""What a page says in capitals; ids are the sandbox's."""
IDS: Final = frozenset({"ID"})


def key(words: Sequence[str], table: Mapping[Words, Any]) -> Words | None:
    """A table's entry for a command, its longest beginning first."""
    return next((it for n in (3, 2, 1) if (it := tuple(words[:n])) in table), None)
