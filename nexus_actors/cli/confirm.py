"""Asks before a command acts on everything that matches, which may be much."""

import sys

from nexus_actors.cli import exit_codes
from nexus_actors.cli.report import CommandError, note


def confirmed(meant: str, question: str, effect: str) -> bool:
    """Ask the user on a terminal. Elsewhere, raise CommandError: only --yes has the effect."""
    if not sys.stdin.isatty():
        raise CommandError(f"{meant}; --yes {effect}", exit_codes.USAGE)
    note(f"{meant}. {question} [y/N]")
    return sys.stdin.readline().strip().lower() in ("y", "yes")
