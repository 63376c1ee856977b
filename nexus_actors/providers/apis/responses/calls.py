"""Converts the calls in an answer of the Responses API to the form of chat completions.

A call that cannot be made is broken: it has no name, its arguments are not JSON, or it was cut off.
A call is cut off if it says so (`status: incomplete`), or if it is the last item of an incomplete
answer and either has no arguments, or is free text without `status: completed`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nexus_actors.contract.json_text import Parsed, parse
from nexus_actors.providers.apis.call_of_answer import made_id, own_id
from nexus_actors.providers.http.api import text_or_none

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BrokenCall:
    """A call that cannot be made."""

    why: str


Found = Mapping[str, Any] | BrokenCall | None
"""The caller's call in an item; None if the item is not one."""


def read_calls(items: Sequence[Item], answer_id: str, *, cut: bool) -> list[Found]:
    """The call in each item. `answer_id`: the seed of generated ids. `cut`: whether the answer
    ended early."""
    answered = {_called(item) for item in items if is_output(item)} - {""}
    found: list[Found] = []
    taken: set[str] = set()
    for place, item in enumerate(items):
        if is_output(item) or _called(item) in answered:
            found.append(None)
            continue
        call = _call(item, own_id(_id(item), made_id(place, answer_id), taken))
        is_last = cut and place == len(items) - 1
        if call is not None and (item.get("status") == "incomplete" or (is_last and _lacks(item))):
            call = BrokenCall("it was cut off")
        if isinstance(call, Mapping):
            taken.add(call["id"])
        found.append(call)
    return found


def is_output(item: Item) -> bool:
    """Whether the item is the result of a call."""
    return str(item.get("type")).endswith("_output")


def _called(item: Item) -> str:
    return text_or_none(item.get("call_id")) or ""


def _id(item: Item) -> str | None:
    return _called(item) or text_or_none(item.get("id"))


def _lacks(item: Item) -> bool:
    """Whether a part of this last item of an incomplete answer may be missing."""
    if item.get("type") == "custom_tool_call":
        return item.get("status") != "completed"
    arguments = item.get("arguments")
    empty = arguments is None or (isinstance(arguments, str) and not arguments.strip())
    return item.get("type") == "function_call" and empty


def _call(item: Item, call_id: str) -> Found:
    """The call in the form of chat completions, `{"id", "type": T, T: {…}}`, for any T."""
    item_id, name = text_or_none(item.get("id")), text_or_none(item.get("name"))
    match item.get("type"):
        case "function_call" | "custom_tool_call" if name is None:
            return BrokenCall("it names no tool")
        case "function_call":
            arguments = _arguments(item.get("arguments"))
            if arguments is None:
                return BrokenCall("its arguments are no JSON")
            called = {"name": name, "arguments": arguments}
            return {"id": call_id, "type": "function", "function": called}
        case "custom_tool_call":
            custom = {"name": name, "input": _input(item.get("input"))}
            return {"id": call_id, "type": "custom", "custom": custom}
        case "mcp_approval_request" as kind:
            if item_id is None:
                return BrokenCall("it has no id to answer to")
            return {"id": item_id, "type": kind, kind: _inner(item)}
        case str(kind) if _called(item):
            return {"id": call_id, "type": kind, kind: _inner(item)}
        case _:
            return None


def _arguments(value: Any) -> str | None:
    """The arguments as JSON text; None if invalid. Some servers send an object, or nothing."""
    if not isinstance(value, str):
        return "{}" if value is None else json.dumps(value, ensure_ascii=False)
    if not value.strip():
        return "{}"
    return value if isinstance(parse(value), Parsed) else None


def _input(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)


def _inner(item: Item) -> dict[str, Any]:
    return {key: item[key] for key in item if key not in ("id", "call_id", "type")}
