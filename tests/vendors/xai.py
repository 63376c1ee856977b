"""xAI's side. https://docs.x.ai/docs/api-reference, https://docs.x.ai/docs/guides/reasoning"""

from collections.abc import Iterable
from typing import Any

from tests.http_server import Recorded, Reply
from tests.vendors import chat


def _reasons(body: chat.Body) -> bool:
    model = body["model"]
    return "non-reasoning" not in model and model not in ("grok-3", "grok-2")


def _efforts(model: str) -> Iterable[str]:
    if model == "grok-3-mini":
        return ("low", "high")
    if model.startswith("grok-4.3"):
        return ("none", "low", "medium", "high")
    return ("low", "medium", "high") if model.startswith(("grok-4.5", "grok-4.6")) else ()


def _error(message: str) -> Any:
    return {"code": "Client specified an invalid argument", "error": message}


VENDOR = chat.Vendor(
    path="/v1/chat/completions",
    error=_error,
    rules=(
        chat.only(
            *chat.BASIC,
            *chat.SAMPLERS,
            *chat.TOOLS,
            "max_completion_tokens",
            "reasoning_effort",
            "user",
        ),
        chat.message_keys(
            allowed={
                "system": {"role", "content"},
                "user": {"role", "content", "name"},
                "assistant": {"role", "content", "tool_calls", "reasoning_content"},
                "tool": {"role", "content", "tool_call_id"},
            }
        ),
        chat.part_keys(text={"text"}, image_url={"image_url"}),
        chat.images(),
        chat.without(
            ("presence_penalty", "frequency_penalty", "stop"),
            _reasons,
            "is not supported by reasoning models",
        ),
        chat.stops(4),
        chat.values("reasoning_effort", _efforts),
    ),
    # reasoning stands beside the completion; ten billion ticks a dollar
    usage={
        "prompt_tokens": 20,
        "completion_tokens": 8,
        "total_tokens": 128,
        "completion_tokens_details": {"reasoning_tokens": 100},
        "cost_in_usd_ticks": 12_500_000,
    },
)


def answer(request: Recorded) -> Reply:
    return chat.answer(VENDOR, request)


def refusal(request: Recorded) -> Reply | None:
    return chat.refusal(VENDOR, request)
