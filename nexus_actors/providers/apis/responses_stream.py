"""A streamed answer of the Responses API, put together.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from collections.abc import Mapping
from typing import Any

_TEXTS = ("response.output_text.delta", "response.refusal.delta")
_LAST = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")


class ResponsesStream:
    """Takes events. The last one holds the whole answer, so the others serve for their text alone,
    and their items where a server leaves `output` out of the last."""

    def __init__(self) -> None:
        self._items: list[Any] = []
        self._response: Mapping[str, Any] | None = None
        self._error: Any = None

    def take(self, event: Mapping[str, Any]) -> str:
        """The text of one event."""
        match event:
            case {"type": kind, "delta": str(text)} if kind in _TEXTS:
                return text
            case {"type": "response.output_item.done", "item": item}:
                self._items.append(item)
            case {"type": kind, "response": Mapping() as response} if kind in _LAST:
                self._response = response
            case {"type": "error"}:
                self._error = self._error or event.get("error") or event
            case {"error": error} if error:
                self._error = self._error or error
        return ""

    def whole(self) -> Mapping[str, Any] | None:
        """The answer, once its last event came."""
        if self._error is not None:
            return {"error": self._error}
        if self._response is None or self._response.get("output"):
            return self._response
        return {**self._response, "output": self._items}
