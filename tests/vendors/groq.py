"""Groq's side. https://console.groq.com/docs/api-reference"""

from collections.abc import Iterable

from tests.http_server import Recorded, Reply
from tests.vendors import chat


def _efforts(model: str) -> Iterable[str]:
    """https://console.groq.com/docs/reasoning"""
    if "gpt-oss" in model:
        return ("low", "medium", "high")
    return ("none", "default") if "qwen" in model else ()


def _schema_models(body: chat.Body) -> str | None:
    """https://console.groq.com/docs/structured-outputs: some models, no streaming."""
    if (body.get("response_format") or {}).get("type") != "json_schema":
        return None
    if not any(name in body["model"] for name in ("gpt-oss", "llama-4", "kimi-k2")):
        return f"{body['model']} does not support response format json_schema"
    return "streaming is not supported with structured outputs" if body.get("stream") else None


VENDOR = chat.Vendor(
    path="/openai/v1/chat/completions",
    error=chat.openai_error,
    rules=(
        chat.only(
            *chat.BASIC,
            *chat.SAMPLERS,
            *chat.TOOLS,
            "max_completion_tokens",
            "reasoning_effort",
            "service_tier",
            "user",
        ),
        # https://console.groq.com/docs/openai: messages[].name is refused
        chat.message_keys(
            system={"reasoning"},
            allowed={
                "system": {"role", "content"},
                "user": {"role", "content"},
                "assistant": {"role", "content", "tool_calls", "reasoning"},
                "tool": {"role", "content", "tool_call_id"},
            },
        ),
        # cache_control in a part is answered with 400
        chat.part_keys(text={"text"}, image_url={"image_url"}),
        chat.images(),
        chat.stops(4),
        chat.values("reasoning_effort", _efforts),
        chat.formats("json_object", "json_schema"),
        _schema_models,
        chat.says_json,
    ),
    top={"service_tier": "on_demand"},
)


def answer(request: Recorded) -> Reply:
    return chat.answer(VENDOR, request)


def refusal(request: Recorded) -> Reply | None:
    return chat.refusal(VENDOR, request)
