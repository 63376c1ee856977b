"""No request costs more than in proportion to its size, and none holds more than its bounds say."""

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from fuzz import measure
from nexus_actors.contract.bounds import WIDEST, Bounds
from nexus_actors.contract.decode import decode_request
from nexus_actors.contract.errors import Refusal
from nexus_actors.contract.json_text import Parsed, Unparsable, parse, values_within
from nexus_actors.contract.request import LLMRequest

SAID = {"role": "user", "content": "hello"}


def asked(**fields: Any) -> str:
    return json.dumps({"request_id": "r", "complexity": "simple", **fields})


def call(arguments: str) -> dict[str, Any]:
    return {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}


def calls(count: int) -> dict[str, Any]:
    item = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    return {"input": [item] * count}


@pytest.mark.parametrize("held", ["1", "[]", '{"a":1}', '"text"', "1.5"])
def test_depth_is_looked_for_in_a_few_times_the_memory_of_the_text(held: str) -> None:
    # More brackets than levels are allowed, else there would be nothing to look for.
    text = "[" + "[]," * 20 + "[" * 94 + ",".join([held] * 60_000) + "]" * 95
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        assert isinstance(json.loads(text), list)
        alone = tracemalloc.get_traced_memory()[1] - before
        tracemalloc.reset_peak()
        assert isinstance(parse(text), Parsed)
        assert tracemalloc.get_traced_memory()[1] - before < 3 * alone + len(text)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "fields",
    [
        {"capabilities": [1] * 60_000},
        {"stop": [1] * 60_000},
        {"include": [1] * 60_000},
        {"tools": [1] * 900},
        {"functions": [1] * 900},
        {"mcp_servers": [{"allowed_tools": [1] * 60_000}]},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_list_that_is_wrong_throughout_is_refused_for_its_first(fields: dict[str, Any]) -> None:
    text = asked(messages=[SAID], **fields)
    decode_request(text)  # what is made once is no cost of this request
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        refusal = decode_request(text)
        assert tracemalloc.get_traced_memory()[1] - before < 12 * len(text) + 100_000
    finally:
        tracemalloc.stop()
    assert isinstance(refusal, Refusal)
    assert "[0]" in (refusal.path or "")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[" * 100 + "[1]" + "]" * 100, "[0][0]"),
        ('{"a":[1,2,' + "[" * 99 + "1" + "]" * 100 + "}", "a[2][0]"),
        ('[{"a":{}},' + "[" * 99 + "{}" + "]" * 100, None),
        ('[{"a":{}},' + "[" * 100 + "{}" + "]" * 101, "[1][0]"),
    ],
)
def test_what_is_too_deep_is_reported_by_its_path(text: str, path: str | None) -> None:
    found = parse(text)
    if path is None:
        assert isinstance(found, Parsed)
    else:
        assert isinstance(found, Unparsable)
        assert (found.path or "").startswith(path)


@pytest.mark.parametrize("character", [",", "[", "{", '\\"', "\\\\", "[{,", "\\n,"])
def test_prose_is_no_number_of_values(character: str) -> None:
    text = '{"a":["' + character * 5000 + '",1]}'
    assert values_within(text, 10) <= 5
    assert isinstance(parse(text, 10), Parsed)


def test_texts_that_are_taken_apart_in_pieces_are_still_texts() -> None:
    long = "," * 70_000  # begins in one piece and ends in another, with the quotes anywhere
    for odd in range(3):
        text = json.dumps(["x" * odd, long, 1, [long, {}], long])
        assert 8 <= values_within(text, 100) <= 10
        assert values_within(text[:-1] + ",1" * 100 + "]", 100) > 100


def test_values_are_counted_before_they_are_made() -> None:
    wrong = []
    for held in ["1", "[]", "{}", '""', '{"a":1}', "[1]", ' "," ', "\n1\n"]:
        text = "[" + ",".join([held] * 1000) + "]"
        found = [type(parse(text, most)).__name__ for most in (2002, 900)]
        if found != ["Parsed", "Unparsable"]:
            wrong.append((held, found))
    assert not wrong, "\n".join(map(repr, wrong))


def test_a_float_of_any_length_is_a_number_out_of_range() -> None:
    assert isinstance(parse("[1." + "1" * 500 + "]"), Unparsable)


def test_what_jsonb_cannot_hold_is_replaced_however_it_is_written() -> None:
    assert parse('["a\0b","a\\u0000b","a\\uD800b"]') == Parsed(["a\ufffdb"] * 3)
    assert parse('["\\ud83d\\ude00"]') == Parsed(["\U0001f600"])


SHAPES: dict[str, Callable[[int], dict[str, Any]]] = {
    "calls in an input": calls,
    "calls of one message": lambda n: {
        "messages": [SAID, {"role": "assistant", "tool_calls": [call("{}")] * n}]
    },
    "turns": lambda n: {"messages": [SAID, {"role": "assistant", "content": "a"}] * (n // 2)},
    "parts": lambda n: {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}] * n}]
    },
    "tools": lambda n: {
        "messages": [SAID],
        "tools": [{"name": f"f{i}", "input_schema": {}, f"x{i}": 1} for i in range(n)],
    },
    "stop sequences": lambda n: {"messages": [SAID], "stop": list(range(n))},
    "unknown fields": lambda n: {"messages": [SAID], **{f"x{i}": 1 for i in range(n)}},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_time_to_read_a_request_grows_as_it_does(shape: str) -> None:
    # Four times as much takes four times as long, sixteen times where it grows by the square.
    few, many = (asked(**SHAPES[shape](n)) for n in (5_000, 20_000))
    assert _seconds(many) < 9 * _seconds(few) + 0.05


def _seconds(text: str) -> float:
    return measure.cpu(lambda: decode_request(text, WIDEST), repeats=2)


TOO_MUCH = [
    (
        {"messages": [SAID] * 6},
        Bounds(max_parts=5),
        "messages: expected at most 5 messages, items, parts and calls together"
        " ([requests] max_parts), found 6",
    ),
    (
        {"messages": [SAID, {"role": "user", "content": [{"type": "text", "text": "a"}] * 4}]},
        Bounds(max_parts=5),
        "messages[1]: expected at most 5 messages, items, parts and calls together"
        " ([requests] max_parts), found 6",
    ),
    (calls(3), Bounds(max_parts=2), "([requests] max_parts), found 3"),
    (
        {"messages": [SAID, {"role": "assistant", "tool_calls": [call("{}")] * 3}]},
        Bounds(max_parts=4),
        "([requests] max_parts), found 5",
    ),
    (
        {"input": [{"type": "function_call_output", "output": [{"type": "text"}] * 3}]},
        Bounds(max_parts=3),
        "input[0]: expected at most 3 messages, items, parts and calls together",
    ),
    (
        {"messages": [SAID], "system": [{"type": "text", "text": "a"}] * 3},
        Bounds(max_parts=3),
        "system: expected at most 3 messages, items, parts and calls together",
    ),
    (
        {"input": [{**calls(1)["input"][0], "arguments": "[1,1,1]" * 80}]},
        Bounds(max_values=200),
        "input[0].arguments: expected at most 200 values of JSON in the arguments of calls",
    ),
    (
        {"messages": [SAID], "tools": [{"name": "f"}] * 2, "functions": [{"name": "g"}] * 2},
        Bounds(max_tools=3),
        "functions: expected at most 3 tools ([requests] max_tools), found 4",
    ),
    (
        {"messages": [SAID], "mcp_servers": [1] * 4},  # counted before they are checked
        Bounds(max_tools=3),
        "mcp_servers: expected at most 3 tools ([requests] max_tools), found 4",
    ),
    (
        {"messages": [SAID], "x": list(range(300))},
        Bounds(max_values=200),
        "expected at most 200 values of JSON ([requests] max_values), found",
    ),
    (
        {"messages": [SAID, {"role": "assistant", "tool_calls": [call("[1,1,1]" * 40)] * 2}]},
        Bounds(max_values=200),
        "messages[1].tool_calls[1]: expected at most 200 values of JSON in the arguments of",
    ),
]


def test_more_than_is_allowed_is_refused_with_the_place_the_number_and_the_setting() -> None:
    wrong = []
    for fields, bounds, message in TOO_MUCH:
        refused = decode_request(asked(**fields), bounds)
        if not (
            isinstance(refused, Refusal)
            and refused.type == "invalid_request"
            and message in refused.message
        ):
            wrong.append((fields, bounds, message, refused))
    assert not wrong, "\n".join(map(repr, wrong))


def test_as_much_as_is_allowed_is_taken() -> None:
    bounds = Bounds(max_parts=6, max_tools=2, max_values=100)
    text = asked(messages=[SAID] * 6, tools=[{"type": "function", "name": "f"}] * 2)
    assert isinstance(decode_request(text, bounds), LLMRequest)


def test_an_assistant_without_calls_in_an_input_takes_those_that_follow() -> None:
    spoken = {"type": "message", "role": "assistant", "content": "a", "tool_calls": None}
    found = decode_request(asked(input=[spoken, *calls(2)["input"]]))
    assert isinstance(found, LLMRequest)
    assert len(found.messages[0]["tool_calls"]) == 2
