"""Calls and ends of answers, in every way that servers write them, whole and streamed."""

import json
from typing import Any

import pytest

from nexus_actors.providers.apis.chat.answer import read_chat
from nexus_actors.providers.apis.chat.stream import ChatStream
from nexus_actors.providers.apis.chat.stream_reasoning import ReasoningDetails
from nexus_actors.providers.http.api import Reading
from nexus_actors.providers.port import ProviderFailure
from tests.http_server import completion


def good(value: Any) -> Reading:
    reading = read_chat(value)
    assert isinstance(reading, Reading), reading
    return reading


def answer(finish: str | None = "tool_calls", **message: Any) -> Reading:
    return good(completion(choices=[{"message": message, "finish_reason": finish}]))


def streamed(*deltas: dict[str, Any], finish: str = "tool_calls") -> Reading:
    stream = ChatStream()
    for delta in deltas:
        stream.take({"id": "chatcmpl-1", "choices": [{"delta": delta}]})
    stream.take({"choices": [{"delta": {}, "finish_reason": finish}]})
    whole = stream.whole()
    assert whole is not None
    return good(whole)


def pieces(*calls: Any) -> list[dict[str, Any]]:
    """Each piece in a delta of its own; those of a list together in one."""
    return [{"tool_calls": it if isinstance(it, list) else [it]} for it in calls]


def piece(arguments: Any = None, **more: Any) -> dict[str, Any]:
    function = {"arguments": arguments} if arguments is not None else {}
    if "name" in more:
        function["name"] = more.pop("name")
    return {**more, "function": function}


def told(reading: Reading) -> list[tuple[str, Any]]:
    return [
        (it["function"]["name"], json.loads(it["function"]["arguments"]))
        for it in reading.tool_calls
    ]


TWO = [("a", {"x": 1}), ("b", {"y": 2})]
STREAMS = {
    "all under index 0, with new ids": (
        piece('{"x"', index=0, id="1", name="a"),
        piece(": 1}", index=0),
        piece('{"y"', index=0, id="2", name="b"),
        piece(": 2}", index=0),
    ),
    "all under index 0, whole": (
        piece('{"x": 1}', index=0, id="1", name="a"),
        piece('{"y": 2}', index=0, id="2", name="b"),
    ),
    "no index": (
        piece('{"x"', id="1", name="a"),
        piece(": 1}"),
        piece('{"y"', id="2", name="b"),
        piece(": 2}"),
    ),
    "no index, the id in each piece": (
        piece('{"x"', id="1", name="a"),
        piece(": 1}", id="1"),
        piece('{"y"', id="2", name="b"),
        piece(": 2}", id="2"),
    ),
    "neither index nor id": (piece('{"x": 1}', name="a"), piece('{"y": 2}', name="b")),
    "neither, together": ([piece('{"x": 1}', name="a"), piece('{"y": 2}', name="b")],),
    "index without ids": (
        piece('{"x"', index=0, name="a"),
        piece(": 1}", index=0),
        piece('{"y"', index=1, name="b"),
        piece(": 2}", index=1),
    ),
    "interleaved": (
        piece("", index=0, id="1", name="a"),
        piece("", index=1, id="2", name="b"),
        piece('{"y"', index=1),
        piece('{"x"', index=0),
        [piece(": 1}", index=0), piece(": 2}", index=1)],
    ),
    "interleaved by id alone": (
        piece('{"x"', id="1", name="a"),
        piece('{"y"', id="2", name="b"),
        piece(": 1}", id="1"),
        piece(": 2}", id="2"),
    ),
    "the second index first": (
        piece('{"y": 2}', index=1, id="2", name="b"),
        piece('{"x": 1}', index=0, id="1", name="a"),
    ),
    "the same id in each piece of an index": (
        piece('{"x"', index=0, id="1", name="a"),
        piece(": 1}", index=0, id="1"),
        piece('{"y": 2}', index=1, id="2", name="b"),
    ),
    "the name in each piece": (
        piece('{"x"', index=0, id="1", name="a"),
        piece(": 1}", index=0, name="a"),
        piece('{"y"', index=1, id="2", name="b"),
        piece(": 2}", index=1, name="b"),
    ),
    "a name after its arguments": (
        piece('{"x": 1}', index=0, id="1"),
        piece(None, index=0, name="a"),
        piece('{"y": 2}', index=1, id="2"),
        piece("", index=1, name="b"),
    ),
    "an id after its name": (
        piece('{"x"', index=0, name="a"),
        piece(": 1}", index=0, id="1"),
        piece('{"y": 2}', index=1, id="2", name="b"),
    ),
    "ids that are empty or null later": (
        piece('{"x"', index=0, id="1", name="a", type="function"),
        piece(": 1}", index=0, id="", type=None),
        piece('{"y"', index=1, id="2", name="b"),
        piece(": 2}", index=1, id=None),
    ),
    "arguments as objects": (
        piece({"x": 1}, index=0, id="1", name="a"),
        piece({"y": 2}, index=1, id="2", name="b"),
    ),
    "index null": (
        piece('{"x": 1}', index=None, id="1", name="a"),
        piece('{"y": 2}', index=None, id="2", name="b"),
    ),
}


@pytest.mark.parametrize("way", STREAMS)
def test_two_calls_stay_two_whatever_way_they_are_streamed(way: str) -> None:
    reading = streamed(*pieces(*STREAMS[way]))
    assert told(reading) == TWO
    ids = [it["id"] for it in reading.tool_calls]
    assert all(ids)
    assert len(set(ids)) == 2
    assert (reading.fault, reading.finish_reason) == (None, "tool_calls")


def test_the_same_function_twice_without_id_and_index_is_two_calls() -> None:
    reading = streamed(*pieces(piece('{"x": 1}', name="a"), piece('{"x": 2}', name="a")))
    assert told(reading) == [("a", {"x": 1}), ("a", {"x": 2})]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ('{"x": 1}', '{"x": 1}'),
        ('{"x":1}', '{"x":1}'),
        (' {"x": 1} ', ' {"x": 1} '),
        ({"x": 1}, '{"x": 1}'),
        ("", "{}"),
        (" \n", "{}"),
        (None, "{}"),
        ({}, "{}"),
        ('{"x": "a\nb"}', '{"x": "a\\nb"}'),
    ],
)
def test_arguments_leave_as_json_text(given: Any, sent: str) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "a", "arguments": given}}
    for reading in (answer(tool_calls=[call]), streamed(*pieces({**call, "index": 0}))):
        assert reading.tool_calls[0]["function"]["arguments"] == sent
        assert reading.fault is None


BROKEN = [
    '{"x": ',
    "{'x': 1}",
    '{"x": 1',
    "x",
    '{"x": NaN}',
    '{"x": 1e999}',
    '{"x": 1}{"y": 2}',
    "[" * 100_000,
    '```json\n{"x": 1}\n```',
]


@pytest.mark.parametrize("arguments", BROKEN)
def test_arguments_that_are_no_json_never_leave(arguments: str) -> None:
    whole = {"id": "1", "type": "function", "function": {"name": "a", "arguments": "{}"}}
    broken = {"id": "2", "type": "function", "function": {"name": "b", "arguments": arguments}}
    calls = [whole, broken]
    indexed = pieces(*({**call, "index": place} for place, call in enumerate(calls)))
    for finish in ("tool_calls", "stop", "some_new_word"):
        for reading in (
            answer(finish, content="Well.", tool_calls=calls),
            streamed({"content": "Well."}, *indexed, finish=finish),
        ):
            assert reading.fault is not None
            assert reading.fault.startswith("tool_calls[1]: ")
            assert arguments[:20] not in reading.fault
    for finish in ("length", "model_length", "content_filter", "error"):
        for reading in (
            answer(finish, content="Well.", tool_calls=calls),
            streamed({"content": "Well."}, *indexed, finish=finish),
        ):
            assert (reading.fault, reading.response) == (None, "Well.")
            assert reading.finish_reason == finish.removeprefix("model_")
            assert reading.tool_calls == (whole,)
            assert [it.partition(":")[0] for it in reading.dropped] == ["tool_calls[1]"]


def test_where_all_that_was_said_was_cut_off_nothing_is_left() -> None:
    call = {"id": "1", "function": {"name": "a", "arguments": '{"x'}}
    reading = answer("length", content=None, tool_calls=[call])
    assert (reading.response, reading.tool_calls, reading.fault) == ("", (), None)
    assert len(reading.dropped) == 1


def test_a_call_of_nothing_is_broken_and_an_empty_one_none() -> None:
    nameless = {"id": "1", "function": {"arguments": '{"x": 1}'}}
    assert answer(tool_calls=[nameless]).fault == "tool_calls[0]: it names no function"
    for empty in ({}, {"index": 0}, {"function": None}, {"function": {"arguments": ""}}):
        reading = answer("stop", content="Hi", tool_calls=[empty])
        assert (reading.tool_calls, reading.fault, reading.finish_reason) == ((), None, "stop")


def test_the_older_function_call_is_one_call() -> None:
    said = {"name": "a", "arguments": '{"x": 1}'}
    whole = answer("function_call", content=None, function_call=said)
    cut = streamed(
        {"function_call": {"name": "a", "arguments": ""}},
        {"function_call": {"arguments": '{"x"'}},
        {"function_call": {"arguments": ": 1}"}},
        finish="function_call",
    )
    for reading in (whole, cut):
        assert told(reading) == [("a", {"x": 1})]
        assert (reading.finish_reason, reading.response) == ("tool_calls", None)
        assert reading.tool_calls[0]["id"]
    assert whole.tool_calls == cut.tool_calls


def test_a_custom_tools_input_is_text() -> None:
    whole = {"id": "1", "type": "custom", "custom": {"name": "sql", "input": "SELECT {"}}
    cut = pieces(
        {"index": 0, "id": "1", "type": "custom", "custom": {"name": "sql", "input": ""}},
        {"index": 0, "custom": {"input": "SELECT"}},
        {"index": 0, "custom": {"input": " {"}},
    )
    for reading in (answer(tool_calls=[whole]), streamed(*cut)):
        assert reading.tool_calls == (whole,)
        assert reading.fault is None


def test_an_id_is_made_where_there_is_none_another_in_each_answer() -> None:
    call = {"function": {"name": "a", "arguments": "{}"}}
    choices = [{"message": {"tool_calls": [call, call]}, "finish_reason": "stop"}]
    made = [
        [it["id"] for it in good(completion(choices=choices, id=name)).tool_calls]
        for name in ("x", "y", "x")
    ]
    assert made[0] == made[2]
    assert len({*made[0], *made[1]}) == 4


def test_calls_are_what_an_answer_ends_by() -> None:
    cases = [
        ("stop", "tool_calls"),
        (None, "tool_calls"),
        ("", "tool_calls"),
        ("eos", "tool_calls"),
        ("function_call", "tool_calls"),
        ("tool_calls", "tool_calls"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("some_new_word", "some_new_word"),
    ]
    wrong = []
    for native, finish in cases:
        call = {"id": "1", "function": {"name": "a", "arguments": "{}"}}
        reading = answer(native, content="And", tool_calls=[call])
        found = (reading.finish_reason, reading.native_finish_reason)
        expected = (finish, native or None)
        if found != expected:
            wrong.append((native, finish, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


def test_an_end_by_error_without_a_word_is_a_failure() -> None:
    for message in ({"content": None}, {"content": ""}, {"content": [], "tool_calls": []}):
        failure = read_chat(completion(choices=[{"message": message, "finish_reason": "error"}]))
        assert isinstance(failure, ProviderFailure)
        assert (failure.type, failure.retryable) == ("provider_error", True)
    assert answer("error", content="Half").finish_reason == "error"


# ---------------------------------------------------------------- what was thought

TEXT = {"type": "reasoning.text", "text": "Hm, so.", "signature": "s", "index": 0}
SEALED = {"type": "reasoning.encrypted", "data": "ZZ", "id": "rs_1", "index": 1}


@pytest.mark.parametrize(
    ("cut", "whole"),
    [
        (
            [
                {"type": "reasoning.text", "text": "Hm, ", "index": 0},
                {"type": "reasoning.text", "text": "so.", "index": 0, "signature": None},
                {"type": "reasoning.text", "signature": "s", "index": 0},
                SEALED,
            ],
            [TEXT, SEALED],
        ),
        (
            [
                {"type": "reasoning.summary", "summary": "A"},
                {"type": "reasoning.summary", "summary": "B"},
            ],
            [{"type": "reasoning.summary", "summary": "AB"}],
        ),
        ([SEALED, {**SEALED, "id": "rs_2"}], [SEALED, {**SEALED, "id": "rs_2"}]),
        (
            [
                {"type": "reasoning.text", "text": "a"},
                {"type": "reasoning.encrypted", "data": "x"},
                {"type": "reasoning.text", "text": "b"},
            ],
            [
                {"type": "reasoning.text", "text": "a"},
                {"type": "reasoning.encrypted", "data": "x"},
                {"type": "reasoning.text", "text": "b"},
            ],
        ),
        (["x", None, 7], []),
    ],
)
def test_details_of_reasoning_are_put_together(cut: list[Any], whole: list[Any]) -> None:
    details = ReasoningDetails()
    for it in cut:
        details.take([it])
    assert details.whole() == whole
    details.take("nonsense")
    assert details.whole() == whole


def test_a_stream_comes_to_the_state_of_the_answer_unstreamed() -> None:
    signed = {"google": {"thought_signature": "c2ln"}}
    message = {
        "content": "Hi",
        "reasoning_content": "Hm, so.",
        "reasoning_details": [TEXT],
        "extra_content": signed,
    }
    cut = streamed(
        {"reasoning_content": "Hm"},
        {"reasoning_content": ", so."},
        {"reasoning_details": [{**TEXT, "text": "Hm, ", "signature": None}]},
        {"reasoning_details": [{**TEXT, "text": "so."}]},
        {"content": "Hi", "extra_content": signed},
        finish="stop",
    )
    assert cut.state is not None
    assert json.loads(cut.state) == json.loads(answer("stop", **message).state or "")


def test_a_signature_in_a_streamed_call_is_its_state() -> None:
    signed = {"google": {"thought_signature": "c2ln"}}
    first = {"index": 0, "id": "1", "function": {"name": "a", "arguments": ""}}
    reading = streamed(
        *pieces({**first, "extra_content": signed}, piece("{}", index=0)), finish="stop"
    )
    [call] = reading.tool_calls
    assert json.loads(call["provider_state"]) == {"extra_content": signed}


def test_a_long_stream_is_put_together_in_time_of_its_length() -> None:
    """Counted in copies, not by the clock: all pieces are kept, and joined once."""
    stream = ChatStream()
    start = {"index": 0, "id": "1", "function": {"name": "a", "arguments": '{"x": "'}}
    stream.take({"choices": [{"delta": {"tool_calls": [start]}}]})
    more = {
        "choices": [
            {"delta": {"content": "y", "tool_calls": pieces(piece("y", index=0))[0]["tool_calls"]}}
        ]
    }
    for _ in range(50_000):
        stream.take(more)
    end = {"delta": {"tool_calls": [piece('"}', index=0)]}, "finish_reason": "tool_calls"}
    stream.take({"choices": [end]})
    whole = stream.whole()
    assert whole is not None
    assert told(good(whole)) == [("a", {"x": "y" * 50_000})]
