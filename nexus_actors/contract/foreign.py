"""Fields of other APIs that the contract does not have. They are refused if ignoring them would
change the question, and otherwise reported by name.

Names are a producer's text, so they are cleaned, and bounded in length and number.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from nexus_actors.contract.wire import FIELDS
from nexus_actors.contract.wrong import Wrong

MOST_NAMES: Final = 20
LONGEST_NAME: Final = 64
"""Characters."""
MOST_NOTES: Final = 100
LONGEST_NOTE: Final = 300
"""Characters."""

_OWN: Final = frozenset({"timestamp", "retry_of", "traceparent"})
"""Fields of the envelope: known, but not for providers."""
_HARMLESS: Final[Mapping[str, Any]] = {
    "background": False,
    "inference_geo": "global",
    "response_mime_type": "text/plain",
}
"""Values with which a field asks for what happens anyway."""
_REFUSED: Final[Mapping[str, str]] = {
    # Responses: the provider stores what is to be answered, or how.
    "background": "false: the answer is waited for",
    "conversation": "messages, or previous_response_id",
    "prompt": "messages: no template that a provider keeps is known here",
    # Anthropic
    "inference_geo": "a provider that answers there: the place is not ours to promise",
    "thread": "messages",
    # Gemini, with the names of its client. Its API writes them in camel case.
    "cached_content": "messages",
    "contents": "messages",
    "continuation_token": "messages",
    "response_json_schema": "response_format",
    "response_mime_type": "response_format",
    "response_schema": "response_format",
    "system_instruction": "system, or a system message",
    "tool_config": "tool_choice",
}
"""What to use instead of the field."""
_PROMPT: Final = "the text in input or messages"
"""The same for a prompt that is the question itself, no template."""
_CAPITAL: Final = re.compile(r"(?<=[a-z])[A-Z]")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Line ends, control characters, direction marks, and surrogates."""
_ODD: Final = re.compile(r"[^\w.\-\[\]…]")


def refused_field(fields: Mapping[str, Any]) -> Wrong | None:
    """The first field that would change the question if it were ignored."""
    for name, value in fields.items():
        if name not in FIELDS:
            plain = _snake(name)
            if plain in _REFUSED and not _is_harmless(plain, value):
                is_text = plain == "prompt" and isinstance(value, str)
                return Wrong((name,), _PROMPT if is_text else _REFUSED[plain], value)
    return None


def fields_outside(value: Mapping[str, Any]) -> list[str]:
    """The names beside the wrapped request in `{"request": {…}}`."""
    envelope = _OWN | {"request", "request_id"}
    return [name for name, item in value.items() if item is not None and name not in envelope]


def unknown_fields(fields: Mapping[str, Any]) -> list[str]:
    """The names of all other unknown fields, as sent."""
    return [
        name
        for name, value in fields.items()
        if name not in FIELDS and name not in _OWN and not _is_harmless(_snake(name), value)
    ]


def bounded(names: Sequence[str]) -> tuple[str, ...]:
    """The first names, cleaned, and the number of further ones."""
    shown = tuple(clean_name(name) for name in names[:MOST_NAMES])
    rest = len(names) - len(shown)
    return (*shown, f"… and {rest} more") if rest else shown


def bounded_notes(notes: Iterable[str]) -> tuple[str, ...]:
    """The notes for `dropped`, which may contain foreign text: without duplicates, each on one
    line, bounded in length and number."""
    different = tuple(dict.fromkeys(map(_clean_note, notes)))
    rest = len(different) - MOST_NOTES
    return (*different[:MOST_NOTES], f"… and {rest} more") if rest > 0 else different


def _clean_note(note: str) -> str:
    if len(note) > LONGEST_NOTE:
        note = note[: LONGEST_NOTE - 1] + "…"
    return _UNPRINTABLE.sub("\ufffd", note)


def _snake(name: str) -> str:
    # Known names are much shorter, and a name may be as long as a message.
    if len(name) > LONGEST_NAME:
        return ""
    return _CAPITAL.sub(lambda found: f"_{found[0].lower()}", name)


def _is_harmless(name: str, value: Any) -> bool:
    return name in _HARMLESS and value == _HARMLESS[name]


def clean_name(name: str) -> str:
    """Clean a name so that it cannot be mistaken for our own text, which has blanks and colons."""
    if len(name) > LONGEST_NAME:
        name = name[: LONGEST_NAME - 1] + "…"
    return _ODD.sub("\ufffd", name) or "\ufffd"
