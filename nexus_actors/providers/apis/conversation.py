"""A request's conversation, tools and output format in one neutral form, for every API that does
not speak as the chat API does.

Producers write the chat API's forms, or the Responses API's, or both mixed; here each thing has one
form. What is none of these (a part of an unknown type, a tool that is no function) is kept as
`Unknown` or told by its path: the API that cannot say it drops or refuses it, by its own rule.
"""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from urllib.parse import unquote_to_bytes

from nexus_actors.contract.messages import HAVE_MESSAGE
from nexus_actors.contract.request import LLMRequest, Message


@dataclass(frozen=True, slots=True)
class Text:
    """A stretch of text."""

    text: str


@dataclass(frozen=True, slots=True)
class Media:
    """An image, or a document: by its URL, by the id of an upload, or as it is, in base64."""

    kind: Literal["image", "file"]
    url: str | None = None
    data: str | None = None
    """Base64, without white space."""
    media_type: str | None = None
    """Of `data`, such as `image/png`."""
    file_id: str | None = None
    name: str | None = None
    detail: str | None = None
    """`low`, `high` or `auto`."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A content part of another type."""

    type: str


Part: TypeAlias = Text | Media | Unknown


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model asked for a function."""

    id: str
    name: str
    arguments: str
    """JSON text, as the model wrote it."""
    signature: str | None = None
    """What the model thought, sealed: Google's, in the place its own chat API has for it."""

    def arguments_object(self) -> dict[str, Any]:
        """The arguments as an object; a model may have written none, or no JSON at all."""
        try:
            value = json.loads(self.arguments or "{}")
        except ValueError:
            return {"arguments": self.arguments}
        return value if isinstance(value, dict) else {"arguments": value}


@dataclass(frozen=True, slots=True)
class Turn:
    """One message that is not the system's."""

    role: Literal["user", "assistant", "tool"]
    parts: tuple[Part, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    """An assistant's."""
    call_id: str = ""
    """Of a tool's result."""
    tool_name: str = ""
    """Of a tool's result: the function that was called, where the conversation tells."""

    @property
    def text(self) -> str:
        """The texts of its parts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))


@dataclass(frozen=True, slots=True)
class Function:
    """A tool the model may call."""

    name: str
    description: str | None
    parameters: Mapping[str, Any] | None
    """JSON Schema."""
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """Call this function."""

    name: str


ToolChoice: TypeAlias = Literal["auto", "none", "required"] | Named


@dataclass(frozen=True, slots=True)
class JsonObject:
    """Answer with any JSON object."""


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """Answer with JSON that fits `schema`."""

    schema: Mapping[str, Any]
    name: str = "answer"
    strict: bool | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """All that is said in a request."""

    system: tuple[str, ...]
    """Every system message's text, wherever it stood."""
    turns: tuple[Turn, ...]
    functions: tuple[Function, ...]
    choice: ToolChoice | None
    output: JsonObject | JsonSchema | None
    unsaid: tuple[str, ...]
    """Paths of what has no form here, such as `messages[2].content[0]` or `input[1]`."""


def read_conversation(request: LLMRequest) -> Conversation:
    """The neutral form of `request`."""
    system: list[str] = []
    turns: list[Turn] = []
    unsaid: list[str] = []
    names: dict[str, str] = {}
    for index, message in enumerate(request.messages):
        parts = _parts(message.get("content"))
        unsaid += [
            f"messages[{index}].content[{place}]"
            for place, part in enumerate(parts)
            # A system message has its text alone here: a picture in it would be lost unseen.
            if isinstance(part, Unknown)
            or (message["role"] == "system" and not isinstance(part, Text))
        ]
        if message["role"] == "system":
            system.append("".join(part.text for part in parts if isinstance(part, Text)))
            continue
        calls, lost = _calls(message)
        unsaid += [f"messages[{index}].tool_calls[{place}]" for place in lost]
        names.update({call.id: call.name for call in calls})
        call_id = str(message.get("tool_call_id") or "")
        name = message.get("name") if message["role"] == "tool" else None
        turns.append(
            Turn(
                role=message["role"],
                parts=tuple(part for part in parts if part != Text("")),
                calls=calls,
                call_id=call_id,
                tool_name=names.get(call_id) or str(name or ""),
            )
        )
    functions: list[Function] = []
    for index, tool in enumerate(request.tools):
        function = _function(tool)
        if function is None:
            unsaid.append(f"tools[{index}]")
        else:
            functions.append(function)
    choice = _choice(request.tool_choice)
    if choice is None and request.tool_choice is not None:
        unsaid.append("tool_choice")
    return Conversation(
        system=tuple(text for text in system if text),
        turns=tuple(turns),
        functions=tuple(functions),
        choice=choice,
        output=_output(request.response_format),
        unsaid=(*unsaid, *items_without_message(request)),
    )


def names_of_speakers(request: LLMRequest) -> Iterator[str]:
    """Paths of the names of who speaks. A tool's name is told otherwise."""
    for index, message in enumerate(request.messages):
        if message.get("name") is not None and message["role"] != "tool":
            yield f"messages[{index}].name"


def items_without_message(request: LLMRequest) -> Iterator[str]:
    """Paths of what was sent as `input` and exists in the Responses API alone (references,
    reasoning, calls of its own tools): `messages` are without it."""
    if request.input is not None and not isinstance(request.input, str):
        for index, item in enumerate(request.input):
            if item.get("type", "message") not in HAVE_MESSAGE:
                yield f"input[{index}]"


def _parts(content: Any) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (Text(content),) if content else ()
    if isinstance(content, list | tuple):
        return tuple(read_part(part) for part in content)
    return ()


def read_part(part: Any) -> Part:
    """One content part, in whichever form it was sent."""
    match part:
        case {"type": "text" | "input_text" | "output_text", "text": str(text)}:
            return Text(text)
        case {"type": "refusal", "refusal": str(text)}:
            return Text(text)
        case {"type": "image_url", "image_url": {"url": str(url), **more}}:
            return _media("image", url, detail=_text(more.get("detail")))
        case {"type": "image_url" | "input_image", "image_url": str(url)}:
            return _media("image", url, detail=_text(part.get("detail")))
        case {"type": "input_image", "file_id": str(file_id)}:
            return Media("image", file_id=file_id, detail=_text(part.get("detail")))
        case {"type": "file", "file": Mapping() as file}:
            return _file(file)
        case {"type": "input_file"}:
            return _file(part)
        case {"type": str(kind)}:
            return Unknown(kind)
        case _:
            return Unknown("none")


def _file(file: Mapping[str, Any]) -> Part:
    name = _text(file.get("filename"))
    match file:
        case {"file_data": str(data)}:
            return _media("file", data if data[:5] == "data:" else _as_pdf(data), name=name)
        case {"file_url": str(url)}:
            return _media("file", url, name=name)
        case {"file_id": str(file_id)}:
            return Media("file", file_id=file_id, name=name)
        case _:
            return Unknown("file")


def _as_pdf(data: str) -> str:
    """Bare base64: of the kinds of documents the APIs take, PDF is the one that all do."""
    return f"data:application/pdf;base64,{data}"


def _media(
    kind: Literal["image", "file"], url: str, *, detail: str | None = None, name: str | None = None
) -> Part:
    """By URL; what a `data:` URL (RFC 2397) holds comes as data."""
    if url[:5].lower() != "data:":
        return Media(kind, url=url, name=name, detail=detail)
    head, comma, body = url[5:].partition(",")
    media_type, *options = head.split(";")
    if not comma:
        return Unknown(kind)
    if "base64" in options:
        data = "".join(body.split())
        try:
            base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            return Unknown(kind)
    else:
        data = base64.b64encode(unquote_to_bytes(body)).decode("ascii")
    return Media(kind, data=data, media_type=media_type or "text/plain", name=name, detail=detail)


def _calls(message: Message) -> tuple[tuple[ToolCall, ...], tuple[int, ...]]:
    """The calls of functions, and the places of others."""
    calls = message.get("tool_calls")
    found = [_call(call) for call in calls] if isinstance(calls, list | tuple) else []
    lost = tuple(place for place, call in enumerate(found) if call is None)
    return tuple(call for call in found if call is not None), lost


def _call(call: Any) -> ToolCall | None:
    match call:
        case {"id": str(call_id), "function": {"name": str(name), **more}}:
            arguments = more.get("arguments")
            written = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
            return ToolCall(call_id, name, written, _signature(call))
        case _:
            return None


def _signature(call: Mapping[str, Any]) -> str | None:
    match call:
        case {"extra_content": {"google": {"thought_signature": str(signature)}}}:
            return signature or None
        case _:
            return None


def _function(tool: Mapping[str, Any]) -> Function | None:
    inner = tool.get("function", tool)
    if tool.get("type", "function") != "function" or not isinstance(inner, Mapping):
        return None
    name, parameters, strict = inner.get("name"), inner.get("parameters"), inner.get("strict")
    if not isinstance(name, str):
        return None
    return Function(
        name,
        _text(inner.get("description")),
        parameters if isinstance(parameters, Mapping) else None,
        strict if isinstance(strict, bool) else None,
    )


def _choice(choice: Any) -> ToolChoice | None:
    match choice:
        case "auto":
            return "auto"
        case "none":
            return "none"
        case "required":
            return "required"
        case {"function": {"name": str(name)}} | {"type": "function", "name": str(name)}:
            return Named(name)
        case _:
            return None


def _output(wanted: Mapping[str, Any] | None) -> JsonObject | JsonSchema | None:
    if wanted is None or wanted.get("type") == "text":
        return None
    if wanted.get("type") == "json_object":
        return JsonObject()
    inner = wanted.get("json_schema", wanted)
    strict = inner.get("strict")
    return JsonSchema(
        inner.get("schema", {}),
        _text(inner.get("name")) or "answer",
        strict if isinstance(strict, bool) else None,
        _text(inner.get("description")),
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
