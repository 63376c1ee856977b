"""Answers of servers that speak chat completions, the usual and the odd."""

from collections.abc import Mapping
from typing import Any, Final

from differential.sse import Served, sse

_GPT: Final = "openai-chat/gpt-4o"
_NEW: Final = "openai-chat/gpt-5.2"
_GROQ: Final = "groq/openai/gpt-oss-120b"
_MISTRAL: Final = "mistral/mistral-large-latest"
_DEEPSEEK: Final = "deepseek/deepseek-v4-pro"
_XAI: Final = "xai/grok-4.7"
_OLLAMA: Final = "ollama/llama3.2"
_ROUTER: Final = "openrouter/anthropic/claude-sonnet-5.5"
USAGE: Final = {"prompt_tokens": 20, "completion_tokens": 8, "total_tokens": 28}


def _use(**more: Any) -> dict[str, Any]:
    return {**USAGE, **more}


def _answer(
    content: Any = "Rain.", finish: str | None = "stop", usage: Any = USAGE, **message: Any
) -> dict[str, Any]:
    said = {"role": "assistant", "content": content, **message}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_795_000_000,
        "model": "served",
        "choices": [{"index": 0, "message": said, "finish_reason": finish}],
        **({} if usage is None else {"usage": usage}),
    }


def _call(call_id: str = "call_1", arguments: Any = '{"city": "Oslo"}') -> dict[str, Any]:
    function = {"name": "weather", "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function}


def _calls(*calls: Mapping[str, Any], content: Any = None, finish: str = "tool_calls") -> Any:
    return _answer(content, finish, tool_calls=list(calls))


_CACHED: Final = _use(prompt_tokens_details={"cached_tokens": 12})
_THOUGHT: Final = _use(completion_tokens_details={"reasoning_tokens": 5})

ANSWERS: Final[Mapping[str, Served]] = {
    "text": Served(_GPT, _answer()),
    "unicode": Served(_GPT, _answer("Grüße, 世界 🌍\u2028")),
    "text in lines": Served(_GPT, _answer("  Rain.\n\nMore.\n")),
    "length": Served(_GPT, _answer("Rai", "length")),
    "filtered": Served(_GPT, _answer("Ra", "content_filter")),
    "refusal": Served(_GPT, _answer(None, "stop", refusal="I will not.")),
    "call": Served(_GPT, _calls(_call())),
    "calls": Served(_GPT, _calls(_call(), _call("call_2", '{"city": "Bergen"}'))),
    "call with text": Served(_GPT, _calls(_call(), content="I look.")),
    "call without arguments": Served(_GPT, _calls(_call(arguments="{}"))),
    "call with an empty text": Served(_GPT, _calls(_call(), content="")),
    "call that ends with stop": Served(_GPT, _calls(_call(), finish="stop")),
    "no calls": Served(_GPT, _answer(tool_calls=[])),
    "cached": Served(_GPT, _answer(usage=_CACHED)),
    "thought": Served(_NEW, _answer(usage=_THOUGHT)),
    "counts of everything": Served(
        _NEW,
        _answer(
            usage=_use(
                prompt_tokens_details={"cached_tokens": 12, "audio_tokens": 0},
                completion_tokens_details={
                    "reasoning_tokens": 5,
                    "audio_tokens": 0,
                    "accepted_prediction_tokens": 0,
                    "rejected_prediction_tokens": 0,
                },
            )
        ),
    ),
    "counts that are null": Served(
        _GPT, _answer(usage=_use(prompt_tokens_details=None, completion_tokens_details=None))
    ),
    "annotations": Served(_GPT, _answer(annotations=[], audio=None)),
    "long call": Served(_GPT, _calls(_call(arguments='{"city": "' + "x" * 5000 + '"}'))),
    "Groq": Served(
        _GROQ,
        {
            **_answer(reasoning="Oslo is wet.", usage=_use(queue_time=0.1, total_time=0.2)),
            "x_groq": {"id": "req_1"},
            "usage_breakdown": None,
            "service_tier": "on_demand",
        },
    ),
    "Groq's call": Served(_GROQ, {**_calls(_call("fc_1")), "service_tier": "on_demand"}),
    "Mistral": Served(_MISTRAL, _answer(tool_calls=None, prefix=False)),
    "Mistral's call": Served(_MISTRAL, _calls(_call("D681PevKs"), content="")),
    "Mistral's length": Served(_MISTRAL, _answer("Rai", "model_length")),
    "Mistral's thinking": Served(
        _MISTRAL,
        _answer(
            [
                {"type": "thinking", "thinking": [{"type": "text", "text": "Wet."}]},
                {"type": "text", "text": "Rain."},
            ]
        ),
    ),
    "DeepSeek": Served(
        _DEEPSEEK,
        _answer(
            reasoning_content="Oslo is wet.",
            usage=_use(
                prompt_cache_hit_tokens=12,
                prompt_cache_miss_tokens=8,
                completion_tokens_details={"reasoning_tokens": 5},
            ),
        ),
    ),
    "DeepSeek's call": Served(
        _DEEPSEEK,
        _answer("", "tool_calls", reasoning_content="I look.", tool_calls=[_call()]),
    ),
    "DeepSeek is full": Served(_DEEPSEEK, _answer("Ra", "insufficient_system_resource")),
    "xAI": Served(
        _XAI,
        _answer(
            reasoning_content="Wet.",
            usage=_use(
                total_tokens=33,
                prompt_tokens_details={"cached_tokens": 12},
                completion_tokens_details={"reasoning_tokens": 5},
            ),
        ),
    ),
    "xAI's call": Served(_XAI, _calls(_call("call_9"), content="")),
    "Ollama": Served(_OLLAMA, _answer(usage=_use())),
    "Ollama's call": Served(_OLLAMA, _calls(_call("call_o1"), content="", finish="tool_calls")),
    "Ollama thinks": Served(_OLLAMA, _answer(reasoning="Wet.")),
    "OpenRouter": Served(
        _ROUTER,
        {
            **_answer(usage=_use(cost=0.0012, cost_details={"upstream_inference_cost": None})),
            "provider": "Anthropic",
        },
    ),
    "OpenRouter's reasoning": Served(
        _ROUTER,
        _answer(
            reasoning="Wet.",
            reasoning_details=[{"type": "reasoning.text", "text": "Wet.", "signature": "s"}],
        ),
    ),
    "OpenRouter's error": Served(
        _ROUTER, {"error": {"code": 502, "message": "Provider returned error"}}
    ),
    "OpenRouter's error in a choice": Served(
        _ROUTER,
        {
            **_answer("", "error"),
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": ""},
                    "finish_reason": "error",
                    "error": {"code": 502, "message": "upstream"},
                }
            ],
        },
    ),
    "no usage": Served(_OLLAMA, _answer(usage=None)),
    "no choices": Served(_GPT, {**_answer(), "choices": []}),
    "arguments as an object": Served(_OLLAMA, _calls(_call(arguments={"city": "Oslo"}))),
    "arguments that are no JSON": Served(_GPT, _calls(_call(arguments='{"city": '))),
    "arguments cut by the limit": Served(
        _GPT, _calls(_call(arguments='{"ci'), content="I look.", finish="length")
    ),
    "legacy call": Served(
        _GPT,
        _answer(
            None,
            "function_call",
            function_call={"name": "weather", "arguments": '{"city": "Oslo"}'},
        ),
    ),
    "nothing at all": Served(_GPT, _answer("", usage=_use(completion_tokens=0, total_tokens=20))),
}


def _chunk(delta: Mapping[str, Any] | None = None, finish: str | None = None, **more: Any) -> Any:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_795_000_000,
        "model": "served",
        "choices": choices,
        **more,
    }


def _piece(index: int | None, arguments: Any = None, **more: Any) -> Any:
    """A piece of a call; with `id` and `name` it opens one."""
    name = more.pop("name", None)
    function = {
        **({"name": name} if name else {}),
        **({} if arguments is None else {"arguments": arguments}),
    }
    place = {} if index is None else {"index": index}
    return _chunk({"tool_calls": [{**place, **more, "function": function}]})


def _opens(index: int | None, call_id: str, arguments: Any = "") -> Any:
    return _piece(index, arguments, id=call_id, type="function", name="weather")


_ROLE: Final = _chunk({"role": "assistant", "content": ""})
_END: Final = _chunk({}, "stop")
_CALLED: Final = _chunk({}, "tool_calls")
_COUNTS: Final = _chunk(usage=USAGE)
_RAIN: Final = (_chunk({"content": "Ra"}), _chunk({"content": "in."}))
_OSLO: Final = ('{"city": ', '"Oslo"}')

STREAMS: Final[Mapping[str, Served]] = {
    "text": Served(_GPT, sse(_ROLE, *_RAIN, _END, _COUNTS)),
    "usage beside the end": Served(
        _GROQ, sse(_ROLE, *_RAIN, _chunk({}, "stop", usage=USAGE, x_groq={"id": "r"}))
    ),
    "Groq's own usage": Served(
        _GROQ, sse(_ROLE, *_RAIN, _chunk({}, "stop", x_groq={"id": "r", "usage": USAGE}))
    ),
    "without usage": Served(_OLLAMA, sse(_ROLE, *_RAIN, _END)),
    "length": Served(_GPT, sse(_ROLE, *_RAIN, _chunk({}, "length"), _COUNTS)),
    "comments": Served(_ROUTER, sse(": OPENROUTER PROCESSING\n\n", _ROLE, *_RAIN, _END, _COUNTS)),
    "call": Served(
        _GPT,
        sse(_ROLE, _opens(0, "call_1"), *(_piece(0, it) for it in _OSLO), _CALLED, _COUNTS),
    ),
    "calls": Served(
        _GPT,
        sse(
            _ROLE,
            _opens(0, "call_1"),
            *(_piece(0, it) for it in _OSLO),
            _opens(1, "call_2"),
            *(_piece(1, it) for it in _OSLO),
            _CALLED,
            _COUNTS,
        ),
    ),
    "call in one piece": Served(
        _MISTRAL, sse(_ROLE, _opens(0, "D681PevKs", '{"city": "Oslo"}'), _CALLED, _COUNTS)
    ),
    "calls of one index": Served(
        _OLLAMA,
        sse(
            _ROLE,
            _opens(0, "call_1", '{"city": "Oslo"}'),
            _opens(0, "call_2", '{"city": "Bergen"}'),
            _CALLED,
            _COUNTS,
        ),
    ),
    "calls without an index": Served(
        _OLLAMA,
        sse(
            _ROLE,
            _opens(None, "call_1", '{"city": "Oslo"}'),
            _opens(None, "call_2", '{"city": "Bergen"}'),
            _CALLED,
            _COUNTS,
        ),
    ),
    "calls interleaved": Served(
        _GPT,
        sse(
            _ROLE,
            _opens(0, "call_1"),
            _opens(1, "call_2"),
            _piece(0, _OSLO[0]),
            _piece(1, _OSLO[0]),
            _piece(0, _OSLO[1]),
            _piece(1, _OSLO[1]),
            _CALLED,
            _COUNTS,
        ),
    ),
    "call that ends with stop": Served(
        _OLLAMA, sse(_ROLE, _opens(0, "call_1", '{"city": "Oslo"}'), _END, _COUNTS)
    ),
    "arguments as an object": Served(
        _OLLAMA, sse(_ROLE, _opens(0, "call_1", {"city": "Oslo"}), _CALLED, _COUNTS)
    ),
    "arguments cut by the limit": Served(
        _GPT,
        sse(*_RAIN, _opens(0, "call_1"), _piece(0, _OSLO[0]), _chunk({}, "length"), _COUNTS),
    ),
    "reasoning": Served(
        _DEEPSEEK,
        sse(
            _chunk({"role": "assistant", "content": None, "reasoning_content": "Wet"}),
            _chunk({"content": None, "reasoning_content": "."}),
            *_RAIN,
            _chunk({}, "stop", usage={**USAGE, "prompt_cache_hit_tokens": 12}),
        ),
    ),
    "empty data": Served(_GPT, sse(_ROLE, _RAIN[0], "data:\n\n", _RAIN[1], _END, _COUNTS)),
    "carriage returns": Served(_GPT, sse(_ROLE, *_RAIN, _END, _COUNTS).replace("\n", "\r\n")),
    "last event without a blank line": Served(
        _GPT, sse(_ROLE, *_RAIN, _END, _COUNTS, done=False).rstrip("\n")
    ),
    "without [DONE]": Served(_GPT, sse(_ROLE, *_RAIN, _END, _COUNTS, done=False)),
    "error in the middle": Served(
        _ROUTER,
        sse(
            _ROLE,
            _RAIN[0],
            _chunk({"content": ""}, "error", error={"code": 502, "message": "upstream"}),
        ),
    ),
    "error without an envelope": Served(
        _GROQ, sse(_ROLE, {"error": {"message": "over capacity", "type": "server_error"}})
    ),
    "error as a bare line": Served(
        _GROQ, sse(_ROLE, '{"error": {"message": "over capacity", "code": 503}}\n\n', done=False)
    ),
    "event stream that is called JSON": Served(
        _OLLAMA, sse(_ROLE, *_RAIN, _END, _COUNTS), {"content-type": "application/json"}
    ),
    "legacy call": Served(
        _GPT,
        sse(
            _ROLE,
            _chunk({"function_call": {"name": "weather", "arguments": ""}}),
            *(_chunk({"function_call": {"arguments": it}}) for it in _OSLO),
            _chunk({}, "function_call"),
            _COUNTS,
        ),
    ),
    "name after the arguments": Served(
        _OLLAMA,
        sse(
            _ROLE,
            _piece(0, _OSLO[0], id="call_1", type="function"),
            _piece(0, _OSLO[1], name="weather"),
            _CALLED,
            _COUNTS,
        ),
    ),
    "nothing but reasoning": Served(
        _DEEPSEEK,
        sse(
            _chunk({"role": "assistant", "content": None, "reasoning_content": "Wet."}),
            _chunk({}, "stop", usage=USAGE),
        ),
    ),
    "cut short": Served(_GPT, sse(_ROLE, _RAIN[0], done=False)),
}
