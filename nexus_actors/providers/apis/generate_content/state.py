"""The state that Gemini wants back with an answer: signatures of its thoughts, each with its part.

Source: https://ai.google.dev/gemini-api/docs/thought-signatures. A signed part must not be joined
with an unsigned one, so the state of a message has the position of each in the text.

A message's state is JSON text: `{"length": L, "signed": [[from, to, signature], …]}`, in characters
of the text; a call's is `{"thought_signature": …}`. Since a producer passes them on, anything in
another form is ignored.
"""

import json
import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, Final

from nexus_actors.contract.json_text import Parsed, parse

_SIGNATURE: Final = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
"""Base64 in either alphabet."""


def write_signed_texts(parts: Iterable[tuple[str, str | None]]) -> str | None:
    """The state of a message with these parts, each a text and its signature or None."""
    signed: list[tuple[int, int, str]] = []
    length = 0
    for text, signature in parts:
        if signature and _SIGNATURE.fullmatch(signature):
            signed.append((length, length + len(text), signature))
        length += len(text)
    return _dump({"length": length, "signed": signed}) if signed else None


def read_signed_texts(state: str, text: str) -> list[tuple[str, str | None]] | None:
    """Split `text` into its original parts, with their signatures. None if the state belongs to
    another text."""
    match _load(state):
        case {"length": int(length), "signed": list(found)} if length == len(text):
            pass
        case _:
            return None
    signed = [_read(it) for it in found]
    ends = [0, *(end for it in signed if it for end in it[:2]), length]
    if None in signed or any(before > after for before, after in pairwise(ends)):
        return None
    parts: list[tuple[str, str | None]] = []
    last = 0
    for start, end, signature in (it for it in signed if it):
        if start > last:
            parts.append((text[last:start], None))
        parts.append((text[start:end], signature))
        last = end
    return [*parts, (text[last:], None)] if last < length else parts


def _read(item: Any) -> tuple[int, int, str] | None:
    match item:
        case [int(start), int(end), str(signature)] if _SIGNATURE.fullmatch(signature):
            return start, end, signature
        case _:
            return None


def write_call_state(signature: str | None) -> str | None:
    """The state of a call with this signature."""
    return _dump({"thought_signature": signature}) if signature else None


def read_call_state(state: str | None) -> str | None:
    """The signature in a call's state."""
    match _load(state):
        case {"thought_signature": str(signature)} if _SIGNATURE.fullmatch(signature):
            return signature
        case _:
            return None


def _dump(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))


def _load(state: str | None) -> Any:
    parsed = parse(state) if state else None
    return parsed.value if isinstance(parsed, Parsed) else None
