"""Keeps the last crash reports of actors, as their supervisors logged them."""

import copy
import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from nexus_actors.contract.shown_text import printable, readable

MOST: Final = 20
LONGEST_REASON: Final = 500
LONGEST_TEXT: Final = 4000
"""The most characters of one report. Its end is kept, which has the cause."""


@dataclass(frozen=True, slots=True)
class Crash:
    """One report, the same text as in the log: no prompt, no answer, no secret."""

    at: str
    """ISO 8601, UTC."""
    actor: str
    reason: str
    text: str
    """The report, with the traceback."""


class Crashes(logging.Handler):
    """Keeps the newest `MOST` reports in memory. Costs nothing until an actor crashes."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._kept: deque[Crash] = deque(maxlen=MOST)

    def newest_first(self) -> list[Crash]:
        """The reports, newest first."""
        return list(reversed(self._kept))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record of `supervisors`, if it reports a crash."""
        actor = getattr(record, "offender", None)
        if not isinstance(actor, str):
            return
        text = readable(_TRACEBACK.format(copy.copy(record)))  # format() changes it
        self._kept.append(
            Crash(
                at=datetime.fromtimestamp(record.created, UTC).isoformat(),
                actor=printable(actor, 255),
                reason=printable(str(getattr(record, "reason", "")), LONGEST_REASON),
                text=text if len(text) <= LONGEST_TEXT else f"…{text[-LONGEST_TEXT + 1 :]}",
            )
        )

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep reports while this is open."""
        logger = logging.getLogger("supervisors")
        logger.addHandler(self)
        try:
            yield
        finally:
            logger.removeHandler(self)


_TRACEBACK: Final = logging.Formatter("%(message)s")
