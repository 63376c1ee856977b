"""Estimates how many tokens a request has. Pure, one pass over its texts.

A token of English is four to five bytes, of code three to four, of Chinese three (one character).
So a quarter of the bytes is the expected value, and hardly any text has fewer than a sixth. A model
is skipped for its size only if even the sixth does not fit.

A budget needs an upper bound (`most_input`), computed by these rules:

- text: one token per byte, since no tokenizer makes more; plus something around each of its parts;
- a picture: 50,000, what the most expensive model counts for the largest one;
- a recording: one token per ten bytes of its data, since none is packed more tightly;
- a document, and `previous_response_id`, which brings a conversation along: the model's whole
  window, whatever else there is;
- tools that the provider runs itself (a search, code, `mcp_servers`), as often as it likes: nothing
  bounds them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.honours import AUDIO, IMAGES, MEDIA

MEDIA_TOKENS: Final = 1_000
"""Assumed for an image or a file of any size: each provider has its own rules."""
AROUND_A_MESSAGE: Final = 4
"""Tokens for the role and the boundaries of a message."""
AROUND_ALL: Final = 3
MOST_OF_TOOLS: Final = 2_000
"""Tokens of a provider's own prompt about tools, or about the format of the answer."""
MOST_AROUND_A_PART: Final = 4
"""Quotes, brackets, commas."""
MOST_OF_A_PICTURE: Final = 50_000
"""gpt-4o-mini: 2,833, and 5,667 for each of up to eight tiles.
https://platform.openai.com/docs/guides/images-vision"""
BYTES_OF_A_SOUND: Final = 10
"""Gemini: 32 tokens a second, of which 320 bytes of base64 are 2 kbit: hardly any speech is less.
"""
OWN_TOOLS: Final = (
    "function", "custom", "computer", "bash", "text_editor", "memory", "local_shell", "apply_patch"
)  # fmt: skip
"""Prefixes of the types of tools that the caller runs. All others run at the provider."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Tokens of the input."""

    expected: int
    least: int
    """A lower bound that hardly any text falls below."""
    media: int = 0
    """Parts that are not text."""


def estimate_input(request: LLMRequest) -> Estimate:
    """Estimate messages, tools and the response format together."""
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
    """Bytes of all texts in a value, including keys."""
    match value:
        case None:
            return 0
        case str():
            return len(value.encode("utf-8", "replace"))
        case Mapping():
            return sum(len(str(key)) + _size(item) for key, item in value.items())
        case list() | tuple():
            return sum(map(_size, value))
        case _:
            return 4


@dataclass(frozen=True, slots=True)
class MostInput:
    """An upper bound of the input."""

    tokens: int
    """All tokens except those of recordings."""
    heard: int = 0
    """Tokens of recordings."""
    fills_window: bool = False
    """Whether the input may fill the model's whole window."""
    unbounded: str | None = None
    """What makes the input unbounded; None if it is bounded."""


def most_input(request: LLMRequest) -> MostInput:
    """Bound everything that a request sends, or makes a provider add."""
    size = AROUND_ALL + _most(request.tools) + _most(request.response_format)
    if request.tools or request.response_format is not None:
        size += MOST_OF_TOOLS
    pictures, sounds, documents = 0, 0, 0
    for message in request.messages:
        content = message.get("content")
        others = {key: it for key, it in message.items() if key not in ("role", "content")}
        size += AROUND_A_MESSAGE + _most(others)
        for part in content if isinstance(content, list | tuple) else (content,):
            kind = part.get("type") if isinstance(part, Mapping) else None
            if kind in IMAGES:
                pictures += 1
            elif kind in AUDIO:
                sounds += _most(part)
            elif kind in MEDIA:
                documents += 1
            elif isinstance(part, str):
                size += len(part.encode("utf-8", "replace"))
            else:
                inner = _media_within(part)
                pictures, documents = pictures + inner[0], documents + inner[1]
                size += _most(part)
    fills = documents > 0 or request.previous_response_id is not None
    return MostInput(
        size + pictures * MOST_OF_A_PICTURE, sounds // BYTES_OF_A_SOUND, fills, _hosted(request)
    )


def _media_within(part: Any) -> tuple[int, int]:
    """Counts pictures and other media in a tool's result."""
    if not isinstance(part, Mapping) or not isinstance(part.get("content"), list | tuple):
        return 0, 0
    kinds = [it.get("type") for it in part["content"] if isinstance(it, Mapping)]
    pictures = sum(kind in IMAGES for kind in kinds)
    return pictures, sum(kind in MEDIA for kind in kinds) - pictures


def _hosted(request: LLMRequest) -> str | None:
    if request.mcp_servers:
        return "mcp_servers"
    kinds = (str(tool.get("type", "function")) for tool in request.tools)
    return next((f"the tool {kind}" for kind in kinds if not kind.startswith(OWN_TOOLS)), None)


def _most(value: Any) -> int:
    """The most tokens of a value, written as JSON."""
    match value:
        case str():
            return len(value.encode("utf-8", "replace")) + MOST_AROUND_A_PART
        case Mapping():
            return sum(_most(str(key)) + _most(item) for key, item in value.items())
        case list() | tuple():
            return sum(map(_most, value))
        case None:
            return 0
        case _:
            return len(str(value)) + MOST_AROUND_A_PART
