"""Stage 2: chooses the candidates of a request and assigns it to the first available one."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from math import inf
from typing import Any

import structlog
import trio
from msgspec import structs

from nexus_actors.admission.gates import NoKey
from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Failure
from nexus_actors.failpoints import reached
from nexus_actors.providers.retry import LONG_PAUSE
from nexus_actors.providers.urls import refusal
from nexus_actors.routing import Candidate, Routed
from nexus_actors.shared import Shared
from nexus_actors.steering.desired import Pause
from nexus_actors.storage.errors import StorageError, StorageRefused
from nexus_actors.storage.requests import GiveBack
from nexus_actors.work.deadlines import Deadlines
from nexus_actors.work.ending import give_back
from nexus_actors.work.job import Assigned, Job, Unrouted, Wait
from nexus_actors.work.overdue import timed_out, waits_too_long
from nexus_actors.work.wake import Wake
from supervisors import GenServer, Status

log = structlog.get_logger("nexus.router")

ELSEWHERE = 5.0
"""Seconds after which a request is due again that only this node must not call for."""
_REFUSED = (ErrorType.AUTHENTICATION_FAILED, ErrorType.QUOTA_EXCEEDED)


class Router(GenServer):
    """Never waits for a provider or for the store: if a provider's queue is full, a separate task
    gives the job back to the store, to wait there.

    Fallback is for failure, not for load. A job waits for its first choice while that is full or
    must not be called for a moment; it moves on to the next one after a failure, or if the circuit
    is open for long. The order of a route's models expresses quality and price, and a busy moment
    changes neither.
    """

    def __init__(self, shared: Shared, bell: trio.MemoryReceiveChannel[None]) -> None:
        self._shared = shared
        self._store = shared.store
        self._in_work = shared.in_work
        self._desired = shared.desired
        self._overtaken = shared.overtaken
        self._bell = bell
        self._gates = shared.gates
        self._deadlines = Deadlines(self._expire)
        self._left = Wake()
        self._patience = shared.outages.patience("Router")

    def format_status(self, status: Status) -> Status:
        """Counts and names only: nothing that a request contains."""
        return replace(
            status.shapes(),
            state={
                "routed": len(self._in_work) - len(self._in_work.unrouted()),
                "to_route": len(self._in_work.unrouted()),
                "going_back": len(self._in_work.leaving()),
                "draining": self._in_work.draining,
                "store_away": self._patience.tried,
            },
        )

    async def init(self) -> None:
        """Begin with jobs that a predecessor did not place, or did not certainly give back."""
        # Importing the price list takes a moment; other tasks must not wait for it.
        await trio.to_thread.run_sync(self._shared.routes.warm_up)
        for job in self._in_work:
            self._deadlines.watch(job)
        self._route_all()
        self.spawn_link(self._route)
        self.spawn_link(self._give_back_all)
        self.spawn_link(self._deadlines.keep)

    async def _route(self) -> None:
        async for _ in self._bell:
            self._route_all()
            self._left.set()

    def _route_all(self) -> None:
        for job in self._in_work.unrouted():
            self._deadlines.watch(job)
            self._place(job)

    def _place(self, job: Job) -> None:
        """Assign the job to a provider, end it, or let it wait in the store."""
        failure = job.cancelled
        if failure is None and job.routes is not self._shared.routes:
            failure = self._find_candidates(job)
        if failure is not None:
            self._in_work.answer(job, failure)
        elif job.deadline <= trio.current_time():
            self._expire(job)
        elif job.has_used(self._shared.max_attempts):
            self._in_work.answer(job, _exhausted(job))
        elif self._in_work.draining:
            self._in_work.leave(job)
        elif (wait := self._choose(job)) is not None:
            job.wait = wait
            if wait.reason == "paused" or wait.until < self._may_wait_until(job):
                self._overtaken.add(job)
                self._in_work.leave(job)
            else:
                self._in_work.answer(job, self._left_alone(job, wait))
        elif self._in_work.room(provider := job.candidate.provider) > 0:
            job.wait = None
            self._in_work.assign(job, provider)
            reached("after_route")
        else:
            job.wait = Wait("provider_full", provider, lane=provider)
            self._overtaken.add(job)
            self._in_work.leave(job)

    def _choose(self, job: Job) -> Wait | None:
        """Move to the first candidate that may be called soon. Returns what to wait for if its call
        may not begin now, else None.

        If no candidate may be called soon, none is used up: the job waits for the one that may be
        called first. It waits for an operator's pause however long that lasts, unless the pause
        tells routes to fall back.
        """
        now = trio.current_time()
        if job.passed_over and all(self._is_shut(it, now) for it in job.left):
            job.regain_passed_over()
        left = job.left
        wait = self._wait(job, left[0], now)
        if wait is not None:
            waits = [self._wait(job, candidate, now) for candidate in left]
            shut = {it for it in left if self._is_shut(it, now)}
            ahead = next(
                (i for i, it in enumerate(left) if it not in shut and _is_short(waits[i], now)),
                None,
            )
            if ahead is None:
                wait = min((it for it in waits if it is not None), key=lambda it: it.until)
            else:
                wait = waits[ahead]
            if ahead:
                job.passed_over |= shut.intersection(left[:ahead])
                job.candidate_index += ahead
                job.step("route_llm", passed_over=[str(candidate) for candidate in left[:ahead]])
        pause = self._desired.of_job(job)
        if pause is not None and not pause.fallback:
            return _for_end(pause, job.candidate.provider, now)
        return wait

    def _wait(self, job: Job, candidate: Candidate, now: float) -> Wait | None:
        """Why this request may not be sent to the candidate now: the longest known wait."""
        wait = self._gates.shut(candidate, now)
        if job.pauses and (own := job.pauses.get(candidate)) is not None and own.until > now:
            wait = _longer(wait, own)
        if (no_key := self._no_key(candidate, now)) is not None:
            why = no_key.describe(candidate.provider, now)
            name = candidate.provider
            shut = Wait("no_key", why, no_key.until, name, subject=f"provider {name}")
            wait = _longer(wait, shut)
        if (pause := self._desired.of_candidate(*candidate)) is not None and pause.fallback:
            wait = _longer(wait, _for_end(pause, candidate.provider, now))
        return wait

    def _is_shut(self, candidate: Candidate, now: float) -> bool:
        """Whether to skip the candidate without using it up."""
        pause = self._desired.of_candidate(*candidate)
        falls_back = pause is not None and pause.fallback
        return falls_back or self._no_key(candidate, now) is not None

    def _no_key(self, candidate: Candidate, now: float) -> NoKey | None:
        """Why the candidate's provider has no usable key, if requests wait for one. None if it has
        one, or if they do not wait: then the worker ends them."""
        if not self._gates.refused or not self._shared.holds:
            return None
        return self._gates.no_key(candidate.provider, now)

    def _has_no_key(self, job: Job) -> bool:
        """Whether no remaining candidate has a usable key."""
        now = trio.current_time()
        return bool(job.left) and all(self._no_key(it, now) is not None for it in job.left)

    def _may_wait_until(self, job: Job) -> float:
        """Until when the request may wait: until its deadline. If it is throttled without a
        timeout, or no candidate has a usable key, `max_throttled_hours` bounds the wait."""
        if self._has_no_key(job):
            now = trio.current_time()
            since = min(it.since for one in job.left if (it := self._no_key(one, now)))
            return min(job.deadline, max(job.sent_at, since) + self._shared.throttled_seconds)
        if job.is_throttled and job.tried_at is not None and job.deadline == inf:
            return job.tried_at + self._shared.throttled_seconds
        return job.deadline

    def _left_alone(self, job: Job, wait: Wait) -> Failure:
        """No candidate may be called before `wait` ends, and the request may not wait so long."""
        if self._has_no_key(job):
            return self._without_key(job)
        provider, model = job.candidate
        why = ErrorType.RATE_LIMITED if job.is_throttled else self._gates.why(provider, model)
        count = f"; {_throttled(job)}" if job.is_throttled else ""
        return Failure(
            type=why or ErrorType.PROVIDER_ERROR,
            message=f"{waits_too_long(job, wait)}{count}",
            retryable=True,
            provider=provider,
            status_code=job.attempts[-1].status_code if job.attempts else None,
        )

    def _without_key(self, job: Job) -> Failure:
        now = trio.current_time()
        lacking = [(one.provider, it) for one in job.left if (it := self._no_key(one, now))]
        limit = "" if job.deadline == inf else ", longer than the request's timeout allows"
        return Failure(
            type=lacking[0][1].type,
            message="; ".join(dict.fromkeys(it.describe(name, now) for name, it in lacking))
            + limit,
            retryable=False,
            provider=lacking[0][0],
            status_code=lacking[0][1].status_code,
        )

    def _find_candidates(self, job: Job) -> Failure | None:
        assert isinstance(job.body, LLMRequest)  # noqa: S101 - refused requests are never routed
        settings, routes = self._shared.settings, self._shared.routes
        hosts, bounds = settings.security.allowed_hosts, settings.requests.bounds
        if (why := refusal(job.body, hosts, bounds)) is not None:
            job.step("route_llm", ErrorType.REQUEST_REJECTED)
            return Failure(type=ErrorType.REQUEST_REJECTED, message=why, retryable=False)
        home = job.previous
        previous = None if home is None else Candidate(home.provider, home.model)
        outcome = routes.candidates(job.body, previous)
        detail: dict[str, Any] = {"route": routes.name_of(outcome.route)}
        if outcome.skipped:
            detail["skipped"] = [asdict(one) for one in outcome.skipped]
        match outcome:
            case Routed(candidates=candidates):
                if (note := routes.unheard(job.body)) is not None:
                    unknown = (*job.body.unknown, note)
                    job.body = structs.replace(job.body, unknown=unknown)
                job.set_candidates(candidates, routes)
                job.step("route_llm", candidates=[str(c) for c in candidates], **detail)
                return None
            case unroutable:
                job.step("route_llm", unroutable.type, **detail)
                return Failure(type=unroutable.type, message=unroutable.message, retryable=False)

    def _expire(self, job: Job) -> None:
        """The job's deadline has passed. A running call is bounded by its worker."""
        if isinstance(job.place, Unrouted | Assigned):
            self._in_work.answer(job, self._out_of_time(job))

    def _out_of_time(self, job: Job) -> Failure:
        if self._has_no_key(job):
            return self._without_key(job)
        message, kind = timed_out(job, self._held(job)), ErrorType.TIMEOUT
        if job.is_throttled:
            message, kind = f"{message}; {_throttled(job)}", ErrorType.RATE_LIMITED
        elif self._shared.holds and job.last_outcome in _REFUSED:  # the suspension has just ended
            message = f"{message}; its provider accepted no key of ours"
            kind = ErrorType(job.last_outcome)
        return Failure(type=kind, message=message, retryable=False)

    def _held(self, job: Job) -> Wait | None:
        """Why no call may begin for the job now; None if one may, or if it is not routed yet."""
        if not job.candidates:
            return None
        now = trio.current_time()
        provider = job.candidate.provider
        if job.is_late and job.waited_for is None:  # it has waited for nothing but to be leased
            queue = self._desired.of_queue_at(job.deadline)
            return None if queue is None else _for_end(queue, provider, now)
        if (pause := self._desired.of_job(job)) is not None:
            return _for_end(pause, provider, now)
        return self._wait(job, job.candidate, now)

    # -- what waits in the store

    async def _give_back_all(self) -> None:
        """Give back all jobs that are leaving, whoever marked them."""
        while True:
            if leaving := self._in_work.leaving():
                await self._give_back(leaving)
            else:
                await self._left.wait(inf)

    async def _give_back(self, jobs: Sequence[Job]) -> None:
        """Give back these leases. Retries for as long as the store is away."""
        while jobs := [job for job in jobs if job in self._in_work]:
            try:
                reached("before_give_back")
                await self._store.give_back([self._return(job) for job in jobs])
                reached("after_give_back")
            except StorageRefused as error:
                if len(jobs) > 1:
                    for job in jobs:
                        await self._give_back([job])
                    return
                # The lease lapses by itself. The next lease then knows of fewer attempts.
                log.error("not given back", **jobs[0].ids, error=str(error))  # noqa: TRY400
                self._in_work.remove(jobs[0])
                self._shared.left(jobs[0], "lost")
            except StorageError as error:
                await self._patience.failed(error)
            else:
                self._patience.worked()
                for job in jobs:
                    self._in_work.remove(job)
                    self._shared.left(job, "given_back")
                self._in_work.waiting_providers.update(
                    job.wait.lane for job in jobs if job.wait is not None and job.wait.lane
                )
                self._in_work.on_room()

    def _return(self, job: Job) -> GiveBack:
        """With what it waits for; visible at once if this process stops, since others may have
        room."""
        return give_back(job, None if self._in_work.draining else job.wait)


def _for_end(pause: Pause, provider: str, now: float) -> Wait:
    """A wait for the end of a pause. If only this node is paused, other nodes take the request: it
    waits for room at the provider, or becomes due again soon."""
    until, lane = pause.ends_at, None
    if pause.everywhere:
        lane = pause.lane
    elif pause.subject == "provider":
        lane = provider
    else:
        until = min(until, now + (0.0 if pause.subject == "queue" else ELSEWHERE))
    return Wait("paused", pause.describe(), until, lane, subject=pause.what)


def _longer(one: Wait | None, other: Wait) -> Wait:
    return other if one is None or other.until > one.until else one


def _is_short(wait: Wait | None, now: float) -> bool:
    return wait is None or wait.until - now <= LONG_PAUSE


def _throttled(job: Job) -> str:
    return f"the provider throttled it {job.early_count} time{'' if job.early_count == 1 else 's'}"


def _exhausted(job: Job) -> Failure:
    """The failure of a request that has used up its attempts: it quotes the last error."""
    count = f"gave up after {job.attempt_count} attempts"
    if not job.attempts:
        return Failure(type=ErrorType.MAX_ATTEMPTS_EXCEEDED, message=count, retryable=False)
    last = job.attempts[-1]
    return Failure(
        type=last.outcome,
        message=f"{count}; the last: {last.error}" if last.error else count,
        retryable=False,
        provider=last.provider,
        status_code=last.status_code,
    )
