"""Validates an answer with a JSON Schema on our side, if its provider does not enforce the schema.

Schema and answer are untrusted, and this runs in the event loop. So nothing is fetched, patterns
run in linear time, and the work is estimated first. An invalid schema, or one that would take too
much work, is not checked.
"""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import jsonschema_rs

from nexus_actors.contract.foreign import clean_name
from nexus_actors.contract.json_text import Parsed, parse

MOST_WORK: Final = 20_000
"""The most pairs of a value and a schema to visit. Ten million of them take about a second."""
MOST_SCHEMA: Final = 256 * 1024
"""The longest schema, in characters."""
MOST_ANSWER: Final = 2 * 1024 * 1024
"""The longest answer, in characters."""
_MOST_DEPTH: Final = 300
MOST_PATTERNS: Final = 50
"""The most patterns in a schema. Each is compiled before an answer is validated."""
MOST_PATTERN_TEXT: Final = 2000
"""The most characters in all patterns of a schema together."""
_PATTERN_BYTES: Final = 64 * 1024
"""The largest compiled pattern."""
_PATTERN_COST: Final = 3
"""Work per character. Matching is in several states at once, bounded by `_PATTERN_BYTES`."""
_CACHED: Final = 4


def violation(schema: Mapping[str, Any], text: str) -> str | None:
    """Where `text` violates the schema and by which keyword, without quoting it. None if it is
    valid, or cannot be checked."""
    if len(text) > MOST_ANSWER:
        return None
    parsed = parse(text)
    if not isinstance(parsed, Parsed):
        return "it is no JSON"
    try:
        written = json.dumps(schema, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None
    if len(written) > MOST_SCHEMA:
        return None
    # Compiling is expensive, so the bounds come first.
    if not _has_few_patterns(schema) or not _is_bounded(schema, parsed.value):
        return None
    validator = _validator(written)
    if validator is None:
        return None
    try:
        validator.validate(parsed.value)
    except jsonschema_rs.ValidationError as error:
        return _breach(error)
    return None


def _breach(error: jsonschema_rs.ValidationError) -> str:
    keyword = str(error.schema_path[-1]) if error.schema_path else "the schema"
    # The names in the path come from the answer, and may contain anything.
    place = "/".join(clean_name(str(part)) for part in error.instance_path)[:100]
    return f"it breaks {clean_name(keyword)} at /{place}"


@lru_cache(_CACHED)
def _validator(written: str) -> jsonschema_rs.Validator | None:
    try:
        return jsonschema_rs.validator_for(
            json.loads(written),
            offline=True,
            pattern_options=jsonschema_rs.RegexOptions(
                size_limit=_PATTERN_BYTES, dfa_size_limit=_PATTERN_BYTES
            ),
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError):
        return None


# -- estimating the work


class _TooMuch(Exception):
    """Validation would take too much work, or an unknown amount."""


_SAME: Final = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else")
_CHILD: Final = ("items", "prefixItems", "additionalItems", "contains", "unevaluatedItems")
_VALUES: Final = ("additionalProperties", "unevaluatedProperties")


def _has_few_patterns(schema: Any) -> bool:
    """Whether all patterns in the schema, wherever they are, compile quickly."""
    patterns: list[str] = []
    left = [schema]
    while left:
        node = left.pop()
        if isinstance(node, Mapping):
            left += node.values()
            if isinstance(node.get("pattern"), str):
                patterns.append(node["pattern"])
            if isinstance(node.get("patternProperties"), Mapping):
                patterns += node["patternProperties"]
        elif isinstance(node, list | tuple):
            left += node
    return len(patterns) <= MOST_PATTERNS and sum(map(len, patterns)) <= MOST_PATTERN_TEXT


def _is_bounded(schema: Mapping[str, Any], value: Any) -> bool:
    try:
        return _Counter(schema).cost(schema, value, 0) <= MOST_WORK
    except _TooMuch:
        return False


class _Counter:
    """Counts the steps of a validator that visits everything and caches nothing. The counter itself
    does cache: in a schema with two references to itself the work doubles with each level."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._costs: dict[tuple[int, int], int | None] = {}

    def cost(self, schema: Any, value: Any, depth: int) -> int:
        if not isinstance(schema, Mapping):
            return 1
        key = (id(schema), id(value))
        if key in self._costs:
            known = self._costs[key]
            if known is None:
                raise _TooMuch  # it refers to itself without descending into the value
            return known
        if len(self._costs) > MOST_WORK or depth > _MOST_DEPTH:
            raise _TooMuch
        self._costs[key] = None
        total = 1 + _own_cost(schema, value)
        for part, held in self._parts(schema, value):
            total += self.cost(part, held, depth + 1)
            if total > MOST_WORK:
                raise _TooMuch
        self._costs[key] = total
        return total

    def _parts(self, schema: Mapping[str, Any], value: Any) -> Iterator[tuple[Any, Any]]:
        if any(word in schema for word in ("$dynamicRef", "$recursiveRef")):
            raise _TooMuch
        if "$ref" in schema:
            yield self._target(schema["$ref"]), value
        for word in _SAME:
            yield from ((part, value) for part in _listed(schema.get(word)))
        if isinstance(schema.get("dependentSchemas"), Mapping):
            yield from ((part, value) for part in schema["dependentSchemas"].values())
        if isinstance(schema.get("dependencies"), Mapping):
            yield from ((part, value) for part in schema["dependencies"].values())
        if isinstance(value, list):
            for word in _CHILD:
                for part in _listed(schema.get(word)):
                    yield from ((part, item) for item in value)
        elif isinstance(value, dict):
            yield from self._of_object(schema, value)

    @staticmethod
    def _of_object(
        schema: Mapping[str, Any], value: Mapping[str, Any]
    ) -> Iterator[tuple[Any, Any]]:
        properties = schema.get("properties")
        if isinstance(properties, Mapping):
            yield from ((properties[name], value[name]) for name in value if name in properties)
        everywhere = [schema.get(word) for word in _VALUES]
        if isinstance(schema.get("patternProperties"), Mapping):
            everywhere += schema["patternProperties"].values()
        for part in everywhere:
            if part is not None:
                yield from ((part, item) for item in value.values())
        if "propertyNames" in schema:
            yield from ((schema["propertyNames"], name) for name in value)

    def _target(self, ref: Any) -> Any:
        node: Any = self._root
        if not isinstance(ref, str) or not (ref == "#" or ref.startswith("#/")):
            raise _TooMuch
        for part in ref.split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            if isinstance(node, list) and name.isdecimal() and int(name) < len(node):
                node = node[int(name)]
            elif isinstance(node, Mapping) and name in node:
                node = node[name]
            else:
                raise _TooMuch
        return node


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _own_cost(schema: Mapping[str, Any], value: Any) -> int:
    cost = 0
    if isinstance(schema.get("enum"), list):
        cost += len(schema["enum"])
    if isinstance(value, str) and "pattern" in schema:
        cost += len(value) * _PATTERN_COST
    if isinstance(value, dict) and isinstance(schema.get("patternProperties"), Mapping):
        names = sum(len(name) for name in value) * _PATTERN_COST
        cost += names * len(schema["patternProperties"])
    return cost
