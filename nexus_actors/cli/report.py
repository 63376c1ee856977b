"""The one place where errors become a line on standard error and an exit code, and where all is
printed that is no table: whatever it says, it steers no terminal and begins no line but its own.

What is expected to go wrong is listed in `_EXIT_CODES`, by name, so that nothing is imported just
to be caught. Everything else is a bug and keeps its traceback.
"""

import io
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Final

from nexus_actors.cli import exit_codes


class CommandError(Exception):
    """A command cannot do what it was asked; the message is a line for the operator.

    `details` are further lines.
    """

    def __init__(
        self, message: str, exit_code: int = exit_codes.FAILED, *, details: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.details = tuple(details)


# A class stands for its subclasses too; the nearest counts.
_EXIT_CODES: Final = {
    "nexus_actors.admin.listening.ListenError": exit_codes.FAILED,
    "nexus_actors.failpoints.FailpointError": exit_codes.USAGE,
    "nexus_actors.operations.instance.InstanceError": exit_codes.FAILED,
    "nexus_actors.operations.instance.DataDirError": exit_codes.USAGE,
    "nexus_actors.storage.errors.SpoolError": exit_codes.FAILED,
    "nexus_actors.operations.control_client.ControlError": exit_codes.FAILED,
    "nexus_actors.operations.control_client.Starting": exit_codes.DEGRADED,
    "nexus_actors.operations.control_client.NotRunning": exit_codes.NOT_RUNNING,
    "nexus_actors.storage.errors.DataDirUnusable": exit_codes.USAGE,
    "nexus_actors.storage.postgres.errors.DatabaseMisconfigured": exit_codes.USAGE,
    "nexus_actors.storage.errors.StorageError": exit_codes.DATABASE,
    "nexus_actors.storage.postgres.claim.InstanceTaken": exit_codes.USAGE,
    "nexus_actors.client.errors.CallError": exit_codes.FAILED,
    "nexus_actors.client.errors.InvalidArguments": exit_codes.USAGE,
    "nexus_actors.client.errors.Unavailable": exit_codes.NOT_RUNNING,
    "nexus_actors.client.errors.Timeout": exit_codes.TIMED_OUT,
}


def run(tokens: Sequence[str] | None = None) -> int:
    """Run one command line; its exit code. Only an unforeseen exception leaves it."""
    _guard_streams()
    try:
        code = _run(tokens)
        sys.stdout.flush()
    except BaseException as error:
        expected = _report(error)
        if expected is None:
            raise
        code = expected
    _flush()
    return code


def _run(tokens: Sequence[str] | None) -> int:
    from cyclopts import CycloptsError

    from nexus_actors.cli.app import app, tell_whole

    tell_whole(sys.argv[1:] if tokens is None else tokens)
    try:
        code = app(tokens, print_error=False, exit_on_error=False, result_action="return_value")
    except CycloptsError as error:
        complain(" ".join(str(error).split()))  # laid out for a box
        return exit_codes.USAGE
    return code if isinstance(code, int) else exit_codes.OK


def _report(error: BaseException) -> int | None:
    """Say what went wrong; the exit code. None, and nothing said, if it was not expected."""
    found = list(leaves(error))
    if any(isinstance(leaf, KeyboardInterrupt) for leaf in found):
        return exit_codes.INTERRUPTED
    if any(isinstance(leaf, BrokenPipeError) for leaf in found):
        return exit_codes.READER_GONE
    known = [_known(leaf) for leaf in found]
    if None in known:
        return None
    for lines, _ in filter(None, known):
        for line in lines:
            complain(line)
    return max(code for _, code in filter(None, known))


def _flush() -> None:
    """Hand out what is printed; if nobody takes it, spare the reader Python's complaint at exit."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The exceptions inside trio's groups; one that stands alone is its own."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error


def _known(error: BaseException) -> tuple[tuple[str, ...], int] | None:
    """The lines to say of an expected error, and its exit code; None if it is not expected."""
    if isinstance(error, CommandError):
        return (str(error), *error.details), error.exit_code
    if type(error).__module__ == "supervisors.errors" and error.__cause__ is not None:
        return _known(error.__cause__)  # the tree did not start; why stands behind it
    for cls in type(error).__mro__:
        code = _EXIT_CODES.get(f"{cls.__module__}.{cls.__qualname__}")
        if code is not None:
            return (str(error),), _database_behind(error, code)
    return None


def _database_behind(error: BaseException, code: int) -> int:
    """The client says Unavailable of a service and of a database; a script wants to know which."""
    cause = error.__cause__
    if code == exit_codes.NOT_RUNNING and cause is not None:
        known = _known(cause)
        return exit_codes.DATABASE if known and known[1] == exit_codes.DATABASE else code
    return code


def complain(message: str) -> None:
    """An error or a warning, one line on standard error."""
    from nexus_actors.contract.shown_text import printable

    print(f"nexus: {printable(message)}", file=sys.stderr)


def note(message: str) -> None:
    """Something good to know, one line on standard error."""
    from nexus_actors.contract.shown_text import printable

    print(printable(message), file=sys.stderr)


def say(line: str) -> None:
    """Data for eyes or a script: one line on standard output."""
    from nexus_actors.contract.shown_text import printable

    print(printable(line))


def say_text(text: str, *, end: str = "\n", aside: bool = False) -> None:
    """A text with lines of its own, such as an answer, on standard output, or, `aside`, on standard
    error. JSON has it exactly.
    """
    from nexus_actors.contract.shown_text import readable

    print(readable(text), end=end, file=sys.stderr if aside else sys.stdout, flush=True)


def print_json(data: object, *, indent: int | None = 2) -> None:
    """Data for a script: one JSON document on standard output; on one line, and at once, where
    `indent` is None."""
    from nexus_actors.contract.shown_text import json_text

    plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    print(json_text(data, indent=indent, ascii_only=plain), flush=indent is None)


def _guard_streams() -> None:
    """What comes out by Python itself is shown alike: bugs, and libraries that log."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may know ASCII only
    sys.excepthook = _tell_bug
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_Plain())


def _tell_bug(cls: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    import traceback

    from nexus_actors.contract.shown_text import readable

    print(readable("".join(traceback.format_exception(cls, error, trace))), file=sys.stderr, end="")


class _Plain(logging.Formatter):
    """Where no log is set up."""

    def format(self, record: logging.LogRecord) -> str:
        from nexus_actors.contract.shown_text import readable

        return readable(super().format(record))
