"""What the vendors' servers of chat completions have in common, from the other side.

A vendor is a list of rules, each a function from a call's body to what is wrong with it, and the
form in which it complains. `refusal` holds a recorded call against them; `answer` answers: with a
call of the first tool where the conversation asks for one, else with text or JSON, streamed if
asked.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.http_server import Recorded, Reply

Body = Mapping[str, Any]
Rule = Callable[[Body], str | None]
"""What is wrong with a body; None where nothing is."""

SAMPLERS = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "stop")
TOOLS = ("tools", "tool_choice", "parallel_tool_calls")
BASIC = ("model", "messages", "stream", "stream_options", "max_tokens", "response_format")
OPENAI_KEYS = {
    "system": {"role", "content", "name"},
    "user": {"role", "content", "name"},
    "assistant": {"role", "content", "name", "tool_calls", "refusal"},
    "tool": {"role", "content", "tool_call_id"},
}
"""https://platform.openai.com/docs/api-reference/chat/create"""


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """One vendor's side of the wire."""

    path: str
    rules: tuple[Rule, ...]
    error: Callable[[str], Any]
    """Its body for a complaint."""
    status: int = 400
    key_header: str = "authorization"
    """"" where none is wanted."""
    message: Callable[[Body, dict[str, Any]], dict[str, Any]] = lambda _, message: message
    """What its answers have besides, given the call's body."""
    pieces: Callable[[dict[str, Any]], Iterator[dict[str, Any]]] | None = None
    """How a message is cut into deltas; None for the usual way."""
    usage: Mapping[str, Any] = field(
        default_factory=lambda: {"prompt_tokens": 20, "completion_tokens": 8, "total_tokens": 28}
    )
    top: Mapping[str, Any] = field(default_factory=dict)
    """Members of its answers besides OpenAI's."""


def refusal(vendor: Vendor, request: Recorded) -> Reply | None:
    """What the vendor says of a call that breaks a rule; None where none is broken."""
    if request.method != "POST" or request.path.partition("?")[0] != vendor.path:
        return Reply(status=404, body=vendor.error(f"no such path: {request.path}"))
    if vendor.key_header and vendor.key_header not in request.headers:
        return Reply(status=401, body=vendor.error("no key"))
    body = request.json
    if not isinstance(body, dict):
        return Reply(status=vendor.status, body=vendor.error("no JSON object"))
    for rule in (*COMMON, *vendor.rules):
        if (complaint := rule(body)) is not None:
            return Reply(status=vendor.status, body=vendor.error(complaint))
    return None


def answer(vendor: Vendor, request: Recorded) -> Reply:
    """What the vendor answers this call."""
    if (refused := refusal(vendor, request)) is not None:
        return refused
    body = request.json
    message = vendor.message(body, _message(body))
    finish = "tool_calls" if message.get("tool_calls") else "stop"
    if body.get("stream"):
        return _streamed(vendor, body, message, finish)
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return Reply(body={**_head(vendor, body), "choices": [choice], "usage": vendor.usage})


def stops(most: int) -> Rule:
    """At most so many stop sequences."""

    def rule(body: Body) -> str | None:
        stop = body.get("stop")
        given = len(stop) if isinstance(stop, list) else 1
        return f"stop: at most {most} sequences" if given > most else None

    return rule


def openai_error(message: str) -> Any:
    return {"error": {"message": message, "type": "invalid_request_error", "code": None}}


def _head(vendor: Vendor, body: Body) -> dict[str, Any]:
    head = {"id": "chatcmpl-7", "object": "chat.completion", "created": 1_790_000_000}
    return {**head, "model": body["model"], **vendor.top}


def _message(body: Body) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None}
    tools, last = body.get("tools"), body["messages"][-1]
    if tools and last["role"] != "tool" and body.get("tool_choice") != "none":
        function = tools[0]["function"]
        schema = function.get("parameters") or {}
        arguments = dict.fromkeys(schema.get("required", ()), "Oslo")
        called = {"name": function["name"], "arguments": json.dumps(arguments)}
        return {
            **message,
            "tool_calls": [{"id": "vend00001", "type": "function", "function": called}],
        }
    wanted = (body.get("response_format") or {}).get("type", "text")
    return {**message, "content": "Hello there." if wanted == "text" else '{"city": "Oslo"}'}


def deltas(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A message cut into pieces as OpenAI does it; text besides `content` in two halves."""
    yield {"role": "assistant", "content": ""}
    for name in ("reasoning_content", "reasoning", "content"):
        text = message.get(name)
        if isinstance(text, str):
            yield {name: text[:3]}
            yield {name: text[3:]}
    for index, call in enumerate(message.get("tool_calls") or ()):
        text = call["function"]["arguments"]
        first = {**call, "function": {**call["function"], "arguments": ""}}
        yield {"tool_calls": [{"index": index, **first}]}
        for piece in (text[:4], text[4:]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _streamed(vendor: Vendor, body: Body, message: dict[str, Any], finish: str) -> Reply:
    head = {**_head(vendor, body), "object": "chat.completion.chunk"}
    cut = (vendor.pieces or deltas)(message)
    events = [
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in cut
    ]
    end = {"index": 0, "delta": {}, "finish_reason": finish}
    events += [{**head, "choices": [end]}, {**head, "choices": [], "usage": vendor.usage}]
    text = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    return Reply(body=text + "data: [DONE]\n\n", headers={"content-type": "text/event-stream"})


# ---------------------------------------------------------------- rules, and makers of rules


def parts(body: Body) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each content part that is no plain text, with the role of its message."""
    for message in body["messages"]:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            yield message["role"], part


def calls(body: Body) -> Iterator[Mapping[str, Any]]:
    for message in body["messages"]:
        yield from message.get("tool_calls") or ()


def _has_messages(body: Body) -> str | None:
    if not isinstance(body.get("model"), str):
        return "model is required"
    messages = body.get("messages")
    return None if isinstance(messages, list) and messages else "messages is required"


def _calls_are_well_formed(body: Body) -> str | None:
    """https://platform.openai.com/docs/guides/function-calling: an answer for each call, at once,
    and none for what was not called."""
    open_ids: set[str] = set()
    for message in body["messages"]:
        if message["role"] == "tool":
            if message.get("tool_call_id") not in open_ids:
                return "a tool message must follow a message with tool_calls of its id"
            open_ids.discard(message["tool_call_id"])
            continue
        if open_ids:
            return f"no tool message for {sorted(open_ids)}"
        if "tool_calls" in message and not message["tool_calls"]:
            return "tool_calls must not be empty"
        for call in message.get("tool_calls") or ():
            function = call.get("function")
            if call.get("type") != "function" or not isinstance(function, dict):
                return "tool_calls: expected functions"
            if not isinstance(function.get("arguments"), str):
                return "arguments must be a string"
            open_ids.add(call["id"])
    return f"no tool message for {sorted(open_ids)}" if open_ids else None


def _has_content(body: Body) -> str | None:
    for index, message in enumerate(body["messages"]):
        content, calls_too = message.get("content"), message.get("tool_calls")
        if content is None and not calls_too:
            return f"messages[{index}].content is required"
        if content is not None and not isinstance(content, str | list):
            return f"messages[{index}].content must be text or parts"
    return None


def _choice_needs_tools(body: Body) -> str | None:
    needs = [name for name in ("tool_choice", "parallel_tool_calls") if name in body]
    return f"{needs[0]} is only allowed with tools" if needs and not body.get("tools") else None


def _tools_are_nested(body: Body) -> str | None:
    for tool in body.get("tools") or ():
        if tool.get("type") != "function" or "name" not in tool.get("function", {}):
            return "tools: expected functions"
        if set(tool) != {"type", "function"}:
            return f"tools: unknown keys {sorted(set(tool) - {'type', 'function'})}"
    return None


COMMON: tuple[Rule, ...] = (
    _has_messages,
    _calls_are_well_formed,
    _has_content,
    _choice_needs_tools,
    _tools_are_nested,
)


def only(*names: str) -> Rule:
    """Every other field of the body is unknown."""

    def rule(body: Body) -> str | None:
        unknown = sorted(set(body) - set(names))
        return f"property '{unknown[0]}' is unsupported" if unknown else None

    return rule


def values(name: str, taken: Callable[[str], Iterable[Any]]) -> Rule:
    """Of this field only these values, by the model; none of them: the field is refused."""

    def rule(body: Body) -> str | None:
        if name not in body:
            return None
        known = list(taken(body["model"]))
        return None if body[name] in known else f"{name} must be one of {known}"

    return rule


def without(names: Iterable[str], where: Callable[[Body], bool], why: str) -> Rule:
    """None of these fields where it is so."""

    def rule(body: Body) -> str | None:
        sent = [name for name in names if name in body]
        return f"{sent[0]}: {why}" if sent and where(body) else None

    return rule


def message_keys(allowed: Mapping[str, set[str]] = OPENAI_KEYS, **more: set[str]) -> Rule:
    """Keys of messages by role; every other is refused."""

    def rule(body: Body) -> str | None:
        for index, message in enumerate(body["messages"]):
            role = message.get("role")
            if role not in allowed:
                return f"messages[{index}].role: unknown"
            unknown = set(message) - allowed[role] - more.get(role, set())
            if unknown:
                return f"messages[{index}].{sorted(unknown)[0]} is unsupported"
        return None

    return rule


def part_keys(**allowed: set[str]) -> Rule:
    """Types of content parts and their keys besides `type`; every other is refused. In a message
    of a tool only text."""

    def rule(body: Body) -> str | None:
        for role, part in parts(body):
            kind = part.get("type")
            if kind not in allowed or (role == "tool" and kind != "text"):
                return f"content of type {kind!r} is unsupported in a message of {role}"
            unknown = set(part) - {"type"} - allowed[kind]
            if unknown:
                return f"content: {sorted(unknown)[0]} is unsupported"
        return None

    return rule


def images(*, urls: bool = True) -> Rule:
    """Images are http URLs or data of a known type, in padded base64."""
    data = re.compile(
        r"data:image/(png|jpeg|gif|webp);base64,([A-Za-z0-9+/]{4})*"
        r"([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
    )

    def rule(body: Body) -> str | None:
        for _, part in parts(body):
            if part.get("type") != "image_url":
                continue
            url = part["image_url"]["url"]
            if not data.fullmatch(url) and not (urls and url.startswith(("http://", "https://"))):
                return "image_url: invalid image"
        return None

    return rule


def call_ids(pattern: str) -> Rule:
    known = re.compile(pattern)

    def rule(body: Body) -> str | None:
        bad = [it["id"] for it in calls(body) if not known.fullmatch(it["id"])]
        return f"invalid tool call id: {bad[0]}" if bad else None

    return rule


def formats(*taken: str) -> Rule:
    """Types of `response_format`."""

    def rule(body: Body) -> str | None:
        kind = (body.get("response_format") or {"type": "text"}).get("type")
        return None if kind in ("text", *taken) else f"response_format {kind} is unavailable"

    return rule


def says_json(body: Body) -> str | None:
    """For `json_object` the word must stand in the messages."""
    if (body.get("response_format") or {}).get("type") != "json_object":
        return None
    said = json.dumps([message.get("content") for message in body["messages"]]).lower()
    return None if "json" in said else "messages must contain the word json in some form"
