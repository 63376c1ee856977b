"""Foreign text as it is shown: in tables, in the log, in errors, on standard output.

What a producer, a provider or a config wrote may steer a terminal, forge a line of a log, or turn
the direction of what stands beside it. Here all that is not seen becomes an escape that is:
`\\x1b`, `\\n`, `\\u202e`. What is seen stays: accents, CJK, emoji.
"""

import json
import re
import unicodedata
from typing import Final

_SUSPECT: Final = re.compile(r"[^ -~]+")
"""All but plain ASCII, which is looked at character by character."""
_UNSEEN: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0")
"""Fillers and joiners that count as letters or marks."""
_OF_PROSE: Final = frozenset("\n\t\xad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff")
"""What an answer is laid out with, words are joined by or parted at: no command to a terminal."""


def printable(text: str, limit: int | None = None) -> str:
    """Text for one line: what is not seen as an escape; `limit` characters at most, the last of
    them `…` where there was more.
    """
    if limit is None:
        return _SUSPECT.sub(_escaped, text)
    if len(text) > limit:
        text = text[: limit + 1]  # an escape is longer than what it stands for
    shown = _SUSPECT.sub(_escaped, text)
    if len(shown) <= limit:
        return shown
    kept: list[str] = []
    room = limit - 1
    for character in text:
        piece = _SUSPECT.sub(_escaped, character)
        room -= len(piece)
        if room < 0:
            break
        kept.append(piece)
    return "".join((*kept, "…"))


def readable(text: str) -> str:
    """A text of many lines, such as an answer: as `printable`, but its lines, tabs, joiners and
    marks of direction stay, save those that turn the direction of what follows.
    """
    return _SUSPECT.sub(_escaped_in_prose, text.replace("\r\n", "\n"))


def json_text(data: object, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """Data as JSON in which no character is unseen: those are JSON's own escapes. What is no JSON
    is told as text.
    """
    text = json.dumps(data, ensure_ascii=ascii_only, indent=indent, default=str)
    return as_seen_json(text)


def as_seen_json(text: str) -> str:
    """JSON with JSON's own escapes for what is not seen; what stands between its texts is kept."""
    return _SUSPECT.sub(_escaped_in_json, text)


def _is_seen(character: str) -> bool:
    if character in _UNSEEN:
        return False
    # Blanks of other widths are as visible as the plain one.
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _escaped(found: re.Match[str]) -> str:
    return "".join(it if _is_seen(it) else _escape(it) for it in found[0])


def _escaped_in_prose(found: re.Match[str]) -> str:
    return "".join(it if it in _OF_PROSE or _is_seen(it) else _escape(it) for it in found[0])


def _escaped_in_json(found: re.Match[str]) -> str:
    return "".join(it if it == "\n" or _is_seen(it) else _json_escape(it) for it in found[0])


def _json_escape(character: str) -> str:
    # json.dumps leaves DEL, which is ASCII.
    return "\\u007f" if character == "\x7f" else json.dumps(character)[1:-1]
