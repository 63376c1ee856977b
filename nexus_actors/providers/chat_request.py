"""A request in the form of the chat completions API.

Source: https://platform.openai.com/docs/api-reference/chat/create

What the API cannot honour is dropped, by this rule:

- of the request: `previous_response_id`, `store`, `mcp_servers` (Responses API only),
  `stream` (the answer is published whole), `capabilities` (spent in routing);
- of a message: every key but those of the API (`MESSAGE_KEYS`);
- of the tools: every tool that is no function (the Responses API's built-in ones);
- `temperature` for reasoning models, which refuse every value but their default.

Content parts are never dropped, for that would change the question: those of the Responses API are
translated, all others go as they are, and the provider says so if it does not know one.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from nexus_actors.contract.request import LLMRequest, Message

MESSAGE_KEYS = ("role", "content", "name", "tool_calls", "tool_call_id")
_REASONING = re.compile(r"(o\d|gpt-5)(?!.*-chat)")
"""Models that count reasoning in `max_completion_tokens` and refuse `max_tokens`, as OpenAI names
them; other servers' names for them (`openai/gpt-5`) do not match, and those take `max_tokens`."""


def chat_body(request: LLMRequest, model: str) -> bytes:
    """The body of `POST /chat/completions`."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [_message(message) for message in request.messages],
    }
    reasons = _REASONING.match(model) is not None
    if request.max_tokens is not None:
        body["max_completion_tokens" if reasons else "max_tokens"] = request.max_tokens
    if request.temperature is not None and not reasons:
        body["temperature"] = request.temperature
    tools = [_tool(tool) for tool in request.tools if tool.get("type") == "function"]
    if tools:
        body["tools"] = tools
    # Escaped to ASCII, so that no text can fail to encode.
    return json.dumps(body, separators=(",", ":")).encode("ascii")


def _message(message: Message) -> dict[str, Any]:
    chat = {key: message[key] for key in MESSAGE_KEYS if message.get(key) is not None}
    content = chat.get("content")
    if isinstance(content, list | tuple):
        chat["content"] = [_part(part) for part in content]
    elif content == "" and chat.get("tool_calls"):
        chat["content"] = None  # as the API itself writes a message of tool calls alone
    return chat


def _part(part: Any) -> Any:
    match part:
        case {"type": "input_text" | "output_text", "text": str(text)}:
            return {"type": "text", "text": text}
        case {"type": "input_image", "image_url": str(url)}:
            detail = {"detail": part["detail"]} if part.get("detail") else {}
            return {"type": "image_url", "image_url": {"url": url, **detail}}
        case {"type": "input_file"}:
            keys = ("file_data", "file_id", "filename")
            return {"type": "file", "file": {key: part[key] for key in keys if key in part}}
        case _:
            return part


def _tool(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    """The Responses API's flat function tool, nested; a nested one as it is."""
    if isinstance(tool.get("function"), Mapping):
        return tool
    return {"type": "function", "function": {k: v for k, v in tool.items() if k != "type"}}
