"""What a refusal of the store shows. An answer is replaced only when it was shown that its value is
at fault: the same end with something small in its place would be carried out.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from nexus_actors.contract.encode import encode_result
from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.result import Answer, Failure, LLMResult, Usage
from nexus_actors.storage.ports import Attempt, Finish, RequestStore, StorageError, StorageRefused


async def replacement(store: RequestStore, end: Finish, error: StorageRefused) -> Finish | None:
    """What the store would take in the place of an end that it has refused with `error`; None if
    the lease is held no more.

    Raises StorageRefused if it takes not even a placeholder: then it is not for the value's sake.
    """
    if not await store.rehearse(_placeholder(end)):
        return None
    refusal = error
    for candidate in _candidates(end, error):
        try:
            await store.rehearse(candidate)
        except StorageRefused as caught:
            refusal = caught
        else:
            return candidate
    raise refusal


async def others_pass(store: RequestStore, end: Finish, other: Finish | None) -> bool:
    """Whether the store would take a small end in the place of this one if the request were that of
    `other`, which it took, or a stranger's: whatever it has against this one's request.
    """
    return (other is not None and await _passes(store, end, other)) or await _passes(
        store, end, None
    )


async def _passes(store: RequestStore, end: Finish, other: Finish | None) -> bool:
    someone = _placeholder(
        replace(
            end,
            request_id=(other.request_id if other else None) or str(uuid4()),
            agent_id=other.agent_id if other else None,
            complexity=other.complexity if other else None,
            task_type=other.task_type if other else None,
            provider=other.provider if other else None,
        )
    )
    try:
        return await store.rehearse(someone, lease_of=end.request_id)
    except StorageError:
        return False


def is_unstorable(end: Finish) -> bool:
    """Whether it is one that took the place of an answer."""
    return end.dead_reason == ErrorType.UNSTORABLE_RESULT


def _candidates(end: Finish, error: StorageRefused) -> Iterator[Finish]:
    """The paid answer without what is told besides it; then without the answer."""
    bare = _bare(end)
    if bare != end:
        yield bare
    if end.result is not None:
        yield unstorable(end, error)
        yield unstorable(bare, error)


def unstorable(end: Finish, error: StorageRefused) -> Finish:
    """The same request, ended with an error instead of its answer. What it has cost stays told."""
    message = f"the answer could not be stored: {error}"
    failure = Failure(
        type=ErrorType.UNSTORABLE_RESULT, message=message, retryable=False, provider=end.provider
    )
    return replace(
        end,
        result=_result(end, failure),
        succeeded=False,
        dead_reason=failure.type,
        dead_detail={"type": failure.type, "message": message, "provider": end.provider},
        model=None,
        response_id=None,
        steps=tuple(
            replace(step, outcome=failure.type) if step.name == "publish_result" else step
            for step in end.steps
        ),
    )


def _bare(end: Finish) -> Finish:
    """Without what an adapter may have told wrongly of the way to it."""
    return replace(
        end,
        cost=_finite(end.cost),
        dead_detail=None if end.dead_detail is None else {"type": end.dead_reason},
        attempts=tuple(_bare_attempt(attempt) for attempt in end.attempts),
        steps=tuple(replace(step, detail=None) for step in end.steps),
    )


def _bare_attempt(attempt: Attempt) -> Attempt:
    return replace(attempt, cost=_finite(attempt.cost), error=None, dropped=())


def _finite(cost: float | None) -> float | None:
    return cost if cost is not None and math.isfinite(cost) else None


def _placeholder(end: Finish) -> Finish:
    """An end of the same kind, with next to nothing in it."""
    small: Answer | Failure
    if end.succeeded:
        usage = Usage(prompt_tokens=0, completion_tokens=0, total_tokens=0)
        small = Answer(
            response="",
            provider=end.provider or "",
            model=end.provider or "",
            usage=usage,
            cost=0.0,
        )
    else:
        reason = end.dead_reason or ErrorType.INTERNAL_ERROR
        small = Failure(type=reason, message="", retryable=False, provider=end.provider)
    return replace(
        _bare(end),
        result=None if end.result is None else _result(end, small),
        model=None,
        response_id=None,
        prompt_tokens=0,
        completion_tokens=0,
        cost=0.0,
        latency_ms=0,
        attempts=(),
        steps=(),
    )


def _result(end: Finish, outcome: Answer | Failure) -> str:
    assert end.request_id is not None  # noqa: S101 - a result is some request's
    return encode_result(
        LLMResult(
            request_id=end.request_id,
            agent_id=end.agent_id,
            complexity=end.complexity,
            task_type=end.task_type,
            outcome=outcome,
            latency_ms=end.latency_ms or 0,
            attempts=end.attempt_count,
            timestamp=datetime.now(UTC),
        )
    )
