"""A registry's rows as plain data, found by key and by process."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from supervisors._core.process import Process


@dataclass(eq=False, slots=True)
class Row:
    """One registration. Compared by identity: a process may register a key twice with one value."""

    key: Hashable
    process: Process
    value: Any


# Ordered, with fast removal.
Rows: TypeAlias = "dict[Row, None]"


class RegistryTable:
    """Each row is listed both by key and by process. Nothing empty is kept.

    Every listing is in the order of registration. Except for listings of everything, its cost only
    depends on its length: removing a row takes equally long for any number of rows.
    """

    __slots__ = ("_by_key", "_by_process", "_size")

    def __init__(self) -> None:
        self._by_key: dict[Hashable, Rows] = {}
        self._by_process: dict[Process, Rows] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Row]:
        """Iterate over all rows, key by key."""
        return (row for rows in self._by_key.values() for row in rows)

    @property
    def processes(self) -> list[Process]:
        """All processes that have a row, each once."""
        return list(self._by_process)

    def first(self, key: Hashable) -> Row | None:
        """The oldest row of a key, which is the only one if keys are unique."""
        for row in self._by_key.get(key, ()):
            return row
        return None

    def of_key(self, key: Hashable) -> list[Row]:
        """The rows of a key."""
        return list(self._by_key.get(key, ()))

    def of_process(self, process: Process | None) -> list[Row]:
        """The rows of a process; none for None."""
        return [] if process is None else list(self._by_process.get(process, ()))

    def of_both(self, key: Hashable, process: Process | None) -> list[Row]:
        """The rows that a process has under a key."""
        of_key = self._by_key.get(key)
        of_process = None if process is None else self._by_process.get(process)
        if of_key is None or of_process is None:
            return []
        if len(of_key) > len(of_process):
            of_key, of_process = of_process, of_key
        return [row for row in of_key if row in of_process]

    def insert(self, row: Row) -> bool:
        """Add a row. True if it is the first one of its process."""
        is_first = row.process not in self._by_process
        self._by_key.setdefault(row.key, {})[row] = None
        self._by_process.setdefault(row.process, {})[row] = None
        self._size += 1
        return is_first

    def remove(self, row: Row) -> bool:
        """Remove a row. True if it was the last one of its process."""
        _leave(self._by_key, row.key, row)
        _leave(self._by_process, row.process, row)
        self._size -= 1
        return row.process not in self._by_process

    def remove_process(self, process: Process) -> None:
        """Remove all rows of a process, if it has any."""
        for row in self._by_process.pop(process, ()):
            _leave(self._by_key, row.key, row)
            self._size -= 1

    def clear(self) -> None:
        """Remove everything."""
        self._by_key.clear()
        self._by_process.clear()
        self._size = 0


def _leave(index: dict[Any, Rows], place: object, row: Row) -> None:
    rows = index[place]
    del rows[row]
    if not rows:
        del index[place]
