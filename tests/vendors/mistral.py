"""Mistral's side. https://docs.mistral.ai/api/endpoint/chat"""

from collections.abc import Iterable
from typing import Any

from tests.http_server import Recorded, Reply
from tests.vendors import chat

_ADJUSTABLE = ("mistral-small-latest", "mistral-medium-latest", "mistral-medium-3-5")


def _efforts(model: str) -> Iterable[str]:
    """https://docs.mistral.ai/capabilities/reasoning/adjustable"""
    return ("none", "high") if model in _ADJUSTABLE else ()


def _last_role(body: chat.Body) -> str | None:
    """ "Expected last role User or Tool (or Assistant with prefix True) for serving"."""
    last = body["messages"][-1]
    if last["role"] in ("user", "tool") or last.get("prefix") is True:
        return None
    return "Expected last role User or Tool (or Assistant with prefix True) for serving"


def _temperature(body: chat.Body) -> str | None:
    """At most 1.5, says the schema of the API."""
    return "less than or equal to 1.5" if (body.get("temperature") or 0) > 1.5 else None


def _error(message: str) -> Any:
    """Its own form for what does not fit the schema: 422."""
    return {"detail": [{"type": "extra_forbidden", "loc": ["body"], "msg": message}]}


VENDOR = chat.Vendor(
    path="/v1/chat/completions",
    error=_error,
    status=422,
    rules=(
        chat.only(
            "model",
            "messages",
            "stream",
            "max_tokens",
            "response_format",
            "temperature",
            "top_p",
            "presence_penalty",
            "frequency_penalty",
            "random_seed",
            "stop",
            *chat.TOOLS,
            "reasoning_effort",
            "prompt_mode",
            "safe_prompt",
            "metadata",
            "prompt_cache_key",
        ),
        chat.message_keys(
            allowed={
                "system": {"role", "content"},
                "user": {"role", "content"},
                "assistant": {"role", "content", "tool_calls", "prefix"},
                "tool": {"role", "content", "tool_call_id", "name"},
            }
        ),
        chat.part_keys(
            text={"text"},
            image_url={"image_url"},
            document_url={"document_url", "document_name"},
            file={"file_id"},
            input_audio={"input_audio"},
        ),
        chat.images(),
        # "Tool call id … must be a-z, A-Z, 0-9, with a length of 9."
        chat.call_ids("[a-zA-Z0-9]{9}"),
        chat.values("reasoning_effort", _efforts),
        _last_role,
        _temperature,
    ),
)


def answer(request: Recorded) -> Reply:
    return chat.answer(VENDOR, request)


def refusal(request: Recorded) -> Reply | None:
    return chat.refusal(VENDOR, request)
