"""An answer of Gemini's generateContent, read leniently: what is not needed may be absent.

Source: https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse

- The first candidate counts. Its texts are joined, without the model's thoughts; parts that are
  neither text nor a call (an image) have no place in an answer.
- A call without an id gets one from the answer's id and the call's place, so that reading the same
  answer twice gives the same. A signature is state that goes back with its call or text; a call's
  stands in `extra_content` too, as in Google's own chat API, for producers that know it from there.
- A prompt that was blocked is a failure. An answer that was stopped (`SAFETY`, `MAX_TOKENS`, …) is
  an answer, with what was said until then. One that ended in a call that the model got wrong
  (`MALFORMED_FUNCTION_CALL`, …) is none, though paid for; nor is one that ended for another reason
  of the model's own (`OTHER`, …) with nothing said.
- A call that names nothing, or whose arguments are no object, is none. Where the answer ended
  early, by the limit or a filter, the call is left out and told, and the answer stands; else it is
  no answer.
- Thoughts count as completion tokens, as they are paid, and what the API fed to its own tools
  counts as prompt tokens. A total that is absent is the sum.
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
"""Reasons that have a name in our contract; others stay as the API has them."""


_BROKEN: Final = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "MALFORMED_RESPONSE",
        "MISSING_THOUGHT_SIGNATURE",
        "TOO_MANY_TOOL_CALLS",
        "UNEXPECTED_TOOL_CALL",
    }
)
"""Reasons that say: a call was to come, and could not be read."""
_EARLY: Final = ("length", "content_filter")
"""Ends that may fall in the middle of a call."""
_TRAFFIC: Final = {"ON_DEMAND_FLEX": "flex", "ON_DEMAND_PRIORITY": "priority"}


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
    """Why it is no answer; None where it is one."""
    if native in _BROKEN or (finish not in FINISHES.values() and native is not None and not said):
        return f"it ended with {native}"
    return f"a call cannot be made: {broken[0]}" if broken and finish not in _EARLY else None


def _texts(parts: list[Mapping[str, Any]]) -> Iterator[tuple[str, str | None]]:
    for part in parts:
        if isinstance(part.get("text"), str) and not part.get("thought"):
            yield part["text"], text_or_none(part.get("thoughtSignature"))


def _audio(usage: Any, name: str) -> int:
    """Tokens of recordings, of those that are told by what they stand for."""
    details = usage.get(name) if isinstance(usage, Mapping) else None
    told = [
        count(detail, "tokenCount")
        for detail in (details if isinstance(details, list) else ())
        if isinstance(detail, Mapping) and detail.get("modality") == "AUDIO"
    ]
    return min(sum(told), MOST_TOKENS)


def _tier(value: Mapping[str, Any], usage: Any) -> str | None:
    """The tier that the answer was given in; None for the usual one."""
    counts = usage if isinstance(usage, Mapping) else {}
    told = text_or_none(value.get("serviceTier")) or text_or_none(counts.get("serviceTier"))
    if told is not None:
        tier = told.lower().removeprefix("service_tier_")
        return None if tier in ("standard", "unspecified", "default") else tier
    return _TRAFFIC.get(str(counts.get("trafficType")))


def _hosted(candidate: Mapping[str, Any], served: str | None) -> Mapping[str, int]:
    """What of Google's own tools is paid by the call.

    Searches: each query, with older models one for the whole prompt. Maps: an answer that draws on
    them, as how often they were asked is not told.

    https://ai.google.dev/gemini-api/docs/google-search#pricing
    https://ai.google.dev/gemini-api/docs/maps-grounding#pricing
    """
    grounding = candidate.get("groundingMetadata")
    told: Mapping[str, Any] = grounding if isinstance(grounding, Mapping) else {}
    asked = len([it for it in _listed(told, "webSearchQueries") if it])
    if asked and served is not None and model_takes("gemini", served).searches_by == "prompt":
        asked = 1
    chunks = _listed(told, "groundingChunks")
    maps = any(isinstance(it, Mapping) and it.get("maps") is not None for it in chunks)
    counts = {"web_search": asked, "maps": int(maps)}
    return {name: number for name, number in counts.items() if number}


def _listed(holder: Mapping[str, Any], name: str) -> list[Any]:
    value = holder.get(name)
    return value if isinstance(value, list) else []


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
) -> list[Mapping[str, Any] | str]:
    """The calls; for each that nobody could make, why."""
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
    """Whether it calls nothing at all."""
    said = text_or_none(call.get("name")) or text_or_none(call.get("id"))
    return not said and call.get("args") in (None, "")


def _tool_call(
    call: Mapping[str, Any], call_id: str, signature: str | None
) -> Mapping[str, Any] | str:
    name = text_or_none(call.get("name"))
    if name is None:
        return "it names no function"
    arguments = call.get("args") or {}
    if isinstance(arguments, str):  # as other APIs have them
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
