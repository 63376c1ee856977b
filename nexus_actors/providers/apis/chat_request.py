"""A request in the form of the chat completions API.

Source: https://platform.openai.com/docs/api-reference/chat/create

What the API cannot honour is dropped, and told, by this rule:

- of the request: `previous_response_id`, `store`, `mcp_servers`, items of an `input` that have no
  message (Responses API only);
- of a message: every key but those of the API (`MESSAGE_KEYS`; not told: they are the producers'
  own);
- of the tools: every tool that is no function (the Responses API's built-in ones);
- `temperature` and `top_p` for reasoning models, which refuse every value but their default, and
  `stop`, which they refuse.

`capabilities` are spent in routing. Content parts are never dropped, for that would change the
question: those of the Responses API are translated, all others go as they are, and the provider
says so if it does not know one.
"""

import re
from collections.abc import Mapping
from typing import Any

from nexus_actors.contract.request import LLMRequest, Message
from nexus_actors.providers.apis.conversation import items_without_message
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.takes import Takes

MESSAGE_KEYS = ("role", "content", "name", "tool_calls", "tool_call_id")
_REASONING = re.compile(r"(o\d|gpt-[5-9])(?!.*-chat)")
"""Models that count reasoning in `max_completion_tokens` and refuse `max_tokens`, as OpenAI names
them; other servers' names for them (`openai/gpt-5`) do not match, and those take `max_tokens`."""
_RESPONSES_ONLY = ("previous_response_id", "store", "mcp_servers")


def reasons(model: str) -> bool:
    """Whether this is one of OpenAI's reasoning models, by its name."""
    return _REASONING.match(model) is not None


def chat_call(request: LLMRequest, model: str, takes: Takes, *, stream: bool) -> Prepared:
    """`POST /chat/completions`."""
    dropped = [name for name in _RESPONSES_ONLY if getattr(request, name) not in (None, ())]
    dropped += items_without_message(request)
    body: dict[str, Any] = {
        "model": model,
        "messages": [_message(message) for message in request.messages],
    }
    if request.max_tokens is not None:
        body["max_completion_tokens" if reasons(model) else "max_tokens"] = request.max_tokens
    refused_by_some = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop": list(request.stop) or None,
    }
    for name, value in refused_by_some.items():
        if value is None:
            continue
        if reasons(model):
            dropped.append(name)
        else:
            body[name] = value
    for name in ("seed", "reasoning_effort"):
        if (value := getattr(request, name)) is not None:
            body[name] = value
    if request.response_format is not None:
        body["response_format"] = _format(request.response_format)
    _add_tools(body, dropped, request)
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return Prepared(path="/chat/completions", body=body, dropped=tuple(dropped))


def _add_tools(body: dict[str, Any], dropped: list[str], request: LLMRequest) -> None:
    tools = []
    for index, tool in enumerate(request.tools):
        if tool.get("type", "function") == "function":
            tools.append(_tool(tool))
        else:
            dropped.append(f"tools[{index}]")
    if tools:
        body["tools"] = tools
    # The API refuses both where there are no tools.
    if request.tool_choice is not None:
        if tools:
            body["tool_choice"] = _tool_choice(request.tool_choice)
        else:
            dropped.append("tool_choice")
    if request.parallel_tool_calls is not None:
        if tools:
            body["parallel_tool_calls"] = request.parallel_tool_calls
        else:
            dropped.append("parallel_tool_calls")


def _message(message: Message) -> dict[str, Any]:
    chat = {key: message[key] for key in MESSAGE_KEYS if message.get(key) is not None}
    if chat.get("tool_calls"):  # what another provider's calls carry besides is refused elsewhere
        chat["tool_calls"] = [_without_extras(call) for call in chat["tool_calls"]]
    content = chat.get("content")
    if isinstance(content, list | tuple):
        chat["content"] = [_part(part) for part in content]
    elif content == "" and chat.get("tool_calls"):
        chat["content"] = None  # as the API itself writes a message of tool calls alone
    return chat


def _without_extras(call: Any) -> Any:
    if not isinstance(call, Mapping):
        return call
    return {key: value for key, value in call.items() if key != "extra_content"}


def _part(part: Any) -> Any:
    match part:
        case {"type": "input_text" | "output_text", "text": str(text)}:
            return {"type": "text", "text": text}
        case {"type": "input_image", "image_url": str(url)}:
            detail = {"detail": part["detail"]} if part.get("detail") else {}
            return {"type": "image_url", "image_url": {"url": url, **detail}}
        case {"type": "input_file"}:
            keys = ("file_data", "file_id", "file_url", "filename")
            return {"type": "file", "file": {key: part[key] for key in keys if key in part}}
        case _:
            return part


def _tool(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    """The Responses API's flat function tool, nested; a nested one as it is."""
    if isinstance(tool.get("function"), Mapping):
        return {"type": "function", **tool}
    return {"type": "function", "function": {k: v for k, v in tool.items() if k != "type"}}


def _tool_choice(choice: str | Mapping[str, Any]) -> str | Mapping[str, Any]:
    match choice:
        case {"type": "function", "name": str(name)}:
            return {"type": "function", "function": {"name": name}}
        case _:
            return choice


def _format(wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """The Responses API's flat schema, nested; a nested one as it is."""
    if wanted["type"] != "json_schema" or "json_schema" in wanted:
        return wanted
    schema = {key: value for key, value in wanted.items() if key != "type"}
    return {"type": "json_schema", "json_schema": {"name": "answer", **schema}}
