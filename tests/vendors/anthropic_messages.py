"""Rules for messages of Anthropic's side. https://platform.claude.com/docs/en/api/messages/create"""

import re
from collections.abc import Iterator
from typing import Final

from tests.vendors.anthropic_blocks import (
    SIGNED,
    Body,
    listed,
    must,
    signature,
    thinks_by_request,
)
from tests.vendors.anthropic_models import Claude

_KEYS: Final = {
    "text": ({"text"}, {"cache_control", "citations"}),
    "image": ({"source"}, {"cache_control", "transformations"}),
    "document": ({"source"}, {"cache_control", "title", "context", "citations"}),
    "thinking": ({"thinking", "signature"}, set[str]()),
    "redacted_thinking": ({"data"}, set[str]()),
    "tool_use": ({"id", "name", "input"}, {"cache_control", "caller"}),
    "tool_result": ({"tool_use_id"}, {"content", "is_error", "cache_control"}),
}
"""For each type of block what it must have, and what it may."""
_USER: Final = ("text", "image", "document", "tool_result")
_ASSISTANT: Final = ("text", "thinking", "redacted_thinking", "tool_use")
_SOURCES: Final = {
    "image": {
        "base64": {"media_type", "data"},
        "url": {"url"},
        "file": {"file_id"},
    },
    "document": {
        "base64": {"media_type", "data"},
        "text": {"media_type", "data"},
        "url": {"url"},
        "file": {"file_id"},
    },
}
_MEDIA: Final = {
    ("image", "base64"): ("image/jpeg", "image/png", "image/gif", "image/webp"),
    ("document", "base64"): ("application/pdf",),
    ("document", "text"): ("text/plain",),
}


def messages_rule(body: Body, model: Claude, version: str) -> None:
    messages = body["messages"]
    must(messages, "messages: at least one message is required")
    for message in messages:
        must(message.keys() == {"role", "content"}, "messages: Extra inputs are not permitted")
        must(message["role"] in ("user", "assistant"), "messages.role")
        must(message["content"], "all messages must have non-empty content")
        allowed = _USER if message["role"] == "user" else _ASSISTANT
        for block in listed(message["content"]):
            _block(block, allowed)
    _system(body)
    _pairs(messages)
    last = messages[-1]
    if last["role"] == "assistant":
        # .../docs/en/api/errors#prefill-not-supported
        must(model.prefill, "This model does not support assistant message prefill.")
        must(not thinks_by_request(body), "prefill is not compatible with thinking")
        end = listed(last["content"])[-1]
        must(
            end["type"] != "text" or not end["text"][-1:].isspace(),
            "final assistant content cannot end with trailing whitespace",
        )


def _system(body: Body) -> None:
    for block in listed(body.get("system", ())):
        _block(block, ("text",))


def _block(block: Body, allowed: tuple[str, ...]) -> None:
    kind = block.get("type")
    must(kind in allowed, f"messages.content: {kind} is not allowed here")
    needed, possible = _KEYS[str(kind)]
    keys = block.keys() - {"type"}
    must(needed <= keys <= needed | possible, f"messages.content.{kind}: {sorted(keys)}")
    match kind:
        case "text":
            must(block["text"].strip(), "text content blocks must contain non-whitespace text")
        case "image" | "document":
            _source(str(kind), block["source"])
        case "thinking":
            must(block["signature"], "messages.content.thinking.signature: Field required")
        case "redacted_thinking":
            must(block["data"], "messages.content.redacted_thinking.data: Field required")
        case "tool_use":
            must(re.fullmatch(r"[a-zA-Z0-9_-]+", block["id"]), "tool_use.id: pattern")
            must(isinstance(block["input"], dict), "tool_use.input: valid dictionary")
        case "tool_result":
            for part in listed(block.get("content", ())):
                _block(part, ("text", "image", "document"))
                # .../docs/en/build-with-claude/prompt-caching#what-cannot-be-cached
                must("cache_control" not in part, "cache_control inside of a tool_result")


def _source(kind: str, source: Body) -> None:
    form = source.get("type")
    keys = _SOURCES[kind].get(str(form))
    must(keys is not None and source.keys() - {"type"} == keys, f"{kind}.source: {form}")
    media = _MEDIA.get((kind, str(form)))
    must(media is None or source["media_type"] in media, f"{kind}.source.media_type")


def _pairs(messages: list[Body]) -> None:
    """.../docs/en/agents-and-tools/tool-use/handle-tool-calls: results right after their calls,
    before all else in their message."""
    waiting: list[str] = []
    seen: set[str] = set()
    for message in messages:
        blocks = listed(message["content"])
        results = [it["tool_use_id"] for it in blocks if it["type"] == "tool_result"]
        must(
            sorted(results) == sorted(waiting),
            "`tool_use` ids were found without `tool_result` blocks immediately after",
        )
        must(
            all(block["type"] == "tool_result" for block in blocks[: len(results)]),
            "tool_result blocks must come first",
        )
        waiting = [it["id"] for it in blocks if it["type"] == "tool_use"]
        must(len(set(waiting)) == len(waiting), "`tool_use` ids must be unique")
        must(not seen & set(waiting), "`tool_use` ids must be unique")
        seen |= set(waiting)
    must(not waiting, "`tool_use` ids were found without `tool_result` blocks")


def thoughts_rule(body: Body, model: Claude, version: str) -> None:
    """.../docs/en/build-with-claude/thinking: unmodified and in their order; in front of the calls
    where a budget was set; on newer models nothing before them may have changed."""
    messages = body["messages"]
    for place, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        blocks = listed(message["content"])
        must(
            blocks[-1]["type"] not in ("thinking", "redacted_thinking"),
            "The final block in an assistant message cannot be `thinking`.",
        )
        for at, block in enumerate(blocks):
            if block["type"] == "thinking":
                made = signature(body, place, blocks[:at], block["thinking"])
                must(block["signature"].startswith(SIGNED), "Invalid `signature`")
                if model.bound:
                    must(block["signature"] == made, "The block is bound to other content")
    if body.get("thinking", {}).get("type") == "enabled" and len(messages) > 1:
        results = listed(messages[-1]["content"])[0]["type"] == "tool_result"
        first = listed(messages[-2]["content"])[0]["type"]
        must(
            not results or first in ("thinking", "redacted_thinking"),
            "Expected `thinking` or `redacted_thinking`, but found `tool_use`.",
        )


def caching_rule(body: Body, model: Claude, version: str) -> None:
    # .../docs/en/build-with-claude/prompt-caching
    marks = [block["cache_control"] for block in _markable(body) if block.get("cache_control")]
    if body.get("cache_control"):
        marks.append(body["cache_control"])
    must(len(marks) <= 4, f"A maximum of 4 blocks with cache_control may be provided. {len(marks)}")
    short = False
    for mark in marks:
        must(mark.get("type") == "ephemeral" and mark.keys() <= {"type", "ttl"}, "cache_control")
        ttl = mark.get("ttl", "5m")
        must(ttl in ("5m", "1h"), "cache_control.ephemeral.ttl")
        must(not (short and ttl == "1h"), "a ttl='1h' block must not come after a ttl='5m' block")
        short = short or ttl == "5m"


def _markable(body: Body) -> Iterator[Body]:
    yield from body.get("tools", ())
    yield from listed(body.get("system", ()))
    for message in body["messages"]:
        yield from listed(message["content"])
