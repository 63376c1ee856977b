"""Server-sent events, taken apart as they arrive (WHATWG HTML, 9.2.6). Pure.

Only the data is told: the APIs repeat an event's name in it, or do without one.
"""

import codecs


class EventStream:
    """The events of one stream. Lines may end in LF, CR or CR LF, also across pieces."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("replace").decode
        self._line: list[str] = []  # pieces: adding to one text would copy all of it each time
        self._after_cr = False
        self._data: list[str] = []

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
        return [data for line in lines if (data := self._take(line)) is not None]

    def _take(self, line: str) -> str | None:
        if not line:
            data, self._data = self._data, []
            return "\n".join(data) if data else None
        name, _, value = line.partition(":")
        if name == "data":
            self._data.append(value.removeprefix(" "))
        return None
