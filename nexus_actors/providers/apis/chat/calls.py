"""Converts the calls in an answer of chat completions to one form, whatever the server.

Servers send the arguments as JSON text, as an object, or not at all; some use the API's older
`function_call`, or omit the id. A converted call has an id, a name and arguments in JSON. A call
that cannot have them is broken; `chat/answer.py` decides what that means for the answer.
"""

import json
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nexus_actors.contract.json_text import Parsed, parse
from nexus_actors.contract.provider_state import STATE
from nexus_actors.providers.apis.call_of_answer import made_id
from nexus_actors.providers.apis.chat.state import call_state
from nexus_actors.providers.http.api import text_or_none


@dataclass(frozen=True, slots=True)
class BrokenCall:
    """A call that cannot be made."""

    place: int
    """Its index in the answer's list."""
    why: str


def read_calls(
    message: Mapping[str, Any], answer_id: str, *, cut: bool = False
) -> tuple[tuple[Mapping[str, Any], ...], tuple[BrokenCall, ...]]:
    """The usable calls and the broken ones. `answer_id`: the seed of generated ids. `cut`: the
    answer ended early, so its last call may be incomplete."""
    whole: dict[str, Mapping[str, Any]] = {}
    broken: list[BrokenCall] = []
    written = [(place, it) for place, it in enumerate(_written(message)) if not _is_nothing(it)]
    for place, call in written:
        if cut and place == written[-1][0] and _may_be_half(call):
            broken.append(BrokenCall(place, "it was cut off"))
            continue
        read = _read(call, place, answer_id, whole)
        if isinstance(read, BrokenCall):
            broken.append(read)
        else:
            whole[read["id"]] = read
    return tuple(whole.values()), tuple(broken)


def _written(message: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    calls = message.get("tool_calls")
    calls = [calls] if isinstance(calls, Mapping) else calls
    found = [it for it in calls if isinstance(it, Mapping)] if isinstance(calls, list) else []
    yield from found
    legacy = message.get("function_call")
    if not found and isinstance(legacy, Mapping):
        yield {"function": legacy}


def _is_nothing(call: Mapping[str, Any]) -> bool:
    described = call.get("custom") or call.get("function")
    described = described if isinstance(described, Mapping) else {}
    said = described.get("name"), described.get("arguments"), described.get("input")
    return not call.get("id") and all(it in (None, "") for it in said)


def _may_be_half(call: Mapping[str, Any]) -> bool:
    """Whether nothing in the call's text shows that it is complete."""
    if isinstance(call.get("custom"), Mapping):
        return True
    function = call.get("function")
    arguments = function.get("arguments") if isinstance(function, Mapping) else None
    return arguments is None or (isinstance(arguments, str) and not arguments.strip())


def _read(
    call: Mapping[str, Any], place: int, answer_id: str, taken: Container[str]
) -> Mapping[str, Any] | BrokenCall:
    """Convert the call. An id that another call has counts as missing."""
    call_id = text_or_none(call.get("id"))
    if call_id is None or call_id in taken:
        call_id = made_id(place, answer_id)
    state = call_state(call)
    more = {} if state is None else {STATE: state}
    custom, function = call.get("custom"), call.get("function")
    if isinstance(custom, Mapping) and (name := text_or_none(custom.get("name"))):
        said = {"name": name, "input": _text(custom.get("input"))}
        return {"id": call_id, "type": "custom", "custom": said, **more}
    described = function if isinstance(function, Mapping) else {}
    name = text_or_none(described.get("name"))
    if not name:
        return BrokenCall(place, "it names no function")
    written = arguments_as_json(described.get("arguments"))
    if written is None:
        return BrokenCall(place, "its arguments are no JSON")
    said = {"name": name, "arguments": written}
    return {"id": call_id, "type": "function", "function": said, **more}


def arguments_as_json(arguments: Any) -> str | None:
    """The arguments as JSON text, unchanged if they are JSON text; None if they are invalid."""
    if arguments is None:
        return "{}"
    if not isinstance(arguments, str):
        return json.dumps(arguments, ensure_ascii=False)
    if not arguments.strip():
        return "{}"
    parsed = parse(arguments)
    if not isinstance(parsed, Parsed):
        return None
    try:
        json.loads(arguments)
    except ValueError:  # line ends inside strings, which JSON requires to be escaped
        return json.dumps(parsed.value, ensure_ascii=False)
    return arguments


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)
