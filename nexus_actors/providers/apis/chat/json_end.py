"""Finds the end of JSON that arrives in pieces, reading each character once."""

import re
from typing import Final

_MARKS: Final = re.compile(r'\\.|\\$|["{}\[\]]', re.DOTALL)


class JsonEnd:
    """Follows an object or a list. `came` is true once its closing bracket has arrived."""

    def __init__(self) -> None:
        self.came = False
        self._depth = 0
        self._quoted = False
        self._rest = ""

    def take(self, piece: str) -> None:
        """Take the next piece of text."""
        text, self._rest = self._rest + piece, ""
        for found in _MARKS.finditer(text):
            mark = found.group()
            if mark == "\\":  # the escaped character is in the next piece
                self._rest = mark
            elif mark == '"':
                self._quoted = not self._quoted
            elif not self._quoted and mark[0] != "\\":
                self._depth += 1 if mark in "{[" else -1
                self.came = self.came or self._depth == 0
