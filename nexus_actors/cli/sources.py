"""Input of commands from files or standard input."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from nexus_actors.cli import exit_codes
from nexus_actors.cli.report import CommandError


@contextmanager
def opened(file: str) -> Iterator[IO[bytes]]:
    """Open the file, or standard input for `-`. Raises CommandError if that fails."""
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        source = Path(file).open("rb")  # noqa: SIM115 - only opening it may fail like this
    except OSError as error:
        raise CommandError(f"cannot read {file}: {error.strerror}", exit_codes.USAGE) from error
    with source:
        yield source
