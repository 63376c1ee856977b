"""Answers of OpenAI's Responses API."""

from collections.abc import Mapping
from typing import Any, Final

from differential.sse import Served, named

_GPT: Final = "openai-responses/gpt-4.1"
_NEW: Final = "openai-responses/gpt-6.1-terra"
USAGE: Final = {
    "input_tokens": 20,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 8,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 28,
}


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _message(*parts: Any, message_id: str = "msg_1", status: str = "completed") -> dict[str, Any]:
    return {
        "type": "message",
        "id": message_id,
        "role": "assistant",
        "status": status,
        "content": list(parts),
    }


def _call(call_id: str = "call_1", arguments: str = '{"city": "Oslo"}') -> dict[str, Any]:
    return {
        "type": "function_call",
        "id": f"fc_{call_id}",
        "call_id": call_id,
        "name": "weather",
        "arguments": arguments,
        "status": "completed",
    }


_THOUGHT: Final = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "Wet."}],
    "encrypted_content": "gAAA",
}
_RAIN: Final = _message(_part("Rain."))


def _answer(*output: Any, usage: Any = USAGE, **more: Any) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_795_000_000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "model": "served",
        "output": list(output),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "temperature": 1.0,
        "top_p": 1.0,
        "metadata": {},
        "usage": usage,
        **more,
    }


def _cut(*output: Any, why: str = "max_output_tokens") -> dict[str, Any]:
    return _answer(*output, status="incomplete", incomplete_details={"reason": why})


_COUNTED: Final = {
    **USAGE,
    "input_tokens_details": {"cached_tokens": 12},
    "output_tokens_details": {"reasoning_tokens": 5},
}

ANSWERS: Final[Mapping[str, Served]] = {
    "text": Served(_GPT, _answer(_RAIN)),
    "parts": Served(_GPT, _answer(_message(_part("Ra"), _part("in.")))),
    "messages": Served(_GPT, _answer(_RAIN, _message(_part(" More."), message_id="msg_2"))),
    "refusal": Served(_GPT, _answer(_message({"type": "refusal", "refusal": "I will not."}))),
    "call": Served(_GPT, _answer(_call())),
    "calls": Served(_GPT, _answer(_call(), _call("call_2", '{"city": "Bergen"}'))),
    "call with text": Served(_GPT, _answer(_message(_part("I look.")), _call())),
    "thought": Served(_NEW, _answer(_THOUGHT, _RAIN, usage=_COUNTED)),
    "thought and call": Served(_NEW, _answer(_THOUGHT, _call())),
    "cached": Served(_GPT, _answer(_RAIN, usage=_COUNTED)),
    "length": Served(_GPT, _cut(_message(_part("Rai"), status="incomplete"))),
    "filtered": Served(_GPT, _cut(_message(_part("Ra")), why="content_filter")),
    "all thought": Served(_NEW, _cut(_THOUGHT)),
    "failed": Served(
        _GPT,
        _answer(status="failed", error={"code": "server_error", "message": "It broke."}),
    ),
    "searched": Served(
        _GPT,
        _answer(
            {
                "type": "web_search_call",
                "id": "ws_1",
                "status": "completed",
                "action": {"type": "search", "query": "Oslo"},
            },
            _RAIN,
        ),
    ),
    "no usage": Served(_GPT, _answer(_RAIN, usage=None)),
    "arguments that are no JSON": Served(_GPT, _answer(_call(arguments='{"city": '))),
}


def _stream(last: Mapping[str, Any], *between: Mapping[str, Any]) -> str:
    kind = {"completed": "response.completed", "incomplete": "response.incomplete"}
    begun = {**_answer(usage=None), "status": "in_progress"}
    events: list[Mapping[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        *between,
        {"type": kind.get(last["status"], "response.failed"), "response": last},
    ]
    return named(*({**it, "sequence_number": i} for i, it in enumerate(events)))


def _told(item: Mapping[str, Any], index: int, *texts: str) -> list[dict[str, Any]]:
    where = {"item_id": item["id"], "output_index": index, "content_index": 0}
    begun = {**item, "content": [], "status": "in_progress"}
    return [
        {"type": "response.output_item.added", "output_index": index, "item": begun},
        {"type": "response.content_part.added", **where, "part": _part("")},
        *(
            {"type": "response.output_text.delta", **where, "delta": it, "logprobs": []}
            for it in texts
        ),
        {"type": "response.output_text.done", **where, "text": "".join(texts), "logprobs": []},
        {"type": "response.content_part.done", **where, "part": _part("".join(texts))},
        {"type": "response.output_item.done", "output_index": index, "item": item},
    ]


def _called(item: Mapping[str, Any], index: int, *pieces: str) -> list[dict[str, Any]]:
    where = {"item_id": item["id"], "output_index": index}
    begun = {**item, "arguments": "", "status": "in_progress"}
    whole = "".join(pieces)
    return [
        {"type": "response.output_item.added", "output_index": index, "item": begun},
        *(
            {"type": "response.function_call_arguments.delta", **where, "delta": it}
            for it in pieces
        ),
        {
            "type": "response.function_call_arguments.done",
            **where,
            "name": item["name"],
            "arguments": whole,
        },
        {"type": "response.output_item.done", "output_index": index, "item": item},
    ]


_PIECES: Final = ('{"city": ', '"Oslo"}')
_SECOND: Final = _call("call_2", '{"city": "Bergen"}')

STREAMS: Final[Mapping[str, Served]] = {
    "text": Served(_GPT, _stream(_answer(_RAIN), *_told(_RAIN, 0, "Ra", "in."))),
    "call": Served(_GPT, _stream(_answer(_call()), *_called(_call(), 0, *_PIECES))),
    "calls": Served(
        _GPT,
        _stream(
            _answer(_call(), _SECOND),
            *_called(_call(), 0, *_PIECES),
            *_called(_SECOND, 1, '{"city": "Bergen"}'),
        ),
    ),
    "text and call": Served(
        _GPT,
        _stream(_answer(_RAIN, _call()), *_told(_RAIN, 0, "Rain."), *_called(_call(), 1, *_PIECES)),
    ),
    "length": Served(_GPT, _stream(_cut(_RAIN), *_told(_RAIN, 0, "Rain."))),
    "counted": Served(_NEW, _stream(_answer(_RAIN, usage=_COUNTED), *_told(_RAIN, 0, "Rain."))),
    "failed": Served(
        _GPT,
        _stream(_answer(status="failed", error={"code": "server_error", "message": "It broke."})),
    ),
}
