"""A job as the store takes it when it leaves this process: its end, or what it waits for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import inf

import trio

from nexus_actors.contract.encode import encode_result
from nexus_actors.contract.errors import Refusal
from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Answer, Failure, LLMResult
from nexus_actors.storage.requests import Finish, GiveBack, Step
from nexus_actors.work.job import Job, Wait
from nexus_actors.work.objective import OBJECTIVE_MS

LONGEST_DETAIL = 500
"""The most characters of a wait's detail in the journal."""


def give_back(job: Job, wait: Wait | None = None) -> GiveBack:
    """Return the job's lease, with what it waits for; None: visible at once."""
    assert job.request_id is not None  # noqa: S101 - a request without an id has ended
    now = trio.current_time()
    left = job.deadline - now
    # A request in a lane is taken by a process, so its time is for information only.
    delay = 0.0 if wait is None or wait.until == inf else wait.until - now
    return GiveBack(
        lease=job.lease,
        request_id=job.request_id,
        attempts=tuple(job.attempts),
        attempt_count=job.attempt_count,
        uncounted_count=job.uncounted_count,
        used_candidates=job.used_candidates,
        waits_for=None if wait is None else wait.lane,
        reason=None if wait is None else wait.reason,
        detail=wait.detail[:LONGEST_DETAIL] if wait is not None and wait.detail else None,
        delay=min(max(delay, 0.0), max(left, 0.0)),
        expires_in=max(left, 0.0) if left < inf else None,
    )


def finish(job: Job) -> Finish:
    """The end of a job that has its outcome. It is encoded once. From then on the job keeps the
    encoded answer only, no longer its text.
    """
    if job.end is None:
        job.end = _finish(job)
        if isinstance(job.outcome, Answer):
            job.outcome = _without_text(job.outcome)
    elif job.end.lease != job.lease:
        job.end = replace(job.end, lease=job.lease)
    return job.end


def _without_text(answer: Answer) -> Answer:
    return Answer(
        response=None,
        provider=answer.provider,
        model=answer.model,
        usage=answer.usage,
        cost=answer.cost,
        cost_basis=answer.cost_basis,
        finish_reason=answer.finish_reason,
        response_id=answer.response_id,
    )


def size(end: Finish) -> int:
    """About how many bytes it takes in memory and in a statement."""
    return 1000 if end.result is None else 1000 + len(end.result.encode("utf-8", "surrogatepass"))


def _finish(job: Job) -> Finish:
    outcome, finished_at = job.outcome, job.finished_at
    assert outcome is not None  # noqa: S101
    assert finished_at is not None  # noqa: S101
    failure = outcome if isinstance(outcome, Failure) else None
    return Finish(
        lease=job.lease,
        request_id=job.request_id,
        result=None
        if job.request_id is None
        else _result(job, job.request_id, outcome, finished_at),
        failure=_dead_detail(job, failure) if failure else None,
        attempts=tuple(job.attempts),
        attempt_count=job.attempt_count,
        uncounted_count=job.uncounted_count,
        steps=_steps(job, failure),
    )


def _result(job: Job, request_id: str, outcome: Answer | Failure, finished_at: datetime) -> str:
    request = job.body if isinstance(job.body, LLMRequest) else None
    return encode_result(
        LLMResult(
            request_id=request_id,
            agent_id=job.body.agent_id,
            complexity=request.complexity if request else None,
            task_type=request.task_type if request else None,
            outcome=outcome,
            latency_ms=job.latency_ms,
            attempts=job.attempt_count,
            timestamp=finished_at,
            traceparent=None if job.trace is None else str(job.trace),
        )
    )


def _dead_detail(job: Job, failure: Failure) -> Mapping[str, object]:
    detail: dict[str, object] = {"type": failure.type, "message": failure.message}
    if isinstance(job.body, Refusal):
        detail |= {"path": job.body.path, "excerpt": job.body.excerpt}
    if failure.provider is not None:
        detail |= {"provider": failure.provider, "status_code": failure.status_code}
    return detail


def _steps(job: Job, failure: Failure | None) -> Sequence[Step]:
    """The steps so far, then publish_result and track_metrics, which the same transaction
    performs."""
    now = datetime.now(UTC)
    steps = list(job.steps)
    if failure is not None:
        last = steps[-1]
        outcome = failure.type if last.outcome == "ok" else last.outcome
        # A provider's message is recorded with its attempt only.
        why = {"message": failure.message} if failure.provider is None else {}
        steps[-1] = replace(last, outcome=outcome, detail={**(last.detail or {}), **why} or None)
    if job.request_id is not None:
        steps.append(Step(name="publish_result", outcome="ok", at=now))
    met = job.latency_ms <= OBJECTIVE_MS
    steps.append(Step(name="track_metrics", outcome="ok", at=now, detail={"objective_met": met}))
    return steps
