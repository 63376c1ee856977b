"""What PostgreSQL makes of a JSON text: a jsonb, whose text is what the service reads.

A number is stored by its digits: `1e300` comes back as one and 300 noughts, `1e3` as `1000`.
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
"""Of a number; jsonb refuses larger ones itself."""


class TooLarge(Exception):
    """The text has more bytes than allowed; the argument is how many were counted."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


def as_jsonb_has_it(text: str, largest: int) -> str:
    """A JSON text with its numbers as jsonb has them. Raises TooLarge where jsonb's text of it has
    more than `largest` bytes."""
    if _EXPONENT.search(text):
        text = _plain(text, largest)
    # Blanks behind commas and colons are all that jsonb can add.
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
