"""Decides whether Gemini's API can enforce a response format, or whether it becomes an
instruction.

Source: https://ai.google.dev/gemini-api/docs/structured-output. Models before Gemini 3 refuse JSON
beside functions: "Function calling with a response mime type: 'application/json' is unsupported".
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from nexus_actors.contract.json_text import dump
from nexus_actors.providers.apis.conversation import Conversation, JsonObject, JsonSchema
from nexus_actors.providers.apis.parts import Text
from nexus_actors.providers.takes import Takes

_KNOWN_KEYWORDS: Final = frozenset(
    {
        "$anchor",
        "$defs",
        "$id",
        "$ref",
        "additionalProperties",
        "anyOf",
        "description",
        "enum",
        "format",
        "items",
        "maxItems",
        "maximum",
        "minItems",
        "minimum",
        "oneOf",
        "prefixItems",
        "properties",
        "propertyOrdering",
        "required",
        "title",
        "type",
    }
)
"""The keywords of JSON Schema that the API evaluates:
https://ai.google.dev/api/generate-content#FIELDS.response_json_schema."""
_DEEPEST: Final = 64
"""The deepest level of a schema that is examined."""


def with_words(
    conversation: Conversation, takes: Takes
) -> tuple[Conversation, JsonObject | JsonSchema | None]:
    """If the model accepts no format beside functions, the conversation with an instruction and the
    format; else the unchanged conversation and None."""
    wanted = conversation.output
    if wanted is None or takes.output_beside_tools or not conversation.functions:
        return conversation, None
    return replace(
        conversation,
        output=None,
        system=(*conversation.system, Text(_in_words(wanted))),
        system_paths=(*conversation.system_paths, "response_format"),
    ), wanted


def _in_words(output: JsonObject | JsonSchema) -> str:
    if isinstance(output, JsonObject):
        return "Answer with a JSON object alone."
    return f"Answer with JSON alone that fits this JSON Schema: {dump(output.schema)}"


def is_known(schema: Any, depth: int = 0) -> bool:
    """Whether the API evaluates all keywords in the schema."""
    if not isinstance(schema, Mapping):
        return True
    if depth > _DEEPEST or not schema.keys() <= _KNOWN_KEYWORDS:
        return False
    named = [schema[key] for key in ("properties", "$defs") if isinstance(schema.get(key), Mapping)]
    inner = [it for group in named for it in group.values()]
    for key in ("items", "additionalProperties"):
        inner.append(schema.get(key))
    for key in ("anyOf", "oneOf", "prefixItems"):
        inner += schema[key] if isinstance(schema.get(key), list | tuple) else ()
    return all(is_known(it, depth + 1) for it in inner)
