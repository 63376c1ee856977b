"""Prints all output other than tables, and turns errors into a line and an exit code. No output can
control the terminal or forge a line.

Expected errors are listed in `_EXIT_CODES` by name, so that nothing is imported only to be caught.
Every other error is a bug and keeps its traceback.
"""

import io
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, get_args, get_origin

from nexus_actors.cli import exit_codes

if TYPE_CHECKING:
    from cyclopts import CycloptsError


class CommandError(Exception):
    """A command cannot do its job. The message is one line for the operator.

    `details` are further lines.
    """

    def __init__(
        self, message: str, exit_code: int = exit_codes.FAILED, *, details: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.details = tuple(details)


_NUMBERS: Final[Mapping[type | None, str]] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}
# A class includes its subclasses; the most specific entry counts.
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
    """Run one command line and return its exit code. Raises only unexpected exceptions."""
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
        complain(_misused(error))
        return exit_codes.USAGE
    return code if isinstance(code, int) else exit_codes.OK


def _misused(error: "CycloptsError") -> str:
    """What is wrong with a command line. For numbers, cyclopts names Python's types, and what is
    left over it calls tokens."""
    from cyclopts import CoercionError, UnusedCliTokensError

    argument = error.argument
    if isinstance(error, UnusedCliTokensError):
        command = " ".join(("nexus", *(error.command_chain or ())))
        left = error.unused_tokens or ()
        which = "arguments" if len(left) > 1 else "argument"
        return f"{command}: unexpected {which} {' '.join(left)}; see {command} --help"
    if isinstance(error, CoercionError) and error.token is not None and argument is not None:
        wanted, close = _wanted(error.target_type, error.token.value)
        if wanted:
            name = error.token.keyword or argument.name.lstrip("-").upper()
            help_text = (argument.parameter.help or "").removesuffix(".")
            told = f'{name}: expected {wanted}, found "{error.token.value}"{close}'
            return f"{told} ({help_text})" if help_text else told
    return " ".join(str(error).split())  # cyclopts breaks lines for a box


def _wanted(kind: Any, given: str) -> tuple[str, str]:
    """What an argument of this type may be, and which of its words was probably meant."""
    choices = list(map(str, get_args(kind))) if get_origin(kind) is Literal else []
    if not choices:
        return _NUMBERS.get(kind, ""), ""
    from nexus_actors.settings.suggestions import nearest

    close = nearest(given, choices, cutoff=0.8)
    return " or ".join(filter(None, (", ".join(choices[:-1]), choices[-1]))), (
        f"; did you mean {close}?" if close else ""
    )


def _report(error: BaseException) -> int | None:
    """Print an expected error and return its exit code. None, without output, for any other."""
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
    """Flush output. If the reader is gone, prevent Python's own message at exit."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The exceptions in nested groups, or the exception itself if it is not a group."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error


def _known(error: BaseException) -> tuple[tuple[str, ...], int] | None:
    """The lines and the exit code for an expected error; None if it is unexpected."""
    if isinstance(error, CommandError):
        return (str(error), *error.details), error.exit_code
    if type(error).__module__ == "supervisors.errors" and error.__cause__ is not None:
        return _known(error.__cause__)  # the tree did not start; its cause says why
    for cls in type(error).__mro__:
        code = _EXIT_CODES.get(f"{cls.__module__}.{cls.__qualname__}")
        if code is not None:
            notes = getattr(error, "__notes__", ())
            return (str(error), *notes), _database_behind(error, code)
    return None


def _database_behind(error: BaseException, code: int) -> int:
    """Distinguish service and database, since the client raises Unavailable for both."""
    cause = error.__cause__
    if code == exit_codes.NOT_RUNNING and cause is not None:
        known = _known(cause)
        return exit_codes.DATABASE if known and known[1] == exit_codes.DATABASE else code
    return code


def complain(message: str) -> None:
    """Print an error or a warning as one line on standard error."""
    from nexus_actors.contract.shown_text import printable

    print(f"nexus: {printable(message)}", file=sys.stderr)


def note(message: str) -> None:
    """Print useful information as one line on standard error."""
    from nexus_actors.contract.shown_text import printable

    print(printable(message), file=sys.stderr)


def say(line: str) -> None:
    """Print data as one line on standard output."""
    from nexus_actors.contract.shown_text import printable

    print(printable(line))


def say_text(text: str, *, end: str = "\n", aside: bool = False) -> None:
    """Print a text of several lines, such as an answer, on standard output, or with `aside` on
    standard error. Only JSON output is exact.
    """
    from nexus_actors.contract.shown_text import readable

    print(readable(text), end=end, file=sys.stderr if aside else sys.stdout, flush=True)


def print_json(data: object, *, indent: int | None = 2) -> None:
    """Print one JSON document on standard output; if `indent` is None, on one line and flushed at
    once."""
    from nexus_actors.contract.shown_text import json_text

    plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    print(json_text(data, indent=indent, ascii_only=plain), flush=indent is None)


def _guard_streams() -> None:
    """Escape what Python itself prints, too: tracebacks, and log lines of libraries."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # the terminal's encoding may be ASCII
    sys.excepthook = _tell_bug
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_Plain())


def _tell_bug(cls: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    import traceback

    from nexus_actors.contract.shown_text import readable

    print(readable("".join(traceback.format_exception(cls, error, trace))), file=sys.stderr, end="")


class _Plain(logging.Formatter):
    """Formats log records when no log is set up."""

    def format(self, record: logging.LogRecord) -> str:
        from nexus_actors.contract.shown_text import readable

        return readable(super().format(record))
