"""The state that a server of chat completions wants back with a message: reasoning and signatures.

- `reasoning_content`: DeepSeek (https://api-docs.deepseek.com/guides/thinking_mode), llama.cpp;
- `reasoning`: Groq, Ollama, OpenRouter; `reasoning_details`: OpenRouter
  (https://openrouter.ai/docs/guides/best-practices/reasoning-tokens);
- `extra_content`, of the message and of each call: Gemini's chat API
  (https://ai.google.dev/gemini-api/docs/thought-signatures).

It is stored as JSON text, and sent back under the same names. Since a producer passes it on, only
values in the form of an answer's are accepted.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from nexus_actors.contract.json_text import Parsed, parse
from nexus_actors.contract.provider_state import STATE, UNREADABLE
from nexus_actors.providers.takes import Takes

MESSAGE_KEYS: Final = ("reasoning_content", "reasoning", "reasoning_details", "extra_content")
CALL_KEYS: Final = ("extra_content",)


def message_state(message: Mapping[str, Any]) -> str | None:
    """The state of this message of an answer; None if it has none."""
    return _written(_in_form(message, MESSAGE_KEYS))


def call_state(call: Mapping[str, Any]) -> str | None:
    """The state of this call of an answer; None if it has none."""
    return _written(_in_form(call, CALL_KEYS))


def _written(kept: Mapping[str, Any]) -> str | None:
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":")) if kept else None


def _in_form(holder: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: holder[key] for key in keys if _has_form(key, holder.get(key))}


def _has_form(key: str, value: Any) -> bool:
    match key:
        case "reasoning_details":
            listed = isinstance(value, list | tuple) and bool(value)
            return listed and all(isinstance(it, Mapping) for it in value)
        case "extra_content":
            return isinstance(value, Mapping) and bool(value)
        case _:
            return isinstance(value, str) and bool(value)


def replayed(
    holder: Mapping[str, Any],
    path: str,
    keys: tuple[str, ...],
    takes: Takes,
    dropped: list[str],
) -> dict[str, Any]:
    """The fields to send back with a message or a call of a request: from its state, or else from
    the producer's fields of the same names, if the model accepts these. Others are reported."""
    text = holder.get(STATE)
    parsed = parse(text) if isinstance(text, str) else None
    if isinstance(parsed, Parsed) and isinstance(parsed.value, Mapping):
        sealed = _in_form(parsed.value, keys)
    else:
        sealed = {}
    if text is not None and not sealed:
        dropped.append(f"{path}.{STATE}: {UNREADABLE}")
    written = _in_form(holder, tuple(key for key in keys if key in takes.foreign))
    sent = {**written, **sealed}
    omitted = (key for key in keys if holder.get(key) and sent.get(key) != holder[key])
    dropped += [f"{path}.{key}" for key in omitted]
    return sent
