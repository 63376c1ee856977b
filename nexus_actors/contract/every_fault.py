"""Finds all faults of a request, for producers who can still correct it. The service reports only
the first.

The only rules are those of `decode_request`. After each fault, the field is replaced by a valid
value or removed, and the request is decoded again.
"""

import json
import re
from typing import Any, Final

from nexus_actors.contract.bounds import DEFAULTS, Bounds
from nexus_actors.contract.decode import decode_request, holder_of
from nexus_actors.contract.errors import Refusal
from nexus_actors.contract.foreign import MOST_NAMES, clean_name, unknown_fields
from nexus_actors.contract.json_text import parse_loosely

MOST: Final = 20
"""The most faults that are reported per request."""
_SAID: Final = {"role": "user", "content": "x"}
_STAND_INS: Final = {"request_id": "x", "complexity": "simple", "messages": [_SAID]}
_PLACE: Final = re.compile(r"(\w+)(?:\[(\d+)\])?")


def every_fault(body: str, first: Refusal, bounds: Bounds = DEFAULTS) -> list[Refusal]:
    """The faults of a request, in the order in which they are found. `first` is the result of
    `decode_request`. In a list other than the conversation, only the first fault is found."""
    faults = [first]
    try:
        value = parse_loosely(body)
        fields = holder_of(value) if isinstance(value, dict) else None
        while fields is not None and len(faults) < MOST and _repair(fields, faults[-1]):
            found = decode_request(json.dumps(value), bounds)
            if not isinstance(found, Refusal) or found in faults:
                break
            faults.append(found)
    except (ValueError, RecursionError):
        pass  # text that is not JSON has one fault
    return faults


def unknown_names(body: str) -> list[str]:
    """The names of a request's unknown fields, cleaned and bounded."""
    try:
        value = parse_loosely(body)
    except (ValueError, RecursionError):
        return []
    names = unknown_fields(holder_of(value)) if isinstance(value, dict) else []
    return [clean_name(name) for name in names[:MOST_NAMES]]


def _repair(fields: dict[str, Any], fault: Refusal) -> bool:
    """Remove one fault. False if its place is unknown."""
    for name in fault.fields:
        fields[name] = _STAND_INS[name]
    place = _PLACE.match(fault.path or "")
    if place is None or place[1] not in fields:
        return bool(fault.fields)
    name, index = place[1], place[2]
    held = fields[name]
    if (
        name in ("messages", "input")
        and index
        and isinstance(held, list)
        and int(index) < len(held)
    ):
        held[int(index)] = _SAID
    elif name in _STAND_INS:
        fields[name] = _STAND_INS[name]
    else:
        del fields[name]
        if name == "input":
            fields.setdefault("messages", [_SAID])
        elif name == "task_type":
            fields.setdefault("complexity", "simple")
    return True
