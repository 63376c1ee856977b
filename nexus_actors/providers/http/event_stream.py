"""Parses server-sent events as they arrive (WHATWG HTML, 9.2.6). Pure.

Only the data of events is returned: the APIs repeat an event's name in it, or have no names. As an
extension of the standard, JSON without `data:` is an event, too: some servers write an error so
when the stream has already begun.
"""

import codecs
from typing import Final

from nexus_actors.contract.json_text import Parsed, parse

_FIELDS: Final = (b"data:", b"event:", b"id:", b"retry:")
_MOST_RAW: Final = 64 * 1024
"""The most characters of such JSON over several lines. Errors are shorter."""
_MOST_TRIES: Final = 8
"""How often such JSON is tested for completeness."""
BLANK: Final = b" \t\r\n"
BOM: Final = b"\xef\xbb\xbf"


def begins_stream(head: bytes) -> bool | None:
    """Whether a body is an event stream, judged by its first bytes after white space. None if more
    bytes are needed. JSON is not an event stream."""
    if head[:1] == b":" or head.startswith(_FIELDS):
        return True
    return None if any(field.startswith(head) for field in _FIELDS) else False


class EventStream:
    """The events of one stream. Lines may end in LF, CR or CR LF, also across pieces."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("replace").decode
        self._line: list[str] = []  # in pieces: appending to one string would copy it each time
        self._after_cr = False
        self._data: list[str] = []
        self._raw: list[str] = []
        self._raw_length = 0
        self._raw_tries = 0

    def feed(self, piece: bytes) -> list[str]:
        """The data of the events that `piece` completes, in order."""
        text = self._decode(piece)
        if not text:
            return []
        if self._after_cr and text[0] == "\n":
            text = text[1:]
        self._after_cr = text.endswith("\r")
        *lines, rest = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        if lines:
            lines[0] = "".join((*self._line, lines[0]))
            self._line = []
        self._line.append(rest)
        return [data for line in lines for data in self._take(line)]

    def close(self) -> list[str]:
        """The data of the last event, if the body ended without the required empty line."""
        line = "".join((*self._line, self._decode(b"", final=True)))
        self._line = []
        return [*self._take(line), *self._take("")]

    def _take(self, line: str) -> list[str]:
        if self._raw or line[:1] in ("{", "["):
            return self._take_raw(line)
        if not line:
            data, self._data = self._data, []
            return ["\n".join(data)] if data else []
        name, _, value = line.partition(":")
        if name == "data":
            self._data.append(value.removeprefix(" "))
        return []

    def _take_raw(self, line: str) -> list[str]:
        if line.startswith(("data:", "event:")):
            return [*self._end_raw(), *self._take(line)]
        self._raw.append(line)
        self._raw_length += len(line)
        if self._ends_raw(line):
            return self._end_raw()
        return []

    def _ends_raw(self, line: str) -> bool:
        """Whether the JSON is complete: on one line, or up to a line with the closing bracket."""
        if not line or self._raw_length > _MOST_RAW:
            return True
        if len(self._raw) > 1 and line[0] not in "}]":
            return False
        self._raw_tries += 1
        is_whole = isinstance(parse("\n".join(self._raw)), Parsed)
        return is_whole or self._raw_tries > _MOST_TRIES

    def _end_raw(self) -> list[str]:
        whole = "\n".join(self._raw).strip()
        self._raw, self._raw_length, self._raw_tries = [], 0, 0
        return [whole]
