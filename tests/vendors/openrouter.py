"""OpenRouter's side.

https://openrouter.ai/docs/api/api-reference/chat/create-a-chat-completion
https://openrouter.ai/docs/guides/best-practices/reasoning-tokens
"""

from collections.abc import Iterator
from typing import Any

from tests.http_server import Recorded, Reply
from tests.vendors import chat

DETAILS = [
    {
        "type": "reasoning.text",
        "text": "The tool knows the weather.",
        "signature": "sig-1",
        "format": "anthropic-claude-v1",
        "index": 0,
    },
    {
        "type": "reasoning.encrypted",
        "data": "ZW5jcnlwdGVk",
        "id": "rs_1",
        "format": "openai-responses-v1",
        "index": 1,
    },
]


def _message(_: chat.Body, message: dict[str, Any]) -> dict[str, Any]:
    return {**message, "reasoning": DETAILS[0]["text"], "reasoning_details": DETAILS}


def _pieces(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A text comes in pieces of the same index, its signature last; a sealed one whole."""
    text, sealed = message["reasoning_details"]
    bare = {"type": text["type"], "format": text["format"], "index": 0, "signature": None}
    yield {"content": "", "reasoning_details": [{**bare, "text": text["text"][:9]}]}
    yield {"content": "", "reasoning_details": [{**bare, "text": text["text"][9:]}]}
    yield {"content": "", "reasoning_details": [{**bare, "signature": text["signature"]}]}
    yield {"content": "", "reasoning_details": [sealed]}
    yield from chat.deltas({**message, "reasoning": message["reasoning"]})


def _details_form(body: chat.Body) -> str | None:
    """They go back as they came, unchanged and in order."""
    for message in body["messages"]:
        details = message.get("reasoning_details")
        if details is not None and details != DETAILS:
            return "reasoning_details: invalid"
    return None


VENDOR = chat.Vendor(
    path="/api/v1/chat/completions",
    error=lambda message: {"error": {"code": 400, "message": message}},
    rules=(
        chat.only(
            *chat.BASIC,
            *chat.SAMPLERS,
            *chat.TOOLS,
            "top_k",
            "reasoning_effort",
            "verbosity",
            "user",
            "metadata",
            "service_tier",
            "cache_control",
        ),
        chat.message_keys(assistant={"reasoning", "reasoning_details"}, tool={"name"}),
        # https://openrouter.ai/docs/guides/best-practices/prompt-caching
        chat.part_keys(
            text={"text", "cache_control"},
            image_url={"image_url", "cache_control"},
            file={"file", "cache_control"},
            input_audio={"input_audio", "cache_control"},
        ),
        chat.images(),
        chat.values(
            "reasoning_effort", lambda _: ("none", "minimal", "low", "medium", "high", "xhigh")
        ),
        _details_form,
    ),
    message=_message,
    pieces=_pieces,
    # https://openrouter.ai/docs/use-cases/usage-accounting
    usage={
        "prompt_tokens": 20,
        "completion_tokens": 8,
        "total_tokens": 28,
        "prompt_tokens_details": {"cached_tokens": 12, "cache_write_tokens": 4},
        "cost": 0.00125,
        "cost_details": {"upstream_inference_cost": None},
        "is_byok": False,
    },
)


def answer(request: Recorded) -> Reply:
    return chat.answer(VENDOR, request)


def refusal(request: Recorded) -> Reply | None:
    return chat.refusal(VENDOR, request)
