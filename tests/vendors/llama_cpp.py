"""llama.cpp's side. https://github.com/ggml-org/llama.cpp/tree/master/tools/server"""

from tests.http_server import Recorded, Reply
from tests.vendors import chat

VENDOR = chat.Vendor(
    path="/v1/chat/completions",
    error=lambda message: {
        "error": {"code": 400, "message": message, "type": "invalid_request_error"}
    },
    key_header="",
    rules=(
        chat.only(*chat.BASIC, *chat.SAMPLERS, *chat.TOOLS, "top_k", "reasoning_effort"),
        chat.message_keys(assistant={"reasoning_content"}, tool={"name"}),
        # "unsupported content[].type" for every other
        chat.part_keys(text={"text"}, image_url={"image_url"}, input_audio={"input_audio"}),
        chat.images(),
    ),
)


def answer(request: Recorded) -> Reply:
    return chat.answer(VENDOR, request)


def refusal(request: Recorded) -> Reply | None:
    return chat.refusal(VENDOR, request)
