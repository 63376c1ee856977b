"""Reads an answer of Anthropic's Messages API leniently.

Source: https://platform.claude.com/docs/en/api/messages

Prompt tokens are the sum of three counts: fresh, written to the cache, and read from it. Thinking
is not published, but kept to be sent back (`messages/state.py`). A call without a name, or whose
input is not a JSON object, is never published: an answer that ended early (limit, refusal) is
published without it, which is reported; any other answer is a fault. The last call of an answer
that ended early is treated the same if it has no input.

A paused turn (`pause_turn`) can only be continued from the blocks of the provider's own tools,
which our answers cannot contain. It is published as it is, even without text, since a new call
would start from the beginning and cost as much again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nexus_actors.contract.json_text import Parsed, parse
from nexus_actors.contract.result import Usage
from nexus_actors.providers.apis.call_of_answer import made_id, own_id
from nexus_actors.providers.apis.messages.hosted import hosted_calls
from nexus_actors.providers.apis.messages.state import written_state
from nexus_actors.providers.apis.reported_cost import reported_cost
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

_EARLY: Final = ("length", "content_filter")
"""Ends that may interrupt a call."""
_PAUSED: Final = ("response: the turn was paused; what the provider's tools did is left out",)


def read_message(value: Mapping[str, Any]) -> Reading | ProviderFailure:
    """Read the answer in `value`. A failure if there is none."""
    if value.get("error"):
        return failed_inside(read_complaint(value["error"]))
    content = value.get("content")
    if not isinstance(content, list):
        return invalid("no content")
    blocks = [block for block in content if isinstance(block, Mapping)]
    native = text_or_none(value.get("stop_reason"))
    finish = None if native is None else FINISH.get(native, native)
    response_id = text_or_none(value.get("id"))
    calls = _calls(blocks, response_id or "", cut=finish in _EARLY)
    text = "".join(_text(block) for block in blocks)
    usage = value.get("usage")
    counts: Mapping[str, Any] = usage if isinstance(usage, Mapping) else {}
    return Reading(
        response=text or (None if calls.whole else ""),
        usage=_usage(usage),
        finish_reason=_finish(finish, has_calls=bool(calls.whole)),
        native_finish_reason=native,
        response_id=response_id,
        tool_calls=calls.whole,
        served_model=text_or_none(value.get("model")),
        cache_write_tokens=_written(counts),
        cache_write_1h_tokens=count(counts.get("cache_creation"), "ephemeral_1h_input_tokens"),
        reported_cost=reported_cost(usage),
        service_tier=_tier(counts),
        geo="us" if counts.get("inference_geo") == "us" else None,
        hosted_calls=hosted_calls(value, blocks),
        state=written_state(blocks, calls.left_out),
        dropped=(*calls.dropped, *(_PAUSED if native == "pause_turn" else ())),
        fault=calls.fault,
    )


def _finish(reason: str | None, *, has_calls: bool) -> str | None:
    """The end is `tool_calls` if and only if there are calls."""
    if has_calls and reason in (None, "stop"):
        return "tool_calls"
    return "stop" if reason == "tool_calls" and not has_calls else reason


def _text(block: Mapping[str, Any]) -> str:
    text = block.get("text")
    return text if isinstance(text, str) else ""


# -- calls

_NAMELESS: Final = "it names no tool"


@dataclass(frozen=True, slots=True)
class _Calls:
    whole: tuple[Mapping[str, Any], ...]
    left_out: frozenset[int]
    """Indexes of blocks."""
    dropped: tuple[str, ...]
    fault: str | None


def _calls(blocks: Sequence[Mapping[str, Any]], answer_id: str, *, cut: bool) -> _Calls:
    whole: dict[str, Mapping[str, Any]] = {}
    broken: dict[int, str] = {}
    dropped: list[str] = []
    places = [place for place, block in enumerate(blocks) if block.get("type") == "tool_use"]
    for number, place in enumerate(places):
        is_last = place == len(blocks) - 1
        read = _call(blocks[place], may_lack=cut and is_last)
        if isinstance(read, str):
            broken[place] = read
            dropped.append(f"tool_calls[{number}]: {'arguments ' * (read != _NAMELESS)}cut off")
        else:
            given = text_or_none(blocks[place].get("id"))
            call_id = own_id(given, made_id(number, answer_id), whole)
            whole[call_id] = {"id": call_id, "type": "function", "function": read}
    fault = f"a call cannot be made: {next(iter(broken.values()))}" if broken and not cut else None
    return _Calls(tuple(whole.values()), frozenset(broken), tuple(dropped), fault)


def _call(block: Mapping[str, Any], *, may_lack: bool) -> Mapping[str, Any] | str:
    """The called function, or why it cannot be called. `may_lack`: the answer ended here."""
    name, given = text_or_none(block.get("name")), _input(block)
    if name is None:
        return _NAMELESS
    if given is None or (may_lack and not block.get("input")):
        return "its arguments are no JSON object"
    arguments = json.dumps(given, separators=(",", ":"), ensure_ascii=False)
    return {"name": name, "arguments": arguments}


def _input(block: Mapping[str, Any]) -> Mapping[str, Any] | None:
    match block.get("input"):
        case None:
            return {}
        case str(text):  # from a stream, or from a server that writes it like chat completions
            parsed = parse(text or "{}")
            value = parsed.value if isinstance(parsed, Parsed) else None
            return value if isinstance(value, Mapping) else None
        case Mapping() as given:
            return given
        case _:
            return None


# -- usage


def _usage(value: Any) -> Usage | None:
    if not isinstance(value, Mapping):
        return None
    cached = count(value, "cache_read_input_tokens")
    prompt = count(value, "input_tokens") + cached + _written(value)
    prompt, completion = min(prompt, MOST_TOKENS), count(value, "output_tokens")
    thinking = count(value.get("output_tokens_details"), "thinking_tokens")
    return Usage(prompt, completion, min(prompt + completion, MOST_TOKENS), cached, thinking)


def _written(counts: Mapping[str, Any]) -> int:
    """Tokens written to the cache: a total, or only counts by lifetime."""
    parts = counts.get("cache_creation")
    total = count(counts, "cache_creation_input_tokens")
    kept = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
    return min(total or sum(count(parts, name) for name in kept), MOST_TOKENS)


def _tier(counts: Mapping[str, Any]) -> str | None:
    """The tier of the answer, if its price differs from the default one's."""
    if counts.get("speed") == "fast":
        return "fast"
    tier = text_or_none(counts.get("service_tier"))
    return None if tier == "standard" else tier
