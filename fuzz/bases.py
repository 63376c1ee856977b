"""What is right, and odd things to put in its places: requests of each form, answers of each API.

A text that begins with RAW is written into the JSON as what follows it: so numbers and escapes
come there that no Python value has.
"""

from typing import Any, Final

RAW: Final = "raw:"

USER: Final = {"role": "user", "content": "How is the weather in Oslo?"}
SCHEMA: Final = {
    "type": "object",
    "properties": {"city": {"type": "string", "enum": ["Oslo", "Rome"]}},
    "required": ["city"],
}
FUNCTION: Final = {"name": "weather", "description": "The weather.", "parameters": SCHEMA}
CALL: Final = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
    "provider_state": {"provider": "p", "model": "m", "key": None, "state": '["x"]'},
}
PICTURE: Final = {"type": "image_url", "image_url": {"url": "https://1.1.1.1/cat.png"}}
DATA: Final = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8="}}
FILE: Final = {"type": "file", "file": {"filename": "a.pdf", "file_data": "aGVsbG8="}}

CHAT_REQUEST: Final[dict[str, Any]] = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "What?"}, PICTURE, DATA, FILE]},
        {"role": "assistant", "content": None, "tool_calls": [CALL, {**CALL, "id": "call_2"}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "sun"}]},
        {"role": "assistant", "content": "Rain.", "refusal": None, "note": {"a": [1]}},
        {**USER, "name": "me"},
    ],
    "tools": [{"type": "function", "function": FUNCTION}, {"type": "web_search"}],
    "tool_choice": {"type": "function", "function": {"name": "weather"}},
    "parallel_tool_calls": False,
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "place", "schema": SCHEMA, "strict": True},
    },
    "temperature": 0.5,
    "stop": ["END"],
    "seed": 7,
    "max_tokens": 100,
    "reasoning_effort": "low",
    "metadata": {"user_id": "u"},
    "logit_bias": {"1": 2},
}
RESPONSES_REQUEST: Final[dict[str, Any]] = {
    "instructions": "Be brief.",
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "What is this?"}]},
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_image", "image_url": "https://1.1.1.1/cat.png"}],
        },
        {
            "type": "function_call",
            "call_id": "call_1",
            "name": "weather",
            "arguments": '{"city": "Oslo"}',
        },
        {"type": "function_call_output", "call_id": "call_1", "output": "rain"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "abc"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "x"}},
        {"type": "item_reference", "id": "msg_1"},
    ],
    "tools": [{"type": "function", **FUNCTION}, {"type": "mcp", "server_label": "x"}],
    "tool_choice": "required",
    "text": {"format": {"type": "json_schema", "name": "p", "schema": SCHEMA}, "verbosity": "low"},
    "reasoning": {"effort": "low", "summary": "auto"},
    "include": ["reasoning.encrypted_content"],
    "previous_response_id": "resp_1",
    "mcp_servers": [{"server_label": "files", "server_url": "https://1.1.1.1/sse"}],
    "store": True,
    "stream": True,
}
MESSAGES_REQUEST: Final[dict[str, Any]] = {
    "system": [{"type": "text", "text": "Brief.", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
                {"type": "image", "source": {"type": "url", "url": "https://1.1.1.1/a.png"}},
                {
                    "type": "document",
                    "source": {"type": "text", "media_type": "text/plain", "data": "x"},
                    "citations": {"enabled": True},
                },
            ],
        },
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "t", "name": "weather", "input": {"a": 1}}],
            "provider_state": {"provider": "p", "model": "m", "key": None, "state": "[]"},
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "t", "content": "rain"}],
        },
    ],
    "tools": [{"name": "weather", "description": "x", "input_schema": SCHEMA}],
    "tool_choice": {"type": "tool", "name": "weather", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled", "budget_tokens": 2048},
    "output_config": {"effort": "high"},
    "stop_sequences": ["END", " "],
    "top_k": 3,
}
SHORT_REQUEST: Final[dict[str, Any]] = {
    "messages": [USER],
    "agent_id": "a",
    "task_type": "coder",
    "capabilities": ["vision"],
    "timeout": 60_000,
    "timestamp": "2026-01-01T00:00:00Z",
}
WRAPPED_REQUEST: Final[dict[str, Any]] = {"request": {"messages": [USER], "model": "auto"}, "x": 1}
REQUESTS: Final = (
    SHORT_REQUEST,
    CHAT_REQUEST,
    RESPONSES_REQUEST,
    MESSAGES_REQUEST,
    WRAPPED_REQUEST,
)

CHAT_ANSWER: Final[dict[str, Any]] = {
    "id": "chatcmpl-1",
    "model": "m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "message": {
                "role": "assistant",
                "content": [{"type": "text", "text": "a"}],
                "reasoning_content": "hm",
                "reasoning_details": [{"type": "reasoning.text", "text": "hm", "index": 0}],
                "tool_calls": [CALL, {**CALL, "id": "call_2"}],
                "annotations": [{"type": "url_citation", "url": "u"}],
            },
        }
    ],
    "usage": {
        "prompt_tokens": 1,
        "completion_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 1, "audio_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 1},
        "cost": 0.1,
    },
}
_DELTA_CALL: Final = {"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"a": '}}
CHAT_EVENTS: Final[list[Any]] = [
    {"id": "x", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "a"}}]},
    {"choices": [{"index": 0, "delta": {"content": "b", "reasoning_content": "hm"}}]},
    {"choices": [{"delta": {"reasoning_details": [{"type": "reasoning.text", "text": "x"}]}}]},
    {"choices": [{"delta": {"tool_calls": [_DELTA_CALL]}}]},
    {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]}}]},
    {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]},
    {"choices": [], "usage": CHAT_ANSWER["usage"]},
]
RESPONSES_ANSWER: Final[dict[str, Any]] = {
    "id": "r",
    "object": "response",
    "status": "completed",
    "incomplete_details": None,
    "error": None,
    "output": [
        {"type": "reasoning", "id": "i", "summary": [], "encrypted_content": "e"},
        {"type": "message", "content": [{"type": "output_text", "text": "a", "annotations": []}]},
        {"type": "function_call", "call_id": "c", "id": "i", "name": "n", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "d", "name": "n", "input": "x"},
        {"type": "code_interpreter_call", "id": "i", "container_id": "c"},
        {"type": "web_search_call", "id": "w", "status": "completed", "action": {"type": "search"}},
    ],
    "usage": {"input_tokens": 1, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 1}},
}
RESPONSES_EVENTS: Final[list[Any]] = [
    {"type": "response.created", "response": {"id": "r", "status": "in_progress"}},
    {"type": "response.output_item.added", "output_index": 0, "item": {"type": "message"}},
    {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "a"},
    {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "b"},
    {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": "{"},
    {"type": "response.output_item.done", "output_index": 0, "item": {"type": "message"}},
    {
        "type": "response.output_item.done",
        "output_index": 1,
        "item": RESPONSES_ANSWER["output"][2],
    },
    {"type": "response.completed", "response": RESPONSES_ANSWER},
]
MESSAGES_ANSWER: Final[dict[str, Any]] = {
    "id": "m",
    "type": "message",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "a", "citations": [{"type": "char_location"}]},
        {"type": "tool_use", "id": "t", "name": "n", "input": {"a": 1}},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
    ],
    "stop_reason": "end_turn",
    "usage": {
        "input_tokens": 1,
        "output_tokens": 1,
        "cache_creation": {"ephemeral_1h_input_tokens": 1},
        "server_tool_use": {"web_search_requests": 1},
    },
}
MESSAGES_EVENTS: Final[list[Any]] = [
    {
        "type": "message_start",
        "message": {**MESSAGES_ANSWER, "content": [], "stop_reason": None},
    },
    {"type": "ping"},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "a"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "b"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "tool_use", "id": "t", "name": "n", "input": {}},
    },
    {
        "type": "content_block_delta",
        "index": 1,
        "delta": {"type": "input_json_delta", "partial_json": "{}"},
    },
    {"type": "content_block_start", "index": 2, "content_block": {"type": "thinking"}},
    {
        "type": "content_block_delta",
        "index": 2,
        "delta": {"type": "thinking_delta", "thinking": "x"},
    },
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}},
    {"type": "message_stop"},
]
GEMINI_ANSWER: Final[dict[str, Any]] = {
    "candidates": [
        {
            "index": 0,
            "content": {
                "role": "model",
                "parts": [
                    {"text": "a", "thought": True, "thoughtSignature": "s"},
                    {"text": "b"},
                    {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "s"},
                    {"executableCode": {"language": "PYTHON", "code": "1"}},
                    {"inlineData": {"mimeType": "image/png", "data": "aGVsbG8="}},
                ],
            },
            "groundingMetadata": {"webSearchQueries": ["q"], "groundingChunks": [{"maps": {}}]},
            "finishReason": "STOP",
        }
    ],
    "usageMetadata": {
        "promptTokenCount": 1,
        "candidatesTokenCount": 2,
        "thoughtsTokenCount": 1,
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 1}],
    },
    "modelVersion": "m",
    "responseId": "r",
}
ERRORS: Final[tuple[Any, ...]] = (
    {"error": {"message": "'temperature' is not supported with this model", "code": "x"}},
    {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [{"retryDelay": "1.5s"}]}},
    {"detail": [{"loc": ["body", "top_k"], "msg": "Extra inputs are not permitted", "type": "x"}]},
    {"message": {"detail": [{"msg": "x"}]}},
    {"error": {"message": "x", "metadata": {"raw": '{"error": {"message": "y"}}'}}},
    {"errors": [{"message": "x"}], "type": "error"},
)
ANSWERS: Final = {
    "chat": (CHAT_ANSWER, CHAT_EVENTS),
    "responses": (RESPONSES_ANSWER, RESPONSES_EVENTS),
    "messages": (MESSAGES_ANSWER, MESSAGES_EVENTS),
    "gemini": (GEMINI_ANSWER, [GEMINI_ANSWER, GEMINI_ANSWER]),
}

ODD: Final[tuple[Any, ...]] = (
    None,
    True,
    -1,
    0,
    1.5,
    2**31,
    2**70,
    "",
    "x",
    "a\x00b",
    "\x1b]0;owned\x07\x1b[2J\r\n\u202eabc",
    "[/x] [bold red]",
    "[/",
    "'; DROP TABLE nexus.requests; --%s{0}",
    "../../etc/passwd\n",
    "data:image/png;base64,AAAA",
    "https://1.1.1.1/x",
    "http://127.0.0.1:1/",
    "https://[::1",
    "{" * 50,
    '{"error": {"message": "x"}}',
    "٣",
    [],
    [None],
    ["x"],
    [[]],
    {},
    {"a": 1},
    {"type": "x"},
    {"type": ["x"]},
    {"": {"": ""}},
    {"raw": {"error": "x"}},
    RAW + "1e999",
    RAW + "1e300",
    RAW + "-0.0",
    RAW + "1e-16000",
    RAW + "1" * 400,
    RAW + "1e20000",
    RAW + '"\\ud800"',
    RAW + '"\\u0000"',
    RAW + '"\\udc00\\ud800"',
    RAW + "[" * 99 + "]" * 99,
    RAW + '{"a":' * 101 + "1" + "}" * 101,
    RAW + "[" * 5000 + "]" * 5000,
    RAW + '{"a": 1, "a": {"a": 2, "a": 3}}',
    RAW + '{"request_id": "x", "request_id": 3}',
)
