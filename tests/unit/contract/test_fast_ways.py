"""The fast ways read and write what the ways behind them do, or leave it to these."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexus_actors.contract import decode
from nexus_actors.contract.bounds import DEFAULTS, Bounds
from nexus_actors.contract.decode import decode_request
from nexus_actors.contract.errors import Refusal
from nexus_actors.contract.fast_decode import decode_fast
from nexus_actors.contract.json_text import MAX_DEPTH, Parsed, dump, parse, parse_closely, sendable
from nexus_actors.contract.request import LLMRequest

USER = {"role": "user", "content": "Design a feature"}
USUAL: dict[str, Any] = {
    "request_id": "r-1",
    "agent_id": "a",
    "complexity": "simple",
    "task_type": " Coder ",
    "messages": [{"role": "system", "content": "Be \u00e9 brief"}, USER],
    "model": " openai/gpt-x ",
    "provider": "AUTO",
    "api_version": "responses",
    "max_tokens": 400,
    "temperature": 0.2,
    "top_p": 1,
    "stream": True,
    "store": False,
    "capabilities": ["coding", "FAST"],
    "metadata": {"a": "b"},
    "timeout": 1500,
    "timestamp": "2026-11-29T11:00:00.000Z",
    "retry_of": "r-0",
}

DEEP = json.loads("[" * MAX_DEPTH + "]" * MAX_DEPTH)

texts = st.text(st.characters(codec="utf-8"), max_size=8)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.integers(-3, 3)
    | st.floats()
    | st.floats(0, 2)
    | st.text(st.characters(codec=None, exclude_categories=()), max_size=4)
    | st.sampled_from(["auto", "", " ", "simple", "\0", "\\u0000", "a" * 255, "é" * 256, "1e9"])
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
messages = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["system", "developer", "user", "assistant", "tool"]) | anything,
        "content": st.just("x")
        | st.just("")
        | st.none()
        | st.lists(st.just({"type": "text", "text": "x", "more": 1}) | anything, max_size=2),
    },
    optional={
        "tool_calls": st.lists(st.just({"id": "c", "function": {"name": "f"}}), max_size=2),
        "name": texts,
        "refusal": anything,
        "x": anything,
    },
)
requests = st.builds(
    lambda changed, left_out: {
        key: value for key, value in {**USUAL, **changed}.items() if key not in left_out
    },
    st.dictionaries(
        st.sampled_from([*USUAL, "input", "system", "tools", "stop", "seed", "odd"]),
        anything,
        max_size=2,
    )
    | st.fixed_dictionaries({"messages": st.lists(messages, max_size=3)}),
    st.sets(st.sampled_from([*USUAL]), max_size=3),
)
pieces = st.sampled_from(
    [
        *('"', "{", "}", "[", "]", ",", ":", " ", "\n", "\ufeff", "\0", "\\", "1", "-", ".5"),
        *("0" * 301, "9" * 399 + ".5", "1" * 150 + "." + "2" * 260, "1e400", "1e-400", "1e131071"),
        *("null", "true", "NaN", "-Infinity", "18446744073709551616", "4.0", "-0", "-0.0"),
        *("\\u0000", "\\\\u0000", "\\ud800", "\\ud83d\\ude00", "\ud800", "[" * 101 + "]" * 101),
        *('"request_id":"r-2",', '"stream":5,', '"model":"a","model":"b",', '"odd":1,'),
    ]
)


@st.composite
def spoilt(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> str:
    """JSON text, often with a piece put in or in a place of others."""
    text = json.dumps(draw(values), ensure_ascii=draw(st.booleans()))
    for _ in range(draw(st.integers(0, 2))):
        begin = draw(st.integers(0, len(text)))
        text = text[:begin] + draw(pieces) + text[begin + draw(st.integers(0, 2)) :]
    return text


def closely(body: str, bounds: Bounds = DEFAULTS) -> LLMRequest | Refusal:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode, "decode_fast", lambda _body, _bounds: None)
        patch.setattr(decode, "parse_counted", parse_closely)
        return decode_request(body, bounds)


def quickly(settings_: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return settings(derandomize=True, max_examples=150)(settings_)


@quickly
@given(spoilt(requests))
def test_the_usual_request_is_the_one_that_is_read_closely(body: str) -> None:
    assert repr(decode_request(body)) == repr(closely(body))


@quickly
@given(spoilt(anything))
def test_what_is_parsed_fast_is_what_is_parsed_closely(text: str) -> None:
    assert repr(parse(text)) == repr(parse_closely(text))


@given(st.floats(0, allow_nan=False, allow_infinity=False))
def test_a_cost_keeps_its_digits(cost: float) -> None:
    assert Decimal(dump(cost)).as_tuple() == Decimal(repr(cost)).as_tuple()
    assert repr(parse(dump(cost))) == repr(parse(repr(cost))) == repr(Parsed(cost))


def body(**changed: Any) -> str:
    return json.dumps({**USUAL, **changed})


def test_the_usual_request_is_taken() -> None:
    cases = [
        {},
        {"complexity": None},
        {"request_id": "é" * 255},
        {"capabilities": "code"},
        {"max_tokens": 2**31 - 1, "temperature": 0, "timeout": 7 * 24 * 3600 * 1000},
        {"messages": [USER, {"role": "assistant", "content": None, "refusal": "no", "x": 1}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "y": 1}]}]},
        {"messages": [{"role": "user", "content": "[" * MAX_DEPTH * 2}]},
    ]
    wrong = []
    for changed in cases:
        usual = decode_fast(body(**changed), DEFAULTS)
        if not (isinstance(usual, LLMRequest) and repr(usual) == repr(closely(body(**changed)))):
            wrong.append((changed, usual))
    assert not wrong, "\n".join(map(repr, wrong))


TO_EXPLAIN = [
    {"request_id": ""},
    {"request_id": "é" * 256},
    {"max_tokens": 2**31},
    {"max_tokens": True},
    {"temperature": -0.1},
    {"top_p": 1.1},
    {"timeout": 0},
    {"complexity": None, "task_type": "other"},
    {"messages": []},
    {"messages": [USER, {"role": ["user"], "content": "x"}]},
    {"messages": [{"role": "user", "content": {}}]},
    {"tools": []},
    {"odd": 1},
    {"input": "x"},
    {"agent_id": "a\0"},
    {"agent_id": "\ud800"},
    {"agent_id": "1" * 301},
    {"messages": [{"role": "user", "content": [{"type": "x", "deep": DEEP}]}]},
]


def test_what_must_be_explained_is_left_to_whom_explains() -> None:
    wrong = []
    for changed in TO_EXPLAIN:
        text = body(**changed)
        found = (decode_fast(text, DEFAULTS), repr(decode_request(text)))
        expected = (None, repr(closely(text)))
        if found != expected:
            wrong.append((changed, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        (Bounds(max_parts=2), USER),
        (Bounds(max_parts=3), {"role": "user", "content": [{"type": "text", "text": "x"}] * 2}),
        (
            Bounds(max_values=29),
            {"role": "assistant", "tool_calls": [{"function": {"arguments": "[" + "1," * 30}}]},
        ),
        (Bounds(max_values=20), USER),
    ],
)
def test_bounds_hold_on_the_usual_way(bounds: Bounds, message: dict[str, Any]) -> None:
    beyond = body(messages=[*USUAL["messages"], message])
    found = decode_request(beyond, bounds)
    assert isinstance(found, Refusal)
    assert found == closely(beyond, bounds)
    assert isinstance(decode_request(beyond), LLMRequest)


NUMBERS = ["9" * 300, "9" * 301, "0." + "1" * 398, "0." + "1" * 399, "1" * 200 + "." + "1" * 200]


def test_a_number_is_as_long_as_it_may_be_wherever_it_stands() -> None:
    wrong = []
    for number in NUMBERS:
        for before in [0, 1, 49, 50, 1001]:
            text = f'["{"x" * before}",{number},"{"y" * before}"]'
            found = (repr(parse(text)), isinstance(parse(text), Parsed))
            expected = (repr(parse_closely(text)), NUMBERS.index(number) in (0, 2))
            if found != expected:
                wrong.append((number, before, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


@quickly
@given(anything)
def test_what_is_sent_is_what_the_standard_library_says_or_refuses(value: Any) -> None:
    try:
        said = json.dumps(value, allow_nan=False)
    except ValueError:
        assert sendable(value) is None
    else:
        sent = sendable(value)
        assert sent is not None
        assert repr(json.loads(sent)) == repr(json.loads(said))


@pytest.mark.parametrize("value", [float("nan"), [1, float("-inf")], {"a": {"b": float("inf")}}])
def test_a_number_that_json_has_not_is_not_sent_as_null(value: Any) -> None:
    assert sendable(value) is None
