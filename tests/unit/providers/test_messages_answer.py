"""What Anthropic answers, whole and streamed: by the official client's own types, and by shapes as
they come over the wire."""

import json
from typing import Any

import pytest

from nexus_actors.contract.result import Usage
from nexus_actors.providers.apis.messages.answer import FINISH, read_message
from nexus_actors.providers.apis.messages.stream import MessageStream
from nexus_actors.providers.http.api import Reading
from nexus_actors.providers.port import ProviderFailure
from tests.lazy import Lazy

sdk = Lazy("anthropic.types")


def message(*blocks: Any, stop: Any = "end_turn", **usage: int) -> dict[str, Any]:
    made = sdk.Message(
        id="msg_1",
        content=list(blocks),
        model="claude-sonnet-5-5",
        role="assistant",
        type="message",
        stop_reason=stop,
        usage=sdk.Usage(**({"input_tokens": 7, "output_tokens": 2} | usage)),
    )
    dumped: dict[str, Any] = json.loads(made.model_dump_json())
    return dumped


def good(value: dict[str, Any]) -> Reading:
    reading = read_message(value)
    assert isinstance(reading, Reading), reading
    return reading


TEXT = {"type": "text", "text": "Hello."}
TOOL = {
    "type": "tool_use",
    "id": "toolu_1",
    "name": "weather",
    "input": {"city": "Oslo"},
    "caller": None,
}


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
    value = message({"type": "thinking", "thinking": "hm", "signature": "s"}, TEXT)
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
    reading = good(message(TEXT, *([TOOL] if native == "tool_use" else ()), stop=native))
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


def ended(stop: str, **usage: Any) -> list[dict[str, Any]]:
    delta = {"stop_reason": stop, "stop_sequence": None}
    return [{**END[0], "delta": delta, "usage": {"output_tokens": 12, **usage}}, END[1]]


@pytest.mark.parametrize("stop", ["max_tokens", "model_context_window_exceeded"])
@pytest.mark.parametrize("pieces", [('{"city": "Os',), ("", "{"), ('{"a": 1e999}',), ("[1]",), ()])
def test_a_call_cut_short_by_the_limit_is_left_out_and_reported(
    stop: str, pieces: tuple[str, ...]
) -> None:
    _, reading = read(START, *text_block(0, "So:"), *tool_block(1, *pieces), *ended(stop))
    assert (reading.response, reading.tool_calls, reading.finish_reason) == ("So:", (), "length")
    assert reading.dropped == ("tool_calls[0]: arguments cut off",)
    assert reading.fault is None


@pytest.mark.parametrize("stop", ["tool_use", "end_turn", "stop_sequence", "pause_turn"])
@pytest.mark.parametrize("pieces", [('{"city": "Os',), ('{"a": NaN}',), ("null",), ('"text"',)])
def test_a_call_that_is_broken_otherwise_is_no_answer(stop: str, pieces: tuple[str, ...]) -> None:
    _, reading = read(START, *tool_block(0, *pieces), *ended(stop))
    assert reading.fault is not None
    assert reading.tool_calls == ()
    assert reading.usage == Usage(10, 12, 22, cached_tokens=3)


@pytest.mark.parametrize("stop", ["tool_use", "end_turn"])
def test_a_call_without_arguments_is_one(stop: str) -> None:
    _, reading = read(START, *tool_block(0), *ended(stop))
    [call] = reading.tool_calls
    assert (call["function"]["arguments"], reading.finish_reason) == ("{}", "tool_calls")


def test_a_stream_that_ends_early_is_no_answer() -> None:
    assert read(START, *text_block(0, "Hel"))[1] is None
    assert read()[1] is None


def test_an_error_in_the_stream_is_a_failure() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    _, failure = read(START, *text_block(0, "Hel"), error)
    assert isinstance(failure, ProviderFailure)
    assert (failure.type, failure.retryable) == ("provider_error", True)


# -- thinking, to be sent back

SIGNED = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
SEALED = {"type": "redacted_thinking", "data": "c2VhbGVk"}


def state_of(*blocks: dict[str, Any], stop: str = "end_turn") -> Any:
    reading = read_message({"content": list(blocks), "stop_reason": stop})
    assert isinstance(reading, Reading)
    return None if reading.state is None else json.loads(reading.state)["content"]


def test_thinking_is_kept_where_it_stood() -> None:
    text, call = (
        {"type": "text", "text": "Let me see."},
        {"type": "tool_use", "id": "a", "name": "f"},
    )
    assert state_of(SIGNED, text, SEALED, call, call, SIGNED, call) == [
        SIGNED, 11, SEALED, "call", "call", SIGNED, "call"
    ]  # fmt: skip
    assert state_of(text, call) is None
    assert state_of({"type": "thinking"}, {"type": "redacted_thinking", "data": 7}, text) is None


def test_a_call_that_is_left_out_has_no_place_in_the_state() -> None:
    cut = {"type": "tool_use", "id": "a", "name": "f", "input": "{"}
    assert state_of(SIGNED, cut, stop="max_tokens") == [SIGNED]


def test_streamed_thinking_is_the_same() -> None:
    def delta(index: int, **pieces: str) -> dict[str, Any]:
        return {"type": "content_block_delta", "index": index, "delta": pieces}

    def start(index: int, **block: str) -> dict[str, Any]:
        return {"type": "content_block_start", "index": index, "content_block": block}

    texts, reading = read(
        START,
        start(0, type="thinking", thinking="", signature=""),
        delta(0, type="thinking_delta", thinking="h"),
        delta(0, type="thinking_delta", thinking="m"),
        delta(0, type="signature_delta", signature="c2ln"),
        start(1, **SEALED),
        *text_block(2, "a", "b"),
        *tool_block(3, "{}"),
        *ended("tool_use"),
    )
    assert (texts, reading.response) == (["a", "b"], "ab")
    assert json.loads(reading.state)["content"] == [SIGNED, SEALED, 2, "call"]


# -- what it took


@pytest.mark.parametrize("told", [0, None])
def test_what_was_told_first_is_kept(told: Any) -> None:
    end = ended("end_turn", input_tokens=told, cache_read_input_tokens=told)
    _, reading = read(START, *text_block(0, "a"), *end)
    assert reading.usage == Usage(10, 12, 22, cached_tokens=3)


def test_what_is_reported_later_counts() -> None:
    end = ended("end_turn", input_tokens=20, server_tool_use={"web_search_requests": 2})
    _, reading = read(START, *text_block(0, "a"), *end)
    assert reading.usage == Usage(23, 12, 35, cached_tokens=3)
    assert reading.hosted_calls == {"web_search": 2}


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        ({"service_tier": "standard"}, {}),
        ({"service_tier": "priority"}, {"service_tier": "priority"}),
        ({"service_tier": "batch"}, {"service_tier": "batch"}),
        ({"speed": "fast", "service_tier": "standard"}, {"service_tier": "fast"}),
        ({"speed": "standard"}, {}),
        ({"inference_geo": "us"}, {"geo": "us"}),
        ({"inference_geo": "global"}, {}),
        ({"inference_geo": "not_available"}, {}),
        ({"server_tool_use": {"web_search_requests": 3, "web_fetch_requests": 1}},
         {"hosted_calls": {"web_search": 3, "web_fetch": 1}}),
        ({"server_tool_use": {"code_execution_requests": 2, "new_thing_requests": 1}},
         {"hosted_calls": {"code_execution": 2, "new_thing": 1}}),
        ({"server_tool_use": {"web_search_requests": 0}}, {}),
        ({"cache_creation_input_tokens": 30, "cache_creation": {"ephemeral_1h_input_tokens": 20}},
         {"cache_write_tokens": 30, "cache_write_1h_tokens": 20}),
        ({"cache_creation": {"ephemeral_1h_input_tokens": 20, "ephemeral_5m_input_tokens": 5}},
         {"cache_write_tokens": 25, "cache_write_1h_tokens": 20}),
        ({"cache_creation": [], "server_tool_use": "x", "service_tier": 7, "speed": 1}, {}),
    ],
)  # fmt: skip
def test_what_has_a_price_of_its_own_is_reported(usage: Any, told: dict[str, Any]) -> None:
    reading = read_message({"content": [], "usage": usage})
    assert isinstance(reading, Reading)
    names = ("service_tier", "geo", "hosted_calls", "cache_write_tokens", "cache_write_1h_tokens")
    found = {name: value for name in names if (value := getattr(reading, name))}
    assert found == told


def test_calls_beside_the_wrong_reason() -> None:
    call = {"type": "tool_use", "id": "a", "name": "f", "input": {}}
    reading = read_message({"content": [call], "stop_reason": "end_turn"})
    assert isinstance(reading, Reading)
    assert (reading.finish_reason, reading.native_finish_reason) == ("tool_calls", "end_turn")


@pytest.mark.parametrize(
    ("given", "arguments"),
    [(None, "{}"), ({"a": [1]}, '{"a":[1]}'), ('{"a": 1}', '{"a":1}'), ("", "{}")],
)
def test_inputs_of_calls_in_other_forms(given: Any, arguments: str) -> None:
    call = {"type": "tool_use", "id": "a", "name": "f", "input": given}
    reading = read_message({"content": [call], "stop_reason": "tool_use"})
    assert isinstance(reading, Reading)
    assert reading.tool_calls[0]["function"]["arguments"] == arguments
