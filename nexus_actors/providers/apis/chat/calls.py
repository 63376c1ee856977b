"""The calls of an answer of chat completions, whoever wrote them, in one form.

Servers write the arguments as JSON text, as an object, or not at all; call functions by the API's
older `function_call`; leave the id out. What leaves here has an id, a name, and arguments that are
JSON: a call without them is broken, and what becomes of the answer then is `chat/answer.py`'s rule.
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
    """A call that nobody could make."""

    place: int
    """In the answer's list."""
    why: str


def read_calls(
    message: Mapping[str, Any], answer_id: str, *, cut: bool = False
) -> tuple[tuple[Mapping[str, Any], ...], tuple[BrokenCall, ...]]:
    """Those that are whole, and those that are not. `answer_id`: to make ids of, where there are
    none of their own. `cut`: the answer ended early, so that its last call may be half of one."""
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
    told = call.get("custom") or call.get("function")
    told = told if isinstance(told, Mapping) else {}
    said = told.get("name"), told.get("arguments"), told.get("input")
    return not call.get("id") and all(it in (None, "") for it in said)


def _may_be_half(call: Mapping[str, Any]) -> bool:
    """Whether nothing of its text shows that it came to its end."""
    if isinstance(call.get("custom"), Mapping):
        return True
    told = call.get("function")
    arguments = told.get("arguments") if isinstance(told, Mapping) else None
    return arguments is None or (isinstance(arguments, str) and not arguments.strip())


def _read(
    call: Mapping[str, Any], place: int, answer_id: str, taken: Container[str]
) -> Mapping[str, Any] | BrokenCall:
    """The call in the one form. An id that another call has is no id."""
    call_id = text_or_none(call.get("id"))
    if call_id is None or call_id in taken:
        call_id = made_id(place, answer_id)
    state = call_state(call)
    more = {} if state is None else {STATE: state}
    custom, function = call.get("custom"), call.get("function")
    if isinstance(custom, Mapping) and (name := text_or_none(custom.get("name"))):
        said = {"name": name, "input": _text(custom.get("input"))}
        return {"id": call_id, "type": "custom", "custom": said, **more}
    told = function if isinstance(function, Mapping) else {}
    name = text_or_none(told.get("name"))
    if not name:
        return BrokenCall(place, "it names no function")
    written = arguments_as_json(told.get("arguments"))
    if written is None:
        return BrokenCall(place, "its arguments are no JSON")
    said = {"name": name, "arguments": written}
    return {"id": call_id, "type": "function", "function": said, **more}


def arguments_as_json(arguments: Any) -> str | None:
    """The arguments as JSON text, as they were written if they are that; None if they are none."""
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
    except ValueError:  # line ends within its texts, which JSON wants escaped
        return json.dumps(parsed.value, ensure_ascii=False)
    return arguments


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)
