"""The state that the Responses API wants back with an answer: the items of the model's thoughts,
encrypted, and the phase of its text.

Source: https://developers.openai.com/api/docs/guides/reasoning (encrypted reasoning items)

The state is JSON text: `{"reasoning": [[place, item], …], "phase": …}`. A place says what the item
preceded, in the order of a request: 0 is the text, 1 the first call, 2 the second. An item that led
to nothing, or that is neither encrypted nor plain, is useless and left out. Since a producer passes
the state on, anything in another form is ignored.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from nexus_actors.contract.json_text import Parsed, parse

Item = Mapping[str, Any]
_PHASES: Final = ("commentary", "final_answer")
_MOST: Final = 256
"""The most items in one answer, and parts in one item."""


@dataclass(frozen=True, slots=True)
class Thoughts:
    """The thoughts of one answer, with their places."""

    items: tuple[tuple[int, Item], ...] = ()
    phase: str | None = None

    def before(self, place: int) -> list[Item]:
        """The thoughts directly before this place."""
        return [item for at, item in self.items if at == place]

    def up_to(self, place: int) -> list[Item]:
        """The thoughts at or before this place, if it is the first of the answer."""
        return [item for at, item in self.items if at <= place]


def write_thoughts(output: Iterable[Item], is_call: Iterable[bool]) -> str | None:
    """The state of an answer with these items; None if it has none. `is_call`: whether each item
    became a call."""
    kept: list[tuple[int, Item]] = []
    waiting: list[Item] = []
    phase: str | None = None
    calls = 0
    for item, called in zip(output, is_call, strict=True):
        if item.get("type") == "reasoning":
            known = _reasoning(item)
            waiting += [] if known is None else [known]
            continue
        spoken = item.get("type", "message") == "message"
        if not called and not spoken:
            continue  # a tool of the provider's own: the thought also led to what follows
        calls += called
        kept += [(calls if called else 0, it) for it in waiting]
        waiting = []
        if spoken:
            phase = item.get("phase")
    state: dict[str, Any] = {"reasoning": [list(it) for it in kept]} if kept else {}
    if phase in _PHASES:
        state["phase"] = phase
    return json.dumps(state, ensure_ascii=False, separators=(",", ":")) if state else None


def read_thoughts(text: Any) -> Thoughts:
    """Read the thoughts from a state that a producer sent back."""
    parsed = parse(text) if isinstance(text, str) else None
    state = parsed.value if isinstance(parsed, Parsed) else None
    if not isinstance(state, Mapping):
        return Thoughts()
    found = state.get("reasoning")
    items: list[tuple[int, Item]] = []
    for pair in found[:_MOST] if isinstance(found, list) else ():
        match pair:
            case [int(place), Mapping() as item] if (known := _reasoning(item)) is not None:
                items.append((place, known))
            case _:
                pass
    phase = state.get("phase")
    return Thoughts(tuple(items), phase if phase in _PHASES else None)


def _reasoning(item: Item) -> Item | None:
    """The item with its valid known fields; None if it has no content."""
    item_id, sealed = item.get("id"), item.get("encrypted_content")
    content = _texts(item.get("content"), "reasoning_text")
    is_sealed = isinstance(sealed, str) and bool(sealed)
    if not isinstance(item_id, str) or not (is_sealed or content):
        return None
    known: dict[str, Any] = {
        "type": "reasoning",
        "id": item_id,
        "summary": _texts(item.get("summary"), "summary_text"),
    }
    if is_sealed:
        known["encrypted_content"] = sealed
    if content:
        known["content"] = content
    return known


def _texts(parts: Any, kind: str) -> list[dict[str, str]]:
    return [
        {"type": kind, "text": part["text"]}
        for part in (parts[:_MOST] if isinstance(parts, list) else ())
        if isinstance(part, Mapping) and isinstance(part.get("text"), str)
    ]
