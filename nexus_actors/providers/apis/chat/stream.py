"""Assembles a streamed answer of the chat completions API, for `chat/answer.py` to read.

Source: https://platform.openai.com/docs/api-reference/chat-streaming

Pieces of text are joined once, at the end.
"""

from collections.abc import Mapping
from typing import Any, Final

from nexus_actors.providers.apis.chat.answer import content_text
from nexus_actors.providers.apis.chat.stream_calls import StreamedCalls
from nexus_actors.providers.apis.chat.stream_reasoning import ReasoningDetails
from nexus_actors.providers.apis.chat.usage import with_earlier
from nexus_actors.providers.http.api import text_or_none

_TEXTS: Final = ("refusal", "reasoning_content", "reasoning")


class ChatStream:
    """Takes chunks. Choices other than the first are ignored."""

    def __init__(self) -> None:
        self._fields: dict[str, Any] = {}
        self._finish: dict[str, Any] = {}
        self._content: list[str] = []
        self._texts: dict[str, list[str]] = {name: [] for name in _TEXTS}
        self._details = ReasoningDetails()
        self._extra: dict[str, Any] = {}
        self._calls = StreamedCalls()
        self._by_deltas = False
        self._error: Any = None

    def take(self, event: Mapping[str, Any]) -> str:
        """Take one chunk. Returns the text that it adds."""
        if not self._finish:  # a complete answer stands, whatever comes after
            self._error = self._error or event.get("error")
        groq = event.get("x_groq")
        for holder, names in (
            (groq, ("usage",)),
            (event, ("id", "model", "usage", "service_tier")),
        ):
            self._tell(holder, names, self._fields)
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, Mapping) or choice.get("index"):
            return ""
        if not self._finish:
            self._error = self._error or choice.get("error")
        self._tell(choice, ("usage",), self._fields)  # where Moonshot sends it
        had_end = bool(self._finish)
        self._tell(choice, ("finish_reason", "native_finish_reason"), self._finish)
        text = self._take_delta(self._delta(choice))
        ends = bool(self._finish) and not had_end
        return self._refusal() if ends and not any(self._content) else text

    def _delta(self, choice: Mapping[str, Any]) -> Mapping[str, Any]:
        """The new part. Servers that only simulate streaming send a `message`."""
        delta, message = choice.get("delta"), choice.get("message")
        if isinstance(delta, Mapping) and any(it for key, it in delta.items() if key != "role"):
            self._by_deltas = True
            return delta
        return message if isinstance(message, Mapping) and not self._by_deltas else {}

    def _refusal(self) -> str:
        """The refusal, which is the answer if there is no other text. Only the end shows that."""
        return "".join(self._texts["refusal"])

    def _tell(self, holder: Any, names: tuple[str, ...], fields: dict[str, Any]) -> None:
        for name in names if isinstance(holder, Mapping) else ():
            if holder.get(name):
                said = holder[name]
                fields[name] = said if name != "usage" else with_earlier(fields.get(name), said)

    def _take_delta(self, delta: Mapping[str, Any]) -> str:
        text = content_text(delta.get("content"))
        self._content.append(text)
        for name, pieces in self._texts.items():
            pieces.append(text_or_none(delta.get(name)) or "")
        self._details.take(delta.get("reasoning_details"))
        extra = delta.get("extra_content")
        if isinstance(extra, Mapping):
            self._extra.update(extra)
        self._calls.take(delta.get("tool_calls"))
        if isinstance(delta.get("function_call"), Mapping):
            self._calls.take_legacy(delta["function_call"])
        return text

    def whole(self) -> Mapping[str, Any] | None:
        """The complete answer; None before its finish reason has come."""
        if self._error:
            return {**self._fields, "error": self._error}
        if not self._finish:
            return None
        message = {
            "role": "assistant",
            "content": "".join(self._content) or None,
            **{name: "".join(pieces) or None for name, pieces in self._texts.items()},
            "reasoning_details": self._details.whole(),
            "extra_content": self._extra,
            "tool_calls": self._calls.whole(),
        }
        return {**self._fields, "choices": [{"index": 0, "message": message, **self._finish}]}
