"""The official clients' own types, made strict: what they would not send, we must not either.

A TypedDict checked by pydantic ignores unknown keys and reads iterables lazily, so a wrong body
would pass. Here every TypedDict forbids extra keys, and every iterable is a list, read to its end.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import SchemaValidator


def check_body(wanted: Any, body: Mapping[str, Any]) -> None:
    """Raise unless `body`, as it goes over the wire, is one of `wanted` (a TypedDict, a union)."""
    _validator(wanted).validate_python(json.loads(json.dumps(body)))


@cache
def _validator(wanted: Any) -> SchemaValidator:
    return SchemaValidator(_strict(TypeAdapter(wanted).core_schema))


def _strict(schema: Any) -> Any:
    if isinstance(schema, list | tuple):
        return type(schema)(_strict(item) for item in schema)
    if not isinstance(schema, dict):
        return schema
    schema = {key: _strict(value) for key, value in schema.items()}
    match schema.get("type"):
        case "typed-dict":
            schema["extra_behavior"] = "forbid"
            schema.pop("config", None)
        case "generator":
            schema = {"type": "list", "items_schema": schema.get("items_schema", {"type": "any"})}
        case "bool" | "int" | "float" | "str":
            schema["strict"] = True
    return schema
