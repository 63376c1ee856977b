"""Keeps the last lines of this process's log, for `nexus observer`."""

import threading
import uuid
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from nexus_actors.operations.control import CommandRefused

MOST_LINES: Final = 500
MOST_CHARACTERS: Final = 256 * 1024
LONGEST: Final = 8192
"""The most characters of one entry, including its traceback."""


class LastLines:
    """Keeps the newest log entries, up to bounds. May be called from any thread."""

    def __init__(self) -> None:
        self.id = uuid.uuid4().hex
        """Distinguishes these line numbers from another process's."""
        self._lines: deque[tuple[int, str, str]] = deque()
        self._characters = 0
        self._last = 0
        self._lock = threading.Lock()

    def add(self, level: str, text: str) -> None:
        """Add an entry as it was written."""
        cut = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
        with self._lock:
            self._last += 1
            self._lines.append((self._last, level, cut))
            self._characters += len(cut)
            while len(self._lines) > MOST_LINES or self._characters > MOST_CHARACTERS:
                self._characters -= len(self._lines.popleft()[2])

    async def __call__(self, arguments: Mapping[str, Any]) -> object:
        """The answer to `log`: the lines after number `after` of the process `of`, or all lines if
        that is another process."""
        after, of = arguments.get("after", 0), arguments.get("of", self.id)
        if not isinstance(after, int) or isinstance(after, bool) or not isinstance(of, str):
            raise CommandRefused("after: expected a number; of: what the answer before said")
        with self._lock:
            lines = [it for it in self._lines if of != self.id or it[0] > after]
            return {"of": self.id, "last": self._last, "lines": lines}


LAST_LINES: Final = LastLines()
"""The lines of this process."""
