"""JSON Schemas as Anthropic takes them: as its own client would send them, and what that cannot."""

import contextlib
import copy
import json
from typing import Any

import pytest
from hypothesis import given as any_of
from hypothesis import strategies as st

from nexus_actors.providers.apis.messages.schema import MOST_SCHEMAS, Unwritable, written_schema
from tests.lazy import Lazy
from tests.unit.providers.test_messages_takes import call, told
from tests.vendors.anthropic_schemas import wrong_schema

anthropic = Lazy("anthropic")
CITY = {"type": "string", "description": "Its name."}
AS_THE_CLIENT: dict[str, dict[str, Any]] = {
    "bounds": {"type": "integer", "minimum": 1, "maximum": 10, "description": "How many."},
    "bounds without words": {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.5},
    "open object": {"type": "object", "properties": {"a": CITY}, "additionalProperties": True},
    "no properties": {"type": "object"},
    "required": {"type": "object", "properties": {"a": CITY}, "required": ["a"], "title": "T"},
    "nested": {
        "type": "object",
        "properties": {"a": {"type": "object", "properties": {"b": {"type": "boolean"}}}},
    },
    "format": {"type": "string", "format": "date-time"},
    "other format": {"type": "string", "format": "regex", "maxLength": 4},
    "pattern": {"type": "string", "pattern": "^a"},
    "array": {"type": "array", "items": {"type": "string", "minLength": 2}, "minItems": 1},
    "bounded array": {"type": "array", "items": CITY, "minItems": 2, "uniqueItems": True},
    "enum": {"type": "string", "enum": ["a", "b"], "default": "a"},
    "enum alone": {"enum": ["a", 1, None, True]},
    "const": {"const": 3, "type": "integer"},
    "anyOf": {"anyOf": [{"type": "null"}, {"type": "string", "maxLength": 3}], "title": "Maybe"},
    "oneOf": {"oneOf": [{"type": "null"}, {"type": "string"}]},
    "allOf": {"allOf": [{"type": "object", "properties": {"a": CITY}}]},
    "reference": {"$ref": "#/$defs/A", "$defs": {"A": {"type": "integer", "minimum": 0}}},
    "references": {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/A"}, "b": {"$ref": "#/$defs/A"}},
        "$defs": {"A": {"type": "object", "properties": {}, "minProperties": 1}},
        "$schema": "https://json-schema.org/draft/2020-12/schema",
    },
    "words of another's": {"type": "string", "x-order": 1, "examples": ["a"], "deprecated": True},
}


def test_is_written_as_the_official_client_writes_it() -> None:
    wrong = []
    for name, schema in AS_THE_CLIENT.items():
        given = copy.deepcopy(schema)
        written = written_schema(given).schema
        found = (written, wrong_schema(written), given)
        expected = (anthropic.transform_schema(copy.deepcopy(schema)), None, schema)
        if found != expected:
            wrong.append((name, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


def test_knows_whether_something_was_lost() -> None:
    cases = [
        ("bounds", False),
        ("open object", True),
        ("required", True),
        ("format", True),
        ("other format", False),
        ("pattern", False),
        ("bounded array", False),
        ("enum", True),
        ("const", True),
        ("oneOf", False),
        ("reference", False),
        ("references", False),
        ("words of another's", True),
    ]
    wrong = [
        (name, exact, found)
        for name, exact in cases
        if (found := written_schema(AS_THE_CLIENT[name]).exact) is not exact
    ]
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (
            {"type": ["string", "null"], "maxLength": 3, "description": "d"},
            {
                "anyOf": [{"type": "string", "description": "{maxLength: 3}"}, {"type": "null"}],
                "description": "d",
            },
        ),
        (
            {"type": ["integer", "string"], "minimum": 1},
            {"anyOf": [{"type": "integer", "description": "{minimum: 1}"}, {"type": "string"}]},
        ),
        ({"type": ["string"]}, {"type": "string"}),
        ({"type": ["string", "null"], "enum": ["a", None]}, {"enum": ["a", None]}),
        (
            {"properties": {"a": CITY}},
            {"type": "object", "properties": {"a": CITY}, "additionalProperties": False},
        ),
        ({"items": CITY}, {"type": "array", "items": CITY}),
        ({"minLength": 1}, {"type": "string", "description": "{minLength: 1}"}),
        ({"minimum": 1}, {"type": "number", "description": "{minimum: 1}"}),
        (
            {"$ref": "#/definitions/A", "definitions": {"A": CITY}},
            {"$ref": "#/$defs/A", "$defs": {"A": CITY}},
        ),
        (
            {"allOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": CITY}, "description": "d"},
            {"anyOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": CITY}, "description": "d"},
        ),
    ],
)
def test_where_the_client_cannot_the_nearest_is_written(given: Any, sent: Any) -> None:
    assert written_schema(given).schema == sent
    assert wrong_schema(sent) is None


TREE = {"type": "object", "properties": {"of": {"$ref": "#"}}}
LIST = {
    "$ref": "#/$defs/N",
    "$defs": {
        "N": {"anyOf": [{"type": "null"}, {"type": "array", "items": {"$ref": "#/$defs/N"}}]}
    },
}
DEEP: dict[str, Any] = {"type": "string"}
for _ in range(60):
    DEEP = {"type": "array", "items": DEEP}
DEEPER = DEEP
for _ in range(60):
    DEEPER = {"type": "array", "items": DEEPER}


UNWRITABLE = [
    {},
    {"description": "anything"},
    {"type": "object", "properties": {"a": True}},
    {"type": "object", "properties": {"a": {}}},
    {"type": "array", "items": True},
    {"type": "news"},
    {"type": []},
    {"type": ["news"]},
    {"enum": [{"a": 1}]},
    {"anyOf": [7]},
    {"anyOf": 7},
    {"oneOf": []},
    {"type": "object", "properties": ["a"]},
    {"type": "object", "properties": "a"},
    {"type": "object", "properties": {"a": [CITY]}},
    {"type": "object", "required": "a"},
    {"type": "object", "required": ["a", 1]},
    {"type": ["object", {"x": 1}]},
    {"type": {"object": 1}},
    {"type": ["object", None]},
    {"type": "array", "items": [CITY]},
    {"type": "array", "items": 7},
    {"type": "string", "description": ["d"]},
    {"type": "string", "title": 7},
    {"enum": {"a": 1}},
    {"$ref": 7},
    {"$ref": "#/$defs", "$defs": {"$ref": CITY}},
    {"$ref": "#/$defs/A/description", "$defs": {"A": CITY}},
    {"type": "string", "$defs": [CITY]},
    {"type": "string", "$defs": {"A": {"$ref": "#/$defs/B"}}},
    {"type": "string", "definitions": 7},
    {"$ref": "https://example.org/schema.json"},
    {"$ref": "#/$defs/A"},
    {"$ref": "#anchor"},
    {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}},
    {"allOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/A"}], "$defs": {"A": CITY}},
    TREE,
    LIST,
    DEEPER,
]


def is_writable(schema: Any) -> bool:
    try:
        written_schema(schema)
    except Unwritable:
        return False
    return True


def test_what_cannot_be_written_is_asked_for_in_words_and_checked_here() -> None:
    assert [it for it in UNWRITABLE if is_writable(it)] == []
    wrong = []
    for given in UNWRITABLE:
        made = call("claude-opus-5-5", response_format={"type": "json_schema", "schema": given})
        found = ("output_config" in made.body, "JSON" in made.body["system"], made.check)
        if (*found, told(made)) != (False, True, given, ["response_format"]):
            wrong.append((given, made))
    assert not wrong, "\n".join(map(repr, wrong))


WORDS = (
    *("type", "properties", "required", "items", "anyOf", "oneOf", "allOf", "$ref", "$defs"),
    *("definitions", "enum", "const", "description", "title", "format", "minItems", "minimum"),
    *("additionalProperties", "pattern", "not", "prefixItems", "default"),
)
TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
PLAIN = st.one_of(
    *(st.none(), st.booleans(), st.integers(-2, 2), st.floats(allow_nan=False), st.text()),
    *(st.sampled_from([*TYPES, *WORDS, "#", "#/$defs/a", "#/$defs", "#/properties/a"]),),
    st.lists(st.sampled_from(TYPES)),
)
ANY_JSON = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from([*WORDS, "a"]), inner, max_size=5),
        st.dictionaries(st.text(), inner, max_size=3),
    ),
    max_leaves=30,
)


@any_of(st.dictionaries(st.sampled_from([*WORDS, "a"]), ANY_JSON))
def test_whatever_stands_for_a_schema_is_written_as_one_that_is_taken_or_is_unwritable(
    schema: dict[str, Any],
) -> None:
    before = copy.deepcopy(schema)
    with contextlib.suppress(Unwritable):
        assert wrong_schema(written_schema(schema).schema) is None
    assert schema == before
    wanted = {"type": "json_schema", "schema": schema}
    strict = tool(schema, strict=True)
    assert call("claude-opus-5-5", response_format=wanted, tools=(strict,)).body["messages"]


def nested(levels: int, **more: Any) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": ["object", "array"], "anyOf": [schema], **more}
    return schema


def test_what_is_written_grows_with_the_schema_alone() -> None:
    cases = [{}, {"oneOf": [CITY]}, {"allOf": [CITY]}, {"properties": {}}]
    wrong = []
    for more in cases:
        for levels in [1, 2, 5, 10]:
            written = written_schema(nested(levels, **more))
            if not (json.dumps(written.schema).count('"type"') == 1 and not written.exact):
                wrong.append((more, levels, written))
    assert not wrong, "\n".join(map(repr, wrong))


def test_types_are_written_once_each() -> None:
    properties = {f"p{number}": CITY for number in range(100)}
    many = written_schema({"type": ["object", "null"] * 1000, "properties": properties})
    assert (
        many.schema == written_schema({"type": ["object", "null"], "properties": properties}).schema
    )
    assert written_schema({"type": ["string"] * 3}).schema == {"type": "string"}


def test_a_schema_of_too_many_is_not_written() -> None:
    properties = {f"p{number}": CITY for number in range(MOST_SCHEMAS - 1)}
    assert written_schema({"type": "object", "properties": properties}).exact
    with pytest.raises(Unwritable, match="its size"):
        written_schema({"type": "object", "properties": {**properties, "one more": CITY}})


def test_a_name_is_told_cleaned_and_not_whole() -> None:
    slashes = {"type": "object", "properties": {"/" * 100: CITY}}
    assert written_schema(slashes).exact
    for name in ("x" * 35_000, "a: b\nc", "\ud800", ""):
        wrong = {"type": "object", "properties": {name: {"properties": {name: True}}}}
        with pytest.raises(Unwritable) as caught:
            written_schema(wrong)
        said = str(caught.value)
        assert len(said) < 250
        assert said.startswith("properties.")
        assert "\n" not in said
    with pytest.raises(Unwritable, match=r"^the reference defs\.x{63}…$"):
        written_schema({"$ref": "#/$defs/" + "x" * 300})


def test_keywords_that_are_null_are_none() -> None:
    nulls = dict.fromkeys(("properties", "required", "anyOf", "title", "enum", "$ref", "$defs"))
    assert written_schema({"type": "string", **nulls}) == written_schema({"type": "string"})


def test_what_additional_properties_ask_for_is_reported() -> None:
    counts = {"type": "object", "additionalProperties": {"type": "integer"}}
    made = call(
        "claude-opus-5-5",
        response_format={"type": "json_schema", "schema": {"type": "array", "items": counts}},
        tools=(tool(counts, strict=True),),
    )
    assert set(told(made)) == {"response_format", "tools[0].strict"}


def test_depth_alone_is_no_fault() -> None:
    assert wrong_schema(written_schema(DEEP).schema) is None


@pytest.mark.parametrize("model", ["claude-opus-4-1", "claude-3-5-haiku", "claude-sonnet-4-0"])
def test_older_models_are_asked_in_words(model: str) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "a", "schema": CITY}}
    system = {"role": "system", "content": "Be brief."}
    user = {"role": "user", "content": "Where?"}
    made = call(model, response_format=wanted, messages=(system, user))
    assert made.body["system"].startswith("Be brief.\n\nAnswer with JSON alone")
    assert '"Its name."' in made.body["system"]
    assert (made.check, told(made)) == (CITY, ["response_format"])


def test_an_answer_is_checked_here_where_the_api_does_not() -> None:
    wrong = []
    for name, schema in AS_THE_CLIENT.items():
        made = call("claude-opus-5-5", response_format={"type": "json_schema", "schema": schema})
        written = written_schema(schema)
        format_ = {"type": "json_schema", "schema": written.schema}
        found = (made.body["output_config"], made.check, made.dropped)
        expected = ({"format": format_}, None if written.exact else schema, ())
        if found != expected:
            wrong.append((name, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


def tool(parameters: Any, **more: Any) -> dict[str, Any]:
    return {"type": "function", "name": "f", "parameters": parameters, **more}


def test_a_strict_tool_has_its_schema_written_likewise() -> None:
    loose = {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}}
    strict, lax, none = call(
        "claude-opus-5-5", tools=(tool(loose, strict=True), tool(loose, strict=False), tool(loose))
    ).body["tools"]
    assert strict["input_schema"] == written_schema(loose).schema
    assert lax["input_schema"] == none["input_schema"] == loose
    assert [it.get("strict") for it in (strict, lax, none)] == [True, False, None]


@pytest.mark.parametrize(
    ("model", "parameters"),
    [("claude-opus-5-5", TREE), ("claude-opus-4-1", {"type": "object", "properties": {}})],
)
def test_a_tool_that_cannot_be_strict_is_not_and_reported(model: str, parameters: Any) -> None:
    made = call(model, tools=({"type": "web_search"}, tool(parameters, strict=True)))
    [sent] = made.body["tools"]
    assert (sent["input_schema"], "strict" in sent) == (parameters, False)
    assert set(told(made)) == {"tools[0]", "tools[1].strict"}
