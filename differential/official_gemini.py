"""The requests as Google's generateContent has them, in the words of its Python client.

https://ai.google.dev/api/generate-content
"""

import base64
from collections.abc import Mapping
from typing import Any, Final

from differential.requests import BOUNDED, CITY, CLOCK, NODES, PDF, PNG, WAV, WEATHER

_ASKED: Final = "How is the weather in Oslo?"
_USER: Final = {"role": "user", "parts": [{"text": _ASKED}]}
_WEATHER: Final = {
    "name": WEATHER["name"],
    "description": WEATHER["description"],
    "parameters_json_schema": CITY,
}
_TOOL: Final = {"function_declarations": [_WEATHER]}
_TWO: Final = {"function_declarations": [_WEATHER, dict(CLOCK)]}
_LEVELS: Final = ("low", "medium", "high")
"""https://ai.google.dev/gemini-api/docs/thinking"""


def _asks(*turns: Mapping[str, Any], stream: bool = False, **config: Any) -> dict[str, Any]:
    form: dict[str, Any] = {"contents": list(turns or (_USER,))}
    if config:
        form["config"] = config
    return {**form, "stream": True} if stream else form


def _looks(*parts: Mapping[str, Any]) -> dict[str, Any]:
    return _asks({"role": "user", "parts": list(parts)})


def _model(*parts: Mapping[str, Any]) -> dict[str, Any]:
    return {"role": "model", "parts": list(parts)}


def _said(text: str) -> dict[str, Any]:
    return _model({"text": text})


def _call(call_id: str = "call_1", **arguments: Any) -> dict[str, Any]:
    return {"function_call": {"id": call_id, "name": "weather", "args": arguments}}


def _result(output: str = "rain", call_id: str = "call_1") -> dict[str, Any]:
    response = {"output": output}
    return {"function_response": {"id": call_id, "name": "weather", "response": response}}


def _results(*parts: Mapping[str, Any]) -> dict[str, Any]:
    return {"role": "user", "parts": list(parts)}


def _choice(mode: str, *names: str) -> dict[str, Any]:
    allowed = {"allowed_function_names": list(names)} if names else {}
    return {"function_calling_config": {"mode": mode, **allowed}}


def _blob(mime_type: str, data: str) -> dict[str, Any]:
    return {"inline_data": {"mime_type": mime_type, "data": base64.b64decode(data)}}


def _json(schema: Mapping[str, Any] | None = None) -> dict[str, Any]:
    form = {} if schema is None else {"response_json_schema": schema}
    return _asks(response_mime_type="application/json", **form)


_OSLO: Final = _call(city="Oslo")
_BERGEN: Final = _call("call_2", city="Bergen")
_WHAT: Final = {"text": "What is this?"}

FORMS: Final[Mapping[str, Mapping[str, Any]]] = {
    "text": _asks(),
    "unicode": _looks({"text": "Grüße, 世界 🌍\n\u2028\t"}),
    "system": _asks(system_instruction="Be brief."),
    "system in parts": _asks(system_instruction="Be brief."),
    "developer": _asks(system_instruction="Be brief."),
    "dialogue": _asks(_USER, _said("Rain."), _USER),
    "text in parts": _looks({"text": "One."}, {"text": "Two."}),
    "tool": _asks(tools=[_TOOL]),
    "tool auto": _asks(tools=[_TOOL], tool_config=_choice("AUTO")),
    "tool flat": _asks(tools=[_TOOL]),
    "tool required": _asks(tools=[_TOOL], tool_config=_choice("ANY")),
    "tool named": _asks(tools=[_TOOL], tool_config=_choice("ANY", "weather")),
    "tool named, flat": _asks(tools=[_TOOL], tool_config=_choice("ANY", "weather")),
    "tool none": _asks(tools=[_TOOL], tool_config=_choice("NONE")),
    "tool without parameters": _asks(tools=[{"function_declarations": [dict(CLOCK)]}]),
    "two tools": _asks(tools=[_TWO]),
    "loop": _asks(_USER, _model(_OSLO), _results(_result()), tools=[_TOOL]),
    "loop with text": _asks(
        _USER, _model({"text": "I look."}, _OSLO), _results(_result()), tools=[_TOOL]
    ),
    "loop with null": _asks(_USER, _model(_OSLO), _results(_result()), tools=[_TOOL]),
    "loop of two": _asks(
        _USER,
        _model(_OSLO, _BERGEN),
        _results(_result(), _result("sun", "call_2")),
        tools=[_TOOL],
    ),
    "loop without arguments": _asks(_USER, _model(_call()), _results(_result()), tools=[_TOOL]),
    "loop of two steps": _asks(
        _USER,
        _model(_OSLO),
        _results(_result()),
        _model(_BERGEN),
        _results(_result("sun", "call_2")),
        tools=[_TOOL],
    ),
    "no calls replayed": _asks(_USER, _said("Rain."), _USER),
    "picture": _looks(_WHAT, _blob("image/png", PNG)),
    "picture jpg": _looks(_WHAT, _blob("image/jpeg", PNG)),
    "picture unpadded": _looks(_WHAT, _blob("image/png", PNG)),
    "picture by URL": _looks(
        _WHAT,
        {"file_data": {"file_uri": "https://img.example/dog.png", "mime_type": "image/png"}},
    ),
    "document": _looks(_WHAT, _blob("application/pdf", PDF)),
    "audio": _looks(_WHAT, _blob("audio/wav", WAV)),
    "JSON": {
        **_json(),
        "contents": [{"role": "user", "parts": [{"text": "Oslo as JSON"}]}],
    },
    "schema": _json(CITY),
    "schema flat": _json(CITY),
    "schema with bounds": _json(BOUNDED),
    "schema with references": _json(NODES),
    "temperature": _asks(temperature=0.7),
    "temperature 0": _asks(temperature=0),
    "top_p": _asks(top_p=0.9),
    "both samplers": _asks(temperature=0.7, top_p=0.9),
    "top_k": _asks(top_k=40),
    "stop": _asks(stop_sequences=["END"]),
    "stops": _asks(stop_sequences=["END", "STOP"]),
    "stop blank": _asks(stop_sequences=["\n"]),
    "limit": _asks(max_output_tokens=4000),
    "limit, newer name": _asks(max_output_tokens=4000),
    "seed": _asks(seed=7),
    "penalties": _asks(presence_penalty=0.5, frequency_penalty=0.25),
    "service tier": _asks(service_tier="flex"),
    "stream": _asks(stream=True),
    "stream with tools": _asks(stream=True, tools=[_TOOL], max_output_tokens=4000),
}


def form(name: str, model: str) -> Mapping[str, Any] | None:
    """The case's form for this model; None where there is none."""
    effort = name.removeprefix("effort ")
    if effort in _LEVELS and model.startswith("gemini-3"):
        return _asks(thinking_config={"thinking_level": effort.upper()})
    return FORMS.get(name)
