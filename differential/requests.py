"""The requests: each as a producer of ours sends it, and as a caller of LiteLLM does.

LiteLLM takes the chat API's form; where a producer's form is another, `chat` has the chat API's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

PNG: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "YPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
PDF: Final = "JVBERi0xLjQKJSVFT0YK"
WAV: Final = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="
USER: Final = {"role": "user", "content": "How is the weather in Oslo?"}
SYSTEM: Final = {"role": "system", "content": "Be brief."}
CITY: Final = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER: Final = {
    "name": "weather",
    "description": "The weather in a city.",
    "parameters": CITY,
}
CLOCK: Final = {"name": "clock", "description": "The time."}
BOUNDED: Final = {
    "type": "object",
    "properties": {
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "name": {"type": "string", "minLength": 1, "maxLength": 80},
        "mail": {"type": "string", "format": "email"},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 5},
    },
    "required": ["age", "name"],
}
NODES: Final = {
    "type": "object",
    "properties": {"root": {"$ref": "#/$defs/node"}},
    "required": ["root"],
    "additionalProperties": False,
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "of": {"anyOf": [{"$ref": "#/$defs/leaf"}, {"type": "null"}]},
            },
            "required": ["name", "of"],
            "additionalProperties": False,
        },
        "leaf": {
            "type": "object",
            "properties": {"value": {"type": "number"}},
            "required": ["value"],
            "additionalProperties": False,
        },
    },
}
CACHE: Final = {"type": "ephemeral"}


def tool(function: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """In the chat API's form."""
    return {"type": "function", "function": dict(function), **more}


def call(call_id: str = "call_1", arguments: str = '{"city": "Oslo"}') -> dict[str, Any]:
    """A call that was answered with, in the chat API's form."""
    function = {"name": "weather", "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function}


def calls(*made: Mapping[str, Any], content: Any = "", **more: Any) -> dict[str, Any]:
    """The assistant's turn that has them."""
    return {"role": "assistant", "content": content, "tool_calls": list(made), **more}


def result(content: Any = "rain", call_id: str = "call_1") -> dict[str, Any]:
    """What a call came to."""
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def says(*parts: Mapping[str, Any]) -> dict[str, Any]:
    """A user's turn of several parts."""
    return {"role": "user", "content": list(parts)}


def text(said: str = "What is this?", **more: Any) -> dict[str, Any]:
    """A part of text."""
    return {"type": "text", "text": said, **more}


def picture(url: str, **more: Any) -> dict[str, Any]:
    """A part that is a picture."""
    return {"type": "image_url", "image_url": {"url": url, **more}}


def schema(of: Mapping[str, Any], name: str = "thing", **more: Any) -> dict[str, Any]:
    """The wish for an answer of this form."""
    return {"type": "json_schema", "json_schema": {"name": name, "schema": dict(of), **more}}


@dataclass(frozen=True, slots=True)
class Case:
    """One request."""

    fields: Mapping[str, Any]
    """As a producer of ours sends them, without the id."""
    chat: Mapping[str, Any]
    """As the chat API has them."""


def _asks(*messages: Mapping[str, Any], chat: Mapping[str, Any] | None = None, **more: Any) -> Case:
    fields = {"messages": list(messages or (USER,)), **more}
    return Case(fields, {**fields, **(chat or {})})


_TOOLS: Final = [tool(WEATHER)]
_LONG_ID: Final = "call_" + "x" * 59
_NAMED: Final = {"type": "function", "function": {"name": "weather"}}
_FLAT: Final = [{"type": "function", **WEATHER}]
_DOG: Final = "https://img.example/dog.png"

CASES: Final[Mapping[str, Case]] = {
    "text": _asks(),
    "unicode": _asks({"role": "user", "content": "Grüße, 世界 🌍\n\u2028\t"}),
    "system": _asks(SYSTEM, USER),
    "system twice": _asks(SYSTEM, {"role": "system", "content": "Be kind."}, USER),
    "system in the middle": _asks(USER, {"role": "assistant", "content": "Fine."}, SYSTEM, USER),
    "system in parts": _asks({"role": "system", "content": [text("Be brief.")]}, USER),
    "developer": _asks({"role": "developer", "content": "Be brief."}, USER),
    "dialogue": _asks(USER, {"role": "assistant", "content": "Rain."}, USER),
    "two turns of the user": _asks(USER, {"role": "user", "content": "Well?"}),
    "text in parts": _asks(says(text("One."), text("Two."))),
    "name of a message": _asks({**USER, "name": "kim"}),
    "tool": _asks(tools=_TOOLS),
    "tool auto": _asks(tools=_TOOLS, tool_choice="auto"),
    "tool flat": _asks(tools=_FLAT, chat={"tools": _TOOLS}),
    "tool required": _asks(tools=_TOOLS, tool_choice="required"),
    "tool named": _asks(tools=_TOOLS, tool_choice=_NAMED),
    "tool named, flat": _asks(
        tools=_FLAT,
        tool_choice={"type": "function", "name": "weather"},
        chat={"tools": _TOOLS, "tool_choice": _NAMED},
    ),
    "tool none": _asks(tools=_TOOLS, tool_choice="none"),
    "tool without parameters": _asks(tools=[tool(CLOCK)]),
    "tool strict": _asks(tools=[tool({**WEATHER, "strict": True})]),
    "two tools": _asks(tools=[*_TOOLS, tool(CLOCK)]),
    "calls one at a time": _asks(tools=_TOOLS, parallel_tool_calls=False),
    "calls at once": _asks(tools=_TOOLS, parallel_tool_calls=True),
    "loop": _asks(USER, calls(call()), result(), tools=_TOOLS),
    "loop with text": _asks(USER, calls(call(), content="I look."), result(), tools=_TOOLS),
    "loop with null": _asks(USER, calls(call(), content=None), result(), tools=_TOOLS),
    "loop of two": _asks(
        USER,
        calls(call(), call("call_2", '{"city": "Bergen"}')),
        result(),
        result("sun", "call_2"),
        tools=_TOOLS,
    ),
    "loop, then a question": _asks(USER, calls(call()), result(), USER, tools=_TOOLS),
    "loop with a long id": _asks(
        USER, calls(call(_LONG_ID)), result(call_id=_LONG_ID), tools=_TOOLS
    ),
    "loop without arguments": _asks(USER, calls(call(arguments="")), result(), tools=_TOOLS),
    "loop with parts": _asks(USER, calls(call()), result([text("rain")]), tools=_TOOLS),
    "loop of two steps": _asks(
        USER,
        calls(call()),
        result(),
        calls(call("call_2", '{"city": "Bergen"}')),
        result("sun", "call_2"),
        tools=_TOOLS,
    ),
    "no calls replayed": _asks(USER, calls(content="Rain."), USER),
    "refusal replayed": _asks(
        USER, {"role": "assistant", "content": None, "refusal": "I will not."}, USER
    ),
    "picture by URL": _asks(says(text(), picture(_DOG))),
    "picture": _asks(says(text(), picture(f"data:image/png;base64,{PNG}"))),
    "picture jpg": _asks(says(text(), picture(f"data:image/jpg;base64,{PNG}"))),
    "picture unpadded": _asks(says(text(), picture(f"data:image/png;base64,{PNG.rstrip('=')}"))),
    "picture in detail": _asks(says(text(), picture(f"data:image/png;base64,{PNG}", detail="low"))),
    "two pictures": _asks(
        says(picture(f"data:image/png;base64,{PNG}"), picture(_DOG), text("Compare."))
    ),
    "document": _asks(
        says(
            text(),
            {
                "type": "file",
                "file": {
                    "filename": "a.pdf",
                    "file_data": f"data:application/pdf;base64,{PDF}",
                },
            },
        )
    ),
    "audio": _asks(
        says(text(), {"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}})
    ),
    "JSON": _asks(
        {"role": "user", "content": "Oslo as JSON"}, response_format={"type": "json_object"}
    ),
    "schema": _asks(response_format=schema(CITY, strict=True)),
    "schema flat": _asks(
        response_format={"type": "json_schema", "name": "thing", "schema": CITY, "strict": True},
        chat={"response_format": schema(CITY, strict=True)},
    ),
    "schema with bounds": _asks(response_format=schema(BOUNDED)),
    "schema with references": _asks(response_format=schema(NODES, strict=True)),
    "effort none": _asks(reasoning_effort="none"),
    "effort minimal": _asks(reasoning_effort="minimal"),
    "effort low": _asks(reasoning_effort="low"),
    "effort medium": _asks(reasoning_effort="medium"),
    "effort high": _asks(reasoning_effort="high"),
    "effort xhigh": _asks(reasoning_effort="xhigh"),
    "effort max": _asks(reasoning_effort="max"),
    "effort and limit": _asks(reasoning_effort="low", max_tokens=4000),
    "effort in a loop": _asks(USER, calls(call()), result(), tools=_TOOLS, reasoning_effort="high"),
    "thinking": _asks(thinking={"type": "enabled", "budget_tokens": 2048}, max_tokens=8000),
    "temperature": _asks(temperature=0.7),
    "temperature 0": _asks(temperature=0),
    "temperature and no thinking": _asks(temperature=0.7, reasoning_effort="none"),
    "top_p": _asks(top_p=0.9),
    "both samplers": _asks(temperature=0.7, top_p=0.9),
    "top_k": _asks(top_k=40),
    "stop": _asks(stop="END"),
    "stops": _asks(stop=["END", "STOP"]),
    "stop blank": _asks(stop=["\n"]),
    "limit": _asks(max_tokens=4000),
    "limit, newer name": _asks(max_completion_tokens=4000),
    "seed": _asks(seed=7),
    "penalties": _asks(presence_penalty=0.5, frequency_penalty=0.25),
    "service tier": _asks(service_tier="flex"),
    "user": _asks(user="user-1"),
    "metadata": _asks(metadata={"job": "7"}),
    "verbosity": _asks(verbosity="low"),
    "cache key": _asks(prompt_cache_key="k-1"),
    "cache in a part": _asks(says(text("Long.", cache_control=CACHE), text("Short."))),
    "cache in the system": _asks(
        {"role": "system", "content": [text("Long.", cache_control=CACHE)]}, USER
    ),
    "cache at a tool": _asks(tools=[tool(WEATHER, cache_control=CACHE)]),
    "prefill": _asks(USER, {"role": "assistant", "content": "It is"}),
    "stream": _asks(stream=True),
    "stream with tools": _asks(stream=True, tools=_TOOLS, max_tokens=4000),
}
