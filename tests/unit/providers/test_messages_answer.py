"""What Anthropic answers, whole and streamed: by the official client's own types, and by shapes as
they come over the wire."""

import json
from typing import Any

import pytest
from anthropic.types import Message, TextBlock, ThinkingBlock, ToolUseBlock
from anthropic.types import Usage as SdkUsage

from nexus_actors.contract.result import Usage
from nexus_actors.providers.apis.messages_answer import FINISH, read_message
from nexus_actors.providers.apis.messages_stream import MessageStream
from nexus_actors.providers.http.api import Reading
from nexus_actors.providers.port import ProviderFailure


def message(*blocks: Any, stop: Any = "end_turn", **usage: int) -> dict[str, Any]:
    made = Message(
        id="msg_1",
        content=list(blocks),
        model="claude-sonnet-5-5",
        role="assistant",
        type="message",
        stop_reason=stop,
        usage=SdkUsage(**({"input_tokens": 7, "output_tokens": 2} | usage)),
    )
    dumped: dict[str, Any] = json.loads(made.model_dump_json())
    return dumped


def good(value: dict[str, Any]) -> Reading:
    reading = read_message(value)
    assert isinstance(reading, Reading), reading
    return reading


TEXT = TextBlock(type="text", text="Hello.")
TOOL = ToolUseBlock(
    type="tool_use", id="toolu_1", name="weather", input={"city": "Oslo"}, caller=None
)


def test_reads_a_whole_answer() -> None:
    assert good(message(TEXT)) == Reading(
        response="Hello.",
        usage=Usage(7, 2, 9),
        finish_reason="stop",
        native_finish_reason="end_turn",
        response_id="msg_1",
        served_model="claude-sonnet-5-5",
    )


def test_what_went_in_counts_what_was_cached() -> None:
    reading = good(message(TEXT, cache_read_input_tokens=100, cache_creation_input_tokens=30))
    assert reading.usage == Usage(137, 2, 139, cached_tokens=100)
    assert reading.cache_write_tokens == 30


def test_thinking_is_counted_and_not_told() -> None:
    value = message(ThinkingBlock(type="thinking", thinking="hm", signature="s"), TEXT)
    value["usage"]["output_tokens_details"] = {"thinking_tokens": 1}
    reading = good(value)
    assert reading.response == "Hello."
    assert reading.usage is not None
    assert reading.usage.reasoning_tokens == 1


def test_calls() -> None:
    reading = good(message(TOOL, stop="tool_use"))
    assert (reading.response, reading.finish_reason) == (None, "tool_calls")
    assert reading.tool_calls == (
        {
            "id": "toolu_1",
            "type": "function",
            "function": {"name": "weather", "arguments": '{"city":"Oslo"}'},
        },
    )
    assert good(message(TEXT, TOOL, stop="tool_use")).response == "Hello."


@pytest.mark.parametrize(("native", "reason"), [*FINISH.items(), ("pause_turn", "pause_turn")])
def test_finish_reasons(native: str, reason: str) -> None:
    reading = good(message(TEXT, stop=native))
    assert (reading.finish_reason, reading.native_finish_reason) == (reason, native)


def test_the_barest_answer() -> None:
    assert good({"content": []}) == Reading(response="")


@pytest.mark.parametrize("value", [{}, {"content": None}, {"content": "text"}])
def test_what_is_no_answer(value: dict[str, Any]) -> None:
    failure = read_message(value)
    assert isinstance(failure, ProviderFailure)
    assert failure.type == "invalid_response"


# -- streams, as they come over the wire

START: dict[str, Any] = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": [],
        "model": "claude-sonnet-5-5",
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 7, "cache_read_input_tokens": 3, "output_tokens": 1},
    },
}
END: list[dict[str, Any]] = [
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 12},
    },
    {"type": "message_stop"},
]


def text_block(index: int, *texts: str) -> list[dict[str, Any]]:
    return [
        {
            "type": "content_block_start",
            "index": index,
            "content_block": {"type": "text", "text": ""},
        },
        *(
            {
                "type": "content_block_delta",
                "index": index,
                "delta": {"type": "text_delta", "text": text},
            }
            for text in texts
        ),
        {"type": "content_block_stop", "index": index},
    ]


def tool_block(index: int, *parts: str) -> list[dict[str, Any]]:
    start = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *(
            {
                "type": "content_block_delta",
                "index": index,
                "delta": {"type": "input_json_delta", "partial_json": part},
            }
            for part in parts
        ),
        {"type": "content_block_stop", "index": index},
    ]


def read(*events: dict[str, Any]) -> tuple[list[str], Any]:
    stream = MessageStream()
    texts = [text for event in events if (text := stream.take(event))]
    whole = stream.whole()
    return texts, None if whole is None else read_message(whole)


def test_a_stream_is_the_same_answer() -> None:
    texts, reading = read(START, {"type": "ping"}, *text_block(0, "Hel", "lo."), *END)
    assert texts == ["Hel", "lo."]
    assert reading == Reading(
        response="Hello.",
        usage=Usage(10, 12, 22, cached_tokens=3),
        finish_reason="stop",
        native_finish_reason="end_turn",
        response_id="msg_1",
        served_model="claude-sonnet-5-5",
    )


def test_thinking_and_unknown_events_are_passed_over() -> None:
    thinking = [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking"}},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "thinking_delta", "thinking": "hm"},
        },
    ]
    texts, reading = read(START, *thinking, {"type": "news"}, *text_block(1, "a"), *END)
    assert (texts, reading.response) == (["a"], "a")


def test_a_call_comes_in_pieces() -> None:
    _, reading = read(START, *text_block(0, "So:"), *tool_block(1, "", '{"ci', 'ty":"Oslo"}'), *END)
    assert reading.response == "So:"
    assert reading.tool_calls[0]["function"]["arguments"] == '{"city":"Oslo"}'


def test_a_call_cut_short_by_the_limit_is_told_as_far_as_it_came() -> None:
    _, reading = read(START, *tool_block(0, '{"city": "Os'), *END)
    arguments = json.loads(reading.tool_calls[0]["function"]["arguments"])
    assert arguments == {"partial_json": '{"city": "Os'}


def test_a_stream_that_ends_early_is_no_answer() -> None:
    assert read(START, *text_block(0, "Hel"))[1] is None
    assert read()[1] is None


def test_an_error_in_the_stream_is_a_failure() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    _, failure = read(START, *text_block(0, "Hel"), error)
    assert isinstance(failure, ProviderFailure)
    assert (failure.type, failure.retryable) == ("provider_error", True)
