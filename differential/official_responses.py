"""The requests as the Responses API has them.

https://platform.openai.com/docs/api-reference/responses/create
"""

from collections.abc import Mapping
from typing import Any, Final

from differential.requests import BOUNDED, CITY, CLOCK, NODES, PDF, PNG, WEATHER

_ASKED: Final = "How is the weather in Oslo?"
_USER: Final = {"type": "message", "role": "user", "content": _ASKED}
_TOOL: Final = {"type": "function", **WEATHER}
_PNG: Final = f"data:image/png;base64,{PNG}"
_LONG_ID: Final = "call_" + "x" * 59


def _turn(role: str, content: Any) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": content}


def _called(call_id: str = "call_1", arguments: str = '{"city": "Oslo"}') -> dict[str, Any]:
    return {
        "type": "function_call",
        "call_id": call_id,
        "name": "weather",
        "arguments": arguments,
    }


def _came_to(output: Any = "rain", call_id: str = "call_1") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def _asks(*items: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"input": list(items) if items else _ASKED, **more}


def _looks(*parts: Mapping[str, Any]) -> dict[str, Any]:
    return _asks(_turn("user", list(parts)))


def _text(said: str = "What is this?") -> dict[str, Any]:
    return {"type": "input_text", "text": said}


def _picture(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "input_image", "image_url": url, **more}


def _format(schema: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"format": {"type": "json_schema", "name": "thing", "schema": schema, **more}}


FORMS: Final[Mapping[str, Mapping[str, Any]]] = {
    "text": _asks(),
    "unicode": _asks(_turn("user", "Grüße, 世界 🌍\n\u2028\t")),
    "system": _asks(_turn("system", "Be brief."), _USER),
    "system twice": _asks(_turn("system", "Be brief."), _turn("system", "Be kind."), _USER),
    "system in the middle": _asks(
        _USER, _turn("assistant", "Fine."), _turn("system", "Be brief."), _USER
    ),
    "system in parts": _asks(_turn("system", "Be brief."), _USER),
    "developer": _asks(_turn("developer", "Be brief."), _USER),
    "dialogue": _asks(_USER, _turn("assistant", "Rain."), _USER),
    "two turns of the user": _asks(_USER, _turn("user", "Well?")),
    "text in parts": _looks(_text("One."), _text("Two.")),
    "tool": _asks(tools=[_TOOL]),
    "tool auto": _asks(tools=[_TOOL], tool_choice="auto"),
    "tool flat": _asks(tools=[_TOOL]),
    "tool required": _asks(tools=[_TOOL], tool_choice="required"),
    "tool named": _asks(tools=[_TOOL], tool_choice={"type": "function", "name": "weather"}),
    "tool named, flat": _asks(tools=[_TOOL], tool_choice={"type": "function", "name": "weather"}),
    "tool none": _asks(tools=[_TOOL], tool_choice="none"),
    "tool without parameters": _asks(tools=[{"type": "function", **CLOCK, "parameters": None}]),
    "tool strict": _asks(tools=[{**_TOOL, "strict": True}]),
    "two tools": _asks(tools=[_TOOL, {"type": "function", **CLOCK, "parameters": None}]),
    "calls one at a time": _asks(tools=[_TOOL], parallel_tool_calls=False),
    "calls at once": _asks(tools=[_TOOL], parallel_tool_calls=True),
    "loop": _asks(_USER, _called(), _came_to(), tools=[_TOOL]),
    "loop with text": _asks(
        _USER, _turn("assistant", "I look."), _called(), _came_to(), tools=[_TOOL]
    ),
    "loop with null": _asks(_USER, _called(), _came_to(), tools=[_TOOL]),
    "loop of two": _asks(
        _USER,
        _called(),
        _called("call_2", '{"city": "Bergen"}'),
        _came_to(),
        _came_to("sun", "call_2"),
        tools=[_TOOL],
    ),
    "loop, then a question": _asks(_USER, _called(), _came_to(), _USER, tools=[_TOOL]),
    "loop with a long id": _asks(
        _USER, _called(_LONG_ID), _came_to(call_id=_LONG_ID), tools=[_TOOL]
    ),
    "loop without arguments": _asks(_USER, _called(arguments="{}"), _came_to(), tools=[_TOOL]),
    "loop with parts": _asks(_USER, _called(), _came_to([_text("rain")]), tools=[_TOOL]),
    "loop of two steps": _asks(
        _USER,
        _called(),
        _came_to(),
        _called("call_2", '{"city": "Bergen"}'),
        _came_to("sun", "call_2"),
        tools=[_TOOL],
    ),
    "no calls replayed": _asks(_USER, _turn("assistant", "Rain."), _USER),
    "refusal replayed": _asks(
        _USER, _turn("assistant", [{"type": "refusal", "refusal": "I will not."}]), _USER
    ),
    "picture by URL": _looks(_text(), _picture("https://img.example/dog.png")),
    "picture": _looks(_text(), _picture(_PNG)),
    "picture jpg": _looks(_text(), _picture(f"data:image/jpeg;base64,{PNG}")),
    "picture unpadded": _looks(_text(), _picture(_PNG)),
    "picture in detail": _looks(_text(), _picture(_PNG, detail="low")),
    "two pictures": _looks(
        _picture(_PNG), _picture("https://img.example/dog.png"), _text("Compare.")
    ),
    "document": _looks(
        _text(),
        {
            "type": "input_file",
            "filename": "a.pdf",
            "file_data": f"data:application/pdf;base64,{PDF}",
        },
    ),
    "JSON": _asks(_turn("user", "Oslo as JSON"), text={"format": {"type": "json_object"}}),
    "schema": _asks(text=_format(CITY, strict=True)),
    "schema flat": _asks(text=_format(CITY, strict=True)),
    "schema with bounds": _asks(text=_format(BOUNDED)),
    "schema with references": _asks(text=_format(NODES, strict=True)),
    **{
        f"effort {effort}": _asks(reasoning={"effort": effort})
        for effort in ("none", "minimal", "low", "medium", "high", "xhigh", "max")
    },
    "effort and limit": _asks(reasoning={"effort": "low"}, max_output_tokens=4000),
    "effort in a loop": _asks(
        _USER, _called(), _came_to(), tools=[_TOOL], reasoning={"effort": "high"}
    ),
    "temperature": _asks(temperature=0.7),
    "temperature 0": _asks(temperature=0),
    "temperature and no thinking": _asks(temperature=0.7, reasoning={"effort": "none"}),
    "top_p": _asks(top_p=0.9),
    "both samplers": _asks(temperature=0.7, top_p=0.9),
    "limit": _asks(max_output_tokens=4000),
    "limit, newer name": _asks(max_output_tokens=4000),
    "service tier": _asks(service_tier="flex"),
    "user": _asks(user="user-1"),
    "metadata": _asks(metadata={"job": "7"}),
    "verbosity": _asks(text={"verbosity": "low"}),
    "cache key": _asks(prompt_cache_key="k-1"),
    "stream": _asks(stream=True),
    "stream with tools": _asks(stream=True, tools=[_TOOL], max_output_tokens=4000),
}
