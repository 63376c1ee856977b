"""A fast path of decoding for usual requests: msgspec reads fields of plain types from the text.

A request that is not accepted here need not be wrong: `decode.py` reads it, and explains errors. A
request that is accepted here is the same as `decode.py` would make it.
"""

from typing import Annotated, Any, Final

import msgspec

from nexus_actors.contract.bounds import Bounds, too_many
from nexus_actors.contract.foreign import bounded
from nexus_actors.contract.json_text import MAX_DEPTH, is_plain_text
from nexus_actors.contract.messages import read_messages
from nexus_actors.contract.request import ApiVersion, Complexity, LLMRequest, Message
from nexus_actors.contract.tasks import (
    TASK_COMPLEXITY,
    normalize_capabilities,
    normalize_task_type,
)
from nexus_actors.contract.trace import parse_traceparent
from nexus_actors.contract.unknown_keys import in_messages
from nexus_actors.contract.wire import MAX_ID_LENGTH, MAX_TIMEOUT_MS, MAX_TOKENS
from nexus_actors.contract.wrong import Wrong


class _Usual(msgspec.Struct, forbid_unknown_fields=True):
    """The usual fields of `wire.WireRequest`, under the same names. null counts as absent."""

    request_id: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID_LENGTH)]
    messages: tuple[dict[str, Any], ...]
    agent_id: str | None = None
    complexity: Complexity | None = None
    task_type: str | None = None
    model: str | None = None
    provider: str | None = None
    api_version: ApiVersion | None = None
    max_tokens: Annotated[int, msgspec.Meta(ge=1, le=MAX_TOKENS)] | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0)] | None = None
    top_p: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    stream: bool | None = None
    store: bool | None = None
    capabilities: tuple[str, ...] | str | None = None
    metadata: dict[str, str] | None = None
    timeout: Annotated[float, msgspec.Meta(gt=0, le=MAX_TIMEOUT_MS)] | None = None
    timestamp: str | None = None
    retry_of: str | None = None
    traceparent: str | None = None


_DECODER: Final = msgspec.json.Decoder(_Usual)
_ROLES: Final = ("user", "assistant", "system")


def decode_fast(body: str, bounds: Bounds) -> LLMRequest | None:
    """Decode a usual request; None if it is not one. Its values were counted before
    (`bounds.py`)."""
    if not is_plain_text(body):
        return None
    try:
        wire = _DECODER.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    spoken = _spoken(wire.messages, body, bounds)
    task_type = normalize_task_type(wire.task_type) if wire.task_type else ""
    complexity = wire.complexity or TASK_COMPLEXITY.get(task_type)
    trace = wire.traceparent
    if spoken is None or complexity is None or _is_wrong(trace):
        return None
    messages, unknown = spoken
    return LLMRequest(
        request_id=wire.request_id,
        complexity=complexity,
        messages=messages,
        agent_id=wire.agent_id,
        task_type=task_type or None,
        model=choice(wire.model),
        provider=choice(wire.provider),
        api_version=wire.api_version or "responses",
        max_tokens=wire.max_tokens,
        temperature=wire.temperature,
        top_p=wire.top_p,
        stream=wire.stream or False,
        store=wire.store,
        capabilities=_capabilities(wire.capabilities),
        metadata=wire.metadata or None,
        unknown=unknown,
        timeout=None if wire.timeout is None else wire.timeout / 1000,
        traceparent=trace,
    )


def _spoken(
    messages: tuple[dict[str, Any], ...], body: str, bounds: Bounds
) -> tuple[tuple[Message, ...], tuple[str, ...]] | None:
    """The messages as `read_messages` returns them, and their unknown keys."""
    if not messages or len(messages) > bounds.max_parts:
        return None
    if all(map(_is_plain, messages)):
        return messages, ()
    given = list(messages)
    if body.count("{") + body.count("[") > MAX_DEPTH or too_many({"messages": given}, bounds):
        return None
    read = read_messages(given)
    return None if isinstance(read, Wrong) else (read, bounded(in_messages(read)))


def _is_plain(message: dict[str, Any]) -> bool:
    """Whether the message is just a role and a text, and needs no change."""
    return (
        len(message) == 2 and type(message.get("content")) is str and message.get("role") in _ROLES
    )


def _capabilities(words: tuple[str, ...] | str | None) -> tuple[str, ...]:
    if not words:
        return ()
    return normalize_capabilities((words,) if isinstance(words, str) else words)


def _is_wrong(trace: str | None) -> bool:
    return trace is not None and parse_traceparent(trace) is None


def choice(text: str | None) -> str:
    """A model or provider. `auto` in any case, and blank text, mean the default."""
    text = (text or "").strip()
    return text if text.lower() not in ("", "auto") else "auto"
