"""Checks the tool calls in an assistant's message that a producer sends back."""

from typing import Any

from nexus_actors.contract.json_text import Unparsable, dump, parse
from nexus_actors.contract.provider_state import wrong_state
from nexus_actors.contract.wrong import Path, Wrong


def read_calls(message: dict[str, Any], path: Path) -> dict[str, Any] | Wrong:
    """The message with the arguments of its calls as JSON text. An empty list of calls is removed:
    APIs refuse it, but results of this service contain it. Further keys of a call are kept."""
    calls = message.get("tool_calls")
    if calls is None:
        return message
    if not isinstance(calls, list):
        return Wrong((*path, "tool_calls"), "a list of calls", calls)
    read: list[dict[str, Any]] = []
    for index, item in enumerate(calls):
        call = _read_call(item, (*path, "tool_calls", index))
        if isinstance(call, Wrong):
            return call
        read.append(call)
    rest = {key: value for key, value in message.items() if key != "tool_calls"}
    return {**rest, "tool_calls": read} if read else rest


def _read_call(call: Any, path: Path) -> dict[str, Any] | Wrong:
    if not isinstance(call, dict):
        return Wrong(path, "a call (an object)", call)
    wrong = wrong_state(call, path)
    if wrong is not None:
        return wrong
    function = call.get("function")
    if not isinstance(function, dict):
        return call
    given = function.get("arguments")
    arguments = read_arguments("{}" if given is None else given, (*path, "function", "arguments"))
    if isinstance(arguments, Wrong):
        return arguments
    return {**call, "function": {**function, "arguments": arguments}}


def read_arguments(value: Any, path: Path) -> str | Wrong:
    """A call's arguments as JSON text. Text that is not JSON is kept: models write such, and each
    API handles it in its way. JSON that cannot be sent is refused."""
    if isinstance(value, dict):
        return dump(value)
    if not isinstance(value, str):
        return Wrong(path, "JSON text, or an object", value)
    match parse(value):
        case Unparsable(reason=reason, is_json=True):
            return Wrong(path, f"JSON that can be sent on, not {reason}", value)
        case _:
            return value
