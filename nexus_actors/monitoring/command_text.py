"""SQL statements and shell commands as text that an operator could type, with all values.

Invisible characters in a value are shown as escapes of SQL or of the shell, so that the text is
complete.
"""

import json
import re
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from nexus_actors.contract.shown_text import printable

_NAME: Final = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?")
_SUSPECT: Final = re.compile(r"[^ -~]|[\\']")
"""Characters to escape: all but printable ASCII, and the two with a meaning in SQL and shells."""
_PLACE: Final = re.compile(r"\$(\d+)")


def sql_value(value: object) -> str:
    """A value as an SQL literal."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case datetime():
            return f"'{value.astimezone(UTC).isoformat(sep=' ')}'"
        case timedelta():
            return f"interval '{value.total_seconds():g} s'"
        case list() | tuple():
            return f"ARRAY[{', '.join(map(sql_value, value))}]::text[]"
        case _:
            return _sql_text(str(value))


def sql_call(function: str, *arguments: object, **named: object) -> str:
    """`SELECT function(…);`. Named arguments that are None are left out, so their defaults hold."""
    assert _NAME.fullmatch(function)  # noqa: S101 - ours
    given = [sql_value(it) for it in arguments]
    given += [f"{name} => {sql_value(it)}" for name, it in named.items() if it is not None]
    return f"SELECT {function}({', '.join(given)});"


def sql_recorded(action: str, subject: str, detail: Mapping[str, object], *statements: str) -> str:
    """One transaction of statements and their record in nexus.audit, as the dashboard makes it.
    Values of `detail` that are None are left out."""
    shown = json.dumps({name: it for name, it in detail.items() if it is not None})
    record = sql_call("nexus.record", action, subject, shown)
    return sql_transaction(*statements, record)


def sql_transaction(*statements: str) -> str:
    """The statements in one transaction."""
    return "\n".join(["BEGIN;", *statements, "COMMIT;"])


def sql_filled(statement: str, *arguments: object) -> str:
    """A statement with `$1`, `$2` … replaced by values."""
    return _PLACE.sub(lambda found: sql_value(arguments[int(found[1]) - 1]), statement)


def shell_word(text: str) -> str:
    """One word for a shell. Invisible characters are escaped for bash, ksh and zsh:
    `$'\\u202e'`."""
    if printable(text) == text:
        return shlex.quote(text)
    return f"$'{_escaped(text)}'"


def command_line(command: str, *words: object, **options: object) -> str:
    """`nexus command word … --option value`. Words that are None, and options that are None or
    False, are left out. An option that is True has no value. `_` in its name becomes `-`."""
    given = [shell_word(str(it)) for it in words if it is not None]
    named = [
        _named(f"--{name.replace('_', '-')}", value)
        for name, value in options.items()
        if value is not None and value is not False
    ]
    if any(it is not None and str(it).startswith("-") for it in words):
        return " ".join(["nexus", command, *named, "--", *given])
    return " ".join(["nexus", command, *given, *named])


def _named(option: str, value: object) -> str:
    if value is True:
        return option
    text = _option(value)
    # A value that looks like an option is joined with `=`.
    return f"{option}{'=' if text.startswith('-') else ' '}{shell_word(text)}"


def _option(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value)


def _sql_text(text: str) -> str:
    if printable(text) == text:
        return "'" + text.replace("'", "''") + "'"
    return f"E'{_escaped(text)}'"


def _escaped(text: str) -> str:
    return _SUSPECT.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if character in "\\'":
        return "\\" + character
    if printable(character) == character:
        return character
    number = ord(character)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
