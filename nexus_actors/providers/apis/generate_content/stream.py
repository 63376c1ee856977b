"""A streamed answer of Gemini's, put together: each event is an answer that tells what is new.

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
    """Takes chunks; what of a candidate other than the first comes is passed over."""

    def __init__(self) -> None:
        self._told: dict[str, Any] = {}
        self._candidate: dict[str, Any] = {}
        self._parts: list[Mapping[str, Any]] = []

    def take(self, event: Mapping[str, Any]) -> str:
        """The text of one chunk."""
        for name in _TOLD:
            if event.get(name):
                self._told[name] = event[name]
        candidate = first_candidate(event)
        if candidate.get("index"):
            return ""
        for name in ("finishReason", "groundingMetadata"):
            if candidate.get(name):
                self._candidate[name] = candidate[name]
        parts = content_parts(candidate)
        self._parts += parts
        return "".join(map(spoken, parts))

    def whole(self) -> Mapping[str, Any] | None:
        """The answer, once its finish reason came; or what says that none will come."""
        ended = "finishReason" in self._candidate
        if not ended and not self._told.get("error") and not block_reason(self._told):
            return None
        content = {"role": "model", "parts": self._parts}
        return {**self._told, "candidates": [{**self._candidate, "content": content}]}
