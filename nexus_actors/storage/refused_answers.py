"""What a refusal by the store proves. An answer is replaced only if its value was shown to be at
fault: the same statement with a small placeholder in its place would succeed."""

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from nexus_actors.contract.encode import decode_result, encode_result, result_fields
from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.json_text import dump
from nexus_actors.contract.result import Answer, Failure, LLMResult, Usage
from nexus_actors.storage.errors import StorageError, StorageRefused
from nexus_actors.storage.requests import Attempt, Finish, RequestStore


async def replacement(store: RequestStore, end: Finish, error: StorageRefused) -> Finish | None:
    """What the store would take in the place of an end that it has refused with `error`; None if
    the lease is held no more.

    Raises StorageRefused if it takes not even a placeholder: then it is not for the value's sake.
    """
    if not await store.rehearse(_placeholder(end, _told(end))):
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
    who = _told(other)
    someone = replace(_placeholder(end, who), request_id=who.request_id)
    try:
        return await store.rehearse(someone, lease_of=end.request_id)
    except StorageError:
        return False


def is_unstorable(end: Finish) -> bool:
    """Whether it is one that took the place of an answer."""
    return end.failure is not None and end.failure["type"] == ErrorType.UNSTORABLE_RESULT


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
    told = _told(end)
    failure = Failure(
        type=ErrorType.UNSTORABLE_RESULT,
        message=f"the answer could not be stored: {error}",
        retryable=False,
        provider=told.outcome.provider,
    )
    fields, answered = result_fields(replace(told, outcome=failure)), result_fields(told)
    cost = {name: answered[name] for name in ("usage", "cost", "cost_basis")}
    return replace(
        end,
        result=dump(fields),
        journal=dump({**fields, **cost}),
        failure={"type": failure.type, "message": failure.message, "provider": failure.provider},
        steps=tuple(
            replace(step, outcome=failure.type) if step.name == "publish_result" else step
            for step in end.steps
        ),
    )


def _bare(end: Finish) -> Finish:
    """Without what an adapter may have told wrongly of the way to it."""
    return replace(
        end,
        failure=None if end.failure is None else {"type": end.failure["type"]},
        attempts=tuple(_bare_attempt(attempt) for attempt in end.attempts),
        steps=tuple(replace(step, detail=None) for step in end.steps),
    )


def _bare_attempt(attempt: Attempt) -> Attempt:
    return replace(attempt, cost=_finite(attempt.cost), error=None, dropped=())


def _finite(cost: float | None) -> float | None:
    return cost if cost is not None and math.isfinite(cost) else None


def _placeholder(end: Finish, who: LLMResult) -> Finish:
    """An end of the same kind, with next to nothing in it, as that of `who`."""
    provider = who.outcome.provider
    small: Answer | Failure
    if end.failure is None:
        usage = Usage(prompt_tokens=0, completion_tokens=0, total_tokens=0)
        name = provider or ""
        small = Answer(response="", provider=name, model=name, usage=usage, cost=0.0)
    else:
        reason = str(end.failure["type"])
        small = Failure(type=reason, message="", retryable=False, provider=provider)
    result = encode_result(replace(who, outcome=small, latency_ms=0))
    return replace(
        _bare(end),
        result=None if end.result is None else result,
        journal=None,
        attempts=(),
        steps=(),
    )


def _told(end: Finish | None) -> LLMResult:
    """What the result says; a stranger's where there is none."""
    result = decode_result(None if end is None else end.result)
    if isinstance(result, LLMResult):
        return result
    return LLMResult(
        request_id=(end.request_id if end else None) or str(uuid4()),
        agent_id=None,
        complexity=None,
        task_type=None,
        outcome=Failure(type=ErrorType.INTERNAL_ERROR, message="", retryable=False),
        latency_ms=0,
        attempts=0,
        timestamp=datetime.now(UTC),
    )
