"""The calls of a streamed answer, put together from pieces that servers send in many ways.

A new id opens a call. A piece without one belongs to the last call of its index, or to the last of
all where it has no index; only where it plainly begins another (another name; whole arguments after
whole arguments) it opens one. So servers are understood that send each call whole, all calls under
index 0, or none of index and id.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nexus_actors.providers.http.api import text_or_none


@dataclass(slots=True)
class _Call:
    index: int
    id: str = ""
    name: str = ""
    custom: bool = False
    pieces: list[str] = field(default_factory=list)
    """Of the arguments, or of a custom tool's input."""
    extra: dict[str, Any] = field(default_factory=dict)

    def whole(self) -> dict[str, Any]:
        text = "".join(self.pieces)
        told: dict[str, Any] = {"id": self.id, "type": "custom" if self.custom else "function"}
        if self.custom:
            told["custom"] = {"name": self.name, "input": text}
        else:
            told["function"] = {"name": self.name, "arguments": text}
        return {**told, "extra_content": self.extra} if self.extra else told


class StreamedCalls:
    """Takes the pieces in the order of their coming."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_id: dict[str, _Call] = {}
        self._by_index: dict[int, _Call] = {}
        self._legacy: _Call | None = None

    def take(self, piece: Mapping[str, Any]) -> None:
        """One piece of `delta.tool_calls`."""
        custom = isinstance(piece.get("custom"), Mapping)
        said = piece["custom"] if custom else piece.get("function")
        said = said if isinstance(said, Mapping) else {}
        name = text_or_none(said.get("name")) or ""
        text = _text(said.get("input" if custom else "arguments"))
        call = self._call_of(piece, name, text)
        call.custom = call.custom or custom
        self._add(call, name, text)
        extra = piece.get("extra_content")
        if isinstance(extra, Mapping):
            call.extra.update(extra)

    def take_legacy(self, said: Mapping[str, Any]) -> None:
        """A piece of the API's older `function_call`, of which there is one at most."""
        if self._legacy is None:
            self._legacy = self._open(None)
        name = text_or_none(said.get("name")) or ""
        self._add(self._legacy, name, _text(said.get("arguments")))

    def _add(self, call: _Call, name: str, text: str) -> None:
        call.name = name or call.name
        if text:
            call.pieces.append(text)

    def _call_of(self, piece: Mapping[str, Any], name: str, text: str) -> _Call:
        call_id = text_or_none(piece.get("id")) or ""
        index = piece.get("index")
        index = index if isinstance(index, int) and not isinstance(index, bool) else None
        last = self._by_index.get(index) if index is not None else self._last()
        if call_id:
            return self._by_new_or_known_id(call_id, index, last)
        if last is None or _begins_another(last, name, text):
            return self._open(index)
        return last

    def _by_new_or_known_id(self, call_id: str, index: int | None, last: _Call | None) -> _Call:
        known = self._by_id.get(call_id)
        if known is not None and index in (None, known.index):
            return known
        if known is None and last is not None and not last.id and index is not None:
            call = last  # its id came late
        else:
            call = self._open(index)
        call.id = call_id
        self._by_id[call_id] = call
        return call

    def _last(self) -> _Call | None:
        return self._calls[-1] if self._calls else None

    def _open(self, index: int | None) -> _Call:
        call = _Call(len(self._calls) if index is None else index)
        self._calls.append(call)
        self._by_index[call.index] = call
        return call

    def whole(self) -> list[dict[str, Any]]:
        """All of them, by their index; those of one index as they came."""
        return [call.whole() for call in sorted(self._calls, key=lambda it: it.index)]


def _begins_another(last: _Call, name: str, text: str) -> bool:
    """Whether a piece that names a function is not the last call's. A `}` that a `{` follows at
    once stands nowhere within JSON but in its texts."""
    if not name or not last.name:
        return False
    ended = bool(last.pieces) and last.pieces[-1].rstrip().endswith("}")
    return name != last.name or (ended and text.lstrip().startswith("{"))


def _text(said: Any) -> str:
    if said is None or isinstance(said, str):
        return said or ""
    return json.dumps(said, ensure_ascii=False)
