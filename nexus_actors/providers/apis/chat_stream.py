"""A streamed answer of the chat completions API, put together.

Source: https://platform.openai.com/docs/api-reference/chat-streaming
"""

from collections.abc import Mapping
from typing import Any

from nexus_actors.providers.apis.chat_answer import content_text
from nexus_actors.providers.http.api import text_or_none


class ChatStream:
    """Takes chunks; what of a choice other than the first comes is passed over."""

    def __init__(self) -> None:
        self._told: dict[str, Any] = {}
        self._finish: dict[str, Any] = {}
        self._content: list[str] = []
        self._refusal: list[str] = []
        self._calls: dict[int, dict[str, Any]] = {}
        self._error: Any = None

    def take(self, event: Mapping[str, Any]) -> str:
        """The text of one chunk."""
        self._error = self._error or event.get("error")
        for name in ("id", "model", "usage"):
            if event.get(name):
                self._told[name] = event[name]
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, Mapping) or choice.get("index"):
            return ""
        self._error = self._error or choice.get("error")
        for name in ("finish_reason", "native_finish_reason"):
            if choice.get(name):
                self._finish[name] = choice[name]
        delta = choice.get("delta")
        return self._take_delta(delta) if isinstance(delta, Mapping) else ""

    def _take_delta(self, delta: Mapping[str, Any]) -> str:
        text = content_text(delta.get("content"))
        self._content.append(text)
        self._refusal.append(text_or_none(delta.get("refusal")) or "")
        calls = delta.get("tool_calls")
        for place, call in enumerate(calls if isinstance(calls, list) else ()):
            if isinstance(call, Mapping):
                self._take_call(call, place)
        return text

    def _take_call(self, call: Mapping[str, Any], place: int) -> None:
        whole = self._calls.setdefault(
            self._index(call, place),
            {"id": "", "type": "function", "function": {"name": "", "arguments": ""}},
        )
        whole["id"] = text_or_none(call.get("id")) or whole["id"]
        function = call.get("function")
        if isinstance(function, Mapping):
            told = whole["function"]
            told["name"] = text_or_none(function.get("name")) or told["name"]
            told["arguments"] += text_or_none(function.get("arguments")) or ""

    def _index(self, call: Mapping[str, Any], place: int) -> int:
        """Which call this is a piece of. Some servers send each call whole, without an index."""
        index, call_id = call.get("index"), call.get("id")
        if isinstance(index, int):
            return index
        if not call_id:
            return place
        known = (index for index, it in self._calls.items() if it["id"] == call_id)
        return next(known, len(self._calls))

    def whole(self) -> Mapping[str, Any] | None:
        """The answer, once its finish reason came."""
        if self._error:
            return {**self._told, "error": self._error}
        if not self._finish:
            return None
        message = {
            "role": "assistant",
            "content": "".join(self._content) or None,
            "refusal": "".join(self._refusal) or None,
            "tool_calls": [self._calls[index] for index in sorted(self._calls)],
        }
        return {**self._told, "choices": [{"index": 0, "message": message, **self._finish}]}
