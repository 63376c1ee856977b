"""On which line of a config file a setting stands."""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from nexus_actors.contract.json_text import format_path

_LONGEST: Final = 1000
"""Characters of a line that may name a setting."""
_HEADER: Final = re.compile(r"\s*(\[\[?)([^\[\]]+)\]\]?")
_KEY: Final = re.compile(r"\s*((?:[\w-]+|\"[^\"]*\"|'[^']*'|\s*\.\s*)+?)\s*=")
_LAST: Final = re.compile(r"(\.[^.\[\]]*|\[\d+\])$")


def line_numbers(text: str) -> dict[str, int]:
    """The line of each table and setting that stands on a line of its own, by its dotted path."""
    lines: dict[str, int] = {}
    table: tuple[str | int, ...] = ()
    counts: Counter[tuple[str, ...]] = Counter()
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line[:_LONGEST])
        if header is not None and (names := _names(header[2])):
            table = tuple(names)
            if header[1] == "[[":
                table = (*names, counts[names])
                counts[names] += 1
            lines.setdefault(format_path(table), number)
        elif (key := _KEY.match(line[:_LONGEST])) is not None and (names := _names(key[1])):
            lines.setdefault(format_path((*table, *names)), number)
    for path, number in tuple(lines.items()):
        for around in _around(path):  # one that has no line of its own begins at its first part
            lines.setdefault(around, number)
    return lines


def line_of(path: str, lines: Mapping[str, int]) -> int | None:
    """The line of what the path names, or of what it stands in."""
    return next((lines[it] for it in (path, *_around(path)) if it in lines), None)


def _around(path: str) -> Iterator[str]:
    """What stands around a setting: its table, that table's table, and so on."""
    while (shorter := _LAST.sub("", path)) != path:
        yield (path := shorter)


def _names(written: str) -> tuple[str, ...]:
    """A dotted key as TOML reads it."""
    try:
        read: Any = tomllib.loads(f"{written.strip()} = 0")
    except tomllib.TOMLDecodeError:
        return ()
    names = []
    while isinstance(read, dict):
        ((name, read),) = read.items()
        names.append(name)
    return tuple(names)
