"""Encodes requests and results as JSON text for a jsonb column, and decodes results.

An answer that cannot be stored would be paid for again and again. So everything that a model
returns is made storable here, before anything is sent: see `json_text.storable`.
"""

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast, get_args

from nexus_actors.contract.bounds import WIDEST
from nexus_actors.contract.decode import decode_request
from nexus_actors.contract.errors import ErrorType, Refusal
from nexus_actors.contract.excerpt import kind_of
from nexus_actors.contract.json_text import Parsed, clean_text, dump, dump_any, parse
from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Answer, CostBasis, Failure, LLMResult, Usage
from nexus_actors.contract.wire import FIELDS, MAX_ID_LENGTH

_UNKNOWN: Final = "unknown"
_INT4_MAX: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Envelope:
    """A request ready to be sent to the requests queue."""

    request: LLMRequest
    """The request as the service will read it."""
    body: str
    """JSON text."""
    traceparent: str | None = None
    """Sent in the message's headers."""


def build_request(
    messages: Sequence[Mapping[str, Any]] | None = None,
    *,
    request_id: str | None = None,
    timeout: float | None = None,
    timestamp: datetime | None = None,
    **fields: Any,
) -> Envelope | Refusal:
    """Build a request from a caller's arguments. It is checked like the service checks it, except
    for size limits, which are the service's config.

    `request_id` defaults to a new UUID and `timestamp` to now; `timeout` is in seconds. The other
    fields are the contract's (`complexity`, `task_type`, `model`, `input`, …). Fields that are None
    are left out. An unknown field is refused, although the service would only report it: it is
    probably a misspelt argument.
    """
    unknown = sorted(fields.keys() - _REQUEST_FIELDS)
    if unknown:
        return _invalid(unknown[0], f"no such field: {', '.join(unknown)}")
    request_id = str(uuid.uuid4()) if request_id is None else request_id
    if clean_text(request_id) != request_id:
        return _invalid("request_id", "request_id: expected text without NUL characters")
    body = {
        "request_id": request_id,
        "messages": None if messages is None else list(messages),
        **fields,
        "timeout": None if timeout is None else timeout * 1000,
        "timestamp": format_time(timestamp or datetime.now(UTC)),
    }
    text = dump_any({key: value for key, value in body.items() if value is not None})
    match decode_request(text, WIDEST):
        case Refusal() as refusal:
            return refusal
        case request:
            return Envelope(request, text)


_REQUEST_FIELDS: Final = FIELDS - {"request_id", "messages", "timeout"}


def _invalid(path: str, message: str) -> Refusal:
    return Refusal(type=ErrorType.INVALID_REQUEST, message=message, path=path)


def encode_result(result: LLMResult) -> str:
    """The result as JSON text, with all fields of the contract, storable whatever it contains."""
    return dump(result_fields(result))


def result_fields(result: LLMResult) -> dict[str, Any]:
    """The result's fields by their names on the wire: `encode_result` before JSON."""
    fields: dict[str, Any] = {
        "request_id": result.request_id,
        "agent_id": result.agent_id,
        "response": None,
        "model": None,
        "usage": None,
        "cost": None,
        "cost_basis": None,
        "latency_ms": result.latency_ms,
        "timestamp": format_time(result.timestamp),
        "provider": result.outcome.provider,
        "complexity": result.complexity,
        "task_type": result.task_type,
        "finish_reason": None,
        "native_finish_reason": None,
        "dropped": [],
        "response_id": None,
        "tool_calls": [],
        "provider_state": None,
        "attempts": result.attempts,
        "error": None,
    }
    if result.traceparent is not None:
        fields["traceparent"] = result.traceparent
    if result.supersedes:
        fields["supersedes"] = True
    match result.outcome:
        case Answer() as answer:
            return {**fields, "status": "ok", **_answer_fields(answer)}
        case Failure() as failure:
            return {**fields, "status": "error", "error": _error_fields(failure)}


def _answer_fields(answer: Answer) -> dict[str, Any]:
    usage = answer.usage
    return {
        "response": answer.response,
        "model": answer.model,
        "usage": {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
            "cached_tokens": usage.cached_tokens,
            "reasoning_tokens": usage.reasoning_tokens,
        },
        "cost": answer.cost,
        "cost_basis": answer.cost_basis,
        "finish_reason": answer.finish_reason,
        "native_finish_reason": answer.native_finish_reason,
        "dropped": answer.dropped,
        "response_id": answer.response_id,
        "tool_calls": answer.tool_calls,
        "provider_state": answer.provider_state,
    }


def _error_fields(failure: Failure) -> dict[str, Any]:
    fields = {
        "type": str(failure.type),
        "message": failure.message,
        "retryable": failure.retryable,
        "provider": failure.provider,
        "status_code": failure.status_code,
    }
    return fields if failure.path is None else {**fields, "path": failure.path}


def format_time(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and `Z`. A time without a zone is taken for UTC."""
    if moment.tzinfo not in (UTC, None):
        moment = moment.astimezone(UTC)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def decode_result(body: str | None, *, now: datetime | None = None) -> LLMResult | str:
    """Decode a published result, or return one sentence why it is not one. Never raises.

    Lenient: another publisher's result needs no more than a `request_id`. Missing names become
    `unknown`, numbers 0, the cost None, the time `now`. The result has failed if its status is
    `error` or it has an `error`. Numbers are limited to the range of an integer column.
    """
    if body is None:
        return "expected a JSON object, found no message"
    match parse(body):
        case Parsed(dict() as fields):
            pass
        case Parsed(value):
            return f"expected a JSON object, found {kind_of(value)}"
        case unparsable:
            return unparsable.reason
    request_id = fields.get("request_id")
    if not isinstance(request_id, str) or not 0 < len(request_id) <= MAX_ID_LENGTH:
        return f"request_id: expected text of 1 to {MAX_ID_LENGTH} characters"
    failed = fields.get("status") in ("error", "failed") or fields.get("error") is not None
    return LLMResult(
        request_id=request_id,
        agent_id=_text(fields.get("agent_id")),
        complexity=_text(fields.get("complexity")),
        task_type=_text(fields.get("task_type")),
        outcome=_read_failure(fields) if failed else _read_answer(fields),
        latency_ms=_count(fields.get("latency_ms")),
        attempts=_count(fields.get("attempts")),
        timestamp=_read_time(fields.get("timestamp"), now or datetime.now(UTC)),
        traceparent=_text(fields.get("traceparent")),
        supersedes=fields.get("supersedes") is True,
    )


def _read_answer(fields: Mapping[str, Any]) -> Answer:
    usage = fields.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    prompt, completion = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    total = usage.get("total_tokens")
    response = fields.get("response")
    tool_calls, dropped = fields.get("tool_calls"), fields.get("dropped")
    state = fields.get("provider_state")
    return Answer(
        response=response if response is None or isinstance(response, str) else dump(response),
        provider=_text(fields.get("provider")) or _UNKNOWN,
        model=_text(fields.get("model")) or _UNKNOWN,
        usage=Usage(
            prompt,
            completion,
            _count(prompt + completion) if total is None else _count(total),
            _count(usage.get("cached_tokens")),
            _count(usage.get("reasoning_tokens")),
        ),
        cost=_read_cost(fields.get("cost")),
        cost_basis=_read_basis(fields.get("cost_basis")),
        finish_reason=_text(fields.get("finish_reason")),
        native_finish_reason=_text(fields.get("native_finish_reason")),
        dropped=tuple(name for name in dropped if isinstance(name, str))
        if isinstance(dropped, list)
        else (),
        response_id=_text(fields.get("response_id")),
        tool_calls=tuple(call for call in tool_calls if isinstance(call, dict))
        if isinstance(tool_calls, list)
        else (),
        provider_state=state if isinstance(state, dict) else None,
    )


def _read_failure(fields: Mapping[str, Any]) -> Failure:
    error = fields.get("error")
    if not isinstance(error, dict):
        error = {"message": error}
    status_code, message = error.get("status_code"), error.get("message")
    return Failure(
        type=_text(error.get("type")) or ErrorType.PROVIDER_ERROR.value,
        message=message if isinstance(message, str) else "no reason given",
        retryable=error.get("retryable") is True,
        provider=_text(error.get("provider")) or _text(fields.get("provider")),
        status_code=_count(status_code) if isinstance(status_code, int) else None,
        path=_text(error.get("path")),
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: Any) -> int:
    """A number as an int4 that is not negative; anything else is 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0
    return int(min(max(value, 0), _INT4_MAX))


def _read_cost(value: Any) -> float | None:
    """US dollars. Some publishers' JSON libraries write decimals as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        cost = float(value)
    except (ValueError, OverflowError):
        return None
    return cost if math.isfinite(cost) and cost >= 0 else None


def _read_basis(value: Any) -> CostBasis:
    known = isinstance(value, str) and value in get_args(CostBasis)
    return cast("CostBasis", value) if known else "unknown"


def _read_time(value: Any, default: datetime) -> datetime:
    if not isinstance(value, str):
        return default
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return default
