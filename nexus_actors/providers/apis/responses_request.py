"""A request in the form of the Responses API.

Source: https://platform.openai.com/docs/api-reference/responses/create

Where the producer sent `input` it goes as it is, `instructions` beside it; `messages` become items,
by these rules:

- a system message stays where it stood, as an item of role `system`: as `instructions` it would
  move to the front, and be forgotten by the answer that continues this one;
- of a content part, what the chat API writes its way is translated; every other part goes as it is,
  and the API says so if it does not know it: to drop one would change the question;
- an assistant's texts are one text, the only form that needs no id of an earlier answer;
- what chat nests, `{"type": T, T: {…}}` (tools, `tool_choice`, a schema), is written flat; what is
  flat already, built-in tools among it, goes as it is. A nested function that says nothing of
  `strict` is not strict, as in chat: the Responses API's own default is the other way round;
- `mcp_servers` become tools of type `mcp` that need no approval, unless they say otherwise.

What the API cannot honour is dropped, and told:

- `stop` and `seed`, which it does not have, and the `name` of a message;
- `temperature` and `top_p` for reasoning models, which refuse every value but their default;
- `tool_choice` without tools, which it refuses;
- a `max_tokens` below 16, the least it takes, is sent as 16, and told as if dropped.

A message's further keys are the producers' own, dropped and not told. `previous_response_id` and
`store` go as sent: the first together with `store: false` is refused by the API. Where `store` is
absent, the API stores the answer.
"""

from collections.abc import Mapping
from typing import Any

from nexus_actors.contract.request import LLMRequest, Message
from nexus_actors.providers.apis.chat_request import reasons
from nexus_actors.providers.http.api import Prepared, refused
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import Takes

LEAST_TOKENS = 16


class _NoForm(Exception):
    """Something at this path cannot be said."""


def responses_call(
    request: LLMRequest, model: str, takes: Takes, *, stream: bool
) -> Prepared | ProviderFailure:
    """`POST /responses`. Refused is a tool call of an assistant that is none."""
    dropped: list[str] = []
    body: dict[str, Any] = {"model": model}
    try:
        body |= _conversation(request, dropped)
    except _NoForm as path:
        return refused(f"{path} has no form in the Responses API")
    _add_sampling(body, dropped, request)
    if request.reasoning_effort is not None:
        body["reasoning"] = {"effort": request.reasoning_effort}
    if request.response_format is not None:
        body["text"] = {"format": _format(request.response_format)}
    _add_tools(body, dropped, request)
    for name in ("parallel_tool_calls", "previous_response_id", "store"):
        if (value := getattr(request, name)) is not None:
            body[name] = value
    if stream:
        body["stream"] = True
    return Prepared(path="/responses", body=body, dropped=tuple(dropped))


def _add_sampling(body: dict[str, Any], dropped: list[str], request: LLMRequest) -> None:
    if request.max_tokens is not None:
        body["max_output_tokens"] = max(request.max_tokens, LEAST_TOKENS)
        if request.max_tokens < LEAST_TOKENS:
            dropped.append("max_tokens")
    for name in ("temperature", "top_p"):
        if (value := getattr(request, name)) is not None:
            if reasons(body["model"]):
                dropped.append(name)
            else:
                body[name] = value
    dropped += [name for name in ("stop", "seed") if getattr(request, name) not in (None, ())]


def _conversation(request: LLMRequest, dropped: list[str]) -> dict[str, Any]:
    if request.input is not None:
        given = request.input if isinstance(request.input, str) else list(request.input)
        spoken: dict[str, Any] = {"input": given}
        if request.instructions is not None:
            spoken["instructions"] = request.instructions
        return spoken
    items: list[dict[str, Any]] = []
    custom: set[str] = set()
    for index, message in enumerate(request.messages):
        if message.get("name") is not None:
            dropped.append(f"messages[{index}].name")
        items += _items(message, f"messages[{index}]", custom)
    return {"input": items}


def _items(message: Message, path: str, custom: set[str]) -> list[dict[str, Any]]:
    """The items of one message; `custom` is given the ids of calls of custom tools."""
    role, content = message["role"], message.get("content")
    parts = content if isinstance(content, list | tuple) else None
    match role:
        case "tool":
            call_id = message.get("tool_call_id")
            kind = "custom_tool_call_output" if call_id in custom else "function_call_output"
            output = content if parts is None else [_part(part) for part in parts]
            return [{"type": kind, "call_id": call_id, "output": output}]
        case "assistant":
            calls = [
                _call(call, f"{path}.tool_calls[{place}]")
                for place, call in enumerate(message.get("tool_calls") or ())
            ]
            custom.update(it["call_id"] for it in calls if it["type"] == "custom_tool_call")
            said = content if parts is None else _said(parts)
            alone = calls and not said
            return calls if alone else [{"role": role, "content": said}, *calls]
        case _:
            said = content if parts is None else [_part(part) for part in parts]
            return [{"role": role, "content": said}]


def _said(parts: Any) -> Any:
    """An assistant's parts: one text, unless there is more than text among them."""
    texts = [_text(part) for part in parts]
    if None not in texts:
        return "".join(text for text in texts if text is not None)
    return [
        part if text is None else {"type": "output_text", "text": text}
        for part, text in zip(parts, texts, strict=True)
    ]


def _text(part: Any) -> str | None:
    match part:
        case {"type": "text" | "input_text" | "output_text", "text": str(text)}:
            return text
        case {"type": "refusal", "refusal": str(text)}:
            return text
        case _:
            return None


def _part(part: Any) -> Any:
    match part:
        case {"type": "text" | "output_text" | "refusal"} if (text := _text(part)) is not None:
            return {"type": "input_text", "text": text}
        case {"type": "image_url", "image_url": {"url": str(url)} as image}:
            return _image(url, image)
        case {"type": "image_url", "image_url": str(url)}:
            return _image(url, part)
        case {"type": "input_image"}:
            return {"detail": "auto", **part}
        case {"type": "file", "file": Mapping() as file}:
            return {"type": "input_file", **file}
        case _:
            return part


def _image(url: str, more: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "input_image", "image_url": url, "detail": more.get("detail") or "auto"}


def _call(call: Any, path: str) -> dict[str, Any]:
    match call:
        case {"id": str(call_id), "function": {"name": str(name), "arguments": str(arguments)}}:
            return {
                "type": "function_call",
                "call_id": call_id,
                "name": name,
                "arguments": arguments,
            }
        case {"id": str(call_id), "custom": {"name": str(name), "input": str(text)}}:
            return {"type": "custom_tool_call", "call_id": call_id, "name": name, "input": text}
        case _:
            raise _NoForm(path)


def _add_tools(body: dict[str, Any], dropped: list[str], request: LLMRequest) -> None:
    tools = [_tool(tool) for tool in request.tools]
    tools += [
        {"require_approval": "never", **server, "type": "mcp"} for server in request.mcp_servers
    ]
    if tools:
        body["tools"] = tools
    if request.tool_choice is None:
        return
    if not tools:
        dropped.append("tool_choice")
    elif isinstance(request.tool_choice, str):
        body["tool_choice"] = request.tool_choice
    else:
        body["tool_choice"] = _choice(request.tool_choice)


def _tool(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    match tool:
        case {"function": Mapping() as function}:
            usual = {"parameters": {"type": "object", "properties": {}}, "strict": False}
            return {"type": "function", **usual, **function}
        case {"type": "custom", "custom": Mapping() as custom}:
            flat = _flat(tool)
            form = custom.get("format")
            return {**flat, "format": _flat(form)} if isinstance(form, Mapping) else flat
        case _:
            return tool


def _choice(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    flat = _flat(choice)
    tools = flat.get("tools")  # of the type `allowed_tools`
    if not isinstance(tools, list | tuple):
        return flat
    return {**flat, "tools": [_flat(it) if isinstance(it, Mapping) else it for it in tools]}


def _format(wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema needs a name, which the flat form of a lenient server may have gone without."""
    flat = _flat(wanted)
    return {"name": "answer", **flat} if flat["type"] == "json_schema" else flat


def _flat(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """`{"type": T, T: {…}}` as `{"type": T, …}`; anything else as it is."""
    kind = value.get("type", "function")
    inner = value.get(kind) if isinstance(kind, str) else None
    return {"type": kind, **inner} if isinstance(inner, Mapping) else value
