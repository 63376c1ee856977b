"""An answer of Anthropic's Messages API, read leniently.

Source: https://platform.claude.com/docs/en/api/messages

What went in is the sum of three counts: fresh, written to the cache, and read from it. Thinking is
not told but kept, to be sent back (`messages/state.py`). A call whose input is no JSON object never
leaves as one: where the limit cut it off it is left out and told, otherwise there is no answer.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nexus_actors.contract.json_text import Parsed, parse
from nexus_actors.contract.result import Usage
from nexus_actors.providers.apis.messages.state import written_state
from nexus_actors.providers.failures import failed_inside, read_complaint
from nexus_actors.providers.http.api import MOST_TOKENS, Reading, count, invalid, text_or_none
from nexus_actors.providers.port import ProviderFailure

FINISH: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def read_message(value: Mapping[str, Any]) -> Reading | ProviderFailure:
    """The answer in `value`; a failure where it is none."""
    if value.get("error"):
        return failed_inside(read_complaint(value["error"]))
    content = value.get("content")
    if not isinstance(content, list):
        return invalid("no content")
    blocks = [block for block in content if isinstance(block, Mapping)]
    native = text_or_none(value.get("stop_reason"))
    finish = None if native is None else FINISH.get(native, native)
    calls = _calls(blocks, cut=finish == "length")
    text = "".join(_text(block) for block in blocks)
    usage = value.get("usage")
    counts: Mapping[str, Any] = usage if isinstance(usage, Mapping) else {}
    return Reading(
        response=text or (None if calls.whole else ""),
        usage=_usage(usage),
        finish_reason="tool_calls" if calls.whole and native == "end_turn" else finish,
        native_finish_reason=native,
        response_id=text_or_none(value.get("id")),
        tool_calls=calls.whole,
        served_model=text_or_none(value.get("model")),
        cache_write_tokens=_written(counts),
        cache_write_1h_tokens=count(counts.get("cache_creation"), "ephemeral_1h_input_tokens"),
        service_tier=_tier(counts),
        geo="us" if counts.get("inference_geo") == "us" else None,
        hosted_calls=_hosted(counts.get("server_tool_use")),
        state=written_state(blocks, calls.left_out),
        dropped=calls.dropped,
        fault=calls.fault,
    )


def _text(block: Mapping[str, Any]) -> str:
    text = block.get("text")
    return text if isinstance(text, str) else ""


# -- calls


@dataclass(frozen=True, slots=True)
class _Calls:
    whole: tuple[Mapping[str, Any], ...]
    left_out: frozenset[int]
    """Places of blocks."""
    dropped: tuple[str, ...]
    fault: str | None


def _calls(blocks: Sequence[Mapping[str, Any]], *, cut: bool) -> _Calls:
    whole: list[Mapping[str, Any]] = []
    left_out: list[int] = []
    dropped: list[str] = []
    places = [place for place, block in enumerate(blocks) if block.get("type") == "tool_use"]
    for number, place in enumerate(places):
        given = _input(blocks[place])
        if given is None:
            left_out.append(place)
            dropped.append(f"tool_calls[{number}]: arguments cut off")
        else:
            whole.append(_call(blocks[place], given))
    broken = bool(left_out) and not cut
    fault = "the arguments of a call are no JSON object" if broken else None
    return _Calls(tuple(whole), frozenset(left_out), tuple(dropped), fault)


def _input(block: Mapping[str, Any]) -> Mapping[str, Any] | None:
    match block.get("input"):
        case None:
            return {}
        case str(text):  # as it was streamed, or by a server that writes it as the chat API does
            parsed = parse(text or "{}")
            value = parsed.value if isinstance(parsed, Parsed) else None
            return value if isinstance(value, Mapping) else None
        case Mapping() as given:
            return given
        case _:
            return None


def _call(block: Mapping[str, Any], given: Mapping[str, Any]) -> Mapping[str, Any]:
    arguments = json.dumps(given, separators=(",", ":"), ensure_ascii=False)
    function = {"name": text_or_none(block.get("name")) or "", "arguments": arguments}
    return {"id": text_or_none(block.get("id")) or "", "type": "function", "function": function}


# -- what it took


def _usage(value: Any) -> Usage | None:
    if not isinstance(value, Mapping):
        return None
    cached = count(value, "cache_read_input_tokens")
    prompt = count(value, "input_tokens") + cached + _written(value)
    prompt, completion = min(prompt, MOST_TOKENS), count(value, "output_tokens")
    thinking = count(value.get("output_tokens_details"), "thinking_tokens")
    return Usage(prompt, completion, min(prompt + completion, MOST_TOKENS), cached, thinking)


def _written(counts: Mapping[str, Any]) -> int:
    """Tokens written to the cache: told as a whole, or only by how long they are kept."""
    parts = counts.get("cache_creation")
    told = count(counts, "cache_creation_input_tokens")
    kept = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
    return min(told or sum(count(parts, name) for name in kept), MOST_TOKENS)


def _tier(counts: Mapping[str, Any]) -> str | None:
    """What the answer was given in, where it has a price of its own."""
    if counts.get("speed") == "fast":
        return "fast"
    tier = text_or_none(counts.get("service_tier"))
    return None if tier == "standard" else tier


def _hosted(uses: Any) -> Mapping[str, int]:
    searches = count(uses, "web_search_requests")
    return {"web_search": searches} if searches else {}
