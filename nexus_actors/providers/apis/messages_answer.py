"""An answer of Anthropic's Messages API, read leniently.

Source: https://platform.claude.com/docs/en/api/messages

What went in is the sum of three counts: fresh, written to the cache, and read from it. Blocks that
are neither text nor calls (thinking, the provider's own tools) are not told.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from nexus_actors.contract.result import Usage
from nexus_actors.providers.failures import failed_inside, read_complaint
from nexus_actors.providers.http.api import MOST_TOKENS, Reading, count, invalid, text_or_none
from nexus_actors.providers.port import ProviderFailure

FINISH: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def read_message(value: Mapping[str, Any]) -> Reading | ProviderFailure:
    """The answer in `value`; a failure where it is none."""
    if value.get("error"):
        return failed_inside(read_complaint(value["error"]))
    content = value.get("content")
    if not isinstance(content, list):
        return invalid("no content")
    blocks = [block for block in content if isinstance(block, Mapping)]
    texts = [block["text"] for block in blocks if isinstance(block.get("text"), str)]
    calls = tuple(_call(block) for block in blocks if block.get("type") == "tool_use")
    text = "".join(texts)
    native = text_or_none(value.get("stop_reason"))
    return Reading(
        response=text or (None if calls else ""),
        usage=_usage(value.get("usage")),
        finish_reason=None if native is None else FINISH.get(native, native),
        native_finish_reason=native,
        response_id=text_or_none(value.get("id")),
        tool_calls=calls,
        served_model=text_or_none(value.get("model")),
        cache_write_tokens=count(value.get("usage"), "cache_creation_input_tokens"),
    )


def _call(block: Mapping[str, Any]) -> Mapping[str, Any]:
    arguments = json.dumps(block.get("input") or {}, separators=(",", ":"), ensure_ascii=False)
    function = {"name": text_or_none(block.get("name")) or "", "arguments": arguments}
    return {"id": text_or_none(block.get("id")) or "", "type": "function", "function": function}


def _usage(value: Any) -> Usage | None:
    if not isinstance(value, Mapping):
        return None
    cached = count(value, "cache_read_input_tokens")
    prompt = count(value, "input_tokens") + cached + count(value, "cache_creation_input_tokens")
    prompt, completion = min(prompt, MOST_TOKENS), count(value, "output_tokens")
    thinking = count(value.get("output_tokens_details"), "thinking_tokens")
    return Usage(prompt, completion, min(prompt + completion, MOST_TOKENS), cached, thinking)
