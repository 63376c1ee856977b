"""A streamed answer through a session: as it comes, cut short, or not streamed at all."""

import gzip
import json
import tracemalloc
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from nexus_actors.contract.result import Answer
from nexus_actors.providers.http.exchange import ANSWER_LIMIT
from nexus_actors.providers.port import ProviderFailure
from tests.http_server import Break, Reply, completion
from tests.integration.providers.helpers import (
    LONG,
    REQUEST,
    SHORT,
    connected,
    event_text,
    events,
    let_it_pass,
    pass_by,
    streamed,
)

each_transport = pytest.mark.usefixtures("_each_transport")

STREAM = {"content-type": "text/event-stream"}


def chunk(text: str, finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return {"id": "chatcmpl-1", "model": "scripted", "choices": [choice]}


USAGE = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}}
HELLO = (chunk("Hel"), chunk("lo."), chunk("", "stop"), USAGE)


async def fail(reply: Reply, **settings: Any) -> tuple[list[str], ProviderFailure]:
    told, failure = await streamed(reply, **settings)
    assert isinstance(failure, ProviderFailure), failure
    return told, failure


@pytest.mark.parametrize("drip", [None, 0.0])
async def test_text_is_told_in_order_and_the_answer_is_whole(drip: float | None) -> None:
    told, answer = await streamed(Reply(body=event_text(HELLO), headers=STREAM, drip=drip))
    assert told == ["Hel", "lo."]
    assert isinstance(answer, Answer)
    assert (answer.response, answer.finish_reason) == ("Hello.", "stop")
    assert (answer.usage.total_tokens, answer.response_id) == (9, "chatcmpl-1")
    assert answer.seconds_to_first_text is not None


@each_transport
async def test_a_stream_that_a_front_end_packed_is_reported_at_its_end() -> None:
    packed = gzip.compress(event_text(HELLO).encode())
    told, answer = await streamed(
        Reply(body=packed, headers=STREAM | {"content-encoding": "gzip"}, drip=0.0)
    )
    assert told == ["Hel", "lo."]
    assert isinstance(answer, Answer)
    assert answer.response == "Hello."


@each_transport
async def test_text_is_reported_before_the_answer_ends() -> None:
    body = event_text((chunk("Hel"), *HELLO[1:]))
    half = Reply(body=body, headers=STREAM, breaks="hang", after_headers=True)
    heard = trio.Event()
    async with connected({"*": half}) as (server, session), trio.open_nursery() as nursery:

        async def ask() -> None:
            await session.complete(REQUEST, "m", timeout=LONG, on_text=lambda _: heard.set())

        nursery.start_soon(ask)
        with trio.fail_after(LONG):
            await heard.wait()
        nursery.cancel_scope.cancel()
    await server.until(lambda it: it.open == 0)


@each_transport
async def test_a_stream_that_stands_still_is_a_timeout(mock_clock: MockClock) -> None:
    body = event_text((chunk("Hel"), *HELLO[1:]))
    reply = Reply(body=body, headers=STREAM, breaks="hang", after_headers=True)
    told, failure = await fail(reply, clock=mock_clock, idle_timeout=SHORT)
    assert told[0] == "Hel"
    assert (failure.type, failure.retryable, failure.maybe_paid) == ("timeout", True, True)
    assert failure.message == "the answer came to a standstill"


async def test_a_stream_that_never_begins_is_a_timeout(mock_clock: MockClock) -> None:
    told, failure = await fail(Reply(breaks="hang"), clock=mock_clock, idle_timeout=SHORT)
    assert told == []
    assert (failure.type, failure.maybe_paid) == ("timeout", True)


async def test_a_stream_may_take_longer_than_it_may_stand_still(mock_clock: MockClock) -> None:
    body = event_text(HELLO)
    pause = 4 * SHORT / len(body)
    reply = Reply(body=body, headers=STREAM, drip=pause)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pass_by, mock_clock, pause)
        told, answer = await streamed(reply, idle_timeout=2 * SHORT)
        nursery.cancel_scope.cancel()
    assert told == ["Hel", "lo."]
    assert isinstance(answer, Answer)


@each_transport
async def test_a_drip_that_goes_on_is_ended_by_the_deadline_alone() -> None:
    reply = Reply(body=event_text(HELLO), headers=STREAM, drip=SHORT / 10)
    async with connected({"*": reply}, idle_timeout=LONG / 2) as (_, session):
        failure = await session.complete(REQUEST, "m", timeout=SHORT, on_text=str)
    assert isinstance(failure, ProviderFailure)
    assert (failure.type, failure.message) == ("timeout", f"no answer within {SHORT:g} s")


@each_transport
@pytest.mark.parametrize("headers", [{}, {"content-type": "application/json; charset=utf-8"}])
async def test_a_server_that_does_not_stream_answers_whole(headers: dict[str, str]) -> None:
    told, answer = await streamed(Reply(body=completion("Hello."), headers=headers))
    assert told == []
    assert isinstance(answer, Answer)
    assert (answer.response, answer.seconds_to_first_text) == ("Hello.", None)


@each_transport
@pytest.mark.parametrize("status", [400, 429, 503])
async def test_a_refusal_is_no_stream(status: int) -> None:
    told, failure = await fail(Reply(status=status, body={"error": {"message": "no"}}))
    assert (told, failure.status_code) == ([], status)
    assert failure.message == f"HTTP {status}: no"


@each_transport
@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (events(*HELLO[:2]), "ended early"),
        (events(*HELLO[:2], done=False), "ended early"),
        (events(), "ended early"),
        (Reply(body="<html>busy</html>", headers={"content-type": "text/html"}), "ended early"),
        (events(chunk("Hel"), "not an object"), "no JSON object"),
        (
            Reply(
                body=event_text((chunk("Hel"), chunk("lo."))),
                headers=STREAM,
                breaks="truncate",
                after_headers=True,
            ),
            "cut short",
        ),
    ],
)
async def test_half_a_stream_is_no_answer_and_maybe_paid(reply: Reply, why: str) -> None:
    _, failure = await fail(reply)
    assert (failure.type, failure.retryable, failure.maybe_paid) == ("invalid_response", True, True)
    assert why in failure.message


def broken_after(body: str, breaks: Break) -> Reply:
    """All of `body`, and then no end but a break."""
    comments = ":" * len(body)
    headers = {**STREAM, "x-litellm-response-cost": "0.002"}
    return Reply(body=body + comments, headers=headers, breaks=breaks, after_headers=True)


@each_transport
@pytest.mark.parametrize("breaks", ["truncate", "hang"])
async def test_an_answer_is_whole_however_its_connection_ends(
    breaks: Break, mock_clock: MockClock
) -> None:
    reply = broken_after(event_text(HELLO), breaks)
    told, answer = await streamed(reply, clock=mock_clock, idle_timeout=SHORT)
    assert told == ["Hel", "lo."]
    assert isinstance(answer, Answer)
    assert (answer.response, answer.usage.total_tokens) == ("Hello.", 9)
    assert (answer.cost, answer.cost_basis) == (0.002, "told")


async def test_an_answer_is_whole_though_its_stream_never_ends(mock_clock: MockClock) -> None:
    reply = broken_after(event_text(HELLO), "hang")
    async with (
        connected({"*": reply}, idle_timeout=LONG) as (server, session),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(let_it_pass, server, mock_clock)
        answer = await session.complete(REQUEST, "m", timeout=SHORT, on_text=str)
    assert isinstance(answer, Answer)
    assert answer.response == "Hello."


@each_transport
@pytest.mark.parametrize("breaks", ["truncate", "reset", "hang"])
async def test_a_broken_connection_before_the_last_event_is_what_failed(
    breaks: Break, mock_clock: MockClock
) -> None:
    reply = broken_after(event_text(HELLO[:2], done=False), breaks)
    _, failure = await fail(reply, clock=mock_clock, idle_timeout=SHORT)
    kinds = {"truncate": "invalid_response", "reset": "connection_failed", "hang": "timeout"}
    assert (failure.type, failure.maybe_paid) == (kinds[breaks], True)


async def test_an_error_in_the_middle_is_the_failure() -> None:
    error = {"error": {"code": 502, "message": "upstream"}}
    told, failure = await fail(events(chunk("Hel"), error))
    assert told == ["Hel"]
    assert (failure.type, failure.status_code) == ("provider_error", 502)


@each_transport
async def test_a_stream_without_end_is_cut_off() -> None:
    filler = ": " + "x" * 1_000_000 + "\n"
    _, failure = await fail(Reply(body=filler * 17, headers=STREAM))
    assert (failure.type, failure.retryable) == ("invalid_response", True)
    assert "too large" in failure.message


@pytest.mark.parametrize("streamed", [True, False])
async def test_of_a_gigabyte_little_more_is_read_than_an_answer_may_have(streamed: bool) -> None:
    megabyte = json.dumps(chunk("x" * 1_000_000)).encode()
    body = b"data: " + megabyte + b"\n\n" if streamed else b" " * 1_000_000
    reply = Reply(body=body, times=1000, headers=STREAM if streamed else {})
    tracemalloc.start()
    async with connected({"*": reply}) as (server, session):
        on_text = (lambda _: None) if streamed else None
        failure = await session.complete(REQUEST, "m", timeout=LONG, on_text=on_text)
        await server.until(lambda it: it.open == 0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(failure, ProviderFailure)
    assert (failure.type, failure.message) == (
        "invalid_response",
        "the answer cannot be understood: it is too large",
    )
    assert server.sent < ANSWER_LIMIT + 16_000_000  # what the sockets hold
    assert peak < 6 * ANSWER_LIMIT


TYPES = [
    "text/event-stream",
    "application/json",
    "application/json; charset=utf-8",
    "text/plain",
    "application/octet-stream",
    "",
]


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("drip", [None, 0.0])
async def test_a_stream_is_one_whatever_its_type_is_said_to_be(
    kind: str, drip: float | None
) -> None:
    body = event_text(HELLO)
    for before in ("", ": waiting\n\n", "\n\n", "\ufeff"):
        reply = Reply(body=before + body, headers={"content-type": kind}, drip=drip)
        told, answer = await streamed(reply)
        assert told == ["Hel", "lo."]
        assert isinstance(answer, Answer)
        assert (answer.response, answer.usage.total_tokens) == ("Hello.", 9)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("drip", [None, 0.0])
async def test_a_whole_answer_is_one_whatever_its_type_is_said_to_be(
    kind: str, drip: float | None
) -> None:
    for before in ("", "\r\n \t", "\ufeff"):
        body = before + json.dumps(completion("Hello."))
        told, answer = await streamed(Reply(body=body, headers={"content-type": kind}, drip=drip))
        assert told == []
        assert isinstance(answer, Answer)
        assert answer.response == "Hello."


@pytest.mark.parametrize("kind", TYPES)
async def test_who_streams_unasked_is_understood(kind: str) -> None:
    reply = Reply(body=event_text(HELLO), headers={"content-type": kind})
    async with connected({"*": reply}) as (_, session):
        answer = await session.complete(REQUEST, "m", timeout=LONG)
    assert isinstance(answer, Answer)
    assert (answer.response, answer.usage.total_tokens) == ("Hello.", 9)


@each_transport
@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
@pytest.mark.parametrize("is_stream", [True, False])
async def test_what_a_front_end_packed_is_known_by_what_is_in_it(
    kind: str, is_stream: bool
) -> None:
    body = event_text(HELLO) if is_stream else json.dumps(completion("Hello."))
    headers = {"content-type": kind, "content-encoding": "gzip"}
    told, answer = await streamed(Reply(body=gzip.compress(body.encode()), headers=headers))
    assert told == (["Hel", "lo."] if is_stream else [])
    assert isinstance(answer, Answer)
    assert answer.response == "Hello."


@pytest.mark.parametrize(
    "nothing", ["data:\n\n", "data: \n\n", "data\n\n", "\n\n", "data:\ndata:\n\n"]
)
async def test_an_event_of_nothing_is_none(nothing: str) -> None:
    body = nothing.join(f"data: {json.dumps(it)}\n\n" for it in HELLO) + nothing
    told, answer = await streamed(Reply(body=nothing + body, headers=STREAM))
    assert told == ["Hel", "lo."]
    assert isinstance(answer, Answer)
    assert answer.response == "Hello."


WITHOUT_END = event_text(HELLO[:3], done=False).rstrip("\n")


@each_transport
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.parametrize("breaks", [None, "truncate"])
async def test_the_last_event_needs_no_empty_line_behind_it(
    end: str, breaks: Break | None, mock_clock: MockClock
) -> None:
    body = WITHOUT_END + end
    reply = Reply(body=body, headers=STREAM) if breaks is None else broken_after(body, breaks)
    told, answer = await streamed(reply, clock=mock_clock, idle_timeout=SHORT)
    assert told == ["Hel", "lo."]
    assert isinstance(answer, Answer)
    assert (answer.response, answer.finish_reason) == ("Hello.", "stop")


@pytest.mark.parametrize("breaks", [None, "truncate"])
@pytest.mark.parametrize("cut", [1, 10, 40])
async def test_half_an_event_is_none_however_the_stream_ends(
    cut: int, breaks: Break | None, mock_clock: MockClock
) -> None:
    body = WITHOUT_END[:-cut]
    reply = Reply(body=body, headers=STREAM) if breaks is None else broken_after(body, breaks)
    _, failure = await fail(reply, clock=mock_clock, idle_timeout=SHORT)
    assert (failure.type, failure.maybe_paid) == ("invalid_response", True)


DELAY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12s"}
SLOW = {"error": {"code": 429, "message": "slow down", "details": [DELAY]}}


@pytest.mark.parametrize("kind", ["text/event-stream", "application/json"])
@pytest.mark.parametrize("told_before", [0, 1])
@pytest.mark.parametrize(
    "error",
    [
        json.dumps(SLOW),
        json.dumps([SLOW]),
        json.dumps(SLOW, indent=2),
        f"[{json.dumps(SLOW, indent=2)}\n]",
        f"data: {json.dumps(SLOW)}",
        json.dumps(SLOW) + "\n\ndata: [DONE]\n\n",
    ],
)
async def test_an_error_in_a_stream_has_its_code_and_its_delay(
    kind: str, told_before: int, error: str
) -> None:
    body = event_text(HELLO[:told_before], done=False) + error
    told, failure = await fail(Reply(body=body, headers={"content-type": kind}))
    assert told == ["Hel"][:told_before]
    assert (failure.type, failure.status_code) == ("rate_limited", 429)
    assert (failure.retry_after, failure.message) == (12.0, "error in a 200 answer: slow down")


@pytest.mark.parametrize("streams", [True, False])
async def test_gemini_sends_a_list_where_it_is_not_asked_for_events(streams: bool) -> None:
    parts = [{"candidates": [{"content": {"parts": [{"text": it}]}}]} for it in ("Hel", "lo.")]
    parts[1]["candidates"][0]["finishReason"] = "STOP"  # type: ignore[assignment]
    body = "[" + "\n,\r\n".join(json.dumps(it, indent=2) for it in parts) + "\n]\n"
    settings = {"kind": "gemini", "name": "gemini", "by_the_rules": False}
    async with connected({"*": Reply(body=body)}, **settings) as (_, session):
        on_text = str if streams else None
        answer = await session.complete(REQUEST, "gemini-2.5-flash", timeout=LONG, on_text=on_text)
    assert isinstance(answer, Answer)
    assert answer.response == "Hello."
    async with connected({"*": Reply(body=[SLOW])}, **settings) as (_, session):
        failure = await session.complete(REQUEST, "gemini-2.5-flash", timeout=LONG, on_text=on_text)
    assert isinstance(failure, ProviderFailure)
    assert (failure.type, failure.retry_after) == ("rate_limited", 12.0)
