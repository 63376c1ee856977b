"""Assembles the calls of a streamed answer from pieces, which servers send in many ways.

A piece belongs to the call with its id, else to the last call with its index, else, if it has
neither, to the call at its place in the list. A call begins with a new id, with another name, or
with the same name once the arguments are complete. A piece with a new id continues a call without
an id and, if the piece names no function, a call whose arguments are incomplete: some servers
generate an id for each piece.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nexus_actors.providers.apis.chat.json_end import JsonEnd
from nexus_actors.providers.http.api import text_or_none


@dataclass(slots=True)
class _Call:
    index: int
    id: str = ""
    name: str = ""
    custom: bool = False
    pieces: list[str] = field(default_factory=list)
    """Pieces of the arguments, or of a custom tool's input."""
    extra: dict[str, Any] = field(default_factory=dict)
    repeats_name: bool = False
    end: JsonEnd = field(default_factory=JsonEnd)

    def add(self, piece: "_Piece") -> None:
        self.custom = self.custom or piece.custom
        self.repeats_name = self.repeats_name or (bool(piece.name) and piece.name == self.name)
        self.name = piece.name or self.name
        self.extra.update(piece.extra)
        if piece.text.strip() and self.only_opened():
            self.pieces.clear()
            self.end = JsonEnd()
        if piece.text:
            self.pieces.append(piece.text)
            self.end.take(piece.text)

    def only_opened(self) -> bool:
        """Whether its arguments are the `{}` that some servers begin a call with."""
        return not self.custom and len(self.pieces) == 1 and self.pieces[0].strip() == "{}"

    def ended(self) -> bool:
        return not self.custom and self.end.came

    def whole(self) -> dict[str, Any]:
        text = "".join(self.pieces)
        call: dict[str, Any] = {"id": self.id, "type": "custom" if self.custom else "function"}
        if self.custom:
            call["custom"] = {"name": self.name, "input": text}
        else:
            call["function"] = {"name": self.name, "arguments": text}
        return {**call, "extra_content": self.extra} if self.extra else call


@dataclass(frozen=True, slots=True)
class _Piece:
    id: str
    index: int | None
    place: int
    """Its index in the delta's list."""
    custom: bool
    name: str
    text: str
    extra: Mapping[str, Any]


class StreamedCalls:
    """Takes the pieces in the order of their arrival."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_id: dict[str, _Call] = {}
        self._by_index: dict[int, _Call] = {}
        self._by_place: dict[int, _Call] = {}
        self._legacy: _Call | None = None

    def take(self, pieces: Any) -> None:
        """Take the pieces in `delta.tool_calls`."""
        listed = [pieces] if isinstance(pieces, Mapping) else pieces
        for place, said in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(said, Mapping):
                piece = _piece(said, place)
                call = self._by_place[place] = self._call_of(piece)
                call.add(piece)

    def take_legacy(self, said: Mapping[str, Any]) -> None:
        """Take a piece of the older `function_call`, of which an answer has at most one."""
        if self._legacy is None:
            self._legacy = self._open(None)
        self._legacy.add(_piece({"function": said}, 0))

    def _call_of(self, piece: _Piece) -> _Call:
        last = self._last(piece)
        known = self._by_id.get(piece.id) if piece.id else None
        if last is not None and piece.id and last.id == piece.id:
            known = last
        if known is not None and _goes_on_by_id(known, piece):
            return known
        if known is None and last is not None and _goes_on(last, piece):
            call = last
        else:
            call = self._open(piece.index)
        if piece.id:
            call.id = call.id or piece.id
            self._by_id[piece.id] = call
        return call

    def _last(self, piece: _Piece) -> _Call | None:
        if piece.index is not None:
            return self._by_index.get(piece.index)
        last = self._calls[-1] if self._calls else None
        at_place = self._by_place.get(piece.place)
        if at_place is None:
            alone = piece.place == 0 or not (piece.name or (last is not None and last.ended()))
            return last if alone else None
        return last if at_place.ended() and not piece.name else at_place

    def _open(self, index: int | None) -> _Call:
        call = _Call(len(self._calls) if index is None else index)
        self._calls.append(call)
        self._by_index[call.index] = call
        return call

    def whole(self) -> list[dict[str, Any]]:
        """All calls by index, and in order of arrival if they have the same index."""
        return [call.whole() for call in sorted(self._calls, key=lambda it: it.index)]


def _goes_on_by_id(known: _Call, piece: _Piece) -> bool:
    """Whether the piece continues the call with its id: two calls may have the same id."""
    if piece.index in (None, known.index):
        return not (known.ended() and piece.name and known.name not in ("", piece.name))
    return not (piece.name or known.ended())


def _goes_on(last: _Call, piece: _Piece) -> bool:
    """Whether a piece with no id, or with a new one, continues the last call."""
    if _begins_another(last, piece):
        return False
    if not piece.id:
        return True
    if last.id:  # some servers generate an id for each piece
        return not (piece.name or (last.ended() and not last.only_opened()))
    return not (last.ended() and piece.text.strip()) or last.only_opened()


def _begins_another(last: _Call, piece: _Piece) -> bool:
    """Whether a piece with a function's name begins another call."""
    if not piece.name or not last.name:
        return False
    if piece.name != last.name:
        return True
    text = piece.text.lstrip()
    return last.ended() and (text.startswith("{") or not (text or last.repeats_name))


def _piece(said: Mapping[str, Any], place: int) -> _Piece:
    custom = isinstance(said.get("custom"), Mapping)
    described = said["custom"] if custom else said.get("function")
    described = described if isinstance(described, Mapping) else {}
    extra = said.get("extra_content")
    return _Piece(
        id=text_or_none(said.get("id")) or "",
        index=_index(said.get("index")),
        place=place,
        custom=custom,
        name=text_or_none(described.get("name")) or "",
        text=_text(described.get("input" if custom else "arguments")),
        extra=extra if isinstance(extra, Mapping) else {},
    )


def _index(said: Any) -> int | None:
    """The index, which may also be text, or a float without a fraction."""
    if isinstance(said, str) and said.isascii() and said.isdecimal() and len(said) < 10:
        return int(said)
    if isinstance(said, float) and said.is_integer():
        return int(said)
    return said if isinstance(said, int) and not isinstance(said, bool) else None


def _text(said: Any) -> str:
    if said is None or isinstance(said, str):
        return said or ""
    return json.dumps(said, ensure_ascii=False)
