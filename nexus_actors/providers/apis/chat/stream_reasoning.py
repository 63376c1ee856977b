"""Assembles OpenRouter's `reasoning_details` of a streamed answer.

Source: https://openrouter.ai/docs/guides/best-practices/reasoning-tokens. Pieces with the same type
and index (and id, if both have one) make one detail. Their `text`, `summary` and `data` are joined;
the newest value of any other field counts.
"""

from collections.abc import Mapping
from typing import Any, Final

_PIECES: Final = ("text", "summary", "data")


class _Detail:
    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self.pieces: dict[str, list[str]] = {}

    def take(self, piece: Mapping[str, Any]) -> None:
        for key, value in piece.items():
            if key in _PIECES and isinstance(value, str):
                self.pieces.setdefault(key, []).append(value)
            elif value is not None or key not in self.fields:
                self.fields[key] = value

    def whole(self) -> dict[str, Any]:
        return self.fields | {key: "".join(pieces) for key, pieces in self.pieces.items()}


class ReasoningDetails:
    """Takes the pieces in the order of their arrival."""

    def __init__(self) -> None:
        self._details: list[_Detail] = []
        self._by_place: dict[tuple[Any, Any], _Detail] = {}

    def take(self, pieces: Any) -> None:
        """Take the `reasoning_details` of one delta."""
        for piece in pieces if isinstance(pieces, list) else ():
            if isinstance(piece, Mapping):
                self._detail_of(piece).take(piece)

    def _detail_of(self, piece: Mapping[str, Any]) -> _Detail:
        place = (str(piece.get("type")), str(piece.get("index")))
        known = self._by_place.get(place)
        # Without an index, only consecutive pieces make one detail.
        if known is not None and piece.get("index") is None and known is not self._details[-1]:
            known = None
        ids = (piece.get("id"), None if known is None else known.fields.get("id"))
        if known is None or (None not in ids and ids[0] != ids[1]):
            known = self._by_place[place] = _Detail()
            self._details.append(known)
        return known

    def whole(self) -> list[dict[str, Any]]:
        """All details, in the order in which they began."""
        return [detail.whole() for detail in self._details]
