"""Assembles a streamed answer of Anthropic's Messages API.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from collections.abc import Mapping
from typing import Any, Final

from nexus_actors.providers.http.api import few, text_or_none

_PIECES: Final = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}
"""The type of a delta → the key of its text."""


class MessageStream:
    """Takes events. Unknown types are ignored, as the API requires."""

    def __init__(self) -> None:
        self._message: dict[str, Any] = {}
        self._blocks: list[dict[str, Any]] = []
        self._last_of: dict[int, int] = {}
        """An index → its newest block's place. Some servers give all blocks the same index."""
        self._pieces: dict[tuple[int, str], list[str]] = {}
        self._error: Any = None

    def take(self, event: Mapping[str, Any]) -> str:
        """Take one event. Returns the text that it adds."""
        match event:
            case {"type": "message_start", "message": Mapping() as message}:
                self._message = dict(message)
            case {"type": "content_block_start", "content_block": Mapping() as block}:
                self._open(event.get("index"), dict(block))
                return text_or_none(block.get("text")) or ""
            case {"type": "content_block_delta", "delta": Mapping() as delta}:
                return self._take_delta(event.get("index"), delta)
            case {"type": "message_delta"}:
                self._take_end(event)
            case {"type": "error"} if not self._message.get("stop_reason"):
                # A complete answer stands, whatever comes after.
                self._error = event.get("error") or {"message": "an error without a word"}
        return ""

    def _open(self, index: Any, block: dict[str, Any]) -> int:
        """Add a block. Returns its place."""
        place = len(self._blocks)
        self._blocks.append(block)
        self._last_of[index if isinstance(index, int) else place] = place
        return place

    def _take_delta(self, index: Any, delta: Mapping[str, Any]) -> str:
        kind = delta.get("type")
        key = _PIECES.get(kind) if isinstance(kind, str) else None
        piece = delta.get(key) if key is not None else None
        if key is None or not isinstance(piece, str):
            return ""
        has_index = isinstance(index, int)
        place = self._last_of.get(index) if has_index else len(self._blocks) - 1
        if place is None or place < 0:
            place = self._open(index, {"type": _type_of(key)})
        self._pieces.setdefault((place, key), []).append(piece)
        return piece if key == "text" else ""

    def _take_end(self, event: Mapping[str, Any]) -> None:
        delta, usage = event.get("delta"), event.get("usage")
        if isinstance(delta, Mapping):
            self._message |= {key: value for key, value in delta.items() if value is not None}
        if isinstance(usage, Mapping):
            # Counts are totals so far, not differences. A missing, null or zero count (gateways)
            # does not replace an earlier one.
            counts = {key: value for key, value in usage.items() if value}
            before = self._message.get("usage")
            earlier = before if isinstance(before, Mapping) else {}
            self._message["usage"] = few({**earlier, **usage, **earlier, **counts})

    def whole(self) -> Mapping[str, Any] | None:
        """The complete answer; None before its stop reason has come."""
        if self._error is not None:
            return {**self._message, "error": self._error}
        if not self._message.get("stop_reason"):
            return None
        content = [self._block(place) for place in range(len(self._blocks))]
        return {**self._message, "content": content}

    def _block(self, place: int) -> dict[str, Any]:
        block = dict(self._blocks[place])
        for key in ("text", "thinking", "signature"):
            pieces = self._pieces.get((place, key))
            if pieces is not None:
                block[key] = (text_or_none(block.get(key)) or "") + "".join(pieces)
        written = "".join(self._pieces.get((place, "partial_json"), ()))
        if written:
            block["input"] = written  # as text, since it may be incomplete
        return block


def _type_of(key: str) -> str:
    """The type of a block whose start is missing, from the key of its pieces."""
    if key in ("thinking", "signature"):
        return "thinking"
    return "tool_use" if key == "partial_json" else "text"
