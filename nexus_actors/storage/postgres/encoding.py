"""Encodes batches as JSON text, the form in which they are sent to the server.

There is one JSON document per batch instead of an array per column: both sides name the fields,
absent ones are null, and a number reaches `numeric` as it was written.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

import msgspec

from nexus_actors.storage.errors import StorageRefused
from nexus_actors.storage.requests import Attempt, Finish, GiveBack, Step

JOB_RESULTS_NAMESPACE = UUID("6e657875-732d-5163-8000-6a6f62726573")
"""A row's id is the uuid5 of its request_id in this namespace, so a result that is stored twice is
one row."""


def job_result_id(request_id: str) -> UUID:
    """The id of the row in `job_results` that holds this request's result."""
    # surrogatepass: PostgreSQL refuses such a text later, like other bad values.
    text = request_id.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return uuid5(JOB_RESULTS_NAMESPACE, text)


def document(rows: Iterable[Mapping[str, object]]) -> str:
    """The rows as JSON text. Raises StorageRefused for values that JSON lacks, such as NaN."""
    listed = list(rows)
    try:
        if not any(_is_infinite(value) for row in listed for value in row.values()):
            return _ENCODER.encode(listed).decode()
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
        pass  # `json` accepts more (lone surrogates), or says what is wrong
    try:
        return json.dumps(listed, ensure_ascii=False, allow_nan=False, default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise StorageRefused(f"a value that JSON cannot hold: {type(error).__name__}") from error


def finishes(batch: Sequence[Finish], *, stored: bool = False) -> str:
    """The items for `queries/finish.sql`. `stored`: with ids of rows in job_results, for the
    variant that stores the results there."""
    return document(
        {
            "msg_id": item.lease.msg_id,
            "read_ct": item.lease.read_ct,
            "request_id": item.request_id,
            "row_id": job_result_id(item.request_id).hex if stored and item.request_id else None,
            "result": item.result,
            "journal": item.journal,
            "failure": item.failure,
            "attempt_count": item.attempt_count,
            "spared_count": item.uncounted_count,
            "steps": [_step(step) for step in item.steps],
        }
        for item in batch
    )


def returns(batch: Sequence[GiveBack]) -> str:
    """The items for `queries/give_back.sql`."""
    return document(
        {
            "msg_id": item.lease.msg_id,
            "read_ct": item.lease.read_ct,
            "request_id": item.request_id,
            "attempt_count": item.attempt_count,
            "spared_count": item.uncounted_count,
            "used_candidates": item.used_candidates,
            "lane": item.waits_for,
            "reason": item.reason,
            "detail": item.detail,
            "delay": item.delay,
            "expires_in": item.expires_in,
        }
        for item in batch
    )


def attempts(batch: Sequence[Finish] | Sequence[GiveBack]) -> str:
    """The attempts of all items, each with its request's id."""
    return document(
        _attempt(item, attempt) for item in batch if item.request_id for attempt in item.attempts
    )


def _attempt(item: Finish | GiveBack, attempt: Attempt) -> dict[str, object]:
    return {
        "request_id": item.request_id,
        "msg_id": item.lease.msg_id,
        "number": attempt.number,
        "provider": attempt.provider,
        "model": attempt.model,
        "outcome": attempt.outcome,
        "status_code": attempt.status_code,
        "duration_ms": attempt.duration_ms,
        "cost": attempt.cost,
        "cost_basis": attempt.cost_basis,
        "error": attempt.error,
        "maybe_paid": attempt.maybe_paid,
        "spared": attempt.uncounted,
        "dropped": attempt.dropped,
        "first_text_ms": attempt.first_text_ms,
        "key_name": attempt.key_name,
        "started_at": attempt.started_at,
    }


def _step(step: Step) -> dict[str, object]:
    row: dict[str, object] = {"name": step.name, "outcome": step.outcome, "at": step.at}
    if step.detail is not None:
        row["detail"] = step.detail
    return row


def _is_infinite(value: object) -> bool:
    """Whether msgspec would write null for the value. Only top-level values can be floats: nested
    ones are texts and integers."""
    return type(value) is float and not math.isfinite(value)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)


_ENCODER: Final = msgspec.json.Encoder()
