"""Answers as the official client's own models write them, and the events of streams."""

from functools import cache
from typing import Any

from pydantic import TypeAdapter

from tests.lazy import Lazy

responses = Lazy("openai.types.responses")

USAGE = {
    "input_tokens": 20,
    "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 4},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 29,
}
CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "weather",
    "arguments": '{"city": "Oslo"}',
    "status": "completed",
}
CHAT_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
}


def text(*texts: str) -> dict[str, Any]:
    """A message with these parts of text."""
    return _message([{"type": "output_text", "text": it, "annotations": []} for it in texts])


def refusal(text: str) -> dict[str, Any]:
    return _message([{"type": "refusal", "refusal": text}])


def _message(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": parts,
    }


def response(*output: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A response as JSON, checked and written by the client's model."""
    fields = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_700_000_000,
        "model": "gpt-5-2025-08-07",
        "status": "completed",
        "output": list(output),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": USAGE,
    }
    made = responses.Response.model_validate(fields | changes, strict=False)
    dumped: dict[str, Any] = made.model_dump(mode="json")
    return dumped


@cache
def _events() -> TypeAdapter[Any]:
    return TypeAdapter(responses.ResponseStreamEvent)


def event(kind: str, **fields: Any) -> dict[str, Any]:
    """One event of a stream as JSON, checked and written by the client's model of it."""
    built = _events().validate_python({"type": kind, "sequence_number": 1, **fields})
    dumped: dict[str, Any] = built.model_dump(mode="json")
    assert dumped["type"] == kind
    return dumped


def delta(text: str, kind: str = "response.output_text.delta") -> dict[str, Any]:
    where = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    more: dict[str, Any] = {"logprobs": []} if kind == "response.output_text.delta" else {}
    return event(kind, delta=text, **where, **more)
