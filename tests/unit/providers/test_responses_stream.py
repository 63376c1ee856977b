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


def test_a_refusal_is_reported_as_text() -> None:
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
    for events in ((CREATED, delta("Hel"), error), (error, last)):
        _, failure = read(*events)
        assert isinstance(failure, ProviderFailure)
        assert failure.type == kind
    _, reading = read(last, error)  # it was whole before
    assert isinstance(reading, Reading)
    assert reading.response == "Hel"


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


def done(place: int | None, item: dict[str, Any]) -> dict[str, Any]:
    told = {} if place is None else {"output_index": place}
    return {"type": "response.output_item.done", **told, "item": item}


def ending(*output: Any, **more: Any) -> dict[str, Any]:
    last = {**response(), "output": list(output), **more}
    return {"type": "response.completed", "response": last}


@pytest.mark.parametrize("output", [[], None, "x", [{"type": "reasoning", "id": "r"}], [CALL]])
@pytest.mark.parametrize("kind", ["response.output_text.delta", "response.refusal.delta"])
def test_text_that_was_told_is_the_answers_where_nothing_else_has_it(
    output: Any, kind: str
) -> None:
    events = [
        {"type": kind, "output_index": 1, "content_index": 1, "delta": "lo."},
        {"type": kind, "output_index": 1, "content_index": 0, "delta": "H"},
        {"type": kind, "output_index": 1, "content_index": 0, "delta": "el"},
    ]
    _, reading = read(*events, ending(output=output))
    refuses = "refusal" in kind and output == [CALL]  # which is no text beside a call
    assert reading.response == (None if refuses else "Hello.")


def test_text_without_a_place_is_not_lost() -> None:
    bare = {"type": "response.output_text.delta", "delta": "hi"}
    empty: tuple[Any, ...] = ([], None)
    for output in empty:
        assert read(bare, ending(output=output))[1].response == "hi"
    assert read(bare, done(None, text("hi")), ending())[1].response == "hi"
    assert read(bare, ending(text("hi")))[1].response == "hi"


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_what_the_last_event_leaves_out_is_taken_from_the_items(kept: int) -> None:
    items = [text("Hm."), CALL, {**CALL, "id": "fc_2", "call_id": "call_2"}]
    events = [done(place, item) for place, item in enumerate(items)]
    whole = read(ending(*items))[1]
    assert len(whole.tool_calls) == 2
    for output in (items[:kept], items[kept:], [items[kept]]):
        assert read(*events, ending(*output))[1] == whole


def test_items_that_have_another_id_at_the_end_are_not_there_twice() -> None:
    said = {**text("Hm."), "id": "msg_other"}
    call = {**CALL, "id": "fc_other", "call_id": "call_other"}
    _, reading = read(done(0, text("Hm.")), done(1, CALL), ending(said, call))
    assert reading.response == "Hm."
    assert [it["id"] for it in reading.tool_calls] == ["call_other"]


@pytest.mark.parametrize("place", [-1, 2**70, True, "x", None, []])
def test_odd_places_lose_nothing(place: Any) -> None:
    bare = {"type": "response.output_text.delta", "delta": "hi", "output_index": place}
    assert read(bare, ending())[1].response == "hi"
    placed = {"type": "response.output_item.done", "output_index": place, "item": text("hi")}
    assert read(placed, ending())[1].response == "hi"
