"""A request in the form of Anthropic's Messages API.

Source: https://platform.claude.com/docs/en/api/messages

What the API has no form for is refused where leaving it out would change the question: content
parts and calls of a kind it does not know, images and documents of other types. Otherwise it is
dropped, and told:

- of the request: `seed`, `previous_response_id`, `store`, `mcp_servers`, `response_format` without
  a schema, `tool_choice` and `parallel_tool_calls` without tools;
- `temperature` and `top_p` where the API's version has them no more (`2026-10-21`); a temperature
  beyond 1, the API's most, is sent as 1 and told;
- of the tools: every tool that is no function; of an `input`, every item that has no message;
- the `name` of a message.

System messages become the top-level `system`, wherever they stood. Turns of one role in a row are
one message, the results of tools first, as the API wants it; a message without content is left out.
`max_tokens` is required there: without one, the provider's setting stands in. How much to think is
`output_config.effort`. An image's `detail` is a hint that the API has not, and is not told.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.conversation import (
    Conversation,
    Function,
    JsonObject,
    JsonSchema,
    Named,
    ToolChoice,
    Turn,
    names_of_speakers,
    read_conversation,
)
from nexus_actors.providers.apis.parts import Media, Part, Text, Thought, Unknown
from nexus_actors.providers.http.api import Prepared, refused
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import Takes

WITHOUT_SAMPLING = "2026-10-21"
"""The first version of the API that refuses temperature and its like."""
_IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_EFFORTS = {"minimal": "low"}
"""The API's word for an effort, where it is another."""
_NOT_IN_IDS = re.compile(r"[^a-zA-Z0-9_-]")
_NOWHERE = ("seed", "previous_response_id", "store", "mcp_servers")

_Block = dict[str, Any]


class _Unsayable(Exception):
    """The API has no form for this; the message says for what."""


def messages_call(
    request: LLMRequest,
    model: str,
    takes: Takes,
    *,
    stream: bool,
    version: str,
    max_tokens: int,
) -> Prepared | ProviderFailure:
    """`POST /messages`. `max_tokens` is for a request that says nothing of it."""
    conversation = read_conversation(request)
    lost = [path for path in conversation.unsaid if path.startswith("messages")]
    if lost:
        return refused(f"the Messages API has no form for {', '.join(lost)}")
    try:
        messages = _messages(conversation.turns)
    except _Unsayable as error:
        return refused(f"the Messages API has no form for {error}")
    if not messages:
        return refused("no message to answer")
    dropped = [name for name in _NOWHERE if getattr(request, name) not in (None, ())]
    dropped += [path for path in conversation.unsaid if not path.startswith("messages")]
    dropped += names_of_speakers(request)
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": request.max_tokens or max_tokens,
        "messages": messages,
    }
    if conversation.system:
        body["system"] = "\n\n".join(text.text for text in conversation.system)
    if request.stop:
        body["stop_sequences"] = list(request.stop)
    _add_sampling(body, dropped, request, version)
    _add_tools(body, dropped, conversation, request.parallel_tool_calls)
    _add_output(body, dropped, conversation, request.reasoning_effort)
    if stream:
        body["stream"] = True
    return Prepared(path="/messages", body=body, dropped=tuple(dropped))


def _add_sampling(body: _Block, dropped: list[str], request: LLMRequest, version: str) -> None:
    given = {"temperature": request.temperature, "top_p": request.top_p}
    for name, value in given.items():
        if value is None:
            continue
        if version >= WITHOUT_SAMPLING:
            dropped.append(name)
            continue
        if value > 1:
            dropped.append(name)
        body[name] = min(value, 1.0)


def _add_tools(
    body: _Block, dropped: list[str], conversation: Conversation, parallel: bool | None
) -> None:
    if not conversation.functions:
        if conversation.choice is not None:
            dropped.append("tool_choice")
        if parallel is not None:
            dropped.append("parallel_tool_calls")
        return
    body["tools"] = [_tool(function) for function in conversation.functions]
    choice = conversation.choice
    if parallel is False and choice != "none":
        body["tool_choice"] = {**_choice(choice or "auto"), "disable_parallel_tool_use": True}
    elif choice is not None:
        body["tool_choice"] = _choice(choice)


def _tool(function: Function) -> _Block:
    schema = dict(function.parameters or {})
    schema.setdefault("type", "object")
    tool: _Block = {"name": function.name, "input_schema": schema}
    if function.description is not None:
        tool["description"] = function.description
    if function.strict is not None:
        tool["strict"] = function.strict
    return tool


def _choice(choice: ToolChoice) -> _Block:
    match choice:
        case Named(name):
            return {"type": "tool", "name": name}
        case "required":
            return {"type": "any"}
        case _:
            return {"type": choice}


def _add_output(
    body: _Block, dropped: list[str], conversation: Conversation, effort: str | None
) -> None:
    output: _Block = {}
    match conversation.output:
        case JsonSchema(schema=schema):
            output["format"] = {"type": "json_schema", "schema": dict(schema)}
        case JsonObject():
            dropped.append("response_format")
    if effort == "none":
        body["thinking"] = {"type": "disabled"}
    elif effort is not None:
        output["effort"] = _EFFORTS.get(effort, effort)
    if output:
        body["output_config"] = output


# -- the conversation


def _messages(turns: Sequence[Turn]) -> list[_Block]:
    messages: list[_Block] = []
    for turn in turns:
        role = "assistant" if turn.role == "assistant" else "user"
        blocks = _blocks(turn)
        if not blocks:
            continue
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += blocks
        else:
            messages.append({"role": role, "content": blocks})
    for message in messages:
        if message["role"] == "user":  # the sort is stable
            message["content"].sort(key=lambda block: block["type"] != "tool_result")
    _trim_last(messages)
    return messages


def _trim_last(messages: list[_Block]) -> None:
    """The API refuses an answer begun for the model that ends in white space."""
    if messages and messages[-1]["role"] == "assistant":
        last = messages[-1]["content"][-1]
        if last["type"] == "text":
            last["text"] = last["text"].rstrip()
            if not last["text"]:
                messages[-1]["content"].pop()
        if not messages[-1]["content"]:
            messages.pop()


def _blocks(turn: Turn) -> list[_Block]:
    blocks = [block for part in turn.parts if (block := _block(part)) is not None]
    if turn.role == "tool":
        return [{"type": "tool_result", "tool_use_id": _id(turn.call_id), "content": blocks}]
    calls = [
        {
            "type": "tool_use",
            "id": _id(call.id),
            "name": call.name,
            "input": call.arguments_object(),
        }
        for call in turn.calls
    ]
    return blocks + calls


def _id(call_id: str) -> str:
    """The API takes these characters alone; other servers' ids have more (`functions.f:0`)."""
    return _NOT_IN_IDS.sub("_", call_id)


def _block(part: Part) -> _Block | None:
    match part:
        case Text(text):
            # Text of white space alone is refused, and says nothing.
            return {"type": "text", "text": text} if text.strip() else None
        case Media(kind="image"):
            return {"type": "image", "source": _image(part)}
        case Media():
            named = {"title": part.name} if part.name else {}
            return {"type": "document", "source": _document(part), **named}
        case Thought():
            raise _Unsayable("a part of type thinking")
        case Unknown(kind):
            raise _Unsayable(f"a part of type {kind}")


def _image(media: Media) -> Mapping[str, Any]:
    if media.file_id is not None:
        return {"type": "file", "file_id": media.file_id}
    if media.url is not None:
        return {"type": "url", "url": media.url}
    if media.media_type not in _IMAGES:
        raise _Unsayable(f"images of type {media.media_type}")
    return {"type": "base64", "media_type": media.media_type, "data": media.data}


def _document(media: Media) -> Mapping[str, Any]:
    if media.file_id is not None:
        return {"type": "file", "file_id": media.file_id}
    if media.url is not None:
        return {"type": "url", "url": media.url}
    if media.media_type == "application/pdf":
        return {"type": "base64", "media_type": media.media_type, "data": media.data}
    if media.media_type is not None and media.media_type.startswith("text/"):
        text = base64.b64decode(media.data or "").decode("utf-8", "replace")
        return {"type": "text", "media_type": "text/plain", "data": text}
    raise _Unsayable(f"documents of type {media.media_type}")
