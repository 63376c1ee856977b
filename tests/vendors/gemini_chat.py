"""Google's side of chat completions. https://ai.google.dev/gemini-api/docs/openai

Signatures: https://ai.google.dev/gemini-api/docs/thought-signatures: the first call of a turn has
one, and a turn that comes back without it is refused.
"""

from typing import Any

from tests.http_server import Recorded, Reply
from tests.vendors import chat

SIGNATURE = {"google": {"thought_signature": "c2lnbmVk"}}
ANOTHERS = {"google": {"thought_signature": "skip_thought_signature_validator"}}
"""For a turn that is none of Google's."""


def _signed(body: chat.Body) -> str | None:
    for message in body["messages"]:
        first = next(iter(message.get("tool_calls") or ()), None)
        if first is not None and first.get("extra_content") not in (SIGNATURE, ANOTHERS):
            return "Function call is missing a thought_signature in functionCall parts."
    return None


def _message(_: chat.Body, message: dict[str, Any]) -> dict[str, Any]:
    for call in message.get("tool_calls") or ():
        call["extra_content"] = SIGNATURE
    return message


VENDOR = chat.Vendor(
    path="/v1beta/openai/chat/completions",
    error=lambda message: [
        {"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}
    ],
    rules=(
        chat.only(
            *chat.BASIC, *chat.SAMPLERS, *chat.TOOLS, "max_completion_tokens", "reasoning_effort"
        ),
        chat.message_keys(assistant={"extra_content"}, tool={"name"}),
        chat.part_keys(text={"text"}, image_url={"image_url"}, input_audio={"input_audio"}),
        chat.images(),
        # https://ai.google.dev/api/generate-content#generationconfig
        chat.stops(5),
        _signed,
    ),
    message=_message,
)


def answer(request: Recorded) -> Reply:
    return chat.answer(VENDOR, request)


def refusal(request: Recorded) -> Reply | None:
    return chat.refusal(VENDOR, request)
