"""How many tokens a request is, before anybody counts them. Pure, one pass over its texts.

A token of English is four to five bytes, of code three to four, of Chinese three (one character).
So a quarter of the bytes is the expectation, and a sixth is what no text is likely to fall below: a
model is only passed over for its size where even that does not fit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.honours import MEDIA

MEDIA_TOKENS: Final = 1_000
"""For an image or a file, whatever its size: providers count them by rules of their own."""
AROUND_A_MESSAGE: Final = 4
"""Who speaks, and where it begins and ends."""
AROUND_ALL: Final = 3


@dataclass(frozen=True, slots=True)
class Estimate:
    """Tokens of the input."""

    expected: int
    least: int
    """Hardly ever fewer."""
    media: int = 0
    """Parts that are no text."""


def estimate_input(request: LLMRequest) -> Estimate:
    """Of messages, tools and the wanted format together."""
    size, media = 0, 0
    for message in request.messages:
        texts, pictures = _content(message.get("content"))
        size += texts + _size(message.get("tool_calls"))
        media += pictures
    size += _size(request.tools) + _size(request.response_format)
    around = len(request.messages) * AROUND_A_MESSAGE + AROUND_ALL
    return Estimate(size // 4 + media * MEDIA_TOKENS + around, size // 6, media)


def _content(content: Any) -> tuple[int, int]:
    if not isinstance(content, list | tuple):
        return _size(content), 0
    size, media = 0, 0
    for part in content:
        if isinstance(part, Mapping) and part.get("type") in MEDIA:
            media += 1
        else:
            size += _size(part)
    return size, media


def _size(value: Any) -> int:
    """Bytes of all the texts in a value, names of keys included."""
    match value:
        case str():
            return len(value.encode("utf-8", "replace"))
        case Mapping():
            return sum(len(str(key)) + _size(item) for key, item in value.items())
        case list() | tuple():
            return sum(map(_size, value))
        case None:
            return 0
        case _:
            return 4
