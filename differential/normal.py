"""Bodies made comparable: what is spelt in two ways with one meaning is spelt in one.

Only what the vendor's documentation calls equal, or its default. Everything else is a difference.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from differential.models import Api


class _Absent:
    def __repr__(self) -> str:
        return "absent"


ABSENT: Final = _Absent()
"""What is not there."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One place in which two trees are unlike."""

    path: str
    """Keys and places, joined by dots."""
    ours: Any
    theirs: Any


def differences(ours: Any, theirs: Any, path: str = "") -> Iterator[Difference]:
    """The places in which they are unlike, each as deep as it is."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        pairs = [(k, ours.get(k, ABSENT), theirs.get(k, ABSENT)) for k in sorted({*ours, *theirs})]
    elif isinstance(ours, list) and isinstance(theirs, list):
        pairs = [(str(i), _at(ours, i), _at(theirs, i)) for i in range(max(len(ours), len(theirs)))]
    else:
        if not _same(ours, theirs):
            yield Difference(path, ours, theirs)
        return
    for key, mine, other in pairs:
        yield from differences(mine, other, f"{path}.{key}" if path else key)


def _at(items: list[Any], place: int) -> Any:
    return items[place] if place < len(items) else ABSENT


def _same(ours: Any, theirs: Any) -> bool:
    return ours is theirs or (isinstance(ours, bool) == isinstance(theirs, bool) and ours == theirs)


def normal(api: Api, body: Mapping[str, Any]) -> dict[str, Any]:
    """`body` with one spelling for each meaning."""
    return _RULES[api](_without_nulls(body))


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [_without_nulls(item) for item in value]
    return value


def _drop_defaults(value: dict[str, Any], **defaults: Any) -> dict[str, Any]:
    return {k: v for k, v in value.items() if k not in defaults or v != defaults[k]}


def _plain(content: Any, kind: str = "text") -> Any:
    """One part of text that says nothing but its text is that text."""
    match content:
        case [{"type": found, "text": str(said), **more}] if found == kind and not more:
            return said
        case _:
            return content


def _decoded(text: Any) -> Any:
    """Arguments as what they say: JSON has many spellings."""
    try:
        return json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return text


def _many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


# ------------------------------------------------------------------ chat completions


def _chat(body: dict[str, Any]) -> dict[str, Any]:
    body = _drop_defaults(
        body,
        stream=False,
        tool_choice="auto",
        parallel_tool_calls=True,
        n=1,
        # https://openrouter.ai/docs/guides/guides/usage-accounting: deprecated, without effect
        usage={"include": True},
    )
    body["messages"] = [_chat_message(message) for message in body["messages"]]
    if "stop" in body:
        body["stop"] = _many(body["stop"])
    if "tools" in body:
        body["tools"] = [_chat_tool(item) for item in body["tools"]]
    return body


def _chat_message(message: dict[str, Any]) -> dict[str, Any]:
    content = _plain(message.get("content", ""))
    if isinstance(content, list):
        content = [_chat_part(part) for part in content]
    made = {**message, "content": content}
    if content == "":
        del made["content"]
    if "tool_calls" in made:
        made["tool_calls"] = [_chat_call(item) for item in made["tool_calls"]]
    return made


def _chat_call(made: dict[str, Any]) -> dict[str, Any]:
    function = made["function"]
    told = {**function, "arguments": _decoded(function.get("arguments"))}
    return {"type": "function", **made, "function": told}


def _chat_part(part: dict[str, Any]) -> dict[str, Any]:
    match part:
        case {"type": "image_url", "image_url": str(url)}:
            return {**part, "image_url": {"url": url}}
        case {"type": "image_url", "image_url": dict(picture)}:
            return {**part, "image_url": _drop_defaults(picture, detail="auto")}
        case _:
            return part


def _chat_tool(item: dict[str, Any]) -> dict[str, Any]:
    function = _drop_defaults(item.get("function", {}), strict=False)
    return {**item, "function": function}


# ------------------------------------------------------------------ Responses


def _responses(body: dict[str, Any]) -> dict[str, Any]:
    body = _drop_defaults(
        body,
        stream=False,
        tool_choice="auto",
        parallel_tool_calls=True,
        text={"format": {"type": "text"}},
    )
    given = body["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    body["input"] = [_item(item) for item in items]
    return body


def _item(item: dict[str, Any]) -> dict[str, Any]:
    match item.get("type", "message"):
        case "message":
            content = item.get("content")
            for kind in ("input_text", "output_text"):
                content = _plain(content, kind)
            if isinstance(content, list):
                content = [_drop_defaults(part, detail="auto") for part in content]
            return {**item, "type": "message", "content": content}
        case "function_call":
            return {**item, "arguments": _decoded(item.get("arguments"))}
        case "function_call_output":
            return {**item, "output": _plain(item.get("output"), "input_text")}
        case _:
            return item


# ------------------------------------------------------------------ Messages


def _messages(body: dict[str, Any]) -> dict[str, Any]:
    body = _drop_defaults(body, stream=False, tool_choice={"type": "auto"})
    if "system" in body:
        body["system"] = _plain(body["system"])
    body["messages"] = [_turn(turn) for turn in body["messages"]]
    if "tools" in body:
        body["tools"] = [_messages_tool(item) for item in body["tools"]]
    return body


def _messages_tool(item: dict[str, Any]) -> dict[str, Any]:
    made = _drop_defaults(item, type="custom", strict=False)
    if "input_schema" in made:
        made["input_schema"] = _drop_defaults(made["input_schema"], properties={})
    return made


def _turn(turn: dict[str, Any]) -> dict[str, Any]:
    content = turn["content"]
    if isinstance(content, list):
        content = [_block(block) for block in content]
    return {**turn, "content": _plain(content)}


def _block(block: dict[str, Any]) -> dict[str, Any]:
    if block.get("type") == "tool_result":
        return _drop_defaults({**block, "content": _plain(block.get("content"))}, is_error=False)
    return block


# ------------------------------------------------------------------ generateContent

_VERBATIM: Final = frozenset({"args", "response", "responseJsonSchema", "parametersJsonSchema"})
"""Whose keys are the caller's own."""


def _generate_content(body: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = _camel(body)
    if "systemInstruction" in made:
        made["systemInstruction"] = _drop_defaults(made["systemInstruction"], role="user")
    made["contents"] = [{"role": "user", **turn} for turn in made["contents"]]
    return {k: v for k, v in made.items() if v not in ({}, [])}


def _camel(value: Any) -> Any:
    """Google's JSON takes both spellings of a name; enums of types in either case."""
    if isinstance(value, list):
        return [_camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    made: dict[str, Any] = {}
    for key, item in value.items():
        head, *rest = key.split("_")
        name = head + "".join(word[:1].upper() + word[1:] for word in rest)
        if name in _VERBATIM:
            made[name] = item
        elif name in ("responseSchema", "parameters"):
            made[name] = _lower_types(item)
        else:
            made[name] = _camel(item)
    if isinstance(level := made.get("thinkingLevel"), str):
        made["thinkingLevel"] = level.upper()
    return made


def _lower_types(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_lower_types(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        k: v.lower() if k == "type" and isinstance(v, str) else _lower_types(v)
        for k, v in schema.items()
    }


_RULES: Final[Mapping[Api, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "chat": _chat,
    "responses": _responses,
    "messages": _messages,
    "generate_content": _generate_content,
}
