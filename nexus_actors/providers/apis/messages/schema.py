"""Converts a JSON Schema to the subset of Anthropic's structured outputs and strict tools.

Sources: https://platform.claude.com/docs/en/build-with-claude/structured-outputs (the subset), and
the same page's "how SDK transformation works": bounds become words in the description, objects are
closed, `oneOf` becomes `anyOf`. Where the vendor's client raises an error (lists of types, types
omitted that other keywords imply), this writes the nearest form. What has none (any value, a schema
that refers to itself or to another document) raises `Unwritable`, which names the place.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from nexus_actors.contract.foreign import clean_name
from nexus_actors.contract.json_text import format_path

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
"""Keywords that no answer can violate."""
_TELLING: Final = (
    ("object", ("properties", "required", "additionalProperties", "patternProperties")),
    ("array", ("items", "minItems", "maxItems", "uniqueItems", "contains")),
    ("string", ("minLength", "maxLength", "pattern", "format")),
    ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
)
"""Keywords that imply a missing type."""
_MOST_DEPTH: Final = 90
MOST_SCHEMAS: Final = 10_000
"""The most schemas in one, including itself."""
_COMBINED: Final = ("anyOf", "oneOf", "allOf")
_Schema = dict[str, Any]
_Path: TypeAlias = tuple[str | int, ...]


class Unwritable(Exception):
    """The API has no form for a part of this schema, which the message names."""


@dataclass(frozen=True, slots=True)
class Written:
    """A schema in the API's subset."""

    schema: _Schema
    exact: bool
    """Whether every value that is valid for it is valid for the original, too."""
    closed: bool
    """Whether it excludes unnamed properties for which the original has a schema."""


def written_schema(schema: Mapping[str, Any]) -> Written:
    """Convert `schema`, which may be any JSON. Raises `Unwritable` if that is impossible."""
    writer = _Writer()
    made = writer.write(schema, ())
    _check_refs(made, {id(it) for it in writer.made})
    return Written(made, writer.exact, writer.closed)


def _at(path: _Path) -> str:
    """A path as text. Its names come from a producer, so they are cleaned and bounded."""
    return format_path(tuple(clean_name(it) if isinstance(it, str) else it for it in path)) or (
        "the schema"
    )


class _Writer:
    """Converts one schema. It visits each part once: a second visit would double the work with each
    level."""

    def __init__(self) -> None:
        self.exact = True
        self.closed = False
        self.made: list[_Schema] = []

    def write(self, given: Any, path: _Path) -> _Schema:
        if not isinstance(given, Mapping):
            raise Unwritable(f"{_at(path)}: expected a schema")
        if len(path) > _MOST_DEPTH:
            raise Unwritable("its depth")
        if len(self.made) >= MOST_SCHEMAS:
            raise Unwritable("its size")
        rest = _well_formed(given, path)
        made: _Schema = {}
        self.made.append(made)
        for name in ("$defs", "definitions"):  # the second is the name in drafts before 2019
            if (defs := rest.pop(name, None)) is not None:
                made.setdefault("$defs", {}).update(
                    {key: self.write(value, (*path, "defs", key)) for key, value in defs.items()}
                )
        if (ref := rest.pop("$ref", None)) is not None:
            self._lose(rest)
            made["$ref"] = ref.replace("#/definitions/", "#/$defs/", 1)
        elif isinstance(rest.get("type"), list):
            made |= self._any_type(rest, path)
        else:
            made |= self._typed(rest, path)
        return made

    def _any_type(self, rest: _Schema, path: _Path) -> _Schema:
        """A list of types, as alternatives with one type each."""
        types = [it for it in dict.fromkeys(rest.pop("type")) if it in _TYPES]
        if not types:
            raise Unwritable(f"{_at(path)}: no type that is known")
        if any(name in rest for name in _COMBINED):
            self.exact = False
            return self._typed(rest, path)
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

    def _typed(self, rest: _Schema, path: _Path) -> _Schema:
        made: _Schema = {}
        kind = rest.pop("type", None)
        variants: _Schema = {name: rest.pop(name) for name in _COMBINED if name in rest}
        literals = self._literals(rest)
        made |= literals
        if variants:
            self._combine(made, variants, path)
            if kind is not None and not literals:
                self.exact = False
        elif not literals:
            kind = _kind(kind, rest)
            if kind is None:
                raise Unwritable(f"{_at(path)}: any value at all")
            made["type"] = kind
        if literals:
            kind = None
        for name in ("description", "title"):
            if name in rest:
                made[name] = rest.pop(name)
        self._by_kind(made, rest, kind, path)
        self._lose(rest)
        if rest:
            words = "{" + ", ".join(f"{key}: {value}" for key, value in rest.items()) + "}"
            before = made.get("description")
            made["description"] = words if before is None else f"{before}\n\n{words}"
        return made

    def _combine(self, made: _Schema, variants: Mapping[str, list[Any]], path: _Path) -> None:
        """Convert the first kind of variants that there is. Others beside it are lost."""
        chosen = next(iter(variants))
        parts = [
            self.write(value, (*path, chosen, place))
            for place, value in enumerate(variants[chosen])
        ]
        if chosen == "oneOf" or len(variants) > 1:
            self.exact = False
        kept = "allOf" if chosen == "allOf" else "anyOf"
        if kept == "allOf" and any("$ref" in part for part in parts):
            if len(parts) > 1:
                raise Unwritable(f"{_at(path)}: references in allOf")
            kept = "anyOf"  # the same if there is only one part
        made[kept] = parts

    @staticmethod
    def _literals(rest: _Schema) -> _Schema:
        made: _Schema = {}
        enum = rest.get("enum")
        if enum and all(_is_literal(value) for value in enum):
            made["enum"] = list(rest.pop("enum"))
        if "const" in rest and _is_literal(rest["const"]):
            made["const"] = rest.pop("const")
        return made

    def _by_kind(self, made: _Schema, rest: _Schema, kind: Any, path: _Path) -> None:
        match kind:
            case "object":
                made["properties"] = {
                    key: self.write(value, (*path, "properties", key))
                    for key, value in rest.pop("properties", {}).items()
                }
                more = rest.pop("additionalProperties", None)
                self.closed = self.closed or (isinstance(more, Mapping) and bool(more))
                made["additionalProperties"] = False
                if "required" in rest:
                    made["required"] = rest.pop("required")
            case "string":
                _keep(made, rest, "format", FORMATS)
            case "array":
                if (items := rest.pop("items", None)) is not None:
                    made["items"] = self.write(items, (*path, "items"))
                _keep(made, rest, "minItems", (0, 1))

    def _lose(self, rest: _Schema) -> None:
        """Note whether a keyword became mere words, which the API does not enforce."""
        if any(key not in _ANNOTATIONS and not str(key).startswith("x-") for key in rest):
            self.exact = False


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(it, str) for it in value)


_FORMS: Final[Mapping[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(("$ref", "description", "title"), lambda it: isinstance(it, str)),
    **dict.fromkeys(("$defs", "definitions", "properties"), lambda it: isinstance(it, Mapping)),
    **dict.fromkeys(_COMBINED, lambda it: isinstance(it, list) and bool(it)),
    "enum": lambda it: isinstance(it, list),
    "required": _is_texts,
    "type": lambda it: isinstance(it, str) or _is_texts(it),
}
"""The valid values of keywords that are evaluated here."""


def _well_formed(given: Mapping[str, Any], path: _Path) -> _Schema:
    """A copy of one schema, without keywords that are null, which some clients write."""
    rest = {key: it for key, it in given.items() if it is not None or key not in _FORMS}
    for key, is_form in _FORMS.items():
        if key in rest and not is_form(rest[key]):
            raise Unwritable(f"{_at((*path, key.strip('$')))}: no form that JSON Schema has")
    return rest


def _keep(made: _Schema, rest: _Schema, word: str, taken: Collection[Any]) -> None:
    """Keep a keyword if its value is accepted. If not, it becomes words, as in the client."""
    if word in rest:
        value = rest.pop(word)
        fits = type(value) in (str, int) and value in taken
        holder = made if fits else rest
        holder[word] = value


def _kind(kind: Any, rest: Mapping[str, Any]) -> str | None:
    if isinstance(kind, str):
        return kind if kind in _TYPES else None
    return next((it for it, words in _TELLING if any(word in rest for word in words)), None)


def _is_literal(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


# -- references


def _check_refs(root: _Schema, schemas: Collection[int]) -> None:
    """Check that every `$ref` leads to a schema inside the root, and that none refers to itself.
    `schemas`: the identities of all schemas."""
    state: dict[int, bool] = {}
    todo: list[tuple[_Schema, bool]] = [(root, False)]
    while todo:
        node, done = todo.pop()
        if done:
            state[id(node)] = True
        elif id(node) in state:
            if not state[id(node)]:
                raise Unwritable("a schema that refers to itself")
        else:
            state[id(node)] = False
            todo.append((node, True))
            todo += [(child, False) for child in _children(node)]
            if "$ref" in node:
                target = _target(root, node["$ref"])
                if id(target) not in schemas:
                    raise Unwritable(f"the reference {_named(node['$ref'])}")
                todo.append((target, False))


def _named(ref: str) -> str:
    return _at(tuple(ref[:200].replace("$", "").strip("#/").split("/")))


def _children(node: _Schema) -> Iterator[_Schema]:
    for name in ("$defs", "properties"):
        yield from node.get(name, {}).values()
    for name in ("anyOf", "allOf"):
        yield from node.get(name, ())
    if "items" in node:
        yield node["items"]


def _target(root: _Schema, ref: str) -> Any:
    """The value at the reference; None if there is none."""
    if ref != "#" and not ref.startswith("#/"):
        return None
    node: Any = root
    for part in ref.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        node = node.get(key) if isinstance(node, dict) else None
    return node
