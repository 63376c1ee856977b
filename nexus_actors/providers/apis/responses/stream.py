"""A streamed answer of the Responses API, put together.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from collections.abc import Mapping
from typing import Any

_TEXTS = ("response.output_text.delta", "response.refusal.delta")
_ENDS = ("completed", "incomplete", "failed", "cancelled")
_LAST = tuple(f"response.{end}" for end in _ENDS)


class ResponsesStream:
    """Takes events. The last one holds the whole answer, so the others serve for their text alone,
    and their items where a server leaves `output`, or one of them, out of the last."""

    def __init__(self) -> None:
        self._items: dict[Any, Any] = {}
        """Finished items, by their place; by their order where it is not told."""
        self._response: Mapping[str, Any] | None = None
        self._error: Any = None

    def take(self, event: Mapping[str, Any]) -> str:
        """The text of one event."""
        match event:
            case {"type": kind, "delta": str(text)} if kind in _TEXTS:
                return text
            case {"type": "response.output_item.done", "item": item}:
                place = event.get("output_index")
                self._items[place if isinstance(place, int) else len(self._items)] = item
            case {"type": kind, "response": Mapping() as response} if kind in _LAST:
                self._response = response
            case {"type": "error"}:
                self._error = self._error or event.get("error") or event
            case {"error": error} if error:
                self._error = self._error or error
            case {"response": {"status": status} as response} if (
                status in _ENDS and "type" not in event
            ):
                self._response = response
        return ""

    def whole(self) -> Mapping[str, Any] | None:
        """The answer, once its last event came."""
        if self._error is not None:
            return {"error": self._error}
        if self._response is None:
            return None
        output = self._response.get("output")
        items = [self._items[place] for place in sorted(self._items)]
        return self._response if output else {**self._response, "output": items}
