"""Makes foreign text safe to show: in tables, in the log, in errors, on standard output.

Text from a producer, a provider or a config may control a terminal, forge a log line, or change the
direction of text beside it. So invisible characters become visible escapes: `\\x1b`, `\\n`,
`\\u202e`. Visible ones are kept: accents, CJK, emoji.
"""

import json
import re
import unicodedata
from pathlib import PurePath
from typing import Final

_SUSPECT: Final = re.compile(r"[^ -~]+")
"""Everything but printable ASCII. It is checked character by character."""
_UNSEEN: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0")
"""Invisible fillers and joiners that Unicode classifies as letters or marks."""
_OF_PROSE: Final = frozenset("\n\t\xad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff")
"""Layout characters, joiners and word breaks of normal text, which are harmless to a terminal."""


def without_folder(name: str) -> str:
    """Where a key comes from, as a result may say it: the variable, or the file without its folder,
    since producers need not know how the service's machine is arranged."""
    return PurePath(name).name or name


def printable(text: str, limit: int | None = None) -> str:
    """Text for one line, with invisible characters escaped. At most `limit` characters, ending in
    `…` if it was longer.
    """
    if limit is None:
        return _SUSPECT.sub(_escaped, text)
    if len(text) > limit:
        text = text[: limit + 1]  # an escape is longer than its character
    shown = _SUSPECT.sub(_escaped, text)
    if len(shown) <= limit:
        return shown
    if shown == text:  # nothing to escape
        return f"{text[: limit - 1]}…"
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
    """A text of several lines, such as an answer. Like `printable`, but lines, tabs, joiners and
    harmless direction marks are kept.
    """
    return _SUSPECT.sub(_escaped_in_prose, text.replace("\r\n", "\n"))


def json_text(data: object, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """Data as JSON, with invisible characters as JSON escapes. Other types become text."""
    text = json.dumps(data, ensure_ascii=ascii_only, indent=indent, default=str)
    return as_seen_json(text)


def as_seen_json(text: str) -> str:
    """Escape invisible characters in the texts of a JSON text; everything else is kept."""
    return _SUSPECT.sub(_escaped_in_json, text)


def _is_seen(character: str) -> bool:
    if character in _UNSEEN:
        return False
    # Blanks of other widths are as visible as a plain one.
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
    # json.dumps does not escape DEL, since it is ASCII.
    return "\\u007f" if character == "\x7f" else json.dumps(character)[1:-1]
