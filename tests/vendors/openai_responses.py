"""OpenAI's Responses API. https://developers.openai.com/api/docs/api-reference/responses"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from pydantic import ValidationError

from tests.http_server import Reply
from tests.lazy import Lazy
from tests.unit.providers.oracles import check_body
from tests.vendors import openai_rules as rules
from tests.vendors.openai_models import Facts, facts
from tests.vendors.openai_rules import Body, Complaint

params = Lazy("openai.types.responses.response_create_params")
_SAID: Final = ("message", "function_call", "custom_tool_call")
_ENCRYPTED: Final = "reasoning.encrypted_content"
_ISSUED: Final = "sealed by {model}: "
"""How the thoughts begin that this server has encrypted."""


@cache
def _known() -> frozenset[str]:
    """The names of the fields that a request may have."""
    return frozenset({*params.ResponseCreateParamsBase.__annotations__, "stream"})


def complaint(body: Body) -> Complaint | None:
    """The first rule that is broken."""
    if (wrong := rules.unknown(body, _known())) is not None:
        return wrong
    for name in ("model", "input"):
        if not body.get(name):
            return Complaint(f"Missing required parameter: '{name}'.", name)
    known = facts(body["model"])
    return next((it for rule in _RULES for it in rule(body, known)), None)


def _fields(body: Body, known: Facts) -> Iterator[Complaint]:
    """https://developers.openai.com/api/docs/guides/reasoning"""
    reasoning = body.get("reasoning") or {}
    asked = reasoning.get("effort")
    yield from rules.effort(body, asked, "reasoning.effort", known)
    if reasoning.get("summary") and not known.reasons and not known.optional_only:
        yield rules.unsupported("reasoning.summary")
    yield from rules.samplers(body, known, asked or known.default)
    text = body.get("text") or {}
    yield from rules.verbosity(body, text.get("verbosity"), "text.verbosity", known)
    yield from rules.limit(body.get("max_output_tokens"), "max_output_tokens", known, 16)
    if "parallel_tool_calls" in body and not known.parallel:
        yield rules.unsupported("parallel_tool_calls")
    if _ENCRYPTED in body.get("include", ()) and not known.reasons:
        yield Complaint("Encrypted content is not supported with this model.", "include")
    if body.get("previous_response_id") and body.get("store") is False:
        yield Complaint("Previous response cannot be used.", "previous_response_id")
    yield from rules.account(body)


def _output(body: Body, _: Facts) -> Iterator[Complaint]:
    form = (body.get("text") or {}).get("format") or {}
    if form.get("type") == "json_schema":
        yield from rules.schema(form, "text.format")
    yield from rules.says_json(form.get("type"), body["input"], "text.format")
    if body.get("tool_choice") is not None and not body.get("tools"):
        yield Complaint("Tool choice must be specified with 'tools' parameter.", "tool_choice")


def _items(body: Body, _: Facts) -> Iterator[Complaint]:
    items = body["input"] if isinstance(body["input"], list) else []
    called: set[str] = set()
    for place, item in enumerate(items):
        kind, path = item.get("type", "message"), f"input[{place}]"
        call_id = item.get("call_id")
        if call_id is not None and (wrong := rules.too_long(f"{path}.call_id", call_id, 64)):
            yield wrong
        if kind in ("function_call", "custom_tool_call"):
            called.add(call_id)
        elif kind in ("function_call_output", "custom_tool_call_output"):
            if call_id not in called and not body.get("previous_response_id"):
                yield Complaint(f"No tool call found for output with call_id {call_id}.", "input")
            called.discard(call_id)
        elif kind == "reasoning":
            yield from _reasoning(body["model"], items, place)
    if called:
        yield Complaint(f"No tool output found for function call {min(called)}.", "input")


def _reasoning(model: str, items: list[Any], place: int) -> Iterator[Complaint]:
    """https://developers.openai.com/api/docs/guides/reasoning#encrypted-reasoning-items: they go
    back with what followed them, to the model that made them."""
    item = items[place]
    rest = [it.get("type", "message") for it in items[place + 1 :]]
    followed = next((kind for kind in rest if kind != "reasoning"), None)
    if followed not in _SAID:
        message = f"Item '{item['id']}' of type 'reasoning' was provided without its required item."
        yield Complaint(message, "input")
    ids = [it.get("id") for it in items if it.get("type") == "reasoning"]
    if ids.count(item.get("id")) > 1:
        yield Complaint(f"Duplicate item found with id {item['id']}.", "input")
    sealed = item.get("encrypted_content")
    if not isinstance(sealed, str) or not sealed.startswith(_ISSUED.format(model=model)):
        message = f"The encrypted content for item {item.get('id')} could not be verified."
        yield Complaint(message, None, "invalid_encrypted_content")


def _media(body: Body, _: Facts) -> Iterator[Complaint]:
    """https://developers.openai.com/api/docs/guides/images-vision"""
    for place, item in enumerate(body["input"] if isinstance(body["input"], list) else ()):
        content = item.get("content") or item.get("output")
        for at, part in enumerate(content if isinstance(content, list) else ()):
            if "file_data" in part and "." not in part.get("filename", ""):
                path = f"input[{place}].content[{at}].filename"
                yield Complaint(f"Missing required parameter: '{path}'.", path)
            for name in ("image_url", "file_data"):
                url = part.get(name)
                fetched = name == "image_url" and str(url).startswith(("https://", "http://"))
                if url is not None and not fetched and not rules.DATA.fullmatch(url):
                    path = f"input[{place}].content[{at}].{name}"
                    yield Complaint(f"Invalid '{path}'.", path, "invalid_base64")


def _shape(body: Body, _: Facts) -> Iterator[Complaint]:
    """Whatever the official client could not send."""
    stream = body.get("stream")
    wanted = (
        params.ResponseCreateParamsStreaming if stream else params.ResponseCreateParamsNonStreaming
    )
    try:
        check_body(wanted, body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = ".".join(map(str, first["loc"]))
        yield Complaint(f"Invalid type for '{path}': {first['msg']}.", path, "invalid_type")


_RULES: Final = (_fields, _output, _items, _media, _shape)


def answer(body: Body) -> Reply:
    """A thought, where it thinks; then a call of the first function, or text, or JSON."""
    response = _response(body, _said(body))
    return _streamed(response) if body.get("stream") else Reply(body=response)


def _response(body: Body, output: list[dict[str, Any]]) -> dict[str, Any]:
    known = facts(body["model"])
    tier = {"fast": "priority", "auto": "default"}.get(
        body.get("service_tier", "auto"), body.get("service_tier")
    )
    return {
        "id": "resp_7",
        "object": "response",
        "created_at": 1_790_000_000,
        "model": body["model"],
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "output": output,
        "parallel_tool_calls": body.get("parallel_tool_calls", known.parallel),
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools", []),
        "service_tier": tier,
        "usage": {
            "input_tokens": 20,
            "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 0},
            "output_tokens": 9,
            "output_tokens_details": {"reasoning_tokens": 5 if known.reasons else 0},
            "total_tokens": 29,
        },
    }


def _said(body: Body) -> list[dict[str, Any]]:
    known = facts(body["model"])
    step = len(body["input"]) if isinstance(body["input"], list) else 1
    effort = (body.get("reasoning") or {}).get("effort") or known.default
    output: list[dict[str, Any]] = []
    if known.reasons and effort != "none":
        sealed = f"{_ISSUED.format(model=body['model'])}{step}"
        asked = _ENCRYPTED in body.get("include", ())
        more = {"encrypted_content": sealed} if asked else {}
        output.append({"type": "reasoning", "id": f"rs_{step}", "summary": [], **more})
    function = _first_function(body)
    if function is not None:
        required = (function.get("parameters") or {}).get("required", ())
        called = {
            "type": "function_call",
            "id": f"fc_{step}",
            "call_id": f"call_{step}",
            "name": function["name"],
            "arguments": json.dumps(dict.fromkeys(required, "Oslo")),
            "status": "completed",
        }
        return [*output, called]
    form = (body.get("text") or {}).get("format", {"type": "text"})
    text = "Hello there." if form["type"] == "text" else '{"city": "Oslo"}'
    message = {
        "type": "message",
        "id": f"msg_{step}",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }
    return [*output, message]


def _first_function(body: Body) -> Mapping[str, Any] | None:
    last = body["input"][-1] if isinstance(body["input"], list) else {}
    if str(last.get("type")).endswith("_output") or body.get("tool_choice") == "none":
        return None
    return next((it for it in body.get("tools") or () if it.get("type") == "function"), None)


def _streamed(response: dict[str, Any]) -> Reply:
    """https://developers.openai.com/api/docs/guides/streaming-responses"""
    begun = {**response, "status": "in_progress", "output": [], "usage": None}
    events: list[dict[str, Any]] = [
        {"type": f"response.{kind}", "response": begun} for kind in ("created", "in_progress")
    ]
    for place, item in enumerate(response["output"]):
        where = {"output_index": place, "item_id": item["id"]}
        events.append({"type": "response.output_item.added", "output_index": place, "item": item})
        if item["type"] == "message":
            text = item["content"][0]["text"]
            events += [
                {"type": "response.output_text.delta", "content_index": 0, "delta": it, **where}
                for it in (text[:3], text[3:])
            ]
        elif item["type"] == "function_call":
            kind = "response.function_call_arguments.delta"
            events.append({"type": kind, "delta": item["arguments"], **where})
        events.append({"type": "response.output_item.done", "output_index": place, "item": item})
    events.append({"type": "response.completed", "response": response})
    numbered = ({**event, "sequence_number": at} for at, event in enumerate(events))
    text = "".join(f"event: {it['type']}\ndata: {json.dumps(it)}\n\n" for it in numbered)
    return Reply(body=text, headers={"content-type": "text/event-stream"})
