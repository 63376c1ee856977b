"""Whatever stands in an answer's place of something else, reading it raises nothing."""

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from nexus_actors.providers.apis.chat.answer import read_chat
from nexus_actors.providers.apis.chat.stream import ChatStream
from nexus_actors.providers.apis.generate_content.answer import read_generated
from nexus_actors.providers.apis.generate_content.stream import GenerateContentStream
from nexus_actors.providers.apis.messages.answer import read_message
from nexus_actors.providers.apis.messages.stream import MessageStream
from nexus_actors.providers.apis.responses.answer import read_response
from nexus_actors.providers.apis.responses.stream import ResponsesStream
from nexus_actors.providers.http.api import Reading, StreamReader
from nexus_actors.providers.port import ProviderFailure

ODD: tuple[Any, ...] = (None, True, -1, 1.5, 2**70, "", "x", [], [None], ["x"], [[]], {}, {"a": 1})
CHAT_CALL = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}
CHAT_USAGE = {
    "prompt_tokens": 1,
    "completion_tokens": 2,
    "prompt_tokens_details": {"cached_tokens": 1},
    "completion_tokens_details": {"reasoning_tokens": 1},
}
CHAT_MESSAGE = {"content": [{"type": "text", "text": "a"}], "tool_calls": [CHAT_CALL]}
CHAT = {
    "id": "x",
    "model": "m",
    "choices": [{"finish_reason": "stop", "message": CHAT_MESSAGE}],
    "usage": CHAT_USAGE,
    "error": None,
}
CHAT_EVENTS = [
    {"id": "x", "choices": [{"index": 0, "delta": {"content": "a", "tool_calls": [CHAT_CALL]}}]},
    {"choices": [{"delta": {"tool_calls": [CHAT_CALL]}, "finish_reason": "stop"}]},
    {"choices": [], "usage": CHAT_USAGE},
]
RESPONSE = {
    "id": "r",
    "status": "incomplete",
    "incomplete_details": {"reason": "x"},
    "error": None,
    "output": [
        {"type": "message", "content": [{"type": "output_text", "text": "a"}]},
        {"type": "function_call", "call_id": "c", "id": "i", "name": "n", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "d", "name": "n", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "d"},
        {"type": "mcp_approval_request", "id": "x"},
        {"type": "code_interpreter_call", "id": "i", "container_id": "c"},
        {"type": "web_search_call", "id": "w", "status": "completed", "action": {"type": "search"}},
        {"type": "reasoning", "id": "i", "summary": [], "encrypted_content": "e"},
    ],
    "usage": {"input_tokens": 1, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 1}},
}
RESPONSE_EVENTS = [
    {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "a"},
    {"type": "response.output_item.done", "output_index": 0, "item": {"type": "message"}},
    {"type": "response.output_item.done", "output_index": 1, "item": {"type": "x", "id": "y"}},
    {"type": "response.completed", "response": RESPONSE},
]
MESSAGE = {
    "id": "m",
    "content": [
        {"type": "text", "text": "a"},
        {"type": "tool_use", "id": "t", "name": "n", "input": {"a": 1}},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
    ],
    "stop_reason": "end_turn",
    "container": {"id": "c"},
    "usage": {
        "input_tokens": 1,
        "output_tokens": 1,
        "cache_read_input_tokens": 1,
        "server_tool_use": {"web_search_requests": 1},
        "cost": 0.1,
    },
    "error": None,
}
MESSAGE_EVENTS = [
    {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "a"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "b"}},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "t"}},
    {
        "type": "content_block_delta",
        "index": 1,
        "delta": {"type": "input_json_delta", "partial_json": "{}"},
    },
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"output_tokens": 3},
    },
]
GENERATED = {
    "candidates": [
        {
            "index": 0,
            "content": {
                "parts": [
                    {"text": "a", "thought": True},
                    {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "s"},
                ]
            },
            "groundingMetadata": {
                "webSearchQueries": ["q"],
                "groundingChunks": [{"maps": {"uri": "u"}}],
            },
            "finishReason": "STOP",
        }
    ],
    "usageMetadata": {"promptTokenCount": 1, "thoughtsTokenCount": 1},
    "responseId": "r",
    "promptFeedback": {"blockReason": "x"},
    "error": None,
}

Read = Callable[[Mapping[str, Any]], Reading | ProviderFailure]


def with_odd_places(value: Any) -> Iterator[Any]:
    """`value`, with each of its places, one at a time, taken by each odd thing."""
    for path in _paths(value):
        for odd in ODD:
            changed = copy.deepcopy(value)
            inner = changed
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = odd
            yield changed


def _paths(value: Any) -> Iterator[tuple[Any, ...]]:
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        yield (key,)
        yield from ((key, *path) for path in _paths(inner))


@pytest.mark.parametrize(
    ("read", "answer"),
    [
        (read_chat, CHAT),
        (read_response, RESPONSE),
        (read_message, MESSAGE),
        (read_generated, GENERATED),
    ],
)
def test_in_an_answer(read: Read, answer: Any) -> None:
    assert isinstance(read(answer), Reading)
    for odd in with_odd_places(answer):
        assert isinstance(read(odd), Reading | ProviderFailure)


@pytest.mark.parametrize(
    ("reader", "read", "events"),
    [
        (ChatStream, read_chat, CHAT_EVENTS),
        (ResponsesStream, read_response, RESPONSE_EVENTS),
        (MessageStream, read_message, MESSAGE_EVENTS),
        (GenerateContentStream, read_generated, [GENERATED, GENERATED]),
    ],
)
def test_in_a_stream(reader: Callable[[], StreamReader], read: Read, events: Any) -> None:
    assert isinstance(told(reader(), read, events), Reading)
    for odd in with_odd_places(events):
        told(reader(), read, [event for event in odd if isinstance(event, dict)])


def told(stream: StreamReader, read: Read, events: Any) -> Reading | ProviderFailure | None:
    for event in events:
        assert isinstance(stream.take(event), str)
    whole = stream.whole()
    return None if whole is None else read(whole)
