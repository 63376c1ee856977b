"""What the exit codes say, for scripts. `nexus --help` ends with this list."""

from typing import Final

OK: Final = 0
FAILED: Final = 1
"""Also what Python makes of an exception nobody expected."""
USAGE: Final = 2
NOT_RUNNING: Final = 3
DATABASE: Final = 4
TIMED_OUT: Final = 5
DEGRADED: Final = 6
INTERRUPTED: Final = 130
"""128 + SIGINT, as shells count."""
READER_GONE: Final = 141
"""128 + SIGPIPE, as shells count."""

MEANING: Final = {
    OK: "done",
    FAILED: "it failed: a request, some lines, what nexus doctor calls wrong, or the data_dir is"
    " another service's",
    USAGE: "wrong usage or a wrong config; every mistake is listed",
    NOT_RUNNING: "no service is running",
    DATABASE: "the database cannot be reached, refuses, or lacks a permission",
    TIMED_OUT: "nothing came in time, or nobody knows of that id (yet)",
    DEGRADED: "the service runs, but waits for what may have to be mended (nexus status), or there"
    " is advice (nexus doctor)",
    INTERRUPTED: "interrupted (Ctrl-C)",
    READER_GONE: "nobody reads the output any more (a closed pipe)",
}
