"""The tools of a request, and the choice among them, in the form of chat completions."""

from collections.abc import Mapping
from typing import Any

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.takes import Takes


def add_tools(body: dict[str, Any], dropped: list[str], request: LLMRequest, takes: Takes) -> bool:
    """Adds what the model takes of them, and tells the rest; whether a call is forced."""
    tools = _tools(dropped, request, takes)
    forced = False
    if request.tool_choice is not None and not tools:
        dropped.append("tool_choice")  # which the API refuses where there are no tools
    elif request.tool_choice is not None:
        choice = _taken_choice(request.tool_choice, takes, dropped)
        forced = choice not in (None, "auto", "none")
        if choice == "none" and not takes.tool_choice:
            tools = []
        elif choice is not None:
            body["tool_choice"] = choice
    if tools:
        body["tools"] = tools
    if request.parallel_tool_calls is not None:
        if tools and takes.parallel_tool_calls:
            body["parallel_tool_calls"] = request.parallel_tool_calls
        else:
            dropped.append("parallel_tool_calls")
    return forced


def _tools(dropped: list[str], request: LLMRequest, takes: Takes) -> list[Mapping[str, Any]]:
    """Functions; others exist in the Responses API only. Marks for caching stand in parts alone."""
    unsaid = ("cache_control",) if takes.strict_tools else ("cache_control", "strict")
    tools: list[Mapping[str, Any]] = []
    for index, tool in enumerate(request.tools):
        if tool.get("type", "function") != "function":
            dropped.append(f"tools[{index}]")
            continue
        nested = _nested(tool)
        function = nested["function"]
        dropped += [f"tools[{index}].{key}" for key in unsaid if key in tool or key in function]
        tools.append(
            {
                **{key: value for key, value in nested.items() if key not in unsaid},
                "function": {key: value for key, value in function.items() if key not in unsaid},
            }
        )
    return tools


def _nested(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    """The Responses API's flat function tool, nested; a nested one as it is."""
    inner = tool.get("function")
    own = inner if isinstance(inner, Mapping) else tool
    function = {k: v for k, v in own.items() if v is not None and (own is inner or k != "type")}
    beside = tool if own is inner else {}
    return {**beside, "type": "function", "function": function}


def _taken_choice(
    choice: str | Mapping[str, Any], takes: Takes, dropped: list[str]
) -> str | Mapping[str, Any] | None:
    """The choice as the API writes it, or its nearest form; None where none is sent."""
    if not takes.tool_choice:
        if choice == "none":
            dropped.append("tools: left out, as tool_choice none is not taken")
            return "none"
        if choice != "auto":
            dropped.append("tool_choice")
        return None
    if choice not in ("auto", "none") and not takes.forced_tool_choice:
        dropped.append("tool_choice: sent as auto, the nearest that the model takes")
        return "auto"
    match choice:
        case {"type": "function", "name": str(name)}:
            return {"type": "function", "function": {"name": name}}
        case _:
            return choice
