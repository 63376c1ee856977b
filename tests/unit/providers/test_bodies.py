"""A body that was not read as it came, whatever its content type says."""

import json
from typing import Any

import pytest
import trio

from nexus_actors.providers.apis.chat.api import ChatApi
from nexus_actors.providers.apis.generate_content.api import GenerateContentApi
from nexus_actors.providers.apis.messages.api import MessagesApi
from nexus_actors.providers.apis.responses.api import ResponsesOrChatApi
from nexus_actors.providers.http.answer_stream import AnswerStream, whole_answer
from nexus_actors.providers.http.api import HttpApi, Reading
from nexus_actors.providers.port import ProviderFailure

CHAT = {"choices": [{"message": {"content": "Hello."}, "finish_reason": "stop"}]}
CHUNKS = [
    {"choices": [{"index": 0, "delta": {"content": "Hel"}}]},
    {"choices": [{"index": 0, "delta": {"content": "lo."}, "finish_reason": "stop"}]},
]
MESSAGE = {"type": "message", "content": [{"type": "text", "text": "Hello."}], "stop_reason": "x"}
EVENTS = [
    {"type": "message_start", "message": {"content": [], "usage": {}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "Hel"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo."}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}},
]
RESPONSE = {
    "status": "completed",
    "output": [{"type": "message", "content": [{"type": "output_text", "text": "Hello."}]}],
}
COMPLETED = [
    {"type": "response.created", "response": {"status": "in_progress"}},
    {"type": "response.completed", "response": RESPONSE},
]


def generated(text: str, finish: str | None = None) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": finish}]}


GENERATED = [generated("Hel"), generated("lo.", "STOP")]
APIS: list[tuple[HttpApi, Any, list[Any]]] = [
    (ChatApi(), CHAT, CHUNKS),
    (MessagesApi(version="2023-06-01"), MESSAGE, EVENTS),
    (ResponsesOrChatApi(), RESPONSE, COMPLETED),
    (ResponsesOrChatApi(), CHAT, CHUNKS),
    (GenerateContentApi(), generated("Hello.", "STOP"), GENERATED),
]


async def read(api: HttpApi, body: str | bytes) -> Reading | ProviderFailure | str:
    await trio.lowlevel.checkpoint()  # streams take the time of trio's clock
    value = whole_answer(body if isinstance(body, bytes) else body.encode(), api.reader)
    return value if isinstance(value, str) else api.read(value)


@pytest.mark.parametrize(("api", "whole", "events"), APIS)
async def test_the_first_bytes_decide(api: HttpApi, whole: Any, events: list[Any]) -> None:
    stream = "".join(f"data: {json.dumps(it)}\n\n" for it in events)
    for body in (
        json.dumps(whole),
        f"\ufeff\r\n\t {json.dumps(whole)}\n",
        json.dumps(whole, indent=2),
        stream,
        f"\ufeff \n\n{stream}data: [DONE]\n\n",
        f": waiting\n\n{stream}",
        f"event: x\n{stream}",
        f"id: 1\n{stream}",
        f"retry: 10\n\n{stream}",
        stream.replace("\n", "\r\n"),
        stream.removesuffix("\n\n"),
        stream.replace("\n\n", "\n\ndata:\n\ndata: \n\n"),
        json.dumps(events),
        json.dumps(events, indent=2),
        "\n".join(json.dumps(it) for it in events),
    ):
        reading = await read(api, body)
        assert isinstance(reading, Reading), (body, reading)
        assert reading.response == "Hello."


SLOW = {"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}}
RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12s"}
SLOWER: Any = {"error": {**SLOW["error"], "details": [RETRY]}}


@pytest.mark.parametrize(("api", "whole", "events"), APIS)
@pytest.mark.parametrize("size", [0, 1])
async def test_an_error_that_stands_there_as_it_is(
    api: HttpApi, whole: Any, events: list[Any], size: int
) -> None:
    stream = "".join(f"data: {json.dumps(it)}\n\n" for it in events[:size])
    for error in (
        json.dumps(SLOWER),
        json.dumps(SLOWER, indent=2),
        json.dumps([SLOWER]),
        json.dumps([SLOWER], indent=2),
        f"data: {json.dumps(SLOWER)}",
        f"data: [{json.dumps(SLOWER)}]",
    ):
        for end in ("", "\n", "\n\ndata: [DONE]\n\n"):
            failure = await read(api, stream + error + end)
            assert isinstance(failure, ProviderFailure), (error, failure)
            assert (failure.type, failure.retry_after) == ("rate_limited", 12.0)
            assert failure.message == "error in a 200 answer: slow down"


@pytest.mark.parametrize(("api", "whole", "events"), APIS)
@pytest.mark.parametrize(
    ("error", "words"),
    [
        ({"detail": "no such model"}, "no such model"),
        ({"detail": [{"loc": ["body", "seed"], "msg": "bad"}]}, "body.seed: bad"),
        ({"message": "no such model", "code": 404}, "no such model"),
        ({"message": {"detail": "no such model"}}, "no such model"),
        ({"object": "error", "message": "busy", "type": "x", "param": None, "code": 503}, "busy"),
        ({"object": "error", "message": "busy", "type": "x", "id": "y", "code": 503}, "busy"),
        ({"errors": ["busy"]}, "busy"),
        ({"error": "busy"}, "busy"),
        ({"error": {"message": {"detail": "busy"}}}, "busy"),
    ],
)
async def test_an_error_without_its_key_is_one(
    api: HttpApi, whole: Any, events: list[Any], error: Any, words: str
) -> None:
    for body in (
        json.dumps(error),
        f"data: {json.dumps(error)}\n\n",
        f": x\n\n{json.dumps(error)}",
    ):
        failure = await read(api, body)
        assert isinstance(failure, ProviderFailure), failure
        assert failure.message == f"error in a 200 answer: {words}"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("", "not JSON"),
        ("<html>", "not JSON"),
        ("{", "not JSON"),
        ('{"choices": ', "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        ("[]", "expected a JSON object"),
        ("7", "expected a JSON object"),
        ("null", "expected a JSON object"),
        ('"data: x"', "expected a JSON object"),
        ("[[]]", "expected a JSON object"),
        ("[7]", "expected a JSON object"),
        ('[{"choices": []}]', "the stream ended early"),
        ("data: {}", "the stream ended early"),
        ("data: 7\n\n", "an event of the stream is no JSON object"),
        (f"data: {json.dumps(CHUNKS[0])}\n\n", "the stream ended early"),
    ],
)
async def test_what_is_no_answer_says_why(body: str | bytes, why: str) -> None:
    told = await read(ChatApi(), body)
    assert isinstance(told, str)
    assert told.startswith(why)


@pytest.mark.parametrize(("api", "whole", "events"), APIS)
async def test_no_answer_and_no_event_of_one_is_taken_for_an_error(
    api: HttpApi, whole: Any, events: list[Any]
) -> None:
    await trio.lowlevel.checkpoint()
    stream = AnswerStream(api.reader(), str)
    for event in events:
        stream.take_event(event)
    assert isinstance(stream.whole(), dict)
    assert isinstance(api.read(whole), Reading)
