"""An answer as all sides can tell it: text, calls, why it ended, what it counted."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

Reading = Mapping[str, Any]
FAILED: Final[Reading] = {"failed": True}
"""It was no answer."""


def reading(
    text: str | None,
    calls: Iterable[tuple[str | None, str | None, Any]],
    finish: str | None,
    usage: Mapping[str, int] | None,
) -> Reading:
    """`calls`: id, name and arguments; `finish` in the chat API's words."""
    return {
        "text": text or "",
        "calls": [
            {"id": call_id, "name": name, "arguments": _decoded(arguments)}
            for call_id, name, arguments in calls
        ],
        "finish": finish,
        "usage": usage or counts(0, 0),
    }


def counts(prompt: Any, completion: Any, cached: Any = 0, thought: Any = 0) -> dict[str, int]:
    """Tokens; cached ones are among the prompt's, thought ones among the answer's."""
    return {
        "prompt": prompt or 0,
        "completion": completion or 0,
        "cached": cached or 0,
        "reasoning": thought or 0,
    }


def _decoded(arguments: Any) -> Any:
    if not isinstance(arguments, str):
        return arguments
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


def of_chat(answer: Any) -> Reading:
    """A chat completion of OpenAI's client, or LiteLLM's imitation of it."""
    choice = answer.choices[0]
    message = choice.message
    made = [(it.id, it.function.name, it.function.arguments) for it in message.tool_calls or ()]
    usage = getattr(answer, "usage", None)
    told = None
    if usage is not None:
        inside = getattr(usage, "prompt_tokens_details", None)
        outside = getattr(usage, "completion_tokens_details", None)
        told = counts(
            usage.prompt_tokens,
            usage.completion_tokens,
            getattr(inside, "cached_tokens", 0),
            getattr(outside, "reasoning_tokens", 0),
        )
    return reading(message.content, made, choice.finish_reason, told)


def of_response(answer: Any) -> Reading:
    """An answer of the Responses API, of OpenAI's client or of LiteLLM."""
    if answer.status == "failed":
        return FAILED
    texts, made = [], []
    for item in answer.output:
        if item.type == "message":
            texts += [getattr(part, "text", None) or "" for part in item.content]
        elif item.type == "function_call":
            made.append((item.call_id, item.name, item.arguments))
    finish = "tool_calls" if made else "stop"
    if answer.status == "incomplete":
        why = answer.incomplete_details.reason
        finish = {"max_output_tokens": "length"}.get(why, why)
    told = None
    if (usage := answer.usage) is not None:
        told = counts(
            usage.input_tokens,
            usage.output_tokens,
            getattr(usage.input_tokens_details, "cached_tokens", 0),
            getattr(usage.output_tokens_details, "reasoning_tokens", 0),
        )
    return reading("".join(texts), made, finish, told)
