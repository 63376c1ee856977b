"""Decides what a refusal by the store proves. An answer is replaced only if its value is shown to
be at fault: the same statement with a small placeholder instead would succeed."""

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
    """What the store accepts instead of an end that it has refused with `error`. None if the lease
    is no longer held.

    Raises StorageRefused if the store refuses even a placeholder: then the value is not at fault.
    """
    if not await store.rehearse(_placeholder(end, _result_of(end))):
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
    """Whether the store would accept a small end under another request's id: that of `other`, which
    it has accepted before, or an unknown one. This shows that it does not refuse everything.
    """
    return (other is not None and await _passes(store, end, other)) or await _passes(
        store, end, None
    )


async def _passes(store: RequestStore, end: Finish, other: Finish | None) -> bool:
    who = _result_of(other)
    someone = replace(_placeholder(end, who), request_id=who.request_id)
    try:
        return await store.rehearse(someone, lease_of=end.request_id)
    except StorageError:
        return False


def is_unstorable(end: Finish) -> bool:
    """Whether this end is an `unstorable_result` error that replaced an answer."""
    return end.failure is not None and end.failure["type"] == ErrorType.UNSTORABLE_RESULT


def _candidates(end: Finish, error: StorageRefused) -> Iterator[Finish]:
    """Replacements to try: the answer without its details, then an error instead of the answer."""
    bare = _bare(end)
    if bare != end:
        yield bare
    if end.result is not None:
        yield unstorable(end, error)
        yield unstorable(bare, error)


def unstorable(end: Finish, error: StorageRefused) -> Finish:
    """End the request with an error instead of its answer. Its cost stays on record."""
    result = _result_of(end)
    failure = Failure(
        type=ErrorType.UNSTORABLE_RESULT,
        message=f"the answer could not be stored: {error}",
        retryable=False,
        provider=result.outcome.provider,
    )
    fields, answered = result_fields(replace(result, outcome=failure)), result_fields(result)
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
    """Without details of attempts and steps, which an adapter may have filled with bad values."""
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
    """A minimal end of the same kind, under the ids of `who`."""
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


def _result_of(end: Finish | None) -> LLMResult:
    """The decoded result, or a made-up one if there is none."""
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
