"""The calls in an answer of the Responses API, in the chat API's form.

A call that nobody could make is broken: it names nothing, its arguments are no JSON, or it was cut
off. Cut off is an item that says so (`status: incomplete`) and, in an answer that was cut off, the
last one if nothing of its arguments came, or if it is free text that is not said to be complete.
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
    """A call that nobody could make."""

    why: str


Found = Mapping[str, Any] | BrokenCall | None
"""What an item is for the caller; None where it is no call of theirs."""


def read_calls(items: Sequence[Item], answer_id: str, *, cut: bool) -> list[Found]:
    """For each item the call that it is. `answer_id`: to make ids of, where there are none. `cut`:
    whether the answer ended early."""
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
    """Whether it is the result of a call."""
    return str(item.get("type")).endswith("_output")


def _called(item: Item) -> str:
    return text_or_none(item.get("call_id")) or ""


def _id(item: Item) -> str | None:
    return _called(item) or text_or_none(item.get("id"))


def _lacks(item: Item) -> bool:
    """Whether something may be missing from it, as it stands at an end that came early."""
    if item.get("type") == "custom_tool_call":
        return item.get("status") != "completed"
    arguments = item.get("arguments")
    empty = arguments is None or (isinstance(arguments, str) and not arguments.strip())
    return item.get("type") == "function_call" and empty


def _call(item: Item, call_id: str) -> Found:
    """As chat writes it, `{"id", "type": T, T: {…}}`, whatever T is."""
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
    """JSON text; some servers send the object itself, or nothing at all. None where it is none."""
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
