"""Writes the tools of a request and the tool choice in the form of chat completions."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.conversation import (
    NOT_ALLOWED,
    Allowed,
    Named,
    ToolChoice,
    is_forced,
    read_choice,
    sayable,
)
from nexus_actors.providers.takes import Takes


def add_tools(body: dict[str, Any], dropped: list[str], request: LLMRequest, takes: Takes) -> bool:
    """Add what the model accepts, and report the rest. Returns whether a call is forced."""
    tools = _tools(dropped, request, takes)
    choice = None if request.tool_choice is None else _choice(request.tool_choice, tools, dropped)
    if isinstance(choice, Allowed) and not takes.allowed_tools:
        tools, choice = _narrowed(tools, choice, dropped), choice.mode
    forced = False
    if choice is not None:
        written = _taken_choice(choice, takes, dropped)
        forced = written is not None and takes.forced_tool_choice and is_forced(choice)
        if written == "none" and not takes.tool_choice:
            tools = {}
        elif written is not None:
            body["tool_choice"] = written
    if tools:
        body["tools"] = list(tools.values())
    if request.parallel_tool_calls is not None:
        if tools and takes.parallel_tool_calls:
            body["parallel_tool_calls"] = request.parallel_tool_calls
        else:
            dropped.append("parallel_tool_calls")
    return forced


def _tools(dropped: list[str], request: LLMRequest, takes: Takes) -> dict[str, Mapping[str, Any]]:
    """The functions by path; other tools exist only in the Responses API. Tools have no cache
    marks, only parts do."""
    unsaid = ("cache_control",) if takes.strict_tools else ("cache_control", "strict")
    tools: dict[str, Mapping[str, Any]] = {}
    for index, tool in enumerate(request.tools):
        if tool.get("type", "function") != "function":
            dropped.append(f"tools[{index}]")
            continue
        nested = _nested(tool)
        function = nested["function"]
        dropped += [f"tools[{index}].{key}" for key in unsaid if key in tool or key in function]
        tools[f"tools[{index}]"] = {
            **{key: value for key, value in nested.items() if key not in unsaid},
            "function": {key: value for key, value in function.items() if key not in unsaid},
        }
    return tools


def _nested(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    """Nest the Responses API's flat function tool. A nested one is unchanged."""
    inner = tool.get("function")
    own = inner if isinstance(inner, Mapping) else tool
    function = {k: v for k, v in own.items() if v is not None and (own is inner or k != "type")}
    beside = tool if own is inner else {}
    return {**beside, "type": "function", "function": function}


def _choice(
    asked: str | Mapping[str, Any], tools: Mapping[str, Mapping[str, Any]], dropped: list[str]
) -> ToolChoice | str | None:
    """The choice among the tools that are sent, or the server's own word. None, which is reported,
    if it is invalid or there are no tools: the API refuses a choice without tools."""
    known = read_choice(asked)
    choice = asked if known is None and isinstance(asked, str) else known
    if choice is None or not tools:
        dropped.append("tool_choice")
        return None
    if isinstance(choice, Allowed):
        choice, dropped_choice = sayable(choice, {str(_name(it)) for it in tools.values()})
        dropped += [dropped_choice] if dropped_choice else []
    return choice


def _narrowed(
    tools: Mapping[str, Mapping[str, Any]], choice: Allowed, dropped: list[str]
) -> dict[str, Mapping[str, Any]]:
    names = frozenset(choice.names)
    kept = {path: tool for path, tool in tools.items() if str(_name(tool)) in names}
    dropped += [f"{path}: {NOT_ALLOWED}" for path in tools if path not in kept]
    return kept


def _name(tool: Mapping[str, Any]) -> Any:
    return tool["function"].get("name")


def _taken_choice(
    choice: ToolChoice | str, takes: Takes, dropped: list[str]
) -> str | Mapping[str, Any] | None:
    """The choice in the API's form, or the nearest one; None if none is sent."""
    if not takes.tool_choice:
        if choice == "none":
            dropped.append("tools: left out, as tool_choice none is not taken")
            return "none"
        if choice != "auto":
            dropped.append("tool_choice")
        return None
    if is_forced(choice) and not takes.forced_tool_choice:
        dropped.append("tool_choice: sent as auto, the nearest that the model takes")
        if not isinstance(choice, Allowed):
            return "auto"
        choice = replace(choice, mode="auto")
    match choice:
        case Named(name):
            return _function(name)
        case Allowed(mode, names):
            allowed = {"mode": mode, "tools": [_function(name) for name in names]}
            return {"type": "allowed_tools", "allowed_tools": allowed}
        case _:
            return choice


def _function(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}
