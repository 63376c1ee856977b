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

_TOLD: Final = (
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
        self._told: dict[str, Any] = {}
        self._candidate: dict[str, Any] = {}
        self._grounding: dict[str, Any] = {}
        self._parts: list[Mapping[str, Any]] = []

    def take(self, event: Mapping[str, Any]) -> str:
        """Take one chunk. Returns the text that it adds."""
        ended = "finishReason" in self._candidate
        for name in _TOLD:
            # A complete answer stands, whatever error comes after.
            if event.get(name) and not (ended and name == "error"):
                self._told[name] = event[name]
        candidate = first_candidate(event)
        if candidate.get("index"):
            return ""
        if candidate.get("finishReason"):
            self._candidate["finishReason"] = candidate["finishReason"]
        grounding = candidate.get("groundingMetadata")
        if isinstance(grounding, Mapping):
            self._grounding |= {name: told for name, told in grounding.items() if told}
        parts = content_parts(candidate)
        self._parts += parts
        return "".join(map(spoken, parts))

    def whole(self) -> Mapping[str, Any] | None:
        """The answer, once a finish reason, an error or a block reason has come; else None."""
        ended = "finishReason" in self._candidate
        if not ended and not self._told.get("error") and not block_reason(self._told):
            return None
        content = {"role": "model", "parts": self._parts}
        candidate = {**self._candidate, "groundingMetadata": self._grounding, "content": content}
        return {**self._told, "candidates": [candidate]}
