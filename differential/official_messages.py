"""The requests as Anthropic's Messages API has them.

https://platform.claude.com/docs/en/api/messages
"""

from collections.abc import Mapping
from typing import Any, Final

from differential.requests import BOUNDED, CACHE, CITY, CLOCK, NODES, PDF, PNG, WEATHER

_USER: Final = {"role": "user", "content": "How is the weather in Oslo?"}
_TOOL: Final = {
    "name": WEATHER["name"],
    "description": WEATHER["description"],
    "input_schema": CITY,
}
_CLOCK: Final = {
    "name": CLOCK["name"],
    "description": CLOCK["description"],
    "input_schema": {"type": "object", "properties": {}},
}
_OLD: Final = "claude-sonnet-4-5"
"""Takes no effort."""
_EFFORTS: Final[Mapping[str, tuple[str, ...]]] = {
    "claude-opus-4-6": ("low", "medium", "high", "max"),
    "claude-opus-5-5": ("low", "medium", "high", "xhigh", "max"),
}
"""https://platform.claude.com/docs/en/build-with-claude/effort"""
_MOST: Final = {_OLD: 64_000, "claude-opus-4-6": 128_000, "claude-opus-5-5": 128_000}
"""Tokens, which is what a request that sets no limit means elsewhere:
https://platform.claude.com/docs/en/about-claude/models/overview"""
_ALWAYS_THINKS: Final = ("claude-opus-5-5",)


def _asks(*turns: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"messages": list(turns or (_USER,)), **more}


def _looks(*blocks: Mapping[str, Any]) -> dict[str, Any]:
    return _asks({"role": "user", "content": list(blocks)})


def _said(content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def _text(said: str = "What is this?", **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **more}


def _use(call_id: str = "call_1", **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": "weather", "input": arguments}


def _result(content: Any = "rain", call_id: str = "call_1") -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content}


def _results(*blocks: Mapping[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def _data(kind: str, media_type: str, data: str) -> dict[str, Any]:
    return {"type": kind, "source": {"type": "base64", "media_type": media_type, "data": data}}


def _url(url: str) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "url", "url": url}}


_OSLO: Final = _use(city="Oslo")
_BERGEN: Final = _use("call_2", city="Bergen")
_LONG_ID: Final = "call_" + "x" * 59

FORMS: Final[Mapping[str, Mapping[str, Any]]] = {
    "text": _asks(),
    "unicode": _asks({"role": "user", "content": "Grüße, 世界 🌍\n\u2028\t"}),
    "system": _asks(system="Be brief."),
    "system twice": _asks(system=[_text("Be brief."), _text("Be kind.")]),
    "system in parts": _asks(system="Be brief."),
    "developer": _asks(system="Be brief."),
    "dialogue": _asks(_USER, _said("Rain."), _USER),
    "two turns of the user": _asks(
        {"role": "user", "content": [_text(_USER["content"]), _text("Well?")]}
    ),
    "text in parts": _looks(_text("One."), _text("Two.")),
    "tool": _asks(tools=[_TOOL]),
    "tool auto": _asks(tools=[_TOOL], tool_choice={"type": "auto"}),
    "tool flat": _asks(tools=[_TOOL]),
    "tool required": _asks(tools=[_TOOL], tool_choice={"type": "any"}),
    "tool named": _asks(tools=[_TOOL], tool_choice={"type": "tool", "name": "weather"}),
    "tool named, flat": _asks(tools=[_TOOL], tool_choice={"type": "tool", "name": "weather"}),
    "tool none": _asks(tools=[_TOOL], tool_choice={"type": "none"}),
    "tool without parameters": _asks(tools=[_CLOCK]),
    "tool strict": _asks(tools=[{**_TOOL, "strict": True}]),
    "two tools": _asks(tools=[_TOOL, _CLOCK]),
    "calls one at a time": _asks(
        tools=[_TOOL], tool_choice={"type": "auto", "disable_parallel_tool_use": True}
    ),
    "loop": _asks(_USER, _said([_OSLO]), _results(_result()), tools=[_TOOL]),
    "loop with text": _asks(
        _USER, _said([_text("I look."), _OSLO]), _results(_result()), tools=[_TOOL]
    ),
    "loop with null": _asks(_USER, _said([_OSLO]), _results(_result()), tools=[_TOOL]),
    "loop of two": _asks(
        _USER,
        _said([_OSLO, _BERGEN]),
        _results(_result(), _result("sun", "call_2")),
        tools=[_TOOL],
    ),
    "loop, then a question": _asks(
        _USER, _said([_OSLO]), _results(_result(), _text(_USER["content"])), tools=[_TOOL]
    ),
    "loop with a long id": _asks(
        _USER,
        _said([_use(_LONG_ID, city="Oslo")]),
        _results(_result(call_id=_LONG_ID)),
        tools=[_TOOL],
    ),
    "loop without arguments": _asks(_USER, _said([_use()]), _results(_result()), tools=[_TOOL]),
    "loop with parts": _asks(
        _USER, _said([_OSLO]), _results(_result([_text("rain")])), tools=[_TOOL]
    ),
    "loop of two steps": _asks(
        _USER,
        _said([_OSLO]),
        _results(_result()),
        _said([_BERGEN]),
        _results(_result("sun", "call_2")),
        tools=[_TOOL],
    ),
    "no calls replayed": _asks(_USER, _said("Rain."), _USER),
    "picture by URL": _looks(_text(), _url("https://img.example/dog.png")),
    "picture": _looks(_text(), _data("image", "image/png", PNG)),
    "picture jpg": _looks(_text(), _data("image", "image/jpeg", PNG)),
    "picture unpadded": _looks(_text(), _data("image", "image/png", PNG)),
    "two pictures": _looks(
        _data("image", "image/png", PNG), _url("https://img.example/dog.png"), _text("Compare.")
    ),
    "document": _looks(_text(), {**_data("document", "application/pdf", PDF), "title": "a.pdf"}),
    # The client has no names for these any more: the newest models take none of them.
    "temperature": _asks(extra_body={"temperature": 0.7}),
    "temperature 0": _asks(extra_body={"temperature": 0}),
    "top_p": _asks(extra_body={"top_p": 0.9}),
    "top_k": _asks(extra_body={"top_k": 40}),
    "stop": _asks(stop_sequences=["END"]),
    "stops": _asks(stop_sequences=["END", "STOP"]),
    "limit": _asks(max_tokens=4000),
    "limit, newer name": _asks(max_tokens=4000),
    "user": _asks(metadata={"user_id": "user-1"}),
    "cache in a part": _looks(_text("Long.", cache_control=CACHE), _text("Short.")),
    "cache in the system": _asks(system=[_text("Long.", cache_control=CACHE)]),
    "cache at a tool": _asks(tools=[{**_TOOL, "cache_control": CACHE}]),
    "stream": _asks(stream=True),
    "stream with tools": _asks(stream=True, tools=[_TOOL], max_tokens=4000),
}


def form(name: str, model: str) -> Mapping[str, Any] | None:
    """The case's form for this model; None where there is none."""
    found = _form(name, model)
    return None if found is None else {"max_tokens": _MOST[model], **found}


def _form(name: str, model: str) -> Mapping[str, Any] | None:
    if name.startswith("schema"):
        return _structured(name)
    if name.startswith("effort"):
        return _thinking(name, model)
    if name == "thinking":
        thinks = {"type": "enabled", "budget_tokens": 2048}
        return _asks(thinking=thinks, max_tokens=8000) if model == _OLD else None
    if name == "prefill":
        return _asks(_USER, _said("It is")) if model == _OLD else None
    return FORMS.get(name)


def _structured(name: str) -> Mapping[str, Any]:
    import anthropic

    schema = {"schema with bounds": BOUNDED, "schema with references": NODES}.get(name, CITY)
    fit = anthropic.transform_schema(schema)
    return _asks(output_config={"format": {"type": "json_schema", "schema": fit}})


def _thinking(name: str, model: str) -> Mapping[str, Any] | None:
    effort = name.removeprefix("effort ")
    if effort not in _EFFORTS.get(model, ()):
        return None
    thinks = {} if model in _ALWAYS_THINKS else {"thinking": {"type": "adaptive"}}
    return _asks(output_config={"effort": effort}, **thinks)
