"""Answers held against a schema on our side: what breaks it, and that nothing can hold us up."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from nexus_actors.providers.apis import answer_schema
from nexus_actors.providers.apis.answer_schema import MOST_WORK, violation

PLACE = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "minLength": 2, "pattern": "^[A-Z]"},
        "size": {"type": "integer", "minimum": 1, "maximum": 5},
        "near": {"type": "array", "items": {"$ref": "#"}, "maxItems": 2, "uniqueItems": True},
    },
    "required": ["city"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "value",
    [
        {"city": "Oslo"},
        {"city": "Oslo", "size": 5},
        {"city": "Oslo", "near": [{"city": "Moss"}, {"city": "Ski", "near": []}]},
    ],
)
def test_what_fits(value: Any) -> None:
    assert violation(PLACE, json.dumps(value)) is None


def test_what_breaks_it_is_reported_by_its_place() -> None:
    cases = [
        ({"city": "O"}, "minLength", "/city"),
        ({"city": "oslo"}, "pattern", "/city"),
        ({"city": "Oslo", "size": 6}, "maximum", "/size"),
        ({"city": "Oslo", "size": 1.5}, "type", "/size"),
        ({}, "required", "/"),
        ({"city": "Oslo", "more": 1}, "additionalProperties", "/"),
        ({"city": "Oslo", "near": [{"city": "Moss", "size": 0}]}, "minimum", "/near/0/size"),
        ({"city": "Oslo", "near": [{"city": "Moss"}] * 2}, "uniqueItems", "/near"),
        ([], "type", "/"),
    ]
    wrong = []
    for value, keyword, place in cases:
        found = violation(PLACE, json.dumps(value))
        expected = f"it breaks {keyword} at {place}"
        if found != expected:
            wrong.append((value, keyword, place, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


def test_names_of_the_answers_own_are_reported_cleaned() -> None:
    schema = {"additionalProperties": {"type": "integer"}}
    for name in ("a: b\n", "x" * 5000, "ok"):
        said = violation(schema, json.dumps({name: "x"}))
        assert said is not None
        assert len(said) < 120
        assert said.startswith("it breaks type at /")
        assert not set(said.rpartition("/")[2]) & set(": \n")
    assert violation(schema, '{"ok": "x"}') == "it breaks type at /ok"


@pytest.mark.parametrize("text", ["", "Oslo", '{"city": "Os', "```json\n{}\n```", '{"a": NaN}'])
def test_what_is_no_json_fits_nothing(text: str) -> None:
    assert violation({}, text) == "it is no JSON"


def test_what_the_answer_says_is_not_told() -> None:
    assert "secret" not in str(violation({"type": "integer"}, '"secret"'))
    long = violation({"additionalProperties": {"type": "integer"}}, json.dumps({"k" * 5000: "x"}))
    assert long is not None
    assert len(long) < 200


def test_what_is_no_usable_schema_is_not_checked() -> None:
    cases = [
        {"type": 7},
        {"type": "news"},
        {"minimum": "a"},
        {"properties": []},
        {"pattern": "("},
        {"pattern": "(?=a)b"},
        {"pattern": "(a{1000}){1000}"},
        {"$ref": "#/$defs/A"},
        {"$ref": "http://127.0.0.1:9/schema"},
        {"$ref": "file:///etc/hostname"},
        {"$schema": "http://127.0.0.1:9/meta", "type": "integer"},
        {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}},
        {"allOf": [{"$ref": "#"}]},
        {"$dynamicRef": "#a", "$defs": {"a": {"$dynamicAnchor": "a", "type": "integer"}}},
        {"a": float("nan")},
        {"enum": ["x" * 300_000]},
    ]
    wrong = [
        (schema, found) for schema in cases if (found := violation(schema, '"text"')) is not None
    ]
    assert not wrong, "\n".join(map(repr, wrong))


def test_no_schema_is_fetched(tmp_path: Path) -> None:
    elsewhere = tmp_path / "schema.json"
    elsewhere.write_text('{"type": "integer"}', encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]
        for url in (elsewhere.as_uri(), f"http://127.0.0.1:{port}/schema"):
            assert violation({"$ref": url}, '"text"') is None
            assert violation({"anyOf": [{"$ref": url}]}, '"text"') is None
            assert violation({"$schema": url, "type": "integer"}, '"text"') is None
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_schema_of_elsewhere_makes_nothing_ready(tmp_path: Path) -> None:
    elsewhere = tmp_path / "schema.json"
    elsewhere.write_text('{"type": "integer"}', encoding="utf-8")
    assert answer_schema._validator(json.dumps({"$ref": elsewhere.as_uri()})) is None


@pytest.mark.parametrize(
    "schema",
    [
        {"patternProperties": {rf"\pL{{3}}{n}": {} for n in range(5000)}},
        {"anyOf": [{"pattern": f"^{n}$"} for n in range(51)]},
        {"$defs": {f"d{n}": {"pattern": f"a{{900}}{n}"} for n in range(60)}},
        {"properties": {"a": {"pattern": "a" * 2001}}},
    ],
)
def test_many_patterns_are_not_even_compiled(schema: dict[str, Any]) -> None:
    before = answer_schema._validator.cache_info().misses
    assert violation({**schema, "type": "integer"}, '"text"') is None
    assert answer_schema._validator.cache_info().misses == before


def test_a_large_answer_is_not_checked() -> None:
    assert violation({"type": "integer"}, json.dumps("x" * answer_schema.MOST_ANSWER)) is None


def doubling(levels: int) -> dict[str, Any]:
    """Each level twice the one below: 2 ** levels looks at one value."""
    defs: dict[str, Any] = {
        f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(levels)
    }
    return {"$ref": "#/$defs/a0", "$defs": {**defs, f"a{levels}": {"type": "string"}}}


TWICE = {"allOf": [{"properties": {"x": {"$ref": "#"}}}, {"properties": {"x": {"$ref": "#"}}}]}
EACH = {"additionalProperties": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}}


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (doubling(60), "1"),
        ({**TWICE, "type": "object"}, '{"x":' * 90 + "1" + "}" * 90),
        ({**EACH, "type": "object"}, '{"x":' * 90 + "1" + "}" * 90),
        ({"items": {"maximum": 0}}, json.dumps([1] * MOST_WORK)),
        ({"items": {"enum": list(range(2, 2000))}}, json.dumps([1] * 1000)),
        ({"pattern": "^(a+)+$"}, json.dumps("a" * 100_000 + "b")),
        ({"patternProperties": {"^(a+)+$": False}}, json.dumps({"a" * 100_000: 1})),
    ],
)
def test_what_would_be_too_much_work_is_not_done(
    schema: Any, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not answer_schema._is_bounded(schema, json.loads(text))
    assert violation(schema, text) is None


def test_what_can_be_done_is() -> None:
    cases = [
        (doubling(10), "1"),
        ({**TWICE, "type": "object"}, '{"x":' * 8 + "1" + "}" * 8),
        ({"items": {"maximum": 0}}, json.dumps([1] * 10_000)),
        ({"pattern": "^(a+)+$"}, json.dumps("a" * 5000 + "b")),
        (
            {"properties": {"l": {"$ref": "#"}, "r": {"$ref": "#"}}, "type": "object"},
            '{"l":' * 60 + "1" + "}" * 60,
        ),
        ({"dependentSchemas": {"a": {"required": ["b"]}}}, '{"a": 1}'),
        ({"propertyNames": {"maxLength": 1}}, '{"ab": 1}'),
        ({"if": {"type": "integer"}, "then": {"minimum": 5}}, "1"),
        ({"prefixItems": [{"type": "string"}]}, "[1]"),
        (
            {"items": [{"type": "string"}], "$schema": "http://json-schema.org/draft-07/schema#"},
            "[1]",
        ),
    ]
    wrong = []
    for schema, text in cases:
        if violation(schema, text) is None:
            wrong.append((schema, text))
    assert not wrong, "\n".join(map(repr, wrong))


def test_a_schema_is_made_ready_once() -> None:
    answer_schema._validator.cache_clear()
    for number in range(3):
        assert violation(dict(PLACE), json.dumps({"city": "Oslo", "size": number + 1})) is None
    assert answer_schema._validator.cache_info().misses == 1
