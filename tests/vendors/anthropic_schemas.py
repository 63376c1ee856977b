"""JSON Schemas as structured outputs and strict tools take them. For `anthropic.py`.

https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
"""

from typing import Any

_FORMATS = (
    "date-time",
    "time",
    "date",
    "duration",
    "email",
    "hostname",
    "uri",
    "ipv4",
    "ipv6",
    "uuid",
)
_REFUSED = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "contains",
    "prefixItems",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "patternProperties",
    "propertyNames",
    "minProperties",
    "maxProperties",
    "dependentRequired",
    "dependentSchemas",
    "definitions",
    "unevaluatedProperties",
]


def wrong_schema(root: Any) -> str | None:
    """What the API says of it; None if it takes it."""
    try:
        _check(root, root, ())
    except _Wrong as wrong:
        return str(wrong)
    return None


class _Wrong(Exception):
    pass


def _check(root: Any, node: Any, through: tuple[str, ...]) -> None:
    if not isinstance(node, dict):
        raise _Wrong("Schemas must be objects")
    for part in node.get("$defs", {}).values():
        _check(root, part, through)
    _check_forms(node)
    if "$ref" in node:
        _check_ref(root, node["$ref"], through)
        return
    kind = node.get("type")
    for word in _REFUSED:
        if word in node:
            raise _Wrong(f"For '{kind}' type, property '{word}' is not supported")
    if kind is None and not node.keys() & {"anyOf", "allOf", "enum", "const"}:
        raise _Wrong("Schema must have a 'type', 'anyOf', 'allOf', 'enum' or 'const'")
    if any("$ref" in part for part in node.get("allOf", ())):
        raise _Wrong("allOf with $ref is not supported")
    _check_kind(node, kind)
    properties = node.get("properties", {}).values()
    items = (node["items"],) if "items" in node else ()
    for part in (*node.get("anyOf", ()), *node.get("allOf", ()), *properties, *items):
        _check(root, part, through)


_FORMS = {
    **dict.fromkeys(("type", "$ref", "title", "description", "format"), str),
    **dict.fromkeys(("anyOf", "allOf", "enum", "required"), list),
    **dict.fromkeys(("properties", "$defs"), dict),
    "minItems": int,
}
_TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")


def _check_forms(node: Any) -> None:
    """https://json-schema.org/draft/2020-12/schema"""
    for word, form in _FORMS.items():
        if word in node and (not isinstance(node[word], form) or isinstance(node[word], bool)):
            raise _Wrong(f"'{word}' is not valid under any of the given schemas")
    if node.get("type", "null") not in _TYPES:
        raise _Wrong(f"'{node['type']}' is no type")
    if any(node.get(word) == [] for word in ("anyOf", "allOf", "enum")):
        raise _Wrong("[] should be non-empty")
    if not all(isinstance(name, str) for name in node.get("required", ())):
        raise _Wrong("required: names must be strings")


def _check_kind(node: Any, kind: Any) -> None:
    if kind == "object" and node.get("additionalProperties") is not False:
        raise _Wrong("For 'object' type, 'additionalProperties' must be explicitly false")
    if kind == "array" and node.get("minItems", 0) not in (0, 1):
        raise _Wrong("For 'array' type, 'minItems' values other than 0 or 1 are not supported")
    if kind == "string" and node.get("format", "uuid") not in _FORMATS:
        raise _Wrong(f"String format '{node['format']}' is not supported")


def _check_ref(root: Any, ref: str, through: tuple[str, ...]) -> None:
    if not ref.startswith("#"):
        raise _Wrong("External $ref is not supported")
    if ref in through or ref == "#":
        raise _Wrong("Recursive schemas are not supported")
    target = root
    for part in ref.split("/")[1:]:
        target = target.get(part) if isinstance(target, dict) else None
    if target is None:
        raise _Wrong(f"$ref {ref} leads nowhere")
    _check(root, target, (*through, ref))


def plausible(root: Any, node: Any, depth: int = 0) -> Any:
    """A value that fits; none deeper than some levels, since tools may have recursive schemas."""
    if depth > 4:
        return None
    if "$ref" in node:
        target = root
        for part in node["$ref"].split("/")[1:]:
            target = target[part]
        return plausible(root, target, depth + 1)
    if "const" in node:
        return node["const"]
    if "enum" in node:
        return node["enum"][0]
    for word in ("anyOf", "allOf"):
        if node.get(word):
            return plausible(root, node[word][0], depth + 1)
    kind = node.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {
            key: plausible(root, part, depth + 1)
            for key, part in node.get("properties", {}).items()
        }
    if kind == "array":
        return [plausible(root, node["items"], depth + 1)] if "items" in node else []
    return {"string": "Oslo", "integer": 3, "number": 3, "boolean": True}.get(str(kind))
