"""What the stages hand to each other: one request while this process works on it."""

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
"""A message's number and its request's id."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """What is sent of a request to one candidate."""

    request: LLMRequest
    notes: tuple[str, ...] = ()
    """What `dropped` is to say of it."""


@dataclass(frozen=True, slots=True)
class Unrouted:
    """It waits for the Router."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """It is in this provider's queue."""

    provider: str


@dataclass(frozen=True, slots=True)
class Held:
    """A worker of this provider has it."""

    provider: str
    worker: ActorRef


@dataclass(frozen=True, slots=True)
class Leaving:
    """It is being given back. Whether the store has done so already is not known yet."""


@dataclass(frozen=True, slots=True)
class Answered:
    """It has its outcome and waits for the ResultPublisher."""


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
    """Why a request cannot be called for now."""

    reason: Reason
    detail: str = ""
    """What exactly, in words of ours."""
    until: float = inf
    """By `trio.current_time()`; inf where nobody knows."""
    lane: str | None = None
    """Under which name it waits in the store until somebody takes it; None: until that time."""


Place = Unrouted | Assigned | Held | Leaving | Answered


@dataclass(slots=True, eq=False, kw_only=True, weakref_slot=True)
class Job:
    """One leased request on its way. The in-work table writes its place, the stage that holds it
    the rest.

    Two jobs are the same only if they are the same object: a message that is leased again, after
    its job was given up, is another job.
    """

    lease: Lease
    body: LLMRequest | Refusal
    request_id: str | None
    place: Place | None = None
    """Where it is, as the in-work table says; None while it is not in the table."""
    size: int = 0
    """Bytes that its message takes as text; 0 where it is not read."""
    prior_attempts: int = 0
    """Attempts made under earlier leases."""
    prior_uncounted: int = 0
    """Those of them that do not count towards the most allowed."""
    prior_earlier: int = 0
    """Those of these that were made before the request was sent again under its own id."""
    prior_outcome: str | None = None
    """How the last of them ended; None where there was none, or none that the journal knows."""
    used_before: tuple[str, ...] = ()
    """Names of candidates that were used up under earlier leases."""
    candidate_index: int = 0
    """Position in `candidates` of the one to try now; earlier ones are used up."""
    previous: Previous | None = None
    """Who gave the answer that the request goes on with, as far as the journal knows."""
    deadline: float = inf
    """When the request's own `timeout` is over, by `trio.current_time()`."""
    leased_at: float = field(default_factory=trio.current_time)
    leased_before: float = 0.0
    """Seconds from its first lease, whoever had it, to this one."""
    sent_at: float = -inf
    """When it was put into the queue, by the same clock."""
    tried_at: float | None = None
    """When its first call began, by the same clock; None before."""
    pauses: dict[Candidate, Wait] = field(default_factory=dict)
    """Until when this request leaves a candidate alone that told it to come later."""
    tried_keys: set[int] = field(default_factory=set)
    """Places of the candidate's keys that were no good for it, since it was assigned there."""
    passed_over: set[Candidate] = field(default_factory=set)
    """Candidates that were passed over, since no key of theirs could be used, or an operator wants
    it so: not used up."""
    candidates: tuple[Candidate, ...] = ()
    routes: Routes | None = None
    """What chose them. Once others are in force, it is routed anew before its next call."""
    allowed: Allowed | None = None
    """What is sent of it to the candidate to try now."""
    waits_since: float = inf
    """When it began to wait for this lease, by the same clock: it was sent, or given back."""
    waited_for: str | None = None
    """Why it was given back then, where that is known."""
    waited_detail: str | None = None
    """What exactly that was, in words of ours."""
    traceparent: TraceParent | None = None
    """Whose child its producer says that all this is."""
    span: TraceParent | None = None
    """The span of this lease, where it is traced; in its result it is the parent of what comes."""
    wait: Wait | None = None
    """What it waits for in the store, or will; None where its call may begin."""
    call: trio.CancelScope | None = None
    """Around the call that is being made: cancelled when the lease is lost, or the request is to be
    cancelled."""
    call_started: datetime | None = None
    call_began: float = 0.0
    """The same moment on trio's clock, which nobody sets."""
    cancelled: Failure | None = None
    """How it is to end instead of being called, while a worker has it: somebody wants it
    cancelled."""
    outcome: Answer | Failure | None = None
    end: Finish | None = None
    """What the store is told of its outcome: encoded once, for as long as it is answered."""
    end_bytes: int = 0
    """What that takes of the memory."""
    finished_at: datetime | None = None
    latency_ms: int = 0
    attempts: list[Attempt] = field(default_factory=list)
    """Attempts made under this lease; not in the journal yet."""
    refusals: dict[Candidate, Refusals] = field(default_factory=dict)
    """What the candidates refused of it under this lease."""
    steps: list[Step] = field(default_factory=list)

    @property
    def key(self) -> Key:
        """What it is found by among all jobs of this process."""
        return self.lease.msg_id, self.request_id

    @property
    def trace(self) -> TraceParent | None:
        """What goes on from it: the span of this lease, else what its producer has sent."""
        return self.span or self.traceparent

    @property
    def ids(self) -> Mapping[str, str | None]:
        """What a line of the log about it has: the ids of its request and of its trace, if any."""
        if (trace := self.trace) is None:
            return {"request_id": self.request_id}
        return {"request_id": self.request_id, "trace_id": trace.trace_id}

    @property
    def attempt_count(self) -> int:
        """All attempts made so far."""
        return self.prior_attempts + len(self.attempts)

    @property
    def uncounted_count(self) -> int:
        """Those of them that do not count: too early, or repeated without a refused field."""
        return self.prior_uncounted + sum(attempt.uncounted for attempt in self.attempts)

    @property
    def early_count(self) -> int:
        """How often a provider said to come later."""
        early = (attempt.outcome == ErrorType.RATE_LIMITED for attempt in self.attempts)
        return self.prior_uncounted - self.prior_earlier + sum(early)

    def has_used(self, attempts: int) -> bool:
        """Whether it has made so many attempts, those that do not count left out."""
        return self.attempt_count - self.uncounted_count >= attempts

    @property
    def candidate(self) -> Candidate:
        """The provider and model to try now."""
        return self.candidates[self.candidate_index]

    @property
    def is_throttled(self) -> bool:
        """Whether what came of it last was no more than: later."""
        return self.last_outcome == ErrorType.RATE_LIMITED

    @property
    def last_outcome(self) -> str | None:
        """How its last attempt ended; None where there was none."""
        return self.attempts[-1].outcome if self.attempts else self.prior_outcome

    @property
    def used_candidates(self) -> tuple[str, ...]:
        """Names of the candidates that are used up."""
        if not self.candidates:
            return self.used_before
        passed = self.candidates[: self.candidate_index]
        return tuple(str(candidate) for candidate in passed if candidate not in self.passed_over)

    @property
    def left(self) -> tuple[Candidate, ...]:
        """The candidates to try now, or later."""
        return self.candidates[self.candidate_index :]

    def regain_passed_over(self) -> None:
        """Those passed over may be tried again, in their order."""
        passed = self.candidates[: self.candidate_index]
        used = [it for it in passed if it not in self.passed_over]
        self.candidates = (*used, *(it for it in self.candidates if it not in used))
        self.candidate_index = len(used)
        self.passed_over.clear()

    def set_candidates(self, candidates: Sequence[Candidate], routes: Routes | None = None) -> None:
        """Take the route's candidates; those used up before come first, whatever their order was
        then. Of none but used ones the last is left: the config may have changed since."""
        self.used_before, self.routes = self.used_candidates, routes
        self.passed_over.clear()
        used = [it for it in candidates if str(it) in self.used_before]
        self.candidates = (*used, *(it for it in candidates if it not in used))
        self.candidate_index = min(len(used), len(candidates) - 1)

    @property
    def has_next_candidate(self) -> bool:
        """Whether the route has another model after this one."""
        return self.candidate_index + 1 < len(self.candidates)

    @property
    def refused(self) -> Refusals:
        """What the candidate to try now refused of it."""
        return self.refusals.setdefault(self.candidate, Refusals())

    def cut_off(self, outcome: str) -> None:
        """If a call was being made, note that it ended without an answer. It may have been paid."""
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
        """Note the outcome of one step of the workflow."""
        self.steps.append(
            Step(name=name, outcome=outcome, at=datetime.now(UTC), detail=detail or None)
        )
