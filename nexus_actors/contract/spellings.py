"""Unifies fields that the APIs call by different names: limits, tools, efforts, response formats.

If a request has different values under two names, the first in our order counts and the other is
reported. Of several limits the lowest counts, since a limit bounds the cost.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from nexus_actors.contract.wire import (
    OutputConfig,
    Reasoning,
    ResponseFormat,
    TextOptions,
    WireRequest,
)
from nexus_actors.contract.wrong import Wrong

Tool = Mapping[str, Any]
_NO_REASONING: Final = Reasoning()
_NO_TEXT: Final = TextOptions()
_NO_OUTPUT: Final = OutputConfig()
SPELT: Final = frozenset(
    {
        "function_call",
        "functions",
        "max_completion_tokens",
        "max_output_tokens",
        "output_config",
        "parallel_tool_calls",
        "reasoning",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "stop",
        "stop_sequences",
        "text",
        "tool_choice",
        "tools",
        "user",
        "verbosity",
    }
)
"""The fields that this module handles, except `max_tokens`. Most requests have none."""
_UNSPELT: Final[Mapping[str, Any]] = {
    "tools": (),
    "tool_choice": None,
    "parallel_tool_calls": None,
    "stop": (),
    "response_format": None,
    "reasoning_effort": None,
    "reasoning_summary": None,
    "verbosity": None,
    "user": None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelt:
    """Fields by their names in `LLMRequest`."""

    fields: Mapping[str, Any]
    unknown: tuple[str, ...]
    """Unknown names within fields, as sent."""
    notes: tuple[str, ...]
    """Notes for `dropped` about names that do not count."""


def one_spelling(wire: WireRequest) -> Spelt | Wrong:
    """Unify the fields of `wire` that have several names."""
    if wire.model_fields_set.isdisjoint(SPELT):
        return Spelt(fields={**_UNSPELT, "max_tokens": wire.max_tokens}, unknown=(), notes=())
    return _spell(wire)


def _spell(wire: WireRequest) -> Spelt | Wrong:
    unknown: list[str] = []
    notes: list[str] = []
    tools = _tools(wire, unknown)
    if isinstance(tools, Wrong):
        return tools
    choice, parallel = _tool_choice(wire, notes)
    unknown += _in_choice(wire.tool_choice)
    reasoning = wire.reasoning or _NO_REASONING
    text, output = wire.text or _NO_TEXT, wire.output_config or _NO_OUTPUT
    for name, part in (("reasoning", reasoning), ("text", text), ("output_config", output)):
        extra = part.model_extra or {}
        unknown += [f"{name}.{key}" for key, value in extra.items() if value is not None]
    fields: dict[str, Any] = {
        "tools": tools,
        "tool_choice": choice,
        "parallel_tool_calls": parallel,
        "max_tokens": _least(
            notes,
            ("max_tokens", wire.max_tokens),
            ("max_output_tokens", wire.max_output_tokens),
            ("max_completion_tokens", wire.max_completion_tokens),
        ),
        "stop": tuple(dict.fromkeys((*(wire.stop or ()), *(wire.stop_sequences or ())))),
        "response_format": _response_format(wire, text, output, notes),
        "reasoning_effort": _first(
            notes,
            ("reasoning_effort", wire.reasoning_effort),
            ("reasoning.effort", reasoning.effort),
            ("output_config.effort", output.effort),
        ),
        "reasoning_summary": _first(
            notes,
            ("reasoning.summary", reasoning.summary),
            ("reasoning.generate_summary", reasoning.generate_summary),
        ),
        "verbosity": _first(
            notes, ("verbosity", wire.verbosity), ("text.verbosity", text.verbosity)
        ),
        "user": _first(notes, ("user", wire.user), ("safety_identifier", wire.safety_identifier)),
    }
    return Spelt(fields=fields, unknown=tuple(unknown), notes=tuple(notes))


def _first(notes: list[str], *given: tuple[str, Any]) -> Any:
    """The first given value. Others with a different value are noted."""
    there = [(name, value) for name, value in given if value is not None]
    if not there:
        return None
    counts, found = there[0]
    notes += [f"{name}: {counts} counts" for name, value in there[1:] if value != found]
    return found


def _least(notes: list[str], *given: tuple[str, int | None]) -> int | None:
    """The lowest given value. Higher ones are noted."""
    least = min((limit for _, limit in given if limit is not None), default=None)
    notes += [f"{name}: the least counts" for name, limit in given if limit not in (None, least)]
    return least


def _response_format(
    wire: WireRequest, text: TextOptions, output: OutputConfig, notes: list[str]
) -> Mapping[str, Any] | None:
    """Unify the response format. Plain text is the default, so it is left out."""
    found: ResponseFormat | None = _first(
        notes,
        ("response_format", wire.response_format),
        ("text.format", text.format),
        ("output_config.format", output.format),
    )
    if found is None or found.type == "text":
        return None
    return found.model_dump(exclude_none=True, by_alias=True)


def _tools(wire: WireRequest, unknown: list[str]) -> tuple[Tool, ...] | Wrong:
    tools: list[Tool] = []
    for index, tool in enumerate(map(_without_nulls, wire.tools or ())):
        kind, named = tool.get("type"), isinstance(tool.get("name"), str)
        if named and isinstance(tool.get("input_schema"), dict) and kind in (None, "custom"):
            tools.append(_from_anthropic(tool, f"tools[{index}]", unknown))
        elif kind is None and not named and not isinstance(tool.get("function"), dict):
            return Wrong(("tools", index), "a function with a name, or a tool with a type", tool)
        else:
            tools.append(tool)
    for index, function in enumerate(wire.functions or ()):
        if not isinstance(function.get("name"), str):
            return Wrong(("functions", index, "name"), "text", function.get("name"))
        tools.append({"type": "function", "function": function})
    return tuple(tools)


def _without_nulls(tool: Tool) -> Tool:
    """Null counts as absent, also in a function. Tools of other types are not changed."""
    if tool.get("type") not in (None, "function"):
        return tool
    inner = tool.get("function")
    said = {key: value for key, value in tool.items() if value is not None}
    if isinstance(inner, dict):
        said["function"] = {key: value for key, value in inner.items() if value is not None}
    return said


_OF_FUNCTION = {
    "name": "name",
    "description": "description",
    "input_schema": "parameters",
    "strict": "strict",
}
"""Keys of Anthropic's tools → their names in the chat API."""


def _from_anthropic(tool: Tool, path: str, unknown: list[str]) -> Tool:
    there = {key: value for key, value in tool.items() if value is not None and key != "type"}
    unknown += [
        f"{path}.{key}" for key in there if key not in _OF_FUNCTION and key != "cache_control"
    ]
    function = {_OF_FUNCTION[key]: there[key] for key in there if key in _OF_FUNCTION}
    marked = {"cache_control": there["cache_control"]} if "cache_control" in there else {}
    return {"type": "function", "function": function, **marked}


def _tool_choice(
    wire: WireRequest, notes: list[str]
) -> tuple[str | Mapping[str, Any] | None, bool | None]:
    """The choice, and whether parallel calls are allowed, which Anthropic puts into it."""
    chosen, parallel = wire.tool_choice, wire.parallel_tool_calls
    match chosen:
        case {"type": "auto" | "any" | "none" | "tool", "disable_parallel_tool_use": bool(alone)}:
            parallel = _first(
                notes,
                ("parallel_tool_calls", parallel),
                ("tool_choice.disable_parallel_tool_use", False if alone else None),
            )
    called = wire.function_call
    return _first(
        notes,
        ("tool_choice", None if chosen is None else _choice(chosen)),
        ("function_call", _named(called["name"]) if isinstance(called, Mapping) else called),
    ), parallel


def _in_choice(choice: str | Mapping[str, Any] | None) -> list[str]:
    """Unknown keys of a choice that is rewritten."""
    match choice:
        case {"type": "auto" | "none" | "any" | "tool", **others}:
            known = ("name", "disable_parallel_tool_use")
            return [f"tool_choice.{key}" for key in others if key not in known]
        case {"function": {"name": str(), **inner}, **others}:
            beside = [f"tool_choice.{key}" for key in others if key != "type"]
            return [*beside, *(f"tool_choice.function.{key}" for key in inner)]
        case _:
            return []


def _choice(choice: str | Mapping[str, Any]) -> str | Mapping[str, Any]:
    """Convert a choice to the chat API's form."""
    match choice:
        case {"type": "auto" | "none" as word}:
            return str(word)
        case {"type": "any"}:
            return "required"
        case {"type": "tool", "name": str(name)}:
            return _named(name)
        case _:
            return choice


def _named(name: str) -> Mapping[str, Any]:
    return {"type": "function", "function": {"name": name}}
