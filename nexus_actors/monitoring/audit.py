"""Reads the audit: the changes of nexus.control and the entries of nexus.audit, as one list."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from nexus_actors.monitoring.reading import Reader, Row

PAGE: Final = 50
"""Entries per page."""
SCANNED: Final = 5_000
"""The most entries of each log that one page scans for a filter."""
NEWEST: Final = 2**63 - 1
_LONGEST_DETAIL: Final = 2_000
"""Characters of an entry's detail on a page."""
WHOLE: Final = 2**31 - 1
"""For `sql/audit.sql`: the detail is not cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of the audit."""

    number: int
    at: datetime
    by: str
    role: str
    action: str
    """With `end` or `change` before it, if a row of nexus.control was deleted or changed."""
    subject: str
    detail: str | None
    """JSON."""
    refused: str | None
    """Why the node did not carry out the order."""
    is_control: bool
    """Whether it is from nexus.control_log, not from nexus.audit."""


@dataclass(frozen=True, slots=True)
class AuditPage:
    """A page of the audit."""

    entries: tuple[Entry, ...]
    older: tuple[int, int] | None
    """Where the next page begins in nexus.control_log and nexus.audit; None on the last page."""
    looked: int
    """How many entries were scanned."""


async def read_audit(
    reader: Reader, *, by: str = "", action: str = "", before: tuple[int, int] = (NEWEST, NEWEST)
) -> AuditPage:
    """Both logs merged, newest first. `by` and `action` filter by parts of names, in any case.
    `before` is another page's `older`. Raises StorageError."""
    rows = await reader.read("audit", *before, by, action, PAGE + 1, SCANNED, _LONGEST_DETAIL)
    logs = [
        _Log([it for it in rows if it["is_control"] is is_control], start)
        for is_control, start in zip((True, False), before, strict=True)
    ]
    entries: list[Entry] = []
    while len(entries) < PAGE and any(log.left for log in logs):
        newest = max((log for log in logs if log.left), key=lambda log: log.left[0].at)
        entries.append(newest.take())
    older = (logs[0].older, logs[1].older) if any(log.has_more for log in logs) else None
    return AuditPage(tuple(entries), older, sum(log.looked for log in logs))


class _Log:
    """The entries read from one of the logs."""

    def __init__(self, rows: Sequence[Row], start: int) -> None:
        self.looked: int = rows[0]["looked"]
        self._last = rows[0]["last"]
        self.left = [_entry(row) for row in rows if row["number"] is not None]
        self._taken = start

    def take(self) -> Entry:
        """Take the newest remaining entry."""
        entry = self.left.pop(0)
        self._taken = entry.number
        return entry

    @property
    def has_more(self) -> bool:
        """Whether another page may have entries: some were not taken, or not scanned."""
        return bool(self.left) or self.looked == SCANNED

    @property
    def older(self) -> int:
        """Where the next page begins; 0 if nothing is left."""
        if self.left:
            return self._taken
        return int(self._last) if self.looked == SCANNED else 0


def _entry(row: Row) -> Entry:
    names = ("number", "at", "by", "role", "subject", "refused", "is_control")
    action = f"{row['change']} {row['action']}" if row["change"] else row["action"]
    detail = None if row["detail"] == "{}" else row["detail"]
    return Entry(**{name: row[name] for name in names}, action=action, detail=detail)
