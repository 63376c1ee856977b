"""Converts JSON text to the text of PostgreSQL's jsonb, which is what the service reads.

Numbers are written with all digits: `1e300` becomes a one and 300 zeros, `1e3` becomes `1000`.
"""

import json
import re
from decimal import Decimal
from typing import Final

_EXPONENT: Final = re.compile(r"\d[eE][+-]?\d")
_TEXT_OR_NUMBER: Final = re.compile(
    r'"[^"\\]*(?:\\.[^"\\]*)*"|(-?\d+(?:\.\d+)?)[eE]([+-]?\d+)', re.DOTALL
)
_MOST_DIGITS: Final = 131_072
"""The most digits of a number. jsonb itself refuses larger ones."""


class TooLarge(Exception):
    """The text has more bytes than allowed. The argument is how many were counted."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


def as_jsonb_has_it(text: str, largest: int) -> str:
    """The JSON text with numbers in jsonb's form. Raises TooLarge if jsonb's text has more than
    `largest` bytes."""
    if _EXPONENT.search(text):
        text = _plain(text, largest)
    # Apart from digits, jsonb only adds blanks after commas and colons.
    if 2 * len(text) > largest or 2 * len(text.encode(errors="replace")) > largest:
        _check_size(text, largest)
    return text


def _plain(text: str, largest: int) -> str:
    size = 0

    def plain(found: re.Match[str]) -> str:
        nonlocal size
        digits, exponent = found.groups()
        if digits is None:
            return found[0]
        if len(exponent) > len(str(_MOST_DIGITS)) + 1 or abs(int(exponent)) > _MOST_DIGITS:
            return found[0]
        written = format(Decimal(f"{digits}e{exponent}"), "f")
        size += len(written)
        if size > largest:
            raise TooLarge(size)
        return written

    return _TEXT_OR_NUMBER.sub(plain, text)


def _check_size(text: str, largest: int) -> None:
    digits = 0

    def count(number: str) -> int:
        nonlocal digits
        digits += len(number) - 1
        return 0

    decoder = json.JSONDecoder(parse_int=count, parse_float=count, strict=False)
    try:
        written = json.dumps(decoder.decode(text), ensure_ascii=False)
    except (ValueError, RecursionError):
        return  # it is refused for that
    size = len(written.encode(errors="replace")) + digits
    if size > largest:
        raise TooLarge(size)
