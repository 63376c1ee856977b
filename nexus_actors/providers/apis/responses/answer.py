"""Reads an answer of the Responses API leniently: only the necessary fields are required.

Source: https://platform.openai.com/docs/api-reference/responses/object

- The text is that of all `output_text` parts, joined. Without text and calls, a `refusal` counts as
  the text, else it is "".
- What the caller has to do (an item with a `call_id` that no other item answers, or a request for
  approval) becomes a tool call in the form of chat completions. What the provider did itself, such
  as a web search, is not published.
- `status` becomes the finish reason: `completed` is `stop` or `tool_calls`. `incomplete` becomes
  its reason, where `max_output_tokens` is `length`. Any other status is a failure.
- Unusable calls (`responses/calls.py`) are never published: an incomplete answer is published
  without them, which is reported; any other answer is a fault, though paid for.
- Charged calls of the provider's own tools are counted (`responses/hosted.py`).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nexus_actors.contract.result import Usage
from nexus_actors.providers.apis.reported_cost import reported_cost
from nexus_actors.providers.apis.responses.calls import BrokenCall, read_calls
from nexus_actors.providers.apis.responses.hosted import hosted_calls
from nexus_actors.providers.apis.responses.state import write_thoughts
from nexus_actors.providers.failures import Complaint, failed_inside, read_complaint
from nexus_actors.providers.http.api import MOST_TOKENS, Reading, count, invalid, text_or_none
from nexus_actors.providers.port import ProviderFailure

Item = Mapping[str, Any]

_FILTERED = frozenset(
    {"bio_policy", "misalignment_policy_violation", "image_content_policy_violation"}
)
_AT_FAULT = frozenset(
    {
        "data_residency_mismatch",
        "empty_image_file",
        "failed_to_download_image",
        "image_file_not_found",
        "image_file_too_large",
        "image_parse_error",
        "image_too_large",
        "image_too_small",
        "invalid_base64_image",
        "invalid_image",
        "invalid_image_format",
        "invalid_image_mode",
        "invalid_image_url",
        "invalid_prompt",
        "unsupported_image_media_type",
    }
)
"""This API's codes for an invalid request."""


def read_response(value: Mapping[str, Any]) -> Reading | ProviderFailure:
    """Read the answer in `value`. A failure if there is none."""
    status = text_or_none(value.get("status"))
    if value.get("error") or status == "failed":
        return failed_inside(_complaint(value.get("error")))
    output = value.get("output")
    if not isinstance(output, list):
        return invalid("no output")
    if status not in (None, "completed", "incomplete"):
        return invalid("it is not complete")
    items = [item for item in output if isinstance(item, Mapping)]
    cut = status == "incomplete"
    response_id = text_or_none(value.get("id"))
    found = read_calls(items, response_id or "", cut=cut)
    calls = tuple(call for call in found if isinstance(call, Mapping))
    broken = [call.why for call in found if isinstance(call, BrokenCall)]
    native = _incomplete(value) if cut else status
    usage = value.get("usage")
    return Reading(
        response=_texts(items, "output_text", "text")
        or (None if calls else _texts(items, "refusal", "refusal")),
        usage=_usage(usage),
        finish_reason=_finish(native, has_calls=bool(calls)),
        native_finish_reason=native,
        response_id=response_id,
        tool_calls=calls,
        served_model=text_or_none(value.get("model")),
        cache_write_tokens=count(_details(usage, "input"), "cache_write_tokens")
        or count(usage, "cache_write_tokens"),
        audio_input_tokens=count(_details(usage, "input"), "audio_tokens"),
        audio_output_tokens=count(_details(usage, "output"), "audio_tokens"),
        reported_cost=reported_cost(usage),
        service_tier=_tier(value.get("service_tier")),
        hosted_calls=hosted_calls(
            item for item, call in zip(items, found, strict=True) if call is None
        ),
        state=write_thoughts(items, (isinstance(call, Mapping) for call in found)),
        dropped=tuple(f"tool_calls: one was left out, {why}" for why in broken) if cut else (),
        fault=f"a call cannot be made: {broken[0]}" if broken and not cut else None,
    )


def _tier(tier: Any) -> str | None:
    """The tier of the answer; None for the default one."""
    return None if tier in ("default", "auto", "standard") else text_or_none(tier)


def _complaint(error: Any) -> Complaint:
    """The error, with its codes translated to those that all providers share."""
    complaint = read_complaint(error)
    shared = {"content_filter"} if complaint.codes & _FILTERED else set()
    if complaint.codes & _AT_FAULT:
        shared.add("invalid_request_error")
    return replace(complaint, codes=complaint.codes | shared)


def _incomplete(value: Mapping[str, Any]) -> str:
    details = value.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, Mapping) else None
    return text_or_none(reason) or "incomplete"


def _finish(native: str | None, *, has_calls: bool) -> str | None:
    match native:
        case None | "completed" if has_calls:
            return "tool_calls"
        case "completed":
            return "stop"
        case "max_output_tokens":
            return "length"
        case _:
            return native


def _texts(items: list[Item], kind: str, key: str) -> str:
    """The texts of all parts of one kind, joined."""
    return "".join(
        part[key]
        for item in items
        for part in _content(item)
        if part.get("type") == kind and isinstance(part.get(key), str)
    )


def _content(item: Item) -> list[Item]:
    content = item.get("content") if item.get("type", "message") == "message" else None
    return [it for it in content if isinstance(it, Mapping)] if isinstance(content, list) else []


def _usage(value: Any) -> Usage | None:
    if not isinstance(value, Mapping):
        return None
    prompt, completion = count(value, "input_tokens"), count(value, "output_tokens")
    return Usage(
        prompt,
        completion,
        count(value, "total_tokens") or min(prompt + completion, MOST_TOKENS),
        count(_details(value, "input"), "cached_tokens")
        or count(value, "cached_tokens")
        or count(value, "prompt_cache_hit_tokens"),
        count(_details(value, "output"), "reasoning_tokens"),
    )


def _details(usage: Any, of: str) -> Any:
    return usage.get(f"{of}_tokens_details") if isinstance(usage, Mapping) else None
