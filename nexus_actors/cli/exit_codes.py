"""Exit codes for scripts. `nexus --help` lists them; a command's own help says what they mean for
that command."""

from typing import Final

OK: Final = 0
FAILED: Final = 1
"""Also Python's exit code for an unhandled exception."""
USAGE: Final = 2
NOT_RUNNING: Final = 3
DATABASE: Final = 4
TIMED_OUT: Final = 5
DEGRADED: Final = 6
INTERRUPTED: Final = 130
"""128 + SIGINT, as in shells."""
READER_GONE: Final = 141
"""128 + SIGPIPE, as in shells."""

MEANING: Final = {
    OK: "success",
    FAILED: "a request or some lines failed, nexus doctor found something wrong, or another"
    " service uses the data_dir",
    USAGE: "wrong usage or config; every mistake is listed",
    NOT_RUNNING: "no service is running",
    DATABASE: "database error: unreachable, refused, or a missing privilege",
    TIMED_OUT: "timeout, or nobody knows the id (yet), provider, queue or node; of several ids,"
    " any of them",
    DEGRADED: "degraded (nexus status, nexus nodes)",
    INTERRUPTED: "interrupted by Ctrl-C",
    READER_GONE: "the reader of the output is gone (closed pipe)",
}


def of_named(*, done: int, failed: int, unknown: int) -> int:
    """The code of a command that was given things by name, by what became of how many."""
    if unknown and not done and not failed:
        return TIMED_OUT
    return FAILED if failed or unknown else OK
