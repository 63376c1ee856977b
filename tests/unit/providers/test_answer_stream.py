"""A paid answer that came to its end stands, whatever odd things came with it."""

import json
from typing import Any

import pytest

from nexus_actors.providers.apis.chat.stream import ChatStream
from nexus_actors.providers.http.answer_stream import AnswerStream

TEXT = {"choices": [{"index": 0, "delta": {"content": "Hi"}}]}
END = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
ERROR = {"error": {"message": "overloaded", "code": 503}}


async def read(*events: Any) -> tuple[Any, str]:
    told: list[str] = []
    stream = AnswerStream(ChatStream(), told.append)
    for event in events:
        data = event if isinstance(event, str) else json.dumps(event)
        stream.take(f"data: {data}\n\n".encode())
    stream.close()
    return stream.whole(), "".join(told)


@pytest.mark.parametrize("odd", ["null", "ping", "7", '"text"', "[]", "[1, 2]", "{broken"])
async def test_an_event_that_is_no_object_is_passed_over(odd: str) -> None:
    for events in ((odd, TEXT, END), (TEXT, odd, END), (TEXT, END, odd)):
        whole, told = await read(*events)
        assert whole["choices"][0]["message"]["content"] == told == "Hi"


@pytest.mark.parametrize("odd", ["null", "{broken"])
async def test_without_an_end_it_is_the_reason_reported(odd: str) -> None:
    whole, told = await read(TEXT, odd)
    assert (whole, told) == ("an event of the stream is no JSON object", "Hi")


@pytest.mark.parametrize(
    "notice", [{"message": "processing"}, {"detail": "queued"}, {"msg": "x", "code": 1}]
)
async def test_what_looks_like_an_error_counts_only_where_no_answer_comes(notice: Any) -> None:
    for events in ((notice, TEXT, END), (TEXT, notice, END), (TEXT, END, notice)):
        whole, _ = await read(*events)
        assert whole["choices"][0]["message"]["content"] == "Hi"
        assert "error" not in whole
    whole, _ = await read(TEXT, notice)
    assert whole["error"] == notice


async def test_an_error_after_the_end_spoils_nothing_and_before_it_all() -> None:
    whole, _ = await read(TEXT, END, ERROR)
    assert "error" not in whole
    whole, _ = await read(TEXT, ERROR, END)
    assert whole["error"] == ERROR["error"]
    whole, _ = await read(TEXT, {**ERROR, "choices": [{"index": 0, "finish_reason": "error"}]})
    assert whole["error"] == ERROR["error"]
