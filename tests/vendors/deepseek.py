"""DeepSeek's side. https://api-docs.deepseek.com/api/create-chat-completion

Thinking: https://api-docs.deepseek.com/guides/thinking_mode
"""

from typing import Any

from tests.http_server import Recorded, Reply
from tests.vendors import chat

REASONING = "The user wants the weather; there is a tool for it."


def thinks(body: chat.Body) -> bool:
    """On by default; `deepseek-chat` is the name of the mode without."""
    kind = (body.get("thinking") or {}).get("type")
    return kind == "enabled" or (kind is None and not body["model"].startswith("deepseek-chat"))


def _thinking_form(body: chat.Body) -> str | None:
    thinking = body.get("thinking")
    if thinking is not None and thinking not in ({"type": "enabled"}, {"type": "disabled"}):
        return "thinking: expected type enabled or disabled"
    return None


def _reasoning_comes_back(body: chat.Body) -> str | None:
    for message in body["messages"] if thinks(body) else ():
        if message.get("tool_calls") and not isinstance(message.get("reasoning_content"), str):
            return "The `reasoning_content` in the thinking mode must be passed back to the API."
    return None


def _choice(body: chat.Body) -> str | None:
    """https://github.com/deepseek-ai/DeepSeek-V3/issues/1376"""
    if thinks(body) and body.get("tool_choice", "auto") not in ("auto", "none"):
        return "Thinking mode does not support this tool_choice"
    return None


def _message(body: chat.Body, message: dict[str, Any]) -> dict[str, Any]:
    return {**message, "reasoning_content": REASONING} if thinks(body) else message


VENDOR = chat.Vendor(
    path="/chat/completions",
    error=chat.openai_error,
    rules=(
        chat.only(
            *chat.BASIC,
            "temperature",
            "top_p",
            "presence_penalty",
            "frequency_penalty",
            "stop",
            "tools",
            "tool_choice",
            "thinking",
            "reasoning_effort",
        ),
        chat.message_keys(assistant={"reasoning_content"}),
        chat.part_keys(text={"text"}, image_url={"image_url"}),
        chat.images(),
        chat.stops(16),
        chat.without(("reasoning_effort",), lambda body: not thinks(body), "not thinking"),
        # set but without effect while it thinks: nothing that has none shall be sent
        chat.without(
            ("temperature", "top_p", "presence_penalty", "frequency_penalty"),
            thinks,
            "without effect in thinking mode",
        ),
        # https://api-docs.deepseek.com/guides/thinking_mode: those between are mapped there
        chat.values(
            "reasoning_effort", lambda _: ("minimal", "low", "medium", "high", "xhigh", "max")
        ),
        # https://api-docs.deepseek.com/guides/json_mode
        chat.formats("json_object"),
        chat.says_json,
        _thinking_form,
        _reasoning_comes_back,
        _choice,
    ),
    message=_message,
    usage={
        "prompt_tokens": 20,
        "completion_tokens": 8,
        "total_tokens": 28,
        "prompt_cache_hit_tokens": 12,
        "prompt_cache_miss_tokens": 8,
    },
)


def answer(request: Recorded) -> Reply:
    return chat.answer(VENDOR, request)


def refusal(request: Recorded) -> Reply | None:
    return chat.refusal(VENDOR, request)
