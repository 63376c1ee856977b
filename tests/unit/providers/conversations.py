"""Requests of every kind that producers send: each API must be able to say each, or refuse it."""

from typing import Any, Final

USER: Final = {"role": "user", "content": "What is in this picture?"}
PNG: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "YPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
SCHEMA: Final = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
FUNCTION: Final = {
    "name": "weather",
    "description": "The weather in a city.",
    "parameters": SCHEMA,
    "strict": True,
}
NESTED: Final = {"type": "function", "function": FUNCTION}
FLAT: Final = {"type": "function", **FUNCTION}
CALL: Final = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
}
CALLED: Final = (
    {"role": "user", "content": "How is the weather in Oslo?"},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
)


def _user(*parts: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    return ({"role": "user", "content": list(parts)},)


EVERY_KIND: Final[dict[str, dict[str, Any]]] = {
    "text": {"messages": (USER,)},
    "system": {"messages": ({"role": "system", "content": "Be brief."}, USER)},
    "system in the middle": {
        "messages": (USER, {"role": "system", "content": "Be brief."}, USER),
    },
    "dialogue": {"messages": (USER, {"role": "assistant", "content": "A cat."}, USER)},
    "system parts": {
        "messages": ({"role": "system", "content": [{"type": "text", "text": "Brief."}]}, USER)
    },
    "parts": {"messages": _user({"type": "text", "text": "a"}, {"type": "text", "text": "b"})},
    "image by URL": {
        "messages": _user(
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "https://img.example/cat.png"}},
        )
    },
    "image as data": {
        "messages": _user(
            {
                "type": "image_url",
                "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"},
            },
            {"type": "text", "text": "What is this?"},
        )
    },
    "image of the Responses API": {
        "messages": _user(
            {"type": "input_text", "text": "What is this?"},
            {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"},
        )
    },
    "nested tool": {"messages": (USER,), "tools": (NESTED,), "tool_choice": "auto"},
    "flat tool": {"messages": (USER,), "tools": (FLAT,), "tool_choice": "required"},
    "no tool": {"messages": (USER,), "tools": (NESTED,), "tool_choice": "none"},
    "named tool": {
        "messages": (USER,),
        "tools": (NESTED,),
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "parallel_tool_calls": False,
    },
    "tool call and result": {"messages": CALLED, "tools": (NESTED,)},
    "two calls at once": {
        "messages": (
            CALLED[0],
            {
                "role": "assistant",
                "content": "Both.",
                "tool_calls": [CALL, {**CALL, "id": "call_2"}],
            },
            CALLED[2],
            {"role": "tool", "tool_call_id": "call_2", "content": "sun"},
            {"role": "user", "content": "So?"},
        ),
        "tools": (NESTED,),
    },
    "JSON object": {"messages": (USER,), "response_format": {"type": "json_object"}},
    "nested JSON schema": {
        "messages": (USER,),
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "place", "schema": SCHEMA, "strict": True},
        },
    },
    "flat JSON schema": {
        "messages": (USER,),
        "response_format": {"type": "json_schema", "name": "place", "schema": SCHEMA},
    },
    "sampling": {
        "messages": (USER,),
        "temperature": 0.7,
        "top_p": 0.9,
        "stop": ("END", "STOP"),
        "seed": 7,
    },
    "limit": {"messages": (USER,), "max_tokens": 4000},
    "little thinking": {"messages": (USER,), "reasoning_effort": "low", "max_tokens": 4000},
    "much thinking": {"messages": (USER,), "reasoning_effort": "high"},
    "conversation": {
        "messages": (USER,),
        "previous_response_id": "resp_1",
        "store": True,
    },
    "MCP servers": {
        "messages": (USER,),
        "mcp_servers": (
            {
                "server_label": "files",
                "server_url": "https://mcp.example/sse",
                "allowed_tools": ["read"],
            },
        ),
    },
    "built-in tool": {"messages": (USER,), "tools": ({"type": "web_search"}, NESTED)},
}
"""Fields of an `LLMRequest`, by what is particular about them."""
