"""Translates errors of the driver and the server to the ports' errors, in this one place.

    StorageError
    ├─ StorageUnavailable     worth a retry
    │  └─ StorageStrained     may succeed with fewer or other rows
    ├─ StorageRefused         a value that cannot be stored: not worth a retry
    └─ DatabaseStartError     the database cannot be used at all; `kind` says why

A message names the condition, its SQLSTATE, and the constraint, column, table or trigger function
that it concerns. The server's own text is added only for conditions whose texts quote no values,
since a value may be a prompt, an answer or a password.
"""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import asyncpg

from nexus_actors.storage.errors import (
    StorageError,
    StorageRefused,
    StorageStrained,
    StorageUnavailable,
)
from nexus_actors.storage.postgres.places import is_tls, no_way
from nexus_actors.storage.postgres.sessions import TransactionPooling

StartProblem = Literal[
    "unreachable", "wrong_password", "unknown_database", "missing_permission", "unusable"
]


class DatabaseStartError(StorageError):
    """The database cannot be used. `kind` distinguishes an operator's mistake from an outage;
    `fix` says what to do, if `cause` does not contain it."""

    def __init__(self, kind: StartProblem, cause: str, fix: str = "") -> None:
        super().__init__(f"{cause}; {fix}" if fix else cause)
        self.kind: StartProblem = kind
        self.cause = cause
        self.fix = fix


class DatabaseMisconfigured(DatabaseStartError):
    """Invalid connection settings: an environment variable of libpq, a certificate's file."""


# SQLSTATE classes that concern the values sent: cardinality (21), data (22), constraints (23),
# limits (54), and errors that a trigger raises (P0). All others are temporary, or are for an
# operator to fix: a connection, a lock, a missing table, a permission.
_REFUSALS = frozenset({"21", "22", "23", "54", "P0"})
# Temporary classes: connection (08), rollback by deadlock or serialization (40), insufficient
# resources (53), lock not available (55), operator intervention, including statement timeouts (57),
# system error (58), internal error (XX).
_PASSING = frozenset({"08", "40", "53", "55", "57", "58", "XX"})
# Not available because of a lock, a statement timeout, or memory; internal errors, damaged data.
_OF_ROWS = frozenset({"55P03", "57014", "53200", "XX000", "XX001", "XX002"})
# Classes and states whose primary message only quotes identifiers, never values.
_QUOTABLE = frozenset({"08", "25", "28", "3D", "3F", "40", "53", "55", "57", "58"})
_QUOTABLE_STATES = frozenset({"42501", "42P01", "42883", "42703"})

_MIGRATE = "if it was not prepared, or not since an upgrade, its owner runs: nexus db migrate"
_GRANT = (
    "what a service, a producer and an operator (all other commands) may do is granted by the SQL"
    " that nexus db roles prints; the database's owner runs it, again after an upgrade"
)
_SESSIONS = (
    "where a pooler stands between that gives each transaction another session (PgBouncer's"
    " pool_mode = transaction), connect to PostgreSQL itself, or with pool_mode = session"
)
# No such table, function, schema or column; a missing privilege. None of these is temporary.
_FIXES = {
    **dict.fromkeys(("42P01", "42883", "3F000", "42703"), _MIGRATE),
    "42501": _GRANT,
    **dict.fromkeys(("26000", "42P05"), _SESSIONS),
}

_ARGUMENT = "22023"
"""invalid_parameter_value: our own functions raise it to refuse an argument, with a message for the
caller that names only that argument."""
LONGEST_SENTENCE = 500

# The function that raised an error, from the server's context. The server's own functions and ours
# are skipped. In any language: `PL/pgSQL-Funktion f(…) Zeile 3`, `関数f(…)の3行目`.
_RAISED_IN = re.compile(
    r'^(?=[^"\n]*SQL)[^"\n(]*?([A-Za-z_][A-Za-z0-9_$.]{0,130})\(', re.MULTILINE | re.ASCII
)
_OF_FUNCTIONS = re.compile(r"pl_|plpy|plperl|pltcl")
_IDENTIFIER = re.compile(r"[\w$. -]{1,63}")


def describe(error: BaseException) -> str:
    """One line about an error from the driver or the system, without values, passwords or URLs."""
    if isinstance(error, asyncpg.PostgresError):
        state = _state(error)
        line = f"{_words(type(error).__name__)} ({state})"
        if state == _ARGUMENT and (function := _function(error) or "").startswith("nexus."):
            return _one_line(str(error.args[0]) if error.args else function)[:LONGEST_SENTENCE]
        quotable = state[:2] in _QUOTABLE or state in _QUOTABLE_STATES
        # The text of an error that a function raises is its author's, whatever its state.
        if quotable and not _OF_FUNCTIONS.match(str(getattr(error, "server_source_filename", ""))):
            line += f": {_one_line(str(error.args[0]) if error.args else '')}"
        return line + _origin(error)
    if isinstance(error, UnicodeError):
        return "a text that is not valid Unicode"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError):
        return _one_line(str(error)) or type(error).__name__
    if isinstance(error, asyncio.CancelledError):
        return "the connection is closing"
    if isinstance(error, TransactionPooling):
        return str(error)
    if isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError):
        return _one_line(str(error))
    return type(error).__name__


def translate(error: BaseException) -> StorageError:
    """The port's error for an error of the driver or the system."""
    if isinstance(error, asyncpg.PostgresError):
        if _state(error)[:2] in _REFUSALS:
            return StorageRefused(f"the database refused: {describe(error)}")
        fix = _fix(error)
        message = f"{describe(error)}; {fix}" if fix else describe(error)
        kind = StorageStrained if _state(error) in _OF_ROWS else StorageUnavailable
        return kind(f"the database cannot do it now: {message}")
    if isinstance(error, ValueError | OverflowError):
        return StorageRefused(f"the database cannot hold {describe(error)}")
    kind = StorageStrained if isinstance(error, TimeoutError) else StorageUnavailable
    return kind(f"the database is not available: {describe(error)}")


def is_of_rows(error: StorageError) -> bool:
    """Whether fewer or other rows may succeed: something was refused, a row is locked or damaged,
    or the statement took too much time or memory. False for a lost connection, a missing table or
    a missing privilege.
    """
    return isinstance(error, StorageRefused | StorageStrained)


def is_for_the_owner(error: StorageError) -> bool:
    """Whether the error lasts until the database's owner does what the message says."""
    cause = error.__cause__
    return isinstance(cause, asyncpg.PostgresError) and _fix(cause) is not None


def _fix(error: asyncpg.PostgresError) -> str | None:
    """What an operator should run. None if a foreign function, such as a trigger, raised it."""
    return None if _raised_in(error) else _FIXES.get(_state(error))


@contextmanager
def translated() -> Iterator[None]:
    """Raise the ports' errors in place of the driver's. Trio's `Cancelled` passes through."""
    try:
        yield
    except DRIVER_ERRORS as error:
        raise translate(error) from error


# asyncio's CancelledError reaches trio code only if the loop or the pool closes under a running
# operation; a cancelled trio task gets trio's own.
DRIVER_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncio.CancelledError,
    asyncio.IncompleteReadError,
    OSError,
    OverflowError,  # a time that a datetime cannot hold
    ValueError,
)


RELEASE_ERRORS = (
    TimeoutError,
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server said its last word, and did not close yet
)
"""Of giving a connection back. It has been terminated then, and the pool makes a new one: what was
done with it before stands, so there is nothing to report."""


def start_error(error: BaseException, where: str) -> DatabaseStartError:
    """Describe an error during the start for an operator.

    `where` is the host, port and database, without a password.
    """
    kind: StartProblem = "unusable"
    cause = no_way(error)
    if is_tls(error):
        pass
    elif isinstance(error, asyncpg.PostgresError):
        state = _state(error)
        if state[:2] == "28":
            kind = "wrong_password"
        elif state[:2] == "3D":
            kind = "unknown_database"
        elif state == "42501":
            kind = "missing_permission"
        elif state[:2] in _PASSING:
            kind = "unreachable"
    elif isinstance(error, OSError | asyncio.CancelledError | asyncpg.InternalClientError):
        kind = "unreachable"
    if isinstance(error, asyncpg.exceptions.ClientConfigurationError):
        return DatabaseMisconfigured(kind, f"cannot use the database {where}: {describe(error)}")
    if cause is not None:
        return DatabaseStartError(kind, f"cannot connect to the database {where}: {cause}")
    return DatabaseStartError(kind, f"cannot use the database {where}: {describe(error)}")


def _state(error: asyncpg.PostgresError) -> str:
    return str(getattr(error, "sqlstate", None) or "?????")


def _origin(error: asyncpg.PostgresError) -> str:
    """The constraint, column and table of an error, and the function that raised it. These are
    identifiers, which the server sends separately from its text.
    """
    schema, table, column, constraint = (
        _identifier(getattr(error, name, None))
        for name in ("schema_name", "table_name", "column_name", "constraint_name")
    )
    parts = [f"constraint {constraint}"] if constraint else []
    parts += [f"column {column}"] if column else []
    parts += [f"table {schema}.{table}" if schema else f"table {table}"] if table else []
    raised = _raised_in(error)
    parts += [f"in function {raised}"] if raised else []
    return "".join(f", {it}" for it in parts)


def _raised_in(error: asyncpg.PostgresError) -> str | None:
    """The foreign function that raised the error, if any."""
    function = _function(error)
    return None if function is None or function.startswith(("pgmq.", "nexus.")) else function


def _function(error: asyncpg.PostgresError) -> str | None:
    """The function that raised the error, if any."""
    found = _RAISED_IN.search(str(getattr(error, "context", None) or ""))
    return found[1] if found else None


def _identifier(name: object) -> str | None:
    return name if isinstance(name, str) and _IDENTIFIER.fullmatch(name) else None


def _words(name: str) -> str:
    """`UntranslatableCharacterError` → `untranslatable character`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("Error")).lower()


def _one_line(text: str) -> str:
    return " ".join(text.split())
