"""A stream of the Responses API comes to the same as the answer unstreamed."""

from typing import Any

import pytest

from nexus_actors.providers.apis.responses.answer import read_response
from nexus_actors.providers.apis.responses.api import ResponsesOrChatApi
from nexus_actors.providers.apis.responses.stream import ResponsesStream
from nexus_actors.providers.http.api import Reading
from nexus_actors.providers.port import ProviderFailure
from tests.unit.providers.sdk_answers import (
    CALL,
    CHAT_CALL,
    delta,
    event,
    refusal,
    response,
    text,
)


def read(*events: dict[str, Any]) -> tuple[list[str], Any]:
    stream = ResponsesStream()
    told = [it for it in map(stream.take, events) if it]
    whole = stream.whole()
    return told, None if whole is None else read_response(whole)


CREATED = event("response.created", response=response(status="in_progress", usage=None))


def test_tells_the_text_as_it_comes_and_ends_as_the_last_event_says() -> None:
    final = response(text("Hello."))
    told, reading = read(
        CREATED,
        event("response.in_progress", response=response(status="in_progress", usage=None)),
        event("response.output_item.added", output_index=0, item=text()),
        delta("Hel"),
        delta("lo."),
        event(
            "response.output_text.done",
            item_id="msg_1",
            output_index=0,
            content_index=0,
            text="Hello.",
            logprobs=[],
        ),
        event("response.output_item.done", output_index=0, item=text("Hello.")),
        event("response.completed", response=final),
    )
    assert told == ["Hel", "lo."]
    assert reading == read_response(final)
    assert isinstance(reading, Reading)
    assert reading.response == "Hello."


def test_arguments_of_a_call_are_no_text() -> None:
    told, reading = read(
        CREATED,
        event("response.function_call_arguments.delta", delta="{}", item_id="fc_1", output_index=0),
        event("response.completed", response=response(CALL)),
    )
    assert told == []
    assert reading.tool_calls == (CHAT_CALL,)


def test_a_refusal_is_told_as_text() -> None:
    told, reading = read(
        CREATED,
        delta("I cannot.", "response.refusal.delta"),
        event("response.completed", response=response(refusal("I cannot."))),
    )
    assert "".join(told) == reading.response == "I cannot."


def test_thoughts_are_no_text() -> None:
    told, _ = read(
        event(
            "response.reasoning_summary_text.delta",
            delta="Hm.",
            item_id="rs_1",
            output_index=0,
            summary_index=0,
        ),
    )
    assert told == []


def test_an_incomplete_answer_says_why() -> None:
    details = {"reason": "max_output_tokens"}
    final = response(text("Once"), status="incomplete", incomplete_details=details)
    _, reading = read(CREATED, delta("Once"), event("response.incomplete", response=final))
    assert (reading.response, reading.finish_reason) == ("Once", "length")


def test_a_failed_one_is_a_failure() -> None:
    error = {"code": "rate_limit_exceeded", "message": "slow down"}
    final = response(status="failed", error=error)
    _, failure = read(CREATED, event("response.failed", response=final))
    assert isinstance(failure, ProviderFailure)
    assert failure.type == "rate_limited"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (event("error", code="rate_limit_exceeded", message="slow down"), "rate_limited"),
        (event("error", code=None, message="oh"), "provider_error"),
        (
            {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}},
            "request_rejected",
        ),
        ({"error": {"code": 503, "message": "oh"}}, "provider_error"),
    ],
)
def test_an_error_counts_before_what_came_with_it(error: dict[str, Any], kind: str) -> None:
    last = event("response.completed", response=response(text("Hel")))
    for events in ((CREATED, delta("Hel"), error), (error, last), (last, error)):
        _, failure = read(*events)
        assert isinstance(failure, ProviderFailure)
        assert failure.type == kind


def test_a_stream_that_ends_before_the_answer_does_has_none() -> None:
    done = event("response.output_item.done", output_index=0, item=text("Hello."))
    assert read(CREATED, delta("Hello."), done) == (["Hello."], None)
    assert ResponsesStream().whole() is None


def test_items_serve_where_the_last_event_leaves_the_output_out() -> None:
    done = event("response.output_item.done", output_index=0, item=text("Hello."))
    bare = {"type": "response.completed", "response": {"status": "completed"}}
    _, reading = read(done, bare)
    assert (reading.response, reading.finish_reason) == ("Hello.", "stop")


def test_the_first_event_tells_which_api_it_is() -> None:
    chunk = {"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}]}
    api = ResponsesOrChatApi()
    for events in (
        [chunk],
        [delta("Hi"), event("response.completed", response=response(text("Hi")))],
    ):
        stream = api.reader()
        assert "".join(map(stream.take, events)) == "Hi"
        whole = stream.whole()
        assert whole is not None
        reading = api.read(whole)
        assert isinstance(reading, Reading)
        assert reading.response == "Hi"
    assert api.reader().whole() is None


def test_items_count_by_their_place_however_they_end() -> None:
    events: list[dict[str, Any]] = [
        {"type": "response.output_item.done", "output_index": 1, "item": CALL},
        {"type": "response.output_item.done", "output_index": 0, "item": text("Hm.")},
        {"type": "response.completed", "response": {"status": "completed"}},
    ]
    assert read(*events)[1] == read(*(events[1], events[0], events[2]))[1]
    unplaced = [{key: it[key] for key in it if key != "output_index"} for it in events]
    assert read(*unplaced)[1].tool_calls == (CHAT_CALL,)


def test_an_event_that_does_not_say_what_it_is_goes_by_what_it_has() -> None:
    last = {"response": response(text("Hello."))}
    _, reading = read({"response": response(status="in_progress")}, {}, {"x": 1}, last)
    assert reading.response == "Hello."
    api = ResponsesOrChatApi()
    stream = api.reader()
    stream.take(last)
    whole = stream.whole()
    assert whole is not None
    assert isinstance(api.read(whole), Reading)
