"""Google's side: generateContent and streamGenerateContent.

https://ai.google.dev/api/generate-content. The rules by model are `gemini_models.py`'s, names of
members are `gemini_shape.py`'s. An error is `{"error": {code, message, status, details}}`; where
the call streams without `alt=sse`, a list of one.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tests.http_server import Recorded, Reply
from tests.vendors.gemini_models import Facts, facts
from tests.vendors.gemini_shape import misnamed

Body = Mapping[str, Any]
Parts = list[dict[str, Any]]

_PATH: Final = re.compile(
    r"/v1beta/models/(?P<model>[^/:?]+):(?P<method>generateContent|streamGenerateContent)"
    r"(?P<sse>\?alt=sse)?"
)
_UNCHECKED: Final = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")
"""https://ai.google.dev/gemini-api/docs/thought-signatures#faqs"""
_MEDIA: Final = re.compile(
    # https://ai.google.dev/gemini-api/docs/{image,audio,document}-understanding
    r"image/(png|jpeg|webp|heic|heif)|audio/(wav|mp3|mpeg|aiff|aac|ogg|flac)"
    r"|application/pdf|text/(plain|html|css|csv|xml|markdown)|video/.*"
)


def answer(request: Recorded) -> Reply:
    found = _PATH.fullmatch(request.path)
    if request.method != "POST" or found is None:
        return _error(404, "NOT_FOUND", f"no such method: {request.path}")
    if "x-goog-api-key" not in request.headers:
        return _error(403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers.")
    body, known = request.json, facts(found["model"])
    if not isinstance(body, dict):
        return _error(400, "INVALID_ARGUMENT", "Invalid JSON payload received.")
    if (wrong := misnamed(body)) is not None:
        where, name = wrong
        message = f"Invalid JSON payload received. Unknown name \"{name}\" at '{where}'"
        return _error(400, "INVALID_ARGUMENT", f"{message}: Cannot find field.", where)
    if known is None:
        return _error(404, "NOT_FOUND", f"models/{found['model']} is not found.")
    broken = next((it for rule in _RULES for it in rule(body, known, found["model"])), None)
    if broken is not None:
        return _error(400, "INVALID_ARGUMENT", broken)
    said = _said(body, found["model"], known)
    if found["method"] == "generateContent":
        return Reply(body=_whole(said, found["model"]))
    if found["sse"]:
        return _streamed(said, found["model"])
    return Reply(body=[_whole(said, found["model"])])


def _error(code: int, status: str, message: str, field: str | None = None) -> Reply:
    violation = {"field": field, "description": message}
    kind = "type.googleapis.com/google.rpc.BadRequest"
    details = {"details": [{"@type": kind, "fieldViolations": [violation]}]} if field else {}
    error = {"code": code, "message": message, "status": status, **details}
    return Reply(status=code, body={"error": error})


# ---------------------------------------------------------------- rules


def _turns(body: Body, known: Facts, _: str) -> Iterator[str]:
    """https://ai.google.dev/gemini-api/docs/function-calling: calls after a user's turn, then as
    many results, together."""
    contents = body.get("contents")
    if not contents:
        yield "contents is not specified"
        return
    before: Parts = []
    for turn in contents:
        parts = turn.get("parts") or []
        if turn.get("role", "user") not in ("user", "model"):
            yield "Please use a valid role: user, model."
        if not parts:
            yield "contents.parts must not be empty."
        calls = [it for it in before if "functionCall" in it]
        results = [it for it in parts if "functionResponse" in it]
        # https://ai.google.dev/gemini-api/docs/function-calling#multimodal: Gemini 3 alone
        if not known.signatures and any("parts" in it["functionResponse"] for it in results):
            yield "Multimodal function responses are not supported for this model."
        if len(calls) != len(results):
            yield (
                "Please ensure that the number of function response parts is equal to the number"
                " of function call parts of the function call turn."
            )
        names = [it["functionCall"]["name"] for it in calls]
        if sorted(names) != sorted(it["functionResponse"]["name"] for it in results):
            yield "Function response names do not match."
        before = parts
    last = contents[-1]
    if last.get("role") == "model" and not known.begun:
        yield "Requests ending with a model turn are not supported."


def _signatures(body: Body, known: Facts, model: str) -> Iterator[str]:
    """https://ai.google.dev/gemini-api/docs/thought-signatures: of the calls made at once the first
    has one; it is the very one that was sent out with it."""
    for turn in body["contents"]:
        parts = turn["parts"]
        calls = [it for it in parts if "functionCall" in it]
        if calls and known.signatures and "thoughtSignature" not in calls[0]:
            yield (
                "Function call is missing a thought_signature in functionCall parts. This is"
                " required for tools to work correctly."
            )
        for part in parts:
            signature = part.get("thoughtSignature")
            if signature is not None and signature not in _UNCHECKED:
                yield from _corrupted(signature, part, model)


def _corrupted(signature: str, part: Mapping[str, Any], model: str) -> Iterator[str]:
    if signature != _signature(part, model):
        yield "Thought signature is not valid."


def _signature(part: Mapping[str, Any], model: str) -> str:
    """That of this very part, by this model."""
    call = part.get("functionCall")
    said = part.get("text") if call is None else call["name"]
    return base64.b64encode(f"{model}: {said}".encode()).decode()


def _output(body: Body, known: Facts, _: str) -> Iterator[str]:
    """https://ai.google.dev/gemini-api/docs/structured-output: with tools, Gemini 3 alone."""
    declared = any(it.get("functionDeclarations") for it in body.get("tools") or ())
    wanted = "responseMimeType" in (body.get("generationConfig") or {})
    if declared and wanted and not known.signatures:
        yield "Function calling with a response mime type: 'application/json' is unsupported"


def _config(body: Body, known: Facts, _: str) -> Iterator[str]:
    config = body.get("generationConfig") or {}
    for name in ("presencePenalty", "frequencyPenalty"):
        if name in config and not known.penalties:
            yield "Penalty is not enabled for this model"
    for name in ("temperature", "topP", "topK"):
        if name in config and not known.samplers:
            yield f"{name} is not supported by this model."
    if len(config.get("stopSequences", ())) > 5:
        yield "The number of stop sequences must be at most 5."
    most = config.get("maxOutputTokens", 1)
    if not 0 < most <= known.most:
        yield f"max_output_tokens must be between 1 and {known.most}."
    if not -(2**31) <= config.get("seed", 0) < 2**31:
        yield "Invalid value at 'generation_config.seed' (TYPE_INT32)."
    if "responseJsonSchema" in config and config.get("responseMimeType") != "application/json":
        yield "response_mime_type must be application/json where there is a schema."
    if body.get("serviceTier", "standard") not in ("flex", "standard", "priority", "unspecified"):
        yield "Invalid value at 'service_tier'."


def _thinking(body: Body, known: Facts, _: str) -> Iterator[str]:
    thinking = (body.get("generationConfig") or {}).get("thinkingConfig") or {}
    level, budget = thinking.get("thinkingLevel"), thinking.get("thinkingBudget")
    if level is not None and budget is not None:
        yield "You can only set only one of thinking budget and thinking level."
    if level is not None and level not in known.levels:
        yield f"Thinking level {level} is not supported for this model."
    if budget is not None and not _is_budget(budget, known):
        yield f"The thinking budget {budget} is invalid."


def _is_budget(budget: int, known: Facts) -> bool:
    if known.budget is None:
        return False
    least, most = known.budget
    return budget == -1 or least <= budget <= most or (budget == 0 and known.can_be_idle)


def _tools(body: Body, _: Facts, __: str) -> Iterator[str]:
    functions = _functions(body)
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig")
    if calling is not None and not functions:
        yield "Function calling config is set without function_declarations."
    for name in (calling or {}).get("allowedFunctionNames", ()):
        if name not in [it["name"] for it in functions]:
            yield f"allowed_function_names: no function {name}."
    for function in functions:
        if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}", function["name"]):
            yield "Invalid function name."


def _media(body: Body, _: Facts, __: str) -> Iterator[str]:
    """https://ai.google.dev/gemini-api/docs/file-input-methods"""
    parts = [part for turn in body["contents"] for part in turn["parts"]]
    parts += [it for part in parts for it in part.get("functionResponse", {}).get("parts", ())]
    for blob in (part["inlineData"] for part in parts if "inlineData" in part):
        if not _MEDIA.fullmatch(blob.get("mimeType", "")):
            yield f"Unsupported MIME type: {blob.get('mimeType')}"
        try:
            base64.b64decode(blob.get("data", ""), validate=True)
        except (binascii.Error, ValueError):
            yield "Invalid value at 'contents.parts.inline_data.data' (TYPE_BYTES)."
    for file in (part["fileData"] for part in parts if "fileData" in part):
        if not re.match(r"https://|gs://", file.get("fileUri", "")):
            yield "Invalid or unsupported file uri."


_RULES: Final = (_turns, _signatures, _output, _config, _thinking, _tools, _media)


def _functions(body: Body) -> list[dict[str, Any]]:
    return [it for tool in body.get("tools") or () for it in tool.get("functionDeclarations", ())]


# ---------------------------------------------------------------- answers


def _said(body: Body, model: str, known: Facts) -> Parts:
    """A call of the first function, or JSON, or text in two pieces, of which the second is signed
    as by those that think."""
    last = body["contents"][-1]["parts"][-1]
    mode = ((body.get("toolConfig") or {}).get("functionCallingConfig") or {}).get("mode")
    functions = _functions(body)
    if functions and "functionResponse" not in last and mode != "NONE":
        schema = functions[0].get("parametersJsonSchema") or {}
        called = {
            "functionCall": {
                "id": f"fc{len(body['contents'])}",
                "name": functions[0]["name"],
                "args": dict.fromkeys(schema.get("required", ()), "Oslo"),
            }
        }
        return [_signed(called, model) if known.signatures else called]
    if (body.get("generationConfig") or {}).get("responseMimeType") == "application/json":
        return [{"text": '{"city": "Oslo"}'}]
    end = {"text": "there."}
    return [{"text": "Hello "}, _signed(end, model) if known.signatures else end]


def _signed(part: dict[str, Any], model: str) -> dict[str, Any]:
    return {**part, "thoughtSignature": _signature(part, model)}


def _whole(parts: Parts, model: str, finish: str | None = "STOP") -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    return {
        "candidates": [candidate | ({"finishReason": finish} if finish else {})],
        "usageMetadata": {
            "promptTokenCount": 20,
            "candidatesTokenCount": 4,
            "thoughtsTokenCount": 5,
            "totalTokenCount": 29,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 20}],
        },
        "modelVersion": model,
        "responseId": "resp7",
    }


def _streamed(parts: Parts, model: str) -> Reply:
    chunks = [_whole([part], model, None) for part in parts]
    chunks.append(_whole([{"text": ""}], model))
    text = "".join(f"data: {json.dumps(chunk)}\r\n\r\n" for chunk in chunks)
    return Reply(body=text, headers={"content-type": "text/event-stream"})
