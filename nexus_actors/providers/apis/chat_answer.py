"""An answer of the chat completions API, read leniently: what is not needed may be absent.

Source: https://platform.openai.com/docs/api-reference/chat/object

- A total that is absent is the sum. Reasoning that the total has besides the completion (xAI) is
  added to the completion, as it is paid.
- `content` may be text, a list of parts, or null; with neither text nor tool calls the answer is
  "", and `finish_reason` (`length`, `content_filter`) tells why. A `refusal` counts as the text.
"""

from collections.abc import Mapping
from typing import Any

from nexus_actors.contract.result import Usage
from nexus_actors.providers.failures import failed_inside, read_complaint
from nexus_actors.providers.http.api import MOST_TOKENS, Reading, count, invalid, text_or_none
from nexus_actors.providers.port import ProviderFailure

_FINISHES = {"function_call": "tool_calls", "model_length": "length", "eos": "stop"}
"""Reasons by names other than OpenAI's: its own older one, Mistral's, Together's."""


def read_chat(value: Mapping[str, Any]) -> Reading | ProviderFailure:
    """The answer in `value`; a failure where it is none."""
    choice = _first_choice(value)
    # An error counts before the answer it came with: that one was broken off.
    error = value.get("error") or (choice or {}).get("error")
    if error:
        return failed_inside(read_complaint(error))
    if choice is None or not isinstance(choice.get("message"), Mapping):
        return invalid("no choices[0].message")
    finish = text_or_none(choice.get("finish_reason"))
    return Reading(
        response=_response(choice["message"]),
        usage=_usage(value.get("usage")),
        finish_reason=_FINISHES.get(finish, finish) if finish else None,
        native_finish_reason=text_or_none(choice.get("native_finish_reason")) or finish,
        response_id=text_or_none(value.get("id")),
        tool_calls=_tool_calls(choice["message"]),
        served_model=text_or_none(value.get("model")),
    )


def _first_choice(value: Mapping[str, Any]) -> Mapping[str, Any] | None:
    choices = value.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, Mapping) else None


def _response(message: Mapping[str, Any]) -> str | None:
    if content := content_text(message.get("content")):
        return content
    if _tool_calls(message):
        return None
    return text_or_none(message.get("refusal")) or ""


def content_text(content: Any) -> str:
    """The text of a message's content, or of a stretch of it."""
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, Mapping))
        return "".join(part for part in parts if isinstance(part, str))
    return text_or_none(content) or ""


def _tool_calls(message: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    calls = message.get("tool_calls")
    return tuple(c for c in calls if isinstance(c, Mapping)) if isinstance(calls, list) else ()


def _usage(value: Any) -> Usage | None:
    if not isinstance(value, Mapping):
        return None
    prompt, completion = count(value, "prompt_tokens"), count(value, "completion_tokens")
    reasoning = count(value.get("completion_tokens_details"), "reasoning_tokens")
    total = count(value, "total_tokens")
    if total == prompt + completion + reasoning:  # as xAI counts
        completion += reasoning
    return Usage(
        prompt,
        completion,
        total or min(prompt + completion, MOST_TOKENS),
        count(value.get("prompt_tokens_details"), "cached_tokens"),
        reasoning,
    )
