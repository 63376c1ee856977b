"""Makes the spans of a job that leaves this process: its lease, and below it what was done.

    process ai_requests      from the beginning of the wait for this lease until the job left
    ├─ wait                  in the queue
    ├─ route                 from the lease to the candidates
    ├─ chat MODEL            one for each attempt
    └─ publish               from the outcome to the statement that stored it

They contain names, numbers and times only: nothing of a prompt, an answer or a provider's message.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from msgspec import Struct

from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Answer, Failure
from nexus_actors.contract.shown_text import printable
from nexus_actors.contract.trace import TraceParent
from nexus_actors.storage.requests import Attempt
from nexus_actors.tracing import conventions as name
from nexus_actors.work.job import Job

Kind = Literal["internal", "client", "consumer"]
How = Literal["ended", "given_back", "lost"]
"""How a job left: its result is stored; it waits in the store; its lease was lost."""
Value = str | int | float | bool | Sequence[str]
Attributes = dict[str, Value]

LONGEST: Final = 255
"""The most characters of a foreign text."""


class Span(Struct, frozen=True, kw_only=True):
    """One finished span. Ids are hexadecimal, times nanoseconds since 1970.

    A msgspec Struct, since each request has five and a dataclass takes ten times as long.
    """

    name: str
    kind: Kind = "internal"
    trace_id: str
    span_id: str
    flags: int
    """The flags of its `traceparent`."""
    parent: str | None
    """Its parent's id; None for a root span."""
    parent_is_remote: bool = False
    start: int
    end: int
    attributes: Attributes
    error: bool = False


@dataclass(frozen=True, slots=True)
class Clock:
    """Converts monotonic seconds to nanoseconds since 1970, by one reading of both clocks."""

    monotonic: float
    """Seconds."""
    wall: int

    def at(self, moment: float) -> int:
        """Convert `moment`, a time of the monotonic clock."""
        return self.wall - int((self.monotonic - moment) * 1e9)


def nanoseconds(moment: datetime) -> int:
    """Convert a time to nanoseconds since 1970."""
    return int(moment.timestamp() * 1e6) * 1000


@dataclass(frozen=True, slots=True)
class Below:
    """Makes the child spans of a lease's span. The wall clock may be changed meanwhile, so each
    child is limited to the lease's time, and never ends before it begins."""

    trace: TraceParent
    start: int
    end: int

    def span(
        self,
        span_id: str,
        name: str,
        start: int,
        end: int,
        attributes: Attributes,
        *,
        kind: Kind = "internal",
        error: bool = False,
    ) -> Span:
        """Make one child span."""
        start = min(max(start, self.start), self.end)
        return Span(
            name=name,
            kind=kind,
            trace_id=self.trace.trace_id,
            span_id=span_id,
            flags=self.trace.flags,
            parent=self.trace.span_id,
            start=start,
            end=min(max(end, start), self.end),
            attributes=attributes,
            error=error,
        )


def spans_of(
    job: Job,
    how: How,
    clock: Clock,
    *,
    queue: str,
    new_ids: Iterator[str],
    providers: Mapping[str, Attributes],
) -> list[Span]:
    """The spans of a job that leaves now and is traced. `providers`: the attributes that all calls
    to a provider have in common."""
    assert job.span is not None  # noqa: S101
    begins = clock.at(min(job.waits_since, job.leased_at))
    below = Below(job.span, begins, clock.wall)
    leased = clock.at(job.leased_at)
    reason: Attributes = {} if job.waited_for is None else {name.WAIT_REASON: job.waited_for}
    spans = [
        _lease(job, how, below, queue),
        below.span(next(new_ids), "wait", begins, leased, reason),
        *_route(job, below, leased, new_ids),
    ]
    answer = job.outcome if isinstance(job.outcome, Answer) else None
    for attempt in job.attempts:
        answered = answer if attempt is job.attempts[-1] and attempt.outcome == "ok" else None
        fixed = providers.get(attempt.provider, {})
        # Durations are known in milliseconds only, so the next span begins no earlier than this
        # ends.
        start = max(nanoseconds(attempt.started_at), spans[-1].end)
        spans.append(
            below.span(
                next(new_ids),
                f"{name.CHAT} {_shown(attempt.model)}",
                start,
                start + attempt.duration_ms * 1_000_000,
                {**fixed, **_asked(job.body), **_of_attempt(attempt), **_answered(answered)},
                kind="client",
                error=attempt.outcome != "ok",
            )
        )
    if how == "ended" and job.finished_at is not None:
        start = max(nanoseconds(job.finished_at), spans[-1].end)
        spans.append(below.span(next(new_ids), "publish", start, clock.wall, {}))
    return spans


def _lease(job: Job, how: How, below: Below, queue: str) -> Span:
    attributes: Attributes = {
        name.MESSAGING_SYSTEM: name.PGMQ,
        name.MESSAGING_OPERATION_NAME: name.PROCESS,
        name.MESSAGING_OPERATION_TYPE: name.PROCESS,
        name.MESSAGING_DESTINATION_NAME: queue,
        name.MESSAGING_MESSAGE_ID: str(job.lease.msg_id),
        name.MESSAGING_MESSAGE_BODY_SIZE: job.size,
        name.DELIVERY: job.lease.read_ct,
        name.OUTCOME: how,
    }
    of_request = {name.REQUEST_ID: job.request_id, name.GEN_AI_AGENT_ID: job.body.agent_id}
    of_request |= {name.COMPLEXITY: job.body.complexity, name.TASK_TYPE: job.body.task_type}
    attributes |= {key: _shown(it) for key, it in of_request.items() if it is not None}
    error = None
    if how == "ended":
        error = job.outcome.type if isinstance(job.outcome, Failure) else None
        attributes[name.OUTCOME] = _error(error) if error is not None else "ok"
    elif how == "given_back" and job.wait is not None:
        attributes[name.WAIT_REASON] = job.wait.reason
    if error is not None:
        attributes[name.ERROR_TYPE] = _error(error)
    return Span(
        name=f"{name.PROCESS} {queue}",
        kind="consumer",
        trace_id=below.trace.trace_id,
        span_id=below.trace.span_id,
        flags=below.trace.flags,
        parent=None if job.traceparent is None else job.traceparent.span_id,
        parent_is_remote=True,
        start=below.start,
        end=below.end,
        attributes=attributes,
        error=error is not None,
    )


def _route(job: Job, below: Below, leased: int, new_ids: Iterator[str]) -> Iterator[Span]:
    """The span of the first routing. Later ones are visible from the attempts."""
    step = next((it for it in job.steps if it.name == "route_llm"), None)
    if step is None:
        return
    attributes: Attributes = {}
    detail = step.detail or {}
    if isinstance(route := detail.get("route"), str):
        attributes[name.ROUTE] = _shown(route)
    if isinstance(candidates := detail.get("candidates"), list):
        attributes[name.ROUTE_CANDIDATES] = [_shown(it) for it in candidates]
    failed = step.outcome != "ok"
    if failed:
        attributes[name.ERROR_TYPE] = _error(step.outcome)
    end = nanoseconds(step.at)
    yield below.span(next(new_ids), "route", leased, end, attributes, error=failed)


def _asked(body: object) -> Attributes:
    """The parameters of the request, without its texts."""
    if not isinstance(body, LLMRequest):
        return {}
    asked: Attributes = {}
    if body.max_tokens is not None:
        asked[name.GEN_AI_REQUEST_MAX_TOKENS] = body.max_tokens
    if body.temperature is not None:
        asked[name.GEN_AI_REQUEST_TEMPERATURE] = body.temperature
    if body.stream:
        asked[name.GEN_AI_REQUEST_STREAM] = True
    return asked


def _of_attempt(attempt: Attempt) -> Attributes:
    attributes: Attributes = {
        name.GEN_AI_OPERATION_NAME: name.CHAT,
        name.PROVIDER: attempt.provider,
        name.GEN_AI_REQUEST_MODEL: _shown(attempt.model),
        name.ATTEMPT_NUMBER: attempt.number,
    }
    if attempt.outcome != "ok":
        attributes[name.ERROR_TYPE] = _error(attempt.outcome)
    if attempt.status_code is not None:
        attributes[name.HTTP_RESPONSE_STATUS_CODE] = attempt.status_code
    if attempt.first_text_ms is not None:
        attributes[name.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK] = attempt.first_text_ms / 1000
    if attempt.uncounted:
        attributes[name.ATTEMPT_UNCOUNTED] = True
    if attempt.maybe_paid:
        attributes[name.ATTEMPT_MAYBE_PAID] = True
    if attempt.cost is not None:
        attributes[name.COST] = attempt.cost
    if attempt.cost_basis is not None:
        attributes[name.COST_BASIS] = attempt.cost_basis
    return attributes


def _answered(answer: Answer | None) -> Attributes:
    if answer is None:
        return {}
    usage = answer.usage
    attributes: Attributes = {
        name.GEN_AI_RESPONSE_MODEL: _shown(answer.model),
        name.GEN_AI_USAGE_INPUT_TOKENS: usage.prompt_tokens,
        name.GEN_AI_USAGE_OUTPUT_TOKENS: usage.completion_tokens,
    }
    if answer.response_id is not None:
        attributes[name.GEN_AI_RESPONSE_ID] = _shown(answer.response_id)
    if answer.finish_reason is not None:
        attributes[name.GEN_AI_RESPONSE_FINISH_REASONS] = [_shown(answer.finish_reason)]
    if usage.cached_tokens:
        attributes[name.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS] = usage.cached_tokens
    if usage.reasoning_tokens:
        attributes[name.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS] = usage.reasoning_tokens
    return attributes


def _shown(text: str) -> str:
    """A foreign text, bounded and with invisible characters escaped."""
    if len(text) <= LONGEST and text.isascii() and text.isprintable():
        return text
    return printable(text, LONGEST)


def _error(outcome: str) -> str:
    """The error type, one of our own names, never a message."""
    return str(outcome) if outcome in _NAMES else name.OTHER


_NAMES: Final = frozenset(ErrorType) | {"interrupted"}
