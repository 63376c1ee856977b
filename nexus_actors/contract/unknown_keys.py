"""Finds keys in messages, their parts and calls, and in tools, that no API has. Each is reported
once, by its path without indexes (`messages.content.annotations`).

This covers only what every API rewrites. A part of an unknown type is passed on unchanged, or
refused.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from nexus_actors.contract.provider_state import STATE

_MESSAGE: Final = frozenset(
    {
        "role",
        "content",
        "name",
        "tool_call_id",
        "type",
        "extra_content",
        "tool_calls",
        STATE,
        "reasoning_content",
        "reasoning",
        "reasoning_details",
    }
)
_CALL: Final = frozenset(
    {"id", "type", "function", "custom", "index", "extra_content", "cache_control", STATE}
)
_CALLED: Final = frozenset({"name", "arguments"})
_TEXT: Final = frozenset({"type", "text", "refusal", "cache_control"})
_FILE: Final = frozenset({"file_data", "file_id", "file_url", "filename"})
_SOURCE: Final = frozenset({"type", "media_type", "data", "url", "file_id"})
_PICTURE: Final = frozenset({"url", "detail"})
_PARTS: Final[Mapping[str, frozenset[str]]] = {
    "text": _TEXT,
    "input_text": _TEXT,
    "output_text": _TEXT,
    "refusal": _TEXT,
    "image_url": frozenset({"image_url", "detail"}),
    "input_image": frozenset({"image_url", "file_id", "detail"}),
    "image": frozenset({"source"}),
    "document": frozenset({"source", "title", "context", "citations"}),
    "input_audio": frozenset({"input_audio"}),
    "file": frozenset({"file"}),
    "input_file": _FILE,
}
"""Types of parts → the keys that any API has in them."""
_WITHIN: Final[Mapping[str, frozenset[str]]] = {
    "image_url": _PICTURE,
    "source": _SOURCE,
    "input_audio": frozenset({"data", "format"}),
    "file": _FILE,
}
"""The same for objects in parts."""
_ITEM: Final = frozenset(
    {"type", "id", "status", "call_id", "name", "arguments", "output", "cache_control", STATE}
)
"""Keys of a call or a result in an `input`."""
_NOTHING: Final[tuple[Any, ...]] = (None, "", [], {})


def in_messages(messages: Iterable[Mapping[str, Any]]) -> list[str]:
    """The unknown keys in `messages`."""
    found: dict[str, None] = {}
    for message in messages:
        found.update(_others("messages", message, _MESSAGE))
        found.update(in_content("messages.content", message.get("content")))
        for call in message.get("tool_calls") or ():
            found.update(_in_call(call))
    return list(found)


def _in_call(call: Mapping[str, Any]) -> Iterator[tuple[str, None]]:
    yield from _others("messages.tool_calls", call, _CALL)
    if isinstance(function := call.get("function"), Mapping):
        yield from _others("messages.tool_calls.function", function, _CALLED)


def in_content(path: str, content: Any) -> Iterator[tuple[str, None]]:
    """The unknown keys in the content at `path`."""
    for part in content if isinstance(content, list | tuple) else ():
        known = _PARTS.get(part["type"])
        if known is not None:
            yield from _others(path, part, known | {"type", "cache_control"})
            for key in known & _WITHIN.keys():
                if isinstance(inner := part.get(key), Mapping):
                    yield from _others(f"{path}.{key}", inner, _WITHIN[key])


def in_items(items: Sequence[Mapping[str, Any]]) -> list[str]:
    """The unknown keys in an `input`, for another API than Responses."""
    found: dict[str, None] = {}
    for item in items:
        kind = item.get("type", "message")
        if kind == "message":
            found.update(_others("input", item, _MESSAGE | {"id", "status"}))
            found.update(in_content("input.content", item.get("content")))
        elif kind in ("function_call", "function_call_output"):
            found.update(_others("input", item, _ITEM))
            found.update(in_content("input.output", item.get("output")))
    return list(found)


def in_system(blocks: Any) -> list[str]:
    """The unknown keys in Anthropic's `system`, if it is a list of blocks."""
    return list(dict(in_content("system", blocks)))


def _others(
    path: str, holder: Mapping[str, Any], known: frozenset[str]
) -> Iterator[tuple[str, None]]:
    for key, value in holder.items():
        if key not in known and value not in _NOTHING:
            # Bounded here, too: a key may be as long as a message and occur in every one.
            yield f"{path}.{key[:_LONGEST]}", None


_LONGEST: Final = 65
"""Characters of a key that are kept: one more than are reported."""
