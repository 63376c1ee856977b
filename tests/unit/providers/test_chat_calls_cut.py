"""Calls of answers that ended early, ends by calls without one, and ids that two calls have."""

from typing import Any

import pytest

from tests.unit.providers.test_chat_calls import answer, pieces, streamed

WHOLE = {"id": "1", "type": "function", "function": {"name": "a", "arguments": "{}"}}
HALVES: list[dict[str, Any]] = [
    {"id": "2", "function": {"name": "b", "arguments": ""}},
    {"id": "2", "function": {"name": "b", "arguments": " "}},
    {"id": "2", "function": {"name": "b", "arguments": None}},
    {"id": "2", "function": {"name": "b"}},
    {"id": "2", "function": {"name": "b", "arguments": '{"x'}},
    {"id": "2", "type": "custom", "custom": {"name": "sql", "input": "DELETE FROM t"}},
]


def test_a_last_call_that_may_be_half_never_leaves() -> None:
    wrong = []
    for half in HALVES:
        for finish in ("length", "max_tokens", "content_filter", "error"):
            for reading in (
                answer(finish, content="Well.", tool_calls=[WHOLE, half]),
                streamed({"content": "Well."}, *pieces(WHOLE, half), finish=finish),
            ):
                found = (reading.response, reading.tool_calls, reading.fault, reading.dropped)
                if found != ("Well.", (WHOLE,), None, ("tool_calls[1]: cut off",)):
                    wrong.append((half, finish, found))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize("whole", HALVES[:4])
def test_calls_before_the_last_and_calls_of_whole_answers_need_no_arguments(
    whole: dict[str, Any],
) -> None:
    names = [
        [it["function"]["name"] for it in reading.tool_calls]
        for reading in (
            answer("length", tool_calls=[whole, WHOLE]),
            answer("tool_calls", tool_calls=[WHOLE, whole]),
        )
    ]
    assert names == [["b", "a"], ["a", "b"]]


def test_an_end_by_calls_without_one_is_a_stop() -> None:
    wrong = []
    for finish in ["tool_calls", "function_call", "tool_call"]:
        for calls in [None, [], [{}], "x"]:
            reading = answer(finish, content="Hi", tool_calls=calls)
            found = (
                (reading.finish_reason, reading.native_finish_reason),
                (reading.response, reading.tool_calls, reading.fault),
            )
            if found != (("stop", finish), ("Hi", (), None)):
                wrong.append((finish, calls, found))
    assert not wrong, "\n".join(map(repr, wrong))


def test_calls_that_share_an_id_leave_with_two() -> None:
    made = [
        [it["id"] for it in answer(tool_calls=[WHOLE, WHOLE, WHOLE]).tool_calls] for _ in range(2)
    ]
    assert made[0] == made[1]
    assert made[0][0] == "1"
    assert len(set(made[0])) == 3


def test_a_lone_call_outside_a_list_is_a_call() -> None:
    assert answer(tool_calls=WHOLE).tool_calls == (WHOLE,)


@pytest.mark.parametrize("name", [["sql"], {"a": 1}, 7, ""])
def test_a_custom_name_that_is_no_text_never_leaves(name: Any) -> None:
    call = {"id": "1", "type": "custom", "custom": {"name": name, "input": "x"}}
    reading = answer(tool_calls=[call])
    assert (reading.tool_calls, reading.fault) == ((), "tool_calls[0]: it names no function")
