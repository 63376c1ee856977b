"""Keeps a Claude's thinking with an answer, and restores it to its place.

The API requires thinking blocks unchanged and in order, before the calls that they led to:
https://platform.claude.com/docs/en/build-with-claude/thinking. Our answers have one text and a list
of calls, so the state contains the layout of the content: an integer is a run of text with that
many characters, `"call"` is the next call, an object is a thinking block.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from nexus_actors.contract.json_text import Parsed, dump, parse

_Block = dict[str, Any]
Layout: TypeAlias = list[int | str | _Block]
_CALL = "call"


def thought(block: Any) -> _Block | None:
    """A thinking block with only its known fields. None for any other block, and for one without
    the signature that the API requires."""
    match block:
        case {"type": "thinking", "thinking": str(text), "signature": str(signature)} if signature:
            return {"type": "thinking", "thinking": text, "signature": signature}
        case {"type": "redacted_thinking", "data": str(data)} if data:
            return {"type": "redacted_thinking", "data": data}
        case _:
            return None


def written_state(blocks: Sequence[Mapping[str, Any]], left_out: frozenset[int]) -> str | None:
    """The state of an answer's content; None if it has no thinking.

    `left_out`: indexes of calls that are not published.
    """
    layout: Layout = []
    for place, block in enumerate(blocks):
        if (kept := thought(block)) is not None:
            layout.append(kept)
        elif block.get("type") == "tool_use":
            if place not in left_out:
                layout.append(_CALL)
        elif isinstance(block.get("text"), str) and block["text"]:
            layout.append(len(block["text"]))
    return dump({"content": layout}) if any(isinstance(it, dict) for it in layout) else None


def read_state(state: str | None) -> Layout | None:
    """The layout in a state, which is untrusted text; None if it has no thinking."""
    parsed = parse(state) if state else None
    value = parsed.value if isinstance(parsed, Parsed) else None
    content = value.get("content") if isinstance(value, Mapping) else None
    if not isinstance(content, list):
        return None
    layout: Layout = []
    for item in content:
        if item == _CALL or (isinstance(item, int) and not isinstance(item, bool) and item > 0):
            layout.append(item)
        elif (kept := thought(item)) is not None:
            layout.append(kept)
    return layout if any(isinstance(it, dict) for it in layout) else None


def laid_out(layout: Layout, text: str, calls: Sequence[_Block]) -> list[_Block]:
    """Restore the content. If the producer has changed the text or the calls, the remainder is at
    the end."""
    blocks: list[_Block] = []
    waiting = list(calls)
    at = 0
    for item in layout:
        match item:
            case int():
                blocks += _text(text[at : at + item])
                at += item
            case str():
                if waiting:
                    blocks.append(waiting.pop(0))
            case _:
                blocks.append(dict(item))
    return [*blocks, *_text(text[at:]), *waiting]


def _text(text: str) -> list[_Block]:
    return [{"type": "text", "text": text}] if text.strip() else []
