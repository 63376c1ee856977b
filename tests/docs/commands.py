"""What is run of the commands on the pages, what is only read, and why.

Whatever is in no table of these is a mistake: either of the page or of this file.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

Words = tuple[str, ...]

PARSED: Final[dict[Words, str]] = {
    ("drill",): "takes minutes; acceptance/test_drill.py",
    ("local-model", "install"): "installs packages",
}
"""Commands of `nexus` that are not run; their arguments are those that the command line takes."""

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
    ("export",): "the lines below find its variables",
    ("git", "clone"): "of this repository, by its folder",
    ("head",): "of a pipe or a file of the sandbox",
    ("install",): "in the user's folders",
    ("ln",): "in the user's folders",
    ("ls",): "in the user's folders",
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

WRAPPERS: Final[dict[Words, str]] = {
    ("sudo",): "nobody's password is asked for",
    ("podman", "exec"): "make test-container runs it, in the image",
    ("systemd-run",): "systemd is not there, or is the machine's own",
}
"""Programs that run `nexus`. They are not run; the command that they give to it is."""

NOT_RUN: Final[dict[Words, str]] = {
    ("elixir",): "acceptance/test_elixir.py runs the script; that it is there is looked at",
    ("journalctl",): "systemd is not there, or is the machine's own",
    ("perf", "record"): "needs the kernel's leave",
    ("perf", "report"): "needs a record",
    ("pg_basebackup",): "needs leave to replicate, and the server's own release",
    ("pip", "install"): "installs packages; that these are ours, or pinned, is looked at",
    ("pipx", "install"): "installs packages; that these are ours, or pinned, is looked at",
    ("podman", "build"): "make test-container runs it",
    ("podman", "run"): "make test-container runs it",
    ("podman", "secret", "create"): "make test-container runs it",
    ("ssh", "-L"): "there is no other host",
    ("systemctl", "daemon-reload"): "systemd is not there, or is the machine's own",
    ("systemctl", "enable"): "systemd is not there, or is the machine's own",
    ("systemctl", "reboot"): "ends the machine",
    ("systemctl", "restart"): "systemd is not there, or is the machine's own",
    ("systemctl", "show"): "systemd is not there, or is the machine's own",
    ("systemctl", "status"): "systemd is not there, or is the machine's own",
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
