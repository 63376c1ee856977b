"""A JSON Schema as Anthropic's structured outputs and strict tools take it.

Sources: https://platform.claude.com/docs/en/build-with-claude/structured-outputs (what is taken),
and the same page's "how SDK transformation works": bounds become words in the description, objects
are closed, `oneOf` becomes `anyOf`. Where the vendor's own client raises an error (lists of types,
types left out that other keywords tell), the nearest form is written; what has none (any value at
all, a schema that refers to itself or to elsewhere) is `Unwritable`, by its place.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

FORMATS: Final = frozenset(
    {
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
    }
)
_TYPES: Final = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})
_ANNOTATIONS: Final = frozenset(
    {"title", "description", "default", "examples", "example", "deprecated"}
    | {"readOnly", "writeOnly", "$schema", "$id", "$comment", "discriminator"}
)
"""Keywords that no answer can break."""
_TELLING: Final = (
    ("object", ("properties", "required", "additionalProperties", "patternProperties")),
    ("array", ("items", "minItems", "maxItems", "uniqueItems", "contains")),
    ("string", ("minLength", "maxLength", "pattern", "format")),
    ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
)
"""By which keywords the type is known where it is left out."""
_MOST_DEPTH: Final = 90
_Schema = dict[str, Any]


class Unwritable(Exception):
    """The API has no form for this schema; the message says for what part of it."""


@dataclass(frozen=True, slots=True)
class Written:
    """A schema as the API takes it."""

    schema: _Schema
    exact: bool
    """Whether all that fits it fits the original too."""


def written_schema(schema: Mapping[str, Any]) -> Written:
    """`schema` as the API takes it; Unwritable where that cannot be."""
    writer = _Writer()
    made = writer.write(schema, "")
    _check_refs(made)
    return Written(made, writer.exact)


class _Writer:
    def __init__(self) -> None:
        self.exact = True

    def write(self, given: Any, path: str) -> _Schema:
        if not isinstance(given, Mapping):
            raise Unwritable(f"{path or 'the schema'}: expected a schema")
        if path.count("/") > _MOST_DEPTH:
            raise Unwritable("its depth")
        rest = dict(given)
        made: _Schema = {}
        for name in ("$defs", "definitions"):  # the second is what drafts before 2019 call them
            defs = rest.pop(name, None)
            if isinstance(defs, Mapping):
                written = {
                    key: self.write(value, f"{path}/{name}/{key}") for key, value in defs.items()
                }
                made["$defs"] = {**made.get("$defs", {}), **written}
        if isinstance(ref := rest.pop("$ref", None), str):
            self._lose(rest)
            made["$ref"] = ref.replace("#/definitions/", "#/$defs/", 1)
            return made
        if isinstance(rest.get("type"), list):
            return {**made, **self._any_type(rest, path)}
        return {**made, **self._typed(rest, path)}

    def _any_type(self, rest: _Schema, path: str) -> _Schema:
        """A list of types, as one schema for each."""
        types = [it for it in rest.pop("type") if it in _TYPES]
        if not types:
            raise Unwritable(f"{path or 'the schema'}: no type that is known")
        if len(types) == 1 or "enum" in rest or "const" in rest:
            return self._typed({**rest, "type": types[0]}, path)
        described: _Schema = {key: rest.pop(key) for key in ("description", "title") if key in rest}
        variants = []
        for kind in types:
            others = {word for it, words in _TELLING if it != kind for word in words}
            others -= set(next((words for it, words in _TELLING if it == kind), ()))
            own = {key: value for key, value in rest.items() if key not in others}
            if kind == "integer":
                own |= {key: rest[key] for key in _TELLING[-1][1] if key in rest}
            variants.append(self._typed({**own, "type": kind}, path))
        return {"anyOf": variants, **described}

    def _typed(self, rest: _Schema, path: str) -> _Schema:
        made: _Schema = {}
        kind = rest.pop("type", None)
        variants = {name: rest.pop(name, None) for name in ("anyOf", "oneOf", "allOf")}
        literals = self._literals(rest)
        made |= literals
        if self._variants(made, variants, path):
            if kind is not None and not literals:
                self.exact = False
        elif not literals:
            kind = _kind(kind, rest)
            if kind is None:
                raise Unwritable(f"{path or 'the schema'}: any value at all")
            made["type"] = kind
        if literals:
            kind = None
        for name in ("description", "title"):
            if (value := rest.pop(name, None)) is not None:
                made[name] = value
        self._by_kind(made, rest, kind, path)
        self._lose(rest)
        if rest:
            words = "{" + ", ".join(f"{key}: {value}" for key, value in rest.items()) + "}"
            before = made.get("description")
            made["description"] = words if before is None else f"{before}\n\n{words}"
        return made

    def _variants(self, made: _Schema, variants: Mapping[str, Any], path: str) -> bool:
        """The first kind of variants that is there; others beside it are lost."""
        lists = [name for name, value in variants.items() if isinstance(value, list)]
        if not lists:
            return False
        chosen = lists[0]
        parts = [
            self.write(value, f"{path}/{chosen}/{place}")
            for place, value in enumerate(variants[chosen])
        ]
        if chosen == "oneOf" or any(
            variants[name] is not None for name in variants.keys() - {chosen}
        ):
            self.exact = False
        kept = "allOf" if chosen == "allOf" else "anyOf"
        if kept == "allOf" and any("$ref" in part for part in parts):
            if len(parts) > 1:
                raise Unwritable(f"{path or 'the schema'}: references in allOf")
            kept = "anyOf"  # of one it is the same
        made[kept] = parts
        return True

    @staticmethod
    def _literals(rest: _Schema) -> _Schema:
        made: _Schema = {}
        enum = rest.get("enum")
        if isinstance(enum, list) and enum and all(_is_literal(value) for value in enum):
            made["enum"] = list(rest.pop("enum"))
        if "const" in rest and _is_literal(rest["const"]):
            made["const"] = rest.pop("const")
        return made

    def _by_kind(self, made: _Schema, rest: _Schema, kind: Any, path: str) -> None:
        match kind:
            case "object":
                properties = rest.pop("properties", None)
                made["properties"] = {
                    key: self.write(value, f"{path}/properties/{key}")
                    for key, value in (properties or {}).items()
                }
                rest.pop("additionalProperties", None)
                made["additionalProperties"] = False
                if (required := rest.pop("required", None)) is not None:
                    made["required"] = required
            case "string":
                _keep(made, rest, "format", FORMATS)
            case "array":
                if (items := rest.pop("items", None)) is not None:
                    made["items"] = self.write(items, f"{path}/items")
                _keep(made, rest, "minItems", (0, 1))

    def _lose(self, rest: _Schema) -> None:
        """What only stands in words now is not held to by the API."""
        if any(key not in _ANNOTATIONS and not str(key).startswith("x-") for key in rest):
            self.exact = False


def _keep(made: _Schema, rest: _Schema, word: str, taken: Collection[Any]) -> None:
    """A keyword with a value that is taken; with another it comes last, as the client has it."""
    if word in rest:
        value = rest.pop(word)
        holder = made if isinstance(value, str | int) and value in taken else rest
        holder[word] = value


def _kind(kind: Any, rest: Mapping[str, Any]) -> str | None:
    if isinstance(kind, str):
        return kind if kind in _TYPES else None
    return next((it for it, words in _TELLING if any(word in rest for word in words)), None)


def _is_literal(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


# -- references


def _check_refs(schema: _Schema) -> None:
    """Every `$ref` leads into the schema itself, and none back to where it stands."""
    state: dict[int, bool] = {}
    todo: list[tuple[Any, bool]] = [(schema, False)]
    while todo:
        node, done = todo.pop()
        if done:
            state[id(node)] = True
        elif isinstance(node, dict) and id(node) in state:
            if not state[id(node)]:
                raise Unwritable("a schema that refers to itself")
        elif isinstance(node, dict):
            state[id(node)] = False
            todo.append((node, True))
            todo += [(child, False) for child in _children(schema, node)]


def _children(root: _Schema, node: _Schema) -> Iterator[Any]:
    if "$ref" in node:
        yield _target(root, node["$ref"])
    for name in ("anyOf", "allOf"):
        yield from node.get(name, ())
    yield from node.get("properties", {}).values()
    if isinstance(node.get("items"), dict):
        yield node["items"]


def _target(root: _Schema, ref: str) -> Any:
    node: Any = root
    if ref != "#" and not ref.startswith("#/"):
        raise Unwritable(f"the reference {ref[:200]}")
    for part in ref.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        node = node.get(key) if isinstance(node, dict) else None
        if node is None:
            raise Unwritable(f"the reference {ref[:200]}")
    return node
