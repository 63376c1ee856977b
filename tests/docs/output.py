"""What a page says that a command prints, beside what it prints.

Times, durations, ids and numbers are anybody's; white space and the lines of tables are a matter of
width. An ellipsis stands for anything, alone on a line for any lines.
"""

import re
from collections.abc import Sequence
from typing import Final

_CLOCK: Final = r"\d\d:\d\d(?::\d\d)?(?:\.\d+)?"
_MASKS: Final = (
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b|\b[0-9a-f]{32}\b"), "{id}"),
    (
        re.compile(rf"\d{{4}}-\d\d-\d\d(?:[T ]{_CLOCK}(?: ?[A-Z]{{3,4}}|[+-]\d\d:?\d\d|Z)?)?"),
        "{time}",
    ),
    (re.compile(rf"\b{_CLOCK}\b"), "{time}"),
    (re.compile(r"\b\d+(?:\.\d+)? ?(?:ms|s|min|m|h|d|µs)\b"), "{n}"),
    (re.compile(r"(?<![\w.])\$?\d[\d,]*(?:\.\d+)?\b"), "{n}"),
)
_RULES: Final = re.compile("[─━│┃┏┓┗┛┌┐└┘├┤┬┴┼╇╈╡╞═╪|]+")
_MORE: Final = ("…", "...")


def normal(line: str) -> str:
    """A line without what differs from run to run."""
    for pattern, mask in _MASKS:
        line = pattern.sub(mask, line)
    return " ".join(_RULES.sub(" ", line).split())


def mistakes(shown: Sequence[str], said: str) -> list[str]:
    """The lines of a page that are not among what was printed, in that order."""
    printed = [it for it in map(normal, said.splitlines()) if it]
    told, begin = [], 0
    for line in shown:
        wanted = normal(line)
        if not wanted or wanted in _MORE:
            continue
        pattern = _whole(wanted)
        found = next((n for n in range(begin, len(printed)) if pattern.match(printed[n])), None)
        if found is None:
            told.append(line)
        else:
            begin = found + 1
    return told


def _whole(wanted: str) -> re.Pattern[str]:
    parts = re.split(r"…|\.\.\.(?=$| )", wanted)
    return re.compile(".*".join(map(re.escape, parts)) + "$")
