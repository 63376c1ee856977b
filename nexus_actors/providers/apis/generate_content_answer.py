"""An answer of Gemini's generateContent, read leniently: what is not needed may be absent.

Source: https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse

- The first candidate counts. Its texts are joined, without the model's thoughts; parts that are
  neither text nor a call (an image) have no place in an answer.
- A call without an id gets one from the answer's id and the call's place, so that reading the same
  answer twice gives the same. A call's signature goes with it as in Google's own chat API
  (`extra_content`), for the producer to send it back.
- A prompt that was blocked is a failure. An answer that was stopped (`SAFETY`, `MAX_TOKENS`, …) is
  an answer, with what was said until then. One that ended for a reason of the model's own
  (`MALFORMED_FUNCTION_CALL`, `OTHER`, …) with nothing said is none, and worth another try.
- Thoughts count as completion tokens, as they are paid, and what the API fed to its own tools
  counts as prompt tokens. A total that is absent is the sum.
"""

import json
from collections.abc import Mapping
from typing import Any

from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.result import Usage
from nexus_actors.providers.failures import failed_inside, read_complaint
from nexus_actors.providers.http.api import MOST_TOKENS, Reading, count, invalid, text_or_none
from nexus_actors.providers.port import ProviderFailure

FINISHES = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    **dict.fromkeys(
        (
            "SAFETY",
            "RECITATION",
            "LANGUAGE",
            "BLOCKLIST",
            "PROHIBITED_CONTENT",
            "SPII",
            "ESCALATION",
            "MODEL_ARMOR",
            "IMAGE_SAFETY",
            "IMAGE_PROHIBITED_CONTENT",
            "IMAGE_RECITATION",
        ),
        "content_filter",
    ),
}
"""Reasons that have a name in our contract; others stay as the API has them."""


def read_generated(value: Mapping[str, Any]) -> Reading | ProviderFailure:
    """The answer in `value`; a failure where it is none."""
    # An error counts before the answer it came with: that one was broken off.
    if value.get("error"):
        return failed_inside(read_complaint(value["error"]))
    candidate = first_candidate(value)
    native = text_or_none(candidate.get("finishReason"))
    parts = content_parts(candidate)
    if not parts and native is None:
        return _blocked(value) or invalid("no candidates[0].content")
    response_id = text_or_none(value.get("responseId"))
    calls = _tool_calls(parts, response_id)
    text = "".join(map(spoken, parts))
    finish = FINISHES.get(native, native) if native else None
    if finish not in FINISHES.values() and native is not None and not text and not calls:
        return invalid(f"it ended with {native}")
    return Reading(
        response=text if text or not calls else None,
        usage=_usage(value.get("usageMetadata")),
        finish_reason="tool_calls" if calls and finish == "stop" else finish,
        native_finish_reason=native,
        response_id=response_id,
        tool_calls=calls,
        served_model=text_or_none(value.get("modelVersion")),
    )


def first_candidate(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first of the candidates; empty where there is none."""
    candidates = value.get("candidates")
    first = candidates[0] if isinstance(candidates, list) and candidates else None
    return first if isinstance(first, Mapping) else {}


def content_parts(candidate: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The parts of what a candidate says."""
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, Mapping) else None
    return [part for part in parts if isinstance(part, Mapping)] if isinstance(parts, list) else []


def spoken(part: Mapping[str, Any]) -> str:
    """The text of a part that is no thought; "" for any other."""
    return (text_or_none(part.get("text")) or "") if not part.get("thought") else ""


def block_reason(value: Mapping[str, Any]) -> str | None:
    """Why the prompt was blocked, in the API's word; None if it was not."""
    feedback = value.get("promptFeedback")
    return text_or_none(feedback.get("blockReason")) if isinstance(feedback, Mapping) else None


def _blocked(value: Mapping[str, Any]) -> ProviderFailure | None:
    reason = block_reason(value)
    if reason is None:
        return None
    return ProviderFailure(
        type=ErrorType.CONTENT_FILTERED,
        message=f"the prompt was blocked: {reason}",
        retryable=False,
        scope="request",
        status_code=200,
        maybe_paid=count(value.get("usageMetadata"), "promptTokenCount") > 0,
    )


def _tool_calls(
    parts: list[Mapping[str, Any]], response_id: str | None
) -> tuple[Mapping[str, Any], ...]:
    calls: list[Mapping[str, Any]] = []
    for part in parts:
        call = part.get("functionCall")
        if isinstance(call, Mapping) and text_or_none(call.get("name")):
            made_up = "_".join(("call", *([response_id] if response_id else []), str(len(calls))))
            calls.append(_tool_call(call, made_up, text_or_none(part.get("thoughtSignature"))))
    return tuple(calls)


def _tool_call(call: Mapping[str, Any], made_up: str, signature: str | None) -> Mapping[str, Any]:
    arguments = json.dumps(call.get("args") or {}, ensure_ascii=False)
    sealed = {"extra_content": {"google": {"thought_signature": signature}}} if signature else {}
    return {
        "id": text_or_none(call.get("id")) or made_up,
        "type": "function",
        "function": {"name": call["name"], "arguments": arguments},
        **sealed,
    }


def _usage(value: Any) -> Usage | None:
    if not isinstance(value, Mapping):
        return None
    thoughts = count(value, "thoughtsTokenCount")
    prompt = count(value, "promptTokenCount") + count(value, "toolUsePromptTokenCount")
    completion = count(value, "candidatesTokenCount") + thoughts
    prompt, completion = min(prompt, MOST_TOKENS), min(completion, MOST_TOKENS)
    return Usage(
        prompt,
        completion,
        count(value, "totalTokenCount") or min(prompt + completion, MOST_TOKENS),
        count(value, "cachedContentTokenCount"),
        thoughts,
    )
