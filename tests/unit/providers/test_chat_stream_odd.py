"""Streams of servers that stream by a way of their own."""

import json
from typing import Any

import pytest

from nexus_actors.contract.result import Usage
from nexus_actors.providers.apis.chat.answer import read_chat
from nexus_actors.providers.apis.chat.json_end import JsonEnd
from nexus_actors.providers.apis.chat.stream import ChatStream
from nexus_actors.providers.http.api import Reading
from tests.unit.providers.test_chat_calls import TWO, piece, pieces, streamed, told

USAGE = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
ZEROS = dict.fromkeys(USAGE, 0)


def read(*events: dict[str, Any]) -> tuple[str, Reading]:
    stream = ChatStream()
    heard = "".join(map(stream.take, events))
    whole = stream.whole()
    assert whole is not None
    reading = read_chat(whole)
    assert isinstance(reading, Reading)
    return heard, reading


def choice(finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "finish_reason": finish, **more}]}


HI = {"role": "assistant", "content": "hi"}
SEEMING = {
    "the whole answer in one event": [choice("stop", message=HI)],
    "a delta that is empty": [choice("stop", message=HI, delta={})],
    "a delta that is null": [choice("stop", message=HI, delta=None)],
    "a delta of a role": [choice("stop", message=HI, delta={"role": "assistant", "content": ""})],
    "pieces": [choice(message={"content": "h"}), choice("stop", message={"content": "i"})],
    "deltas, and the whole of them": [choice(delta=HI), choice("stop", delta={}, message=HI)],
    "both at once": [choice("stop", delta=HI, message=HI)],
}


@pytest.mark.parametrize("way", SEEMING)
def test_an_answer_that_only_seems_streamed_is_read_and_reported(way: str) -> None:
    heard, reading = read(*SEEMING[way])
    assert (heard, reading.response, reading.finish_reason) == ("hi", "hi", "stop")


def test_calls_of_a_whole_answer_in_one_event_stay_apart() -> None:
    calls = [piece('{"x": 1}', id="1", name="a"), piece('{"y": 2}', id="2", name="b")]
    heard, reading = read(choice("tool_calls", message={"content": None, "tool_calls": calls}))
    assert (heard, told(reading)) == ("", TWO)


@pytest.mark.parametrize(
    ("deltas", "text"),
    [
        ([{"refusal": "I "}, {"refusal": "cannot."}], "I cannot."),
        ([{"refusal": "No."}, {"content": "Well."}], "Well."),
        ([{"content": "Well."}, {"refusal": "No."}], "Well."),
    ],
)
def test_a_refusal_is_reported_where_it_becomes_the_text(deltas: list[Any], text: str) -> None:
    heard, reading = read(*(choice(delta=it) for it in deltas), choice("stop", delta={}))
    assert (heard, reading.response) == (text, text)


@pytest.mark.parametrize(
    "told_in_turn",
    [
        (USAGE, ZEROS),
        (ZEROS, USAGE),
        (USAGE, {}),
        (USAGE, None),
        ({**USAGE, "completion_tokens": 1, "total_tokens": 8}, USAGE),
        (USAGE, {**USAGE, "prompt_tokens_details": {"cached_tokens": 0}}),
    ],
)
def test_zeros_never_take_back_what_was_counted(told_in_turn: tuple[Any, Any]) -> None:
    first, last = told_in_turn
    _, reading = read({**choice(delta=HI), "usage": first}, {**choice("stop"), "usage": last})
    assert reading.usage == Usage(7, 2, 9)


def test_zeros_of_details_never_take_back_what_was_counted() -> None:
    told_first = {**USAGE, "prompt_tokens_details": {"cached_tokens": 4}, "cost": 0.5}
    told_last = {**USAGE, "prompt_tokens_details": {"cached_tokens": 0}, "cost": 0}
    _, reading = read(
        {**choice(delta=HI), "usage": told_first}, {**choice("stop"), "usage": told_last}
    )
    assert (reading.usage, reading.reported_cost) == (Usage(7, 2, 9, 4), 0.5)


@pytest.mark.parametrize(
    ("cost", "dollars"),
    [({"total_cost": 0.25, "request_cost": 0.1}, 0.25), ({}, None), ({"total_cost": "x"}, None)],
)
def test_a_cost_that_is_an_object_tells_its_total(cost: Any, dollars: float | None) -> None:
    _, reading = read({**choice("stop", delta=HI), "usage": {**USAGE, "cost": cost}})
    assert reading.reported_cost == dollars


# ---------------------------------------------------------------- pieces of calls

STREAMS: dict[str, tuple[Any, ...]] = {
    f"an index such as {zero!r}": (
        piece("", index=zero, id="1", name="a"),
        piece("", index=one, id="2", name="b"),
        piece('{"x": 1}', index=zero),
        piece('{"y": 2}', index=one),
    )
    for zero, one in (("0", "1"), (0.0, 1.0))
} | {
    "opened by {}": (
        piece({}, index=0, id="1", name="a"),
        piece('{"x"', index=0),
        piece(": 1}", index=0),
        piece("{}", index=1, id="2", name="b"),
        piece('{"y": 2}', index=1),
    ),
    "an id for each piece": (
        piece('{"x"', index=0, id="1", name="a"),
        piece(": 1}", index=0, id="2"),
        piece('{"y"', index=1, id="3", name="b"),
        piece(": ", index=1, id="4"),
        piece("2}", index=1, id="5"),
    ),
    "an id for each piece, all under index 0": (
        piece('{"x"', index=0, id="1", name="a"),
        piece(": 1}", index=0, id="2"),
        piece('{"y"', index=0, id="3", name="b"),
        piece(": 2}", index=0, id="4"),
    ),
    "no index, the name first": (
        piece('{"x"', name="a"),
        piece(": 1}", id="1"),
        piece('{"y": 2}', id="2", name="b"),
    ),
    "no index, the arguments first": (
        piece('{"x": 1}'),
        piece(None, id="1", name="a"),
        piece('{"y": 2}', id="2", name="b"),
    ),
    "no index, the first without id": (
        piece('{"x": 1}', name="a"),
        piece('{"y": 2}', id="2", name="b"),
    ),
    "by their place in the list": (
        [piece('{"x"', name="a"), piece('{"y"', name="b")],
        [piece(": 1"), piece(": 2")],
        [piece("}"), piece("}")],
    ),
    "by their place, one after the other": (
        [piece("", name="a"), piece("", name="b")],
        [piece('{"x": 1}')],
        [piece('{"y": 2}')],
    ),
    "one id and index for two": (
        piece('{"x": 1}', index=0, id="1", name="a"),
        piece('{"y": 2}', index=0, id="1", name="b"),
    ),
    "one id at two indexes": (
        piece('{"x": 1}', index=0, id="1", name="a"),
        piece('{"y"', index=1, id="1", name="b"),
        piece(": 2}", index=1, id="1"),
    ),
    "an index for each piece": (
        piece('{"x"', index=0, id="1", name="a"),
        piece(": 1}", index=1, id="1"),
        piece('{"y": 2}', index=2, id="2", name="b"),
    ),
    "the name in each piece, an empty one last": (
        piece('{"x"', index=0, name="a"),
        piece(": 1}", index=0, name="a"),
        piece("", index=0, name="a"),
        piece('{"y": 2}', index=0, name="b"),
    ),
}


def test_two_calls_stay_two() -> None:
    wrong = []
    for way, stream in STREAMS.items():
        reading = streamed(*pieces(*stream))
        ids = {it["id"] for it in reading.tool_calls}
        found = (told(reading), len(ids), reading.fault, reading.finish_reason)
        if found != (TWO, 2, None, "tool_calls"):
            wrong.append((way, found))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize("opening", ["", None, '{"x": 1}'])
def test_a_function_named_again_after_whole_arguments_is_called_again(opening: Any) -> None:
    rest: list[Any] = [] if opening else [piece('{"x": 1}', index=0)]
    reading = streamed(*pieces(*[piece(opening, index=0, name="a"), *rest] * 2))
    assert told(reading) == [("a", {"x": 1})] * 2


def test_a_lone_call_outside_a_list_is_taken() -> None:
    reading = streamed({"tool_calls": piece('{"x": 1}', id="1", name="a")})
    assert told(reading) == TWO[:1]


def test_calls_that_stay_without_arguments_are_called_with_none() -> None:
    reading = streamed(*pieces(piece({}, index=0, id="1", name="a"), piece("", index=0)))
    assert told(reading) == [("a", {})]


@pytest.mark.parametrize(
    "value",
    [{}, [], {"a": [{"b": "}]"}]}, {"q": 'a "quoted\\" \\ }'}, {"\\": "\\"}, {"n": "\n}"}],
)
def test_the_end_of_json_is_seen_wherever_it_is_cut(value: Any) -> None:
    text = json.dumps(value)
    for size in range(1, len(text) + 1):
        end = JsonEnd()
        for at in range(0, len(text), size):
            assert not end.came
            end.take(text[at : at + size])
        assert end.came
