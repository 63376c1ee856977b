"""Reads an answer of Gemini's generateContent leniently: only the necessary fields are required.

Source: https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse

- Only the first candidate counts. Its texts are joined, without the model's thoughts. Parts that
  are neither text nor a call (images) cannot be in an answer.
- A call without an id gets one made from the answer's id and the call's place, so each reading
  gives the same. A signature is state that is sent back with its call or text; a call's is also in
  `extra_content`, as in Google's chat API, for producers that look there.
- A blocked prompt is a failure. An answer that was stopped (`SAFETY`, `MAX_TOKENS`, …) is an answer
  with the text so far. One that ended with an invalid call (`MALFORMED_FUNCTION_CALL`, …) is a
  fault, though paid for; so is one that ended for another reason (`OTHER`, …) without text or
  calls.
- A call without a name, or whose arguments are not an object, is never published: an answer that
  ended early, by the limit or a filter, is published without it, which is reported; any other
  answer is a fault.
- Thoughts count as completion tokens, since they are charged as such. What the API gave to its own
  tools counts as prompt tokens. A missing total is the sum.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.json_text import Parsed, parse
from nexus_actors.contract.provider_state import STATE
from nexus_actors.contract.result import Usage
from nexus_actors.providers.apis.call_of_answer import own_id
from nexus_actors.providers.apis.generate_content.state import (
    write_call_state,
    write_signed_texts,
)
from nexus_actors.providers.failures import failed_inside, read_complaint
from nexus_actors.providers.http.api import MOST_TOKENS, Reading, count, invalid, text_or_none
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import model_takes

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
"""Reasons with a name in our contract. Others stay unchanged."""


_BROKEN: Final = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "MALFORMED_RESPONSE",
        "MISSING_THOUGHT_SIGNATURE",
        "TOO_MANY_TOOL_CALLS",
        "UNEXPECTED_TOOL_CALL",
    }
)
"""Reasons for an unreadable call."""
_EARLY: Final = ("length", "content_filter")
"""Ends that may interrupt a call."""
_TRAFFIC: Final = {"ON_DEMAND_FLEX": "flex", "ON_DEMAND_PRIORITY": "priority"}


def read_generated(value: Mapping[str, Any]) -> Reading | ProviderFailure:
    """Read the answer in `value`. A failure if there is none."""
    # An error counts before the answer beside it, which was interrupted.
    if value.get("error"):
        return failed_inside(read_complaint(value["error"]))
    candidate = first_candidate(value)
    native = text_or_none(candidate.get("finishReason"))
    parts = content_parts(candidate)
    if not parts and native is None:
        return _blocked(value) or invalid("no candidates[0].content")
    response_id = text_or_none(value.get("responseId"))
    found = _tool_calls(parts, response_id)
    calls = tuple(call for call in found if isinstance(call, Mapping))
    broken = [it for it in found if isinstance(it, str)]
    text = "".join(map(spoken, parts))
    finish = FINISHES.get(native, native) if native else None
    usage = value.get("usageMetadata")
    served = text_or_none(value.get("modelVersion"))
    return Reading(
        response=text if text or not calls else None,
        usage=_usage(usage),
        finish_reason="tool_calls" if calls and finish in ("stop", None) else finish,
        native_finish_reason=native,
        response_id=response_id,
        tool_calls=calls,
        served_model=served,
        audio_input_tokens=_audio(usage, "promptTokensDetails"),
        audio_output_tokens=_audio(usage, "candidatesTokensDetails"),
        service_tier=_tier(value, usage),
        hosted_calls=_hosted(candidate, served),
        state=write_signed_texts(_texts(parts)),
        dropped=tuple(f"tool_calls: one was left out, {why}" for why in broken)
        if finish in _EARLY
        else (),
        fault=_fault(native, finish, broken, said=bool(text or calls)),
    )


def _fault(
    native: str | None, finish: str | None, broken: Sequence[str], *, said: bool
) -> str | None:
    """Why the answer is unusable; None if it is usable."""
    if native in _BROKEN or (finish not in FINISHES.values() and native is not None and not said):
        return f"it ended with {native}"
    return f"a call cannot be made: {broken[0]}" if broken and finish not in _EARLY else None


def _texts(parts: list[Mapping[str, Any]]) -> Iterator[tuple[str, str | None]]:
    for part in parts:
        if isinstance(part.get("text"), str) and not part.get("thought"):
            yield part["text"], text_or_none(part.get("thoughtSignature"))


def _audio(usage: Any, name: str) -> int:
    """Tokens of audio, if the counts are split by modality."""
    details = usage.get(name) if isinstance(usage, Mapping) else None
    counts = [
        count(detail, "tokenCount")
        for detail in (details if isinstance(details, list) else ())
        if isinstance(detail, Mapping) and detail.get("modality") == "AUDIO"
    ]
    return min(sum(counts), MOST_TOKENS)


def _tier(value: Mapping[str, Any], usage: Any) -> str | None:
    """The tier of the answer; None for the default one."""
    counts = usage if isinstance(usage, Mapping) else {}
    tier = text_or_none(value.get("serviceTier")) or text_or_none(counts.get("serviceTier"))
    if tier is not None:
        tier = tier.lower().removeprefix("service_tier_")
        return None if tier in ("standard", "unspecified", "default") else tier
    return _TRAFFIC.get(str(counts.get("trafficType")))


def _hosted(candidate: Mapping[str, Any], served: str | None) -> Mapping[str, int]:
    """The charged calls of Google's own tools.

    Searches: the number of queries, or one per prompt with older models. Maps: one for an answer
    that used them, since the number of calls is not reported.

    https://ai.google.dev/gemini-api/docs/google-search#pricing
    https://ai.google.dev/gemini-api/docs/maps-grounding#pricing
    """
    grounding = candidate.get("groundingMetadata")
    found: Mapping[str, Any] = grounding if isinstance(grounding, Mapping) else {}
    asked = len([it for it in _listed(found, "webSearchQueries") if it])
    if asked and served is not None and model_takes("gemini", served).searches_by == "prompt":
        asked = 1
    chunks = _listed(found, "groundingChunks")
    maps = any(isinstance(it, Mapping) and it.get("maps") is not None for it in chunks)
    counts = {"web_search": asked, "maps": int(maps)}
    return {name: number for name, number in counts.items() if number}


def _listed(holder: Mapping[str, Any], name: str) -> list[Any]:
    value = holder.get(name)
    return value if isinstance(value, list) else []


def first_candidate(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first candidate; empty if there is none."""
    candidates = value.get("candidates")
    first = candidates[0] if isinstance(candidates, list) and candidates else None
    return first if isinstance(first, Mapping) else {}


def content_parts(candidate: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The parts of a candidate's content."""
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, Mapping) else None
    return [part for part in parts if isinstance(part, Mapping)] if isinstance(parts, list) else []


def spoken(part: Mapping[str, Any]) -> str:
    """The text of a part that is not a thought; "" for any other."""
    return (text_or_none(part.get("text")) or "") if not part.get("thought") else ""


def block_reason(value: Mapping[str, Any]) -> str | None:
    """The API's reason for blocking the prompt; None if it was not blocked."""
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
) -> list[Mapping[str, Any] | str]:
    """The calls in order. For a call that cannot be made, the reason."""
    calls: list[Mapping[str, Any] | str] = []
    taken: set[str] = set()
    for part in parts:
        call = part.get("functionCall")
        if isinstance(call, Mapping) and not _is_empty(call):
            made_up = "_".join(("call", *([response_id] if response_id else []), str(len(calls))))
            call_id = own_id(text_or_none(call.get("id")), made_up, taken)
            taken.add(call_id)
            calls.append(_tool_call(call, call_id, text_or_none(part.get("thoughtSignature"))))
    return calls


def _is_empty(call: Mapping[str, Any]) -> bool:
    """Whether the call has no content at all."""
    said = text_or_none(call.get("name")) or text_or_none(call.get("id"))
    return not said and call.get("args") in (None, "")


def _tool_call(
    call: Mapping[str, Any], call_id: str, signature: str | None
) -> Mapping[str, Any] | str:
    name = text_or_none(call.get("name"))
    if name is None:
        return "it names no function"
    arguments = call.get("args") or {}
    if isinstance(arguments, str):  # the form of other APIs
        parsed = parse(arguments)
        arguments = parsed.value if isinstance(parsed, Parsed) else arguments
    if not isinstance(arguments, Mapping):
        return "its arguments are no object"
    sealed = {"extra_content": {"google": {"thought_signature": signature}}} if signature else {}
    state = write_call_state(signature)
    return {
        "id": call_id,
        "type": "function",
        "function": {
            "name": name,
            "arguments": json.dumps(arguments, ensure_ascii=False),
        },
        **sealed,
        **({STATE: state} if state else {}),
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
