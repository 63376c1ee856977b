"""Answers of Anthropic's side."""

import json

from tests.http_server import Reply
from tests.vendors.anthropic_blocks import Body, listed, signature
from tests.vendors.anthropic_models import claude
from tests.vendors.anthropic_schemas import plausible


def answered(body: Body) -> Reply:
    """The answer to a call that breaks no rule."""
    content = _content(body)
    calls = any(block["type"] == "tool_use" for block in content)
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": content,
        "stop_reason": "tool_use" if calls else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1000, "output_tokens": 100, "service_tier": "standard"},
    }
    return _streamed(message) if body.get("stream") else Reply(body=message)


def _content(body: Body) -> list[Body]:
    """Thinking where it thinks, a call of the first tool in a first turn, JSON by a schema."""
    model = claude(body["model"])
    form = body.get("thinking", {}).get("type")
    content: list[Body] = []
    if form in ("adaptive", "enabled") or (form is None and model is not None and model.on):
        _think(body, content, "Let me think.")
    last = listed(body["messages"][-1]["content"])
    choice = body.get("tool_choice", {"type": "auto"})
    wanted = body.get("output_config", {}).get("format")
    if body.get("tools") and choice["type"] != "none" and last[0]["type"] != "tool_result":
        tools = {tool["name"]: tool for tool in body["tools"]}
        tool = tools[choice.get("name", body["tools"][0]["name"])]
        given = plausible(tool["input_schema"], tool["input_schema"])
        if content:  # between calls it thinks, too
            content.append({"type": "text", "text": "I look it up."})
            _think(body, content, "The weather, then.")
        number = sum(message["role"] == "assistant" for message in body["messages"])
        call = {"type": "tool_use", "id": f"toolu_{number}", "name": tool["name"], "input": given}
        return [*content, call]
    text = "Mild." if wanted is None else json.dumps(plausible(wanted["schema"], wanted["schema"]))
    return [*content, {"type": "text", "text": text}]


def _think(body: Body, content: list[Body], thinking: str) -> None:
    made = signature(body, len(body["messages"]), list(content), thinking)
    content.append({"type": "thinking", "thinking": thinking, "signature": made})


def _streamed(message: Body) -> Reply:
    # .../docs/en/build-with-claude/streaming
    start = {**message, "content": [], "stop_reason": None, "usage": {**message["usage"]}}
    start["usage"]["output_tokens"] = 1
    events: list[Body] = [{"type": "message_start", "message": start}, {"type": "ping"}]
    for index, block in enumerate(message["content"]):
        empty, deltas = _pieces(block)
        events.append({"type": "content_block_start", "index": index, "content_block": empty})
        events += [{"type": "content_block_delta", "index": index, "delta": it} for it in deltas]
        events.append({"type": "content_block_stop", "index": index})
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    events.append({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 100}})
    events.append({"type": "message_stop"})
    text = "".join(f"event: {it['type']}\ndata: {json.dumps(it)}\n\n" for it in events)
    return Reply(body=text, headers={"content-type": "text/event-stream"})


def _pieces(block: Body) -> tuple[Body, list[Body]]:
    match block["type"]:
        case "thinking":
            text, made = block["thinking"], block["signature"]
            return {"type": "thinking", "thinking": "", "signature": ""}, [
                {"type": "thinking_delta", "thinking": text[:3]},
                {"type": "thinking_delta", "thinking": text[3:]},
                {"type": "signature_delta", "signature": made},
            ]
        case "tool_use":
            text = json.dumps(block["input"])
            pieces = ("", text[:4], text[4:])
            return {**block, "input": {}}, [
                {"type": "input_json_delta", "partial_json": piece} for piece in pieces
            ]
        case _:
            text = block["text"]
            return {"type": "text", "text": ""}, [
                {"type": "text_delta", "text": piece} for piece in (text[:2], text[2:])
            ]
