"""Assembles a streamed answer of Gemini's: each event is an answer with only the new parts.

Source: https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent
"""

from collections.abc import Mapping
from typing import Any, Final

from nexus_actors.providers.apis.generate_content.answer import (
    block_reason,
    content_parts,
    first_candidate,
    spoken,
)

_FIELDS: Final = (
    "error",
    "promptFeedback",
    "usageMetadata",
    "modelVersion",
    "responseId",
    "serviceTier",
)


class GenerateContentStream:
    """Takes chunks. Candidates other than the first are ignored."""

    def __init__(self) -> None:
        self._fields: dict[str, Any] = {}
        self._candidate: dict[str, Any] = {}
        self._grounding: dict[str, Any] = {}
        self._parts: list[Mapping[str, Any]] = []

    def take(self, event: Mapping[str, Any]) -> str:
        """Take one chunk. Returns the text that it adds."""
        ended = "finishReason" in self._candidate
        for name in _FIELDS:
            # A complete answer stands, whatever error comes after.
            if event.get(name) and not (ended and name == "error"):
                self._fields[name] = event[name]
        candidate = first_candidate(event)
        if candidate.get("index"):
            return ""
        if candidate.get("finishReason"):
            self._candidate["finishReason"] = candidate["finishReason"]
        grounding = candidate.get("groundingMetadata")
        if isinstance(grounding, Mapping):
            self._grounding |= {name: value for name, value in grounding.items() if value}
        parts = content_parts(candidate)
        self._parts += parts
        return "".join(map(spoken, parts))

    def whole(self) -> Mapping[str, Any] | None:
        """The answer, once a finish reason, an error or a block reason has come; else None."""
        ended = "finishReason" in self._candidate
        if not ended and not self._fields.get("error") and not block_reason(self._fields):
            return None
        content = {"role": "model", "parts": self._parts}
        candidate = {**self._candidate, "groundingMetadata": self._grounding, "content": content}
        return {**self._fields, "candidates": [candidate]}
