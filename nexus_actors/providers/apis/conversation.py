"""Converts a request's conversation, tools and response format to a neutral form, for all APIs
other than chat completions.

Producers use the forms of chat completions or of the Responses API, or a mixture. Here each thing
has one form. Anything else (a part of an unknown type, a tool that is not a function) is kept as
`Unknown` or listed by its path. An API that cannot express it drops or refuses it, by its own rule.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, TypeAlias

from nexus_actors.contract.messages import HAVE_MESSAGE
from nexus_actors.contract.provider_state import STATE
from nexus_actors.contract.request import LLMRequest, Message
from nexus_actors.providers.apis.parts import Cache, Part, Text, Unknown, read_part
from nexus_actors.providers.http.api import text_or_none

NOT_ALLOWED: Final = "left out, as tool_choice does not allow it"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function call by the model."""

    id: str
    name: str
    arguments: str
    """JSON text as the model wrote it."""
    signature: str | None = None
    """Google's thought signature, from its place in Google's chat API."""
    state: str | None = None
    """The provider's own, unsealed: JSON text, not checked."""
    cache: Cache | None = None

    def arguments_object(self) -> dict[str, Any]:
        """The arguments as an object. A model may have written none, or invalid JSON."""
        try:
            value = json.loads(self.arguments or "{}")
        except ValueError:
            return {"arguments": self.arguments}
        return value if isinstance(value, dict) else {"arguments": value}


@dataclass(frozen=True, slots=True)
class Turn:
    """One message other than a system message."""

    role: Literal["user", "assistant", "tool"]
    parts: tuple[Part, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    """For an assistant: its calls."""
    call_id: str = ""
    """For a tool's result: the id of the call."""
    tool_name: str = ""
    """For a tool's result: the called function, if the conversation has it."""
    state: str | None = None
    """An assistant's: the provider's own, unsealed: JSON text, not checked."""
    path: str = ""
    """Its path in the request, such as `messages[2]`."""

    @property
    def text(self) -> str:
        """The texts of its parts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))


@dataclass(frozen=True, slots=True)
class Function:
    """A function that the model may call."""

    name: str
    description: str | None
    parameters: Mapping[str, Any] | None
    """JSON Schema."""
    strict: bool | None = None
    cache: Cache | None = None
    path: str = field(default="", compare=False)
    """Its path in the request, such as `tools[2]`."""


@dataclass(frozen=True, slots=True)
class Named:
    """The model must call this function."""

    name: str


@dataclass(frozen=True, slots=True)
class Allowed:
    """The model may call only these functions."""

    mode: Literal["auto", "required"]
    names: tuple[str, ...]


ToolChoice: TypeAlias = Literal["auto", "none", "required"] | Named | Allowed


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
    """A request's conversation, tools and response format."""

    system: tuple[Text, ...]
    """The texts of all system messages, wherever they were."""
    system_paths: tuple[str, ...] = ()
    """For each text, the path of its message, such as `messages[2]`."""
    turns: tuple[Turn, ...]
    functions: tuple[Function, ...]
    choice: ToolChoice | None
    output: JsonObject | JsonSchema | None
    unsaid: tuple[str, ...]
    """Paths of what has no neutral form, such as `messages[2].content[0]` or `input[1]`."""


def read_conversation(request: LLMRequest) -> Conversation:
    """Convert `request` to the neutral form."""
    spoken = _spoken(request)
    functions, lost_tools = _functions(request)
    choice, dropped_choice = sayable(
        read_choice(request.tool_choice), {it.name for it in functions}
    )
    if choice is None and request.tool_choice is not None:
        dropped_choice = "tool_choice"
    unsaid = [*spoken.unsaid, *lost_tools, *([dropped_choice] if dropped_choice else [])]
    return Conversation(
        system=tuple(spoken.system),
        system_paths=tuple(spoken.system_paths),
        turns=tuple(spoken.turns),
        functions=tuple(functions),
        choice=choice,
        output=_output(request.response_format),
        unsaid=(*unsaid, *items_without_message(request)),
    )


@dataclass(slots=True)
class _Spoken:
    """What is read from a request's messages."""

    system: list[Text] = field(default_factory=list)
    system_paths: list[str] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    unsaid: list[str] = field(default_factory=list)


def _spoken(request: LLMRequest) -> _Spoken:
    spoken = _Spoken()
    names: dict[str, str] = {}
    for index, message in enumerate(request.messages):
        parts = _parts(message.get("content"))
        spoken.unsaid += [
            f"messages[{index}].content[{place}]"
            for place, part in enumerate(parts)
            # Only a system message's text is kept, so a picture in it must be listed.
            if isinstance(part, Unknown)
            or (message["role"] == "system" and not isinstance(part, Text))
        ]
        if message["role"] == "system":
            texts = [part for part in parts if isinstance(part, Text) and not _is_nothing(part)]
            spoken.system += texts
            spoken.system_paths += [f"messages[{index}]"] * len(texts)
            continue
        calls, lost = _calls(message)
        spoken.unsaid += [f"messages[{index}].tool_calls[{place}]" for place in lost]
        names.update({call.id: call.name for call in calls})
        call_id = str(message.get("tool_call_id") or "")
        name = message.get("name") if message["role"] == "tool" else None
        spoken.turns.append(
            Turn(
                role=message["role"],
                parts=tuple(it for it in parts if not _is_nothing(it)),
                calls=calls,
                call_id=call_id,
                tool_name=names.get(call_id) or str(name or ""),
                state=text_or_none(message.get(STATE)),
                path=f"messages[{index}]",
            )
        )
    return spoken


def _functions(request: LLMRequest) -> tuple[list[Function], list[str]]:
    """The function tools, and the paths of tools that are none."""
    functions: list[Function] = []
    others: list[str] = []
    for index, tool in enumerate(request.tools):
        function = _function(tool)
        if function is None:
            others.append(f"tools[{index}]")
        else:
            functions.append(replace(function, path=f"tools[{index}]"))
    return functions, others


def names_of_speakers(request: LLMRequest) -> Iterator[str]:
    """Paths of what only chat completions have in a message: the speaker's name, and reasoning as
    text. A tool's name is handled elsewhere."""
    for index, message in enumerate(request.messages):
        if message.get("name") is not None and message["role"] != "tool":
            yield f"messages[{index}].name"
        yield from thoughts_in_words(message, f"messages[{index}]")


def thoughts_in_words(message: Message, path: str) -> Iterator[str]:
    """Paths of an assistant's reasoning text, as some chat completion servers return it."""
    for key in ("reasoning_content", "reasoning", "reasoning_details"):
        if message.get(key):
            yield f"{path}.{key}"


def items_without_message(request: LLMRequest) -> Iterator[str]:
    """Paths of items of `input` that exist only in the Responses API (references, reasoning, calls
    of its own tools), so that `messages` lacks them."""
    if request.input is not None and not isinstance(request.input, str):
        for index, item in enumerate(request.input):
            if item.get("type", "message") not in HAVE_MESSAGE:
                yield f"input[{index}]"


def _is_nothing(part: Part) -> bool:
    """Whether the part is an empty text without a cache mark."""
    return isinstance(part, Text) and not part.text and part.cache is None


def _parts(content: Any) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (Text(content),) if content else ()
    if isinstance(content, list | tuple):
        return tuple(read_part(part) for part in content)
    return ()


def _calls(message: Message) -> tuple[tuple[ToolCall, ...], tuple[int, ...]]:
    """The function calls, and the indexes of other calls."""
    calls = message.get("tool_calls")
    found = [_call(call) for call in calls] if isinstance(calls, list | tuple) else []
    lost = tuple(place for place, call in enumerate(found) if call is None)
    return tuple(call for call in found if call is not None), lost


def _call(call: Any) -> ToolCall | None:
    match call:
        case {"function": {"name": str(name), **more}} if isinstance(call.get("id"), str | None):
            arguments = more.get("arguments")
            text = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
            written = text if text.strip() else "{}"
            state = text_or_none(call.get(STATE))
            return ToolCall(
                call.get("id") or "", name, written, _signature(call), state, _cache(call)
            )
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
        text_or_none(inner.get("description")),
        parameters if isinstance(parameters, Mapping) else None,
        strict if isinstance(strict, bool) else None,
        _cache(tool) or _cache(inner),
    )


def _cache(holder: Mapping[str, Any]) -> Cache | None:
    cache = holder.get("cache_control")
    return cache if isinstance(cache, Mapping) else None


def read_choice(choice: Any) -> ToolChoice | None:
    """The choice in `tool_choice`; None if it names no function."""
    match choice:
        case "auto":
            return "auto"
        case "none":
            return "none"
        case "required":
            return "required"
        case {"type": "allowed_tools", "allowed_tools": Mapping() as inner}:
            return _allowed(inner)
        case {"type": "allowed_tools"}:
            return _allowed(choice)
        case {"function": {"name": str(name)}} | {"type": "function", "name": str(name)}:
            return Named(name)
        case _:
            return None


def _allowed(inner: Mapping[str, Any]) -> Allowed | None:
    """The named functions. Other tools are ignored."""
    mode, tools = inner.get("mode"), inner.get("tools")
    if mode not in ("auto", "required") or not isinstance(tools, list | tuple):
        return None
    named = [it for it in map(read_choice, tools) if isinstance(it, Named)]
    return Allowed(mode, tuple(dict.fromkeys(it.name for it in named)))


def is_forced(choice: ToolChoice | str | None) -> bool:
    """Whether a function must be called."""
    if isinstance(choice, Allowed):
        return choice.mode == "required"
    return choice not in (None, "auto", "none")


def sayable(choice: ToolChoice | None, names: Collection[str]) -> tuple[ToolChoice | None, str]:
    """The choice, limited to the functions that are sent, and a note about the difference."""
    if not isinstance(choice, Allowed):
        return choice, ""
    kept = tuple(name for name in choice.names if name in names)
    if kept:
        return replace(choice, names=kept), ""
    return "none", "tool_choice: sent as none, for no tool that it allows can be sent"


def narrowed(conversation: Conversation) -> Conversation:
    """For an API that cannot limit the choice to some functions: leave out the others, and note
    that."""
    choice = conversation.choice
    if not isinstance(choice, Allowed):
        return conversation
    names = frozenset(choice.names)
    out = [it.path for it in conversation.functions if it.name not in names]
    return replace(
        conversation,
        functions=tuple(it for it in conversation.functions if it.name in names),
        choice=choice.mode,
        unsaid=(*conversation.unsaid, *(f"{path}: {NOT_ALLOWED}" for path in out)),
    )


def _output(wanted: Mapping[str, Any] | None) -> JsonObject | JsonSchema | None:
    if wanted is None or wanted.get("type") == "text":
        return None
    if wanted.get("type") == "json_object":
        return JsonObject()
    inner = wanted.get("json_schema", wanted)
    strict = inner.get("strict")
    return JsonSchema(
        inner.get("schema", {}),
        text_or_none(inner.get("name")) or "answer",
        strict if isinstance(strict, bool) else None,
        text_or_none(inner.get("description")),
    )
