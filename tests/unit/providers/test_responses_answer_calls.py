"""Which calls in an answer of the Responses API leave, and which nobody could make."""

from typing import Any

import pytest

from tests.unit.providers.sdk_answers import CALL, response, text
from tests.unit.providers.test_responses_answer import good

SHOUT = {"type": "custom_tool_call", "call_id": "c", "name": "shout", "input": "half a pat"}


def test_a_call_that_was_cut_off_is_left_out_and_reported() -> None:
    cases = [
        {**CALL, "arguments": ""},
        {**CALL, "arguments": None},
        {**CALL, "arguments": " "},
        {**CALL, "status": "incomplete"},
        {**CALL, "arguments": "{}", "status": "incomplete"},
        {**CALL, "name": ""},
        SHOUT,
        {**SHOUT, "status": "incomplete"},
        {"type": "shell_call", "call_id": "c", "status": "incomplete"},
    ]
    wrong = []
    for reason in ["max_output_tokens", "content_filter"]:
        for last in cases:
            value = response(
                text("Hm."), status="incomplete", incomplete_details={"reason": reason}
            )
            reading = good({**value, "output": [text("Hm."), {**CALL, "call_id": "a"}, last]})
            found = (
                [call["id"] for call in reading.tool_calls],
                (reading.response, reading.fault),
                [it.partition(":")[0] for it in reading.dropped],
            )
            if found != (["a"], ("Hm.", None), ["tool_calls"]):
                wrong.append((reason, last, found))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize(
    "last", [CALL, {**CALL, "arguments": "{}"}, {**SHOUT, "status": "completed"}]
)
def test_a_call_that_is_whole_leaves_also_at_an_early_end(last: Any) -> None:
    value = response(status="incomplete", incomplete_details={"reason": "max_output_tokens"})
    reading = good({**value, "output": [{**CALL, "call_id": "a", "arguments": ""}, SHOUT, last]})
    assert len(reading.tool_calls) == 3
    assert reading.dropped == ()


def test_a_call_of_nothing_is_no_answer() -> None:
    wrong = []
    for name in [None, "", 7, {}]:
        for kind in ["function_call", "custom_tool_call"]:
            reading = good(
                {"status": "completed", "output": [{"type": kind, "call_id": "c", "name": name}]}
            )
            if not (reading.tool_calls == () and reading.fault is not None):
                wrong.append((name, kind, reading))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize("odd", [None, "", 7, [], {"a": 1}])
def test_every_call_has_an_id_of_its_own(odd: Any) -> None:
    bare = {"type": "function_call", "name": "f", "arguments": "{}", "call_id": odd, "id": odd}
    custom = {**SHOUT, "call_id": odd, "id": odd}
    value = {"id": "r", "output": [bare, bare, custom]}
    ids = [call["id"] for call in good(value).tool_calls]
    assert all(isinstance(it, str) and it for it in ids)
    assert len(set(ids)) == 3
    assert ids == [call["id"] for call in good(value).tool_calls]
    assert not set(ids) & {call["id"] for call in good({**value, "id": "s"}).tool_calls}


@pytest.mark.parametrize("call", [CALL, SHOUT, {"type": "shell_call", "call_id": "c"}])
def test_an_id_that_stands_twice_is_the_first_calls(call: Any) -> None:
    first, second = good({"id": "r", "output": [call, call]}).tool_calls
    assert first["id"] == call["call_id"]
    assert second["id"] not in ("", first["id"])
