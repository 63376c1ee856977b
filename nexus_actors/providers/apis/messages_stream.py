"""A streamed answer of Anthropic's Messages API, put together.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming
"""

import json
from collections.abc import Mapping
from typing import Any

from nexus_actors.providers.http.api import text_or_none


class MessageStream:
    """Takes events; those of a type it does not know are passed over, as the API asks."""

    def __init__(self) -> None:
        self._message: dict[str, Any] = {}
        self._blocks: dict[int, dict[str, Any]] = {}
        self._inputs: dict[int, list[str]] = {}
        self._error: Any = None

    def take(self, event: Mapping[str, Any]) -> str:
        """The text of one event."""
        match event:
            case {"type": "message_start", "message": Mapping() as message}:
                self._message = dict(message)
            case {"type": "content_block_start", "content_block": Mapping() as block}:
                text = text_or_none(block.get("text")) or ""
                self._blocks[_index(event)] = {**block, "text": text}
                return text
            case {"type": "content_block_delta", "delta": Mapping() as delta}:
                return self._take_delta(_index(event), delta)
            case {"type": "message_delta"}:
                self._take_end(event)
            case {"type": "error"}:
                self._error = event.get("error") or {"message": "an error without a word"}
        return ""

    def _take_delta(self, index: int, delta: Mapping[str, Any]) -> str:
        block = self._blocks.setdefault(index, {"type": "text", "text": ""})
        match delta:
            case {"type": "text_delta", "text": str(text)}:
                block["text"] += text
                return text
            case {"type": "input_json_delta", "partial_json": str(text)}:
                self._inputs.setdefault(index, []).append(text)
        return ""

    def _take_end(self, event: Mapping[str, Any]) -> None:
        delta, usage = event.get("delta"), event.get("usage")
        if isinstance(delta, Mapping):
            self._message |= {key: value for key, value in delta.items() if value is not None}
        if isinstance(usage, Mapping):  # counts so far, not differences; those left out stand
            counts = {key: value for key, value in usage.items() if value is not None}
            before = self._message.get("usage")
            self._message["usage"] = {**(before if isinstance(before, Mapping) else {}), **counts}

    def whole(self) -> Mapping[str, Any] | None:
        """The answer, once its stop reason came."""
        if self._error is not None:
            return {**self._message, "error": self._error}
        if not self._message.get("stop_reason"):
            return None
        for index, parts in self._inputs.items():
            self._blocks[index]["input"] = _parsed("".join(parts))
        return {**self._message, "content": list(self._blocks.values())}


def _index(event: Mapping[str, Any]) -> int:
    """Which block of the answer an event is about."""
    index = event.get("index")
    return index if isinstance(index, int) else 0


def _parsed(text: str) -> Any:
    """A call's input; where the stop came in its middle, what there is of it."""
    try:
        return json.loads(text) if text else {}
    except ValueError:
        return {"partial_json": text}
