"""Reads an answer of the chat completions API leniently: only the necessary fields are required.

Source: https://platform.openai.com/docs/api-reference/chat/object

- `content` may be text, a list of parts, or null. With neither text nor tool calls the answer is
  "", and `finish_reason` (`length`, `content_filter`) says why. A `refusal` counts as the text.
- An answer with calls ends by `tool_calls`, whatever the server says; `tool_calls` without calls
  becomes `stop`. Unusable calls (`chat/calls.py`) are never published: an answer that ended early
  is published without them, which is reported; any other answer is a fault.
- The end `error` without a message is a failure. Unknown finish reasons stay unchanged.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from nexus_actors.providers.apis.chat.calls import BrokenCall, read_calls
from nexus_actors.providers.apis.chat.state import message_state
from nexus_actors.providers.apis.chat.usage import read_spent
from nexus_actors.providers.failures import Complaint, failed_inside, read_complaint
from nexus_actors.providers.http.api import Reading, invalid, text_or_none
from nexus_actors.providers.port import ProviderFailure

_FINISHES: Final = {
    "function_call": "tool_calls",
    "tool_call": "tool_calls",
    "model_length": "length",
    "max_tokens": "length",
    "eos": "stop",
}
"""Names other than OpenAI's: its own older one, Mistral's, Together's."""
_BY_CALLS: Final = (None, "stop", "tool_calls")
"""Ends that mean `tool_calls` if there are calls: some servers send `stop`, xAI sends none."""
_EARLY: Final = (
    "length",
    "content_filter",
    "error",
    "insufficient_system_resource",
    "sensitive",
    "network_error",
)
"""Ends before the answer is complete. The last three are DeepSeek's and Zhipu's."""


def read_chat(value: Mapping[str, Any]) -> Reading | ProviderFailure:
    """Read the answer in `value`. A failure if there is none."""
    choice = _first_choice(value)
    # An error counts before the answer beside it, which was interrupted.
    error = value.get("error") or (choice or {}).get("error")
    if error:
        return failed_inside(read_complaint(error))
    if choice is None or not isinstance(choice.get("message"), Mapping):
        return invalid("no choices[0].message")
    return _read(value, choice, choice["message"])


def _read(
    value: Mapping[str, Any], choice: Mapping[str, Any], message: Mapping[str, Any]
) -> Reading | ProviderFailure:
    answer_id = text_or_none(value.get("id"))
    native = text_or_none(choice.get("finish_reason"))
    finish = _FINISHES.get(native, native) if native else None
    cut = finish in _EARLY
    calls, broken = read_calls(message, answer_id or "", cut=cut)
    if finish in _BY_CALLS and (calls or finish):
        finish = "tool_calls" if calls else "stop"
    text = _text(message)
    if finish == "error" and not (text or calls):
        return failed_inside(Complaint(message="the answer ended by an error, without a word"))
    spent = read_spent(value)
    return Reading(
        response=text or (None if calls else ""),
        finish_reason=finish,
        native_finish_reason=text_or_none(choice.get("native_finish_reason")) or native,
        response_id=answer_id,
        tool_calls=calls,
        served_model=text_or_none(value.get("model")),
        state=message_state(message),
        dropped=tuple(f"tool_calls[{it.place}]: cut off" for it in broken) if cut else (),
        fault=_fault(broken) if broken and not cut else None,
        **{it.name: getattr(spent, it.name) for it in fields(spent)},
    )


def _fault(broken: tuple[BrokenCall, ...]) -> str:
    return f"tool_calls[{broken[0].place}]: {broken[0].why}"


def _first_choice(value: Mapping[str, Any]) -> Mapping[str, Any] | None:
    choices = value.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, Mapping) else None


def _text(message: Mapping[str, Any]) -> str:
    return content_text(message.get("content")) or text_or_none(message.get("refusal")) or ""


def content_text(content: Any) -> str:
    """The text of a message's content, or of a delta's."""
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, Mapping))
        return "".join(part for part in parts if isinstance(part, str))
    return text_or_none(content) or ""
