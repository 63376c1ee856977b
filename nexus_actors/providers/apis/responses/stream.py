"""Assembles a streamed answer of the Responses API.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from nexus_actors.providers.http.api import text_or_none

_TEXTS = {
    "response.output_text.delta": ("output_text", "text"),
    "response.refusal.delta": ("refusal", "refusal"),
}
"""The type of an event → the type of the part that it adds text to, and the text's key there."""
_ENDS = ("completed", "incomplete", "failed", "cancelled")
_LAST = tuple(f"response.{end}" for end in _ENDS)


class ResponsesStream:
    """Takes events. The last one has the complete answer. The others are for streaming the text,
    and complete the answer if a server omits items or the text from the last event."""

    def __init__(self) -> None:
        self._items: dict[int, Mapping[str, Any]] = {}
        """Finished items by index, or in order if events have no index."""
        self._texts: dict[tuple[int, int, str], list[str]] = {}
        """Texts by the indexes of the item and of the part, and the type of the event."""
        self._response: Mapping[str, Any] | None = None
        self._error: Any = None

    def take(self, event: Mapping[str, Any]) -> str:
        """Take one event. Returns the text that it adds."""
        match event:
            case {"type": str(kind), "delta": str(text)} if kind in _TEXTS:
                part = (_place(event, "output_index"), _place(event, "content_index"), kind)
                self._texts.setdefault(part, []).append(text)
                return text
            case {"type": "response.output_item.done", "item": Mapping() as item}:
                self._items[_place(event, "output_index", len(self._items))] = item
            case {"type": str(kind), "response": Mapping() as response} if kind in _LAST:
                self._response = response
            case {"type": "error"}:
                self._fail(event.get("error") or event)
            case {"error": error} if error:
                self._fail(error)
            case {"response": {"status": str(status)} as response} if (
                status in _ENDS and "type" not in event
            ):
                self._response = response
        return ""

    def _fail(self, error: Any) -> None:
        if self._response is None:  # a complete answer stands, whatever comes after
            self._error = self._error or error

    def whole(self) -> Mapping[str, Any] | None:
        """The complete answer; None before the last event has come."""
        if self._error is not None:
            return {"error": self._error}
        if self._response is None:
            return None
        output = self._response.get("output")
        output = list(output) if isinstance(output, list) else []
        output = _with(output, self._missing(output))
        if not any(map(_says, output)):
            output = _with(output, self._streamed())
        return {**self._response, "output": output}

    def _missing(self, output: list[Any]) -> list[tuple[int, Mapping[str, Any]]]:
        """Finished items that the last event lacks by id. Not more of a type than it lacks by
        count, since some servers change an item's id at the end."""
        known = {mark for item in output for mark in _marks(item)}
        lacking = Counter(map(_type, self._items.values()))
        lacking.subtract(map(_type, output))
        missing: list[tuple[int, Mapping[str, Any]]] = []
        for place, item in sorted(self._items.items(), key=lambda it: it[0]):
            if lacking[_type(item)] > 0 and known.isdisjoint(_marks(item)):
                lacking[_type(item)] -= 1
                missing.append((place, item))
        return missing

    def _streamed(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """The texts of the stream, with a message for each item."""
        messages: dict[int, list[Mapping[str, Any]]] = {}
        for place, part, kind in sorted(self._texts):
            made, key = _TEXTS[kind]
            text = "".join(self._texts[place, part, kind])
            messages.setdefault(place, []).append({"type": made, key: text})
        for place, content in messages.items():
            yield place, {"type": "message", "role": "assistant", "content": content}


def _with(items: list[Any], more: Iterable[tuple[int, Any]]) -> list[Any]:
    """Insert `more`, in the order of their places, into `items`, or add them at its end."""
    left = iter(items)
    output: list[Any] = []
    for place, item in more:
        output += islice(left, min(max(place - len(output), 0), len(items)))
        output.append(item)
    return [*output, *left]


def _place(event: Mapping[str, Any], name: str, otherwise: int = 0) -> int:
    place = event.get(name)
    return place if isinstance(place, int) and place >= 0 else otherwise


def _type(item: Any) -> str:
    return str(item.get("type", "message")) if isinstance(item, Mapping) else ""


def _marks(item: Any) -> set[str]:
    """The ids of an item."""
    if not isinstance(item, Mapping):
        return set()
    return {mark for key in ("id", "call_id") if (mark := text_or_none(item.get(key)))}


def _says(item: Any) -> bool:
    """Whether an item has text that belongs to the answer."""
    content = item.get("content") if _type(item) == "message" else None
    return any(
        isinstance(part, Mapping) and part.get("type") == made and text_or_none(part.get(key))
        for part in (content if isinstance(content, list) else ())
        for made, key in _TEXTS.values()
    )
