"""A job: one request while this process works on it. The stages hand jobs to each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from typing import Literal

import trio

from nexus_actors.contract.errors import ErrorType, Refusal
from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Answer, Failure
from nexus_actors.contract.trace import TraceParent
from nexus_actors.routing import Candidate, Routes
from nexus_actors.storage.requests import Attempt, Finish, Lease, Previous, Step
from nexus_actors.work.refusals import Refusals
from supervisors import ActorRef

Key = tuple[int, str | None]
"""A message's number and its request's id: together they identify a job."""


@dataclass(frozen=True, slots=True)
class LimitedRequest:
    """The request as it is sent to one candidate, within our own limits
    (`admission/output_limit.py`)."""

    request: LLMRequest
    notes: tuple[str, ...] = ()
    """What the result's `dropped` is to say about the changes."""


@dataclass(frozen=True, slots=True)
class Unrouted:
    """The job waits for the Router."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """The job is in this provider's queue."""

    provider: str


@dataclass(frozen=True, slots=True)
class Held:
    """A worker of this provider holds the job."""

    provider: str
    worker: ActorRef


@dataclass(frozen=True, slots=True)
class Leaving:
    """The job is being given back. It is not known yet whether the store has done so."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The job has its outcome and waits for the ResultPublisher."""


Reason = Literal[
    "provider_full",
    "throttled",
    "circuit_open",
    "no_key",
    "budget",
    "rate_limit",
    "paused",
    "not_before",
]


@dataclass(frozen=True, slots=True)
class Wait:
    """Why no call may begin for a request now."""

    reason: Reason
    detail: str = ""
    """Details in our own words, never a provider's, for operators."""
    until: float = inf
    """When the wait is over, by `trio.current_time()`; inf if that is not known."""
    lane: str | None = None
    """The lane in the store from which a process takes it. None: it becomes visible at `until`."""
    subject: str = ""
    """What a result names instead of `detail` if that is not for every producer: it may quote an
    operator, or another request's error."""


Place = Unrouted | Assigned | Held | Leaving | Answered


@dataclass(slots=True, eq=False, kw_only=True, weakref_slot=True)
class Job:
    """One leased request. Only the in-work table writes `place`; the stage that holds the job
    writes the rest.

    Jobs compare by identity: if a message is leased again after its job was given up, that is
    another job.
    """

    lease: Lease
    body: LLMRequest | Refusal
    request_id: str | None
    place: Place | None = None
    """Where the job is; None while it is not in the in-work table."""
    size: int = 0
    """Bytes of the message's text; 0 if the text was not read."""
    prior_attempts: int = 0
    """Attempts made under earlier leases."""
    prior_uncounted: int = 0
    """Those of `prior_attempts` that do not count towards `max_attempts`."""
    prior_earlier: int = 0
    """Those of `prior_uncounted` made before the request was sent again under its own id."""
    prior_outcome: str | None = None
    """How the last of `prior_attempts` ended; None if there was none or the journal has none."""
    used_before: tuple[str, ...] = ()
    """Names of the candidates that earlier leases used up."""
    candidate_index: int = 0
    """Index in `candidates` of the one to try now. Those before it are used up or passed over."""
    previous: Previous | None = None
    """Who gave the answer that `previous_response_id` names, if the journal knows it."""
    deadline: float = inf
    """When the request's `timeout` ends, by `trio.current_time()`."""
    leased_at: float = field(default_factory=trio.current_time)
    leased_before: float = 0.0
    """Seconds from the request's first lease, by any process, to this one."""
    sent_at: float = -inf
    """When the message was sent to the queue, by the same clock."""
    tried_at: float | None = None
    """When the request's first call began, by the same clock; None before that."""
    pauses: dict[Candidate, Wait] = field(default_factory=dict)
    """Candidates that throttled this request, and until when it does not call each."""
    tried_keys: set[int] = field(default_factory=set)
    """Indexes of the candidate's keys that failed this request since it was assigned there."""
    passed_over: set[Candidate] = field(default_factory=set)
    """Candidates that were skipped because they had no usable key, or by an operator's order. They
    are not used up."""
    candidates: tuple[Candidate, ...] = ()
    routes: Routes | None = None
    """The routes that chose `candidates`. If others are in force, the job is routed again before
    its next call."""
    limited: LimitedRequest | None = None
    """What is sent to the candidate to try now."""
    waits_since: float = inf
    """When the wait for this lease began: when the request was sent, or last given back."""
    waited_for: str | None = None
    """Why it was given back then, if that is known."""
    waited_detail: str | None = None
    """Details of that, in our own words."""
    traceparent: TraceParent | None = None
    """The parent span that the producer has sent."""
    span: TraceParent | None = None
    """The span of this lease, if it is traced. The result names it as the parent of what
    follows."""
    wait: Wait | None = None
    """What the request waits for, or is about to; None if its call may begin."""
    call: trio.CancelScope | None = None
    """The scope of the running call. It is cancelled if the lease is lost or the request
    cancelled."""
    call_started: datetime | None = None
    call_began: float = 0.0
    """The same moment by `trio.current_time()`, which is monotonic."""
    cancelled: Failure | None = None
    """Set while a worker holds the job and somebody has cancelled it: the failure to end with."""
    outcome: Answer | Failure | None = None
    end: Finish | None = None
    """The outcome as the store takes it, encoded once."""
    end_bytes: int = 0
    """Bytes of memory that `end` takes."""
    finished_at: datetime | None = None
    latency_ms: int = 0
    attempts: list[Attempt] = field(default_factory=list)
    """Attempts made under this lease. They are not in the journal yet."""
    refusals: dict[Candidate, Refusals] = field(default_factory=dict)
    """What each candidate refused under this lease."""
    steps: list[Step] = field(default_factory=list)

    @property
    def key(self) -> Key:
        """Identifies the job among all jobs of this process."""
        return self.lease.msg_id, self.request_id

    @property
    def trace(self) -> TraceParent | None:
        """The span of this lease, else the producer's span; None if there is neither."""
        return self.span or self.traceparent

    @property
    def ids(self) -> Mapping[str, str | None]:
        """Fields of log lines about the job: the ids of its request and of its trace, if any."""
        if (trace := self.trace) is None:
            return {"request_id": self.request_id}
        return {"request_id": self.request_id, "trace_id": trace.trace_id}

    @property
    def attempt_count(self) -> int:
        """All attempts made so far."""
        return self.prior_attempts + len(self.attempts)

    @property
    def uncounted_count(self) -> int:
        """Attempts that do not count towards `max_attempts`: throttled, or repeated without a
        refused field."""
        return self.prior_uncounted + sum(attempt.uncounted for attempt in self.attempts)

    @property
    def early_count(self) -> int:
        """How often a provider throttled the request."""
        early = (attempt.outcome == ErrorType.RATE_LIMITED for attempt in self.attempts)
        return self.prior_uncounted - self.prior_earlier + sum(early)

    def has_used(self, attempts: int) -> bool:
        """Whether it has made this many attempts that count."""
        return self.attempt_count - self.uncounted_count >= attempts

    @property
    def candidate(self) -> Candidate:
        """The provider and model to try now."""
        return self.candidates[self.candidate_index]

    @property
    def is_late(self) -> bool:
        """Whether its timeout had passed when it was leased."""
        return self.deadline <= self.leased_at

    @property
    def is_throttled(self) -> bool:
        """Whether its last attempt was throttled."""
        return self.last_outcome == ErrorType.RATE_LIMITED

    @property
    def last_outcome(self) -> str | None:
        """How its last attempt ended; None if there was none."""
        return self.attempts[-1].outcome if self.attempts else self.prior_outcome

    @property
    def used_candidates(self) -> tuple[str, ...]:
        """Names of the candidates that are used up, under this lease or earlier ones."""
        if not self.candidates:
            return self.used_before
        passed = self.candidates[: self.candidate_index]
        return tuple(str(candidate) for candidate in passed if candidate not in self.passed_over)

    @property
    def left(self) -> tuple[Candidate, ...]:
        """The candidates to try now, or later."""
        return self.candidates[self.candidate_index :]

    def regain_passed_over(self) -> None:
        """Make the candidates that were passed over available again, in their order."""
        passed = self.candidates[: self.candidate_index]
        used = [it for it in passed if it not in self.passed_over]
        self.candidates = (*used, *(it for it in self.candidates if it not in used))
        self.candidate_index = len(used)
        self.passed_over.clear()

    def set_candidates(self, candidates: Sequence[Candidate], routes: Routes | None = None) -> None:
        """Take the route's candidates. Those already used up come first. If all of them are, the
        last one is tried again: the config may have changed since."""
        self.used_before, self.routes = self.used_candidates, routes
        self.passed_over.clear()
        used = [it for it in candidates if str(it) in self.used_before]
        self.candidates = (*used, *(it for it in candidates if it not in used))
        self.candidate_index = min(len(used), len(candidates) - 1)

    @property
    def has_next_candidate(self) -> bool:
        """Whether there is another candidate after this one."""
        return self.candidate_index + 1 < len(self.candidates)

    @property
    def refused(self) -> Refusals:
        """What the candidate to try now has refused."""
        return self.refusals.setdefault(self.candidate, Refusals())

    def cut_off(self, outcome: str) -> None:
        """If a call was running, record that it ended without an answer and may have been paid."""
        if self.call_started is None:
            return
        took = trio.current_time() - self.call_began
        self.attempts.append(
            Attempt(
                number=self.attempt_count + 1,
                provider=self.candidate.provider,
                model=self.candidate.model,
                outcome=outcome,
                status_code=None,
                duration_ms=round(took * 1000),
                cost=None,
                error="the worker ended during the call",
                started_at=self.call_started,
                maybe_paid=True,
            )
        )
        self.call_started = None

    def step(self, name: str, outcome: str = "ok", **detail: object) -> None:
        """Record the outcome of one step of the workflow."""
        self.steps.append(
            Step(name=name, outcome=outcome, at=datetime.now(UTC), detail=detail or None)
        )
