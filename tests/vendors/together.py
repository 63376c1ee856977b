"""Together's side. https://docs.together.ai/reference/chat-completions"""

from tests.http_server import Recorded, Reply
from tests.vendors import chat

VENDOR = chat.Vendor(
    path="/v1/chat/completions",
    error=chat.openai_error,
    rules=(
        chat.only(*chat.BASIC, *chat.SAMPLERS, *chat.TOOLS, "top_k", "reasoning_effort"),
        chat.message_keys(tool={"name"}),
        chat.part_keys(text={"text"}, image_url={"image_url"}, input_audio={"input_audio"}),
        chat.images(),
    ),
)


def answer(request: Recorded) -> Reply:
    return chat.answer(VENDOR, request)


def refusal(request: Recorded) -> Reply | None:
    return chat.refusal(VENDOR, request)
