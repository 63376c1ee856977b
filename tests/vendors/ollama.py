"""Ollama's side. https://docs.ollama.com/api/openai-compatibility

It ignores what it does not know; here that is refused, for nothing is to be sent in vain.
"""

from typing import Any

from tests.http_server import Recorded, Reply
from tests.vendors import chat


def _message(_: chat.Body, message: dict[str, Any]) -> dict[str, Any]:
    return {**message, "reasoning": "Hm, let me see."}


VENDOR = chat.Vendor(
    path="/v1/chat/completions",
    error=chat.openai_error,
    key_header="",
    rules=(
        chat.only(*chat.BASIC, *chat.SAMPLERS, "tools", "reasoning_effort"),
        chat.message_keys(assistant={"reasoning"}, tool={"name"}),
        chat.part_keys(text={"text"}, image_url={"image_url"}),
        chat.images(urls=False),
        chat.values("reasoning_effort", lambda _: ("none", "low", "medium", "high", "max")),
    ),
    message=_message,
)


def answer(request: Recorded) -> Reply:
    return chat.answer(VENDOR, request)


def refusal(request: Recorded) -> Reply | None:
    return chat.refusal(VENDOR, request)
