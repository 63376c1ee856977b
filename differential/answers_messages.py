"""Answers of Anthropic's Messages API."""

from collections.abc import Mapping
from typing import Any, Final

from differential.sse import Served, named

_CLAUDE: Final = "anthropic/claude-opus-5-5"
_OLD: Final = "anthropic/claude-sonnet-4-5"
USAGE: Final = {
    "input_tokens": 20,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "output_tokens": 8,
    "service_tier": "standard",
}
_TEXT: Final = {"type": "text", "text": "Rain."}
_THOUGHT: Final = {"type": "thinking", "thinking": "Wet.", "signature": "c2ln"}


def _use(call_id: str = "toolu_1", city: str = "Oslo") -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": "weather", "input": {"city": city}}


def _answer(*blocks: Any, stop: str | None = "end_turn", **usage: Any) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-served",
        "content": list(blocks),
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {**USAGE, **usage},
    }


ANSWERS: Final[Mapping[str, Served]] = {
    "text": Served(_CLAUDE, _answer(_TEXT)),
    "texts": Served(_CLAUDE, _answer(_TEXT, {"type": "text", "text": " More."})),
    "citations": Served(_CLAUDE, _answer({**_TEXT, "citations": None})),
    "length": Served(_CLAUDE, _answer(_TEXT, stop="max_tokens")),
    "stop sequence": Served(_OLD, {**_answer(_TEXT, stop="stop_sequence"), "stop_sequence": "END"}),
    "refusal": Served(_CLAUDE, _answer(_TEXT, stop="refusal")),
    "window full": Served(_CLAUDE, _answer(_TEXT, stop="model_context_window_exceeded")),
    "call": Served(_CLAUDE, _answer(_use(), stop="tool_use")),
    "call with text": Served(_CLAUDE, _answer(_TEXT, _use(), stop="tool_use")),
    "calls": Served(_CLAUDE, _answer(_use(), _use("toolu_2", "Bergen"), stop="tool_use")),
    "call without arguments": Served(_CLAUDE, _answer({**_use(), "input": {}}, stop="tool_use")),
    "thought": Served(_CLAUDE, _answer(_THOUGHT, _TEXT)),
    "thought and call": Served(_CLAUDE, _answer(_THOUGHT, _use(), stop="tool_use")),
    "hidden thought": Served(_OLD, _answer({"type": "redacted_thinking", "data": "eA=="}, _TEXT)),
    "cache read": Served(_CLAUDE, _answer(_TEXT, cache_read_input_tokens=100)),
    "cache written": Served(
        _CLAUDE,
        _answer(
            _TEXT,
            cache_creation_input_tokens=100,
            cache_creation={"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40},
        ),
    ),
    "cache both": Served(
        _CLAUDE, _answer(_TEXT, cache_creation_input_tokens=30, cache_read_input_tokens=100)
    ),
    "searched": Served(
        _CLAUDE,
        _answer(
            {
                "type": "server_tool_use",
                "id": "srvtoolu_1",
                "name": "web_search",
                "input": {"query": "Oslo"},
            },
            {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
            _TEXT,
            server_tool_use={"web_search_requests": 1, "web_fetch_requests": 0},
        ),
    ),
    "paused": Served(_CLAUDE, _answer(_TEXT, stop="pause_turn")),
    "nothing": Served(_CLAUDE, _answer(output_tokens=0)),
}


def _start(**usage: Any) -> dict[str, Any]:
    message = {**_answer(stop=None), "usage": {**USAGE, "output_tokens": 1, **usage}}
    return {"type": "message_start", "message": message}


def _block(index: int, block: Mapping[str, Any], *deltas: Mapping[str, Any]) -> list[Any]:
    return [
        {"type": "content_block_start", "index": index, "content_block": block},
        *({"type": "content_block_delta", "index": index, "delta": it} for it in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def _said(index: int, *texts: str) -> list[Any]:
    deltas = ({"type": "text_delta", "text": it} for it in texts)
    return _block(index, {"type": "text", "text": ""}, *deltas)


def _called(index: int, *pieces: str, call_id: str = "toolu_1") -> list[Any]:
    deltas = ({"type": "input_json_delta", "partial_json": it} for it in pieces)
    return _block(index, {**_use(call_id), "input": {}}, *deltas)


def _thought(index: int) -> list[Any]:
    return _block(
        index,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "Wet."},
        {"type": "signature_delta", "signature": "c2ln"},
    )


def _end(stop: str = "end_turn", **usage: Any) -> list[Any]:
    delta = {"stop_reason": stop, "stop_sequence": None}
    return [
        {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 8, **usage}},
        {"type": "message_stop"},
    ]


_PIECES: Final = ("", '{"city": ', '"Oslo"}')

STREAMS: Final[Mapping[str, Served]] = {
    "text": Served(_CLAUDE, named(_start(), *_said(0, "Ra", "in."), *_end())),
    "pings": Served(_CLAUDE, named(_start(), {"type": "ping"}, *_said(0, "Ra", "in."), *_end())),
    "length": Served(_CLAUDE, named(_start(), *_said(0, "Ra"), *_end("max_tokens"))),
    "call": Served(_CLAUDE, named(_start(), *_called(0, *_PIECES), *_end("tool_use"))),
    "call with text": Served(
        _CLAUDE, named(_start(), *_said(0, "I look."), *_called(1, *_PIECES), *_end("tool_use"))
    ),
    "calls": Served(
        _CLAUDE,
        named(
            _start(),
            *_called(0, *_PIECES),
            *_called(1, '{"city": "Bergen"}', call_id="toolu_2"),
            *_end("tool_use"),
        ),
    ),
    "call without arguments": Served(_CLAUDE, named(_start(), *_called(0), *_end("tool_use"))),
    "thought": Served(_CLAUDE, named(_start(), *_thought(0), *_said(1, "Rain."), *_end())),
    "thought and call": Served(
        _CLAUDE, named(_start(), *_thought(0), *_called(1, *_PIECES), *_end("tool_use"))
    ),
    "cached": Served(
        _CLAUDE,
        named(
            _start(cache_read_input_tokens=100, cache_creation_input_tokens=30),
            *_said(0, "Rain."),
            *_end(),
        ),
    ),
    "counts told anew": Served(
        _CLAUDE,
        named(_start(), *_said(0, "Rain."), *_end(input_tokens=20, cache_read_input_tokens=0)),
    ),
    "counts of nought at the end": Served(
        _CLAUDE, named(_start(), *_said(0, "Rain."), *_end(input_tokens=0))
    ),
    "refusal": Served(_CLAUDE, named(_start(), *_said(0, "Ra"), *_end("refusal"))),
    "overloaded in the middle": Served(
        _CLAUDE,
        named(
            _start(),
            *_said(0, "Ra")[:2],
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        ),
    ),
}
