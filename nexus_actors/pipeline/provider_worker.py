"""Stage 4: makes one call at a time."""

import random
from dataclasses import dataclass, replace

import trio

from nexus_actors.admission.before_call import Checks
from nexus_actors.admission.provider_admission import ProviderAdmission
from nexus_actors.contract.provider_state import key_of_states
from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Answer, Failure
from nexus_actors.pipeline.provider_calls import ProviderCalls, comes_too_early
from nexus_actors.pipeline.provider_pool import WorkerStarted
from nexus_actors.pipeline.provider_tree.terms import TermsInForce
from nexus_actors.providers.port import ProviderFailure, ProviderSettings
from nexus_actors.providers.retry import backoff, may_wait, throttled
from nexus_actors.providers.sessions import open_sessions
from nexus_actors.shared import Shared
from nexus_actors.work.job import Held, Job, Reason, Wait
from nexus_actors.work.overdue import timed_out
from supervisors import ActorRef, GenServer, HandleResult, Normal, Status, Stop


@dataclass(frozen=True, slots=True)
class Retire:
    """Message to a worker: end after your current call. Its pool starts another if one is due."""


@dataclass(frozen=True, slots=True)
class _Retired:
    """Message to itself: its last call has ended."""


class ProviderWorker(GenServer):
    """Takes jobs from its provider's queue and calls the provider, with a session of its own.

    It repeats a failed call as the provider's settings allow, and at once if the provider refused
    an optional field, without that field. A job that it cannot complete goes back to the Router for
    the next candidate. It does not trap exits: when it is stopped, the drain is over.
    """

    def __init__(
        self,
        shared: Shared,
        terms: TermsInForce,
        checks: Checks,
        pool: ActorRef,
        *,
        number: int = 1,
    ) -> None:
        """The provider's `number`th worker: it retires if the pool is to be smaller than that."""
        self._shared = shared
        self._provider = terms.name
        self._number = number
        self._terms_in_force = terms
        self._terms = terms.now
        self._retires = False
        self._in_work = shared.in_work
        self._desired = shared.desired
        self._checks = checks
        self._pool = pool
        self._random = random.Random()  # noqa: S311 - jitter, not secrecy

    def format_status(self, status: Status) -> Status:
        """Counts and names only: nothing that a request contains."""
        return replace(
            status.shapes(),
            state={
                "provider": self._provider,
                "number": self._number,
                "retires": self._retires,
                "holds_a_job": any(
                    isinstance(it.place, Held) and it.place.worker == self.ref
                    for it in self._in_work.held(self._provider)
                ),
            },
        )

    async def init(self) -> None:
        """Have the pool monitor this worker before it takes a job."""
        self._pool.cast(WorkerStarted(self.ref))
        self.spawn_link(self._work)

    async def handle_cast(self, message: object) -> HandleResult:
        """On `Retire`, end after the current call."""
        match message:
            case Retire():
                self._retires = True
                self._in_work.rouse(self._provider)
            case _Retired():
                return Stop(Normal())
        return None

    async def _work(self) -> None:
        """Take jobs on the terms in force, until this worker is one too many."""
        while self._is_wanted():
            terms = self._terms = self._terms_in_force.now
            async with open_sessions(
                terms.kind, self._provider, self._settings, terms.secrets
            ) as sessions:
                calls = ProviderCalls(self._shared, self._settings, sessions, self._admission)
                while self._terms_in_force.now is terms and self._is_wanted():
                    job = await self._in_work.take(self._provider, self.ref)
                    if job is not None:
                        await self._serve(calls, job)
        self.ref.cast(_Retired())

    def _is_wanted(self) -> bool:
        return not self._retires and self._number <= self._in_work.workers(self._provider)

    @property
    def _settings(self) -> ProviderSettings:
        return self._terms.provider.settings

    @property
    def _admission(self) -> ProviderAdmission:
        return self._terms.admission

    async def _serve(self, calls: ProviderCalls, job: Job) -> None:
        """Call until there is an answer, or nothing is left to try at this provider."""
        retries = 0
        while (key := await self._permit(job)) is not None:
            outcome = await calls.make(job, key)
            match outcome:
                case None:
                    continue  # lease lost, or to be cancelled: `_permit` finds out
                case Answer():
                    return self._in_work.answer(job, outcome)
                case ProviderFailure(refused_field=str()):
                    continue  # repeat at once, without that field
                case ProviderFailure() if self._has_another_key(job, key, outcome):
                    continue
                case ProviderFailure() if comes_too_early(outcome):
                    pause = throttled(job.early_count - 1, outcome, self._random)
                    wait = self._wait(job, "throttled", outcome, pause)
                    return self._come_later(job, wait, is_given=bool(outcome.retry_after))
                case ProviderFailure(scope="key") if self._waits_for_key(job):
                    return self._back_to_router(job)
            pause = backoff(retries, outcome, self._random)
            retries += 1
            if not self._may_retry(job, outcome, retries, pause):
                return self._fail(job, outcome)
            if not may_wait(pause):  # a sleeping worker would hold up other jobs
                wait = self._wait(job, "not_before", outcome, pause)
                return self._come_later(job, wait, is_given=True)
            await self._pause(job, pause)
        return None

    async def _permit(self, job: Job) -> int | None:
        """Pass all checks before a call. Returns the key to use; None if no call may begin, and the
        job is no longer in this worker's hands."""
        while self._may_call(job):
            if self._is_outdated(job):
                self._back_to_router(job)
                return None
            limited = self._checks.limited(job, self._settings)
            if isinstance(limited, ProviderFailure):
                self._fail(job, limited)
                return None
            job.limited = limited
            key = self._begin(job, limited.request)
            if key is None:
                return None
            refused: ProviderFailure | None = None
            permitted = False
            try:
                if not await self._is_admitted(job, limited.request, key):
                    continue
                refused = await self._checks.refusal(job)
                is_ours = job in self._in_work and job.cancelled is None
                permitted = refused is None and is_ours and not self._is_halted(job)
            finally:
                if not permitted:
                    self._admission.ended(job.candidate.model, key, None, 0.0)
            if permitted:
                return key
            if refused is not None and is_ours:
                self._admission.settle(limited.request, key, refused)
                pause = refused.retry_after
                if pause and trio.current_time() + pause < job.deadline:
                    wait = Wait("budget", refused.message, trio.current_time() + pause)
                    self._come_later(job, wait, is_given=True)
                else:
                    self._fail(job, refused)
                return None
        return None

    def _may_call(self, job: Job) -> bool:
        """Whether the lease is still held and the job not cancelled. A cancelled job ends here."""
        if job not in self._in_work:
            return False
        if job.cancelled is not None:
            self._in_work.answer(job, job.cancelled)
            return False
        return True

    def _is_outdated(self, job: Job) -> bool:
        """Whether the routes or the provider's terms have changed since the job was assigned."""
        return job.routes is not self._shared.routes or self._terms is not self._terms_in_force.now

    def _is_halted(self, job: Job) -> bool:
        """Whether no call may begin for the job: it is paused, or this process drains."""
        return self._in_work.draining or self._desired.of_job(job) is not None

    def _begin(self, job: Job, request: LLMRequest) -> int | None:
        """Reserve a key for a call that begins now. None if no call may begin here: the job has
        then gone back to the Router, or ended."""
        if job.deadline <= trio.current_time():
            self._fail(job, _out_of_time(job))
            return None
        if self._is_halted(job):
            self._back_to_router(job)
            return None
        if (refused := self._admission.no_key) is not None:
            if self._shared.holds:
                self._back_to_router(job)
            else:
                self._fail(job, refused)
            return None
        home = self._home(job, request)
        key = self._admission.begin(job.candidate.model, home, job.tried_keys)
        if key is None:
            self._back_to_router(job)
        return key

    def _home(self, job: Job, request: LLMRequest) -> str | None:
        """The key with which the conversation began, by name: provider state may belong to it."""
        before = job.previous
        name = before.key_name if before and before.provider == self._provider else None
        return name or key_of_states(request, self._provider)

    async def _is_admitted(self, job: Job, request: LLMRequest, key: int) -> bool:
        """Wait until the key's limits per minute allow the call. False if the deadline passed, the
        lease was lost, or the job was paused meanwhile."""
        if not self._admission.are_counted:
            return True
        admitted = False
        job.wait = Wait("rate_limit", str(job.candidate))
        with trio.CancelScope(deadline=job.deadline) as job.call:
            admitted = await self._admission.admit(request, key)
        job.call = None
        if admitted or trio.current_time() < job.deadline:
            job.wait = None  # if the deadline passed, the timeout's message names this wait
        return admitted and not self._is_halted(job)

    def _has_another_key(self, job: Job, key: int, failure: ProviderFailure) -> bool:
        """Whether the key may be at fault and another one can be tried at once."""
        if failure.scope != "key" and failure.suspects != "key":
            return False
        job.tried_keys.add(key)
        is_left = self._admission.has_another_key(job.candidate.model, job.tried_keys)
        return is_left and not job.has_used(self._shared.max_attempts)

    def _waits_for_key(self, job: Job) -> bool:
        """Whether the request is to wait for a usable key. It goes to the Router, which knows
        whether another candidate has one."""
        has_time = (
            not job.has_used(self._shared.max_attempts) and job.deadline > trio.current_time()
        )
        return self._shared.holds and has_time and self._admission.no_key is not None

    def _may_retry(self, job: Job, failure: ProviderFailure, retries: int, pause: float) -> bool:
        # A job that came back from the queue may have been retried under an earlier lease.
        earlier = 0 if job.used_candidates else job.prior_attempts - job.prior_uncounted
        return (
            failure.retryable
            and job.refused.may_repeat(failure)
            and retries + earlier <= self._settings.max_retries
            and not job.has_used(self._shared.max_attempts)
            and trio.current_time() + pause < job.deadline
            and (may_wait(pause) or not job.has_next_candidate)
        )

    def _wait(self, job: Job, reason: Reason, failure: ProviderFailure, pause: float) -> Wait:
        """A wait, in our own words: the provider's message is recorded with the attempt only."""
        status = "" if failure.status_code is None else f" (HTTP {failure.status_code})"
        return Wait(reason, f"{job.candidate}: {failure.type}{status}", trio.current_time() + pause)

    def _come_later(self, job: Job, wait: Wait, *, is_given: bool) -> None:
        """Have the Router decide: wait in the queue, or go to the route's next model."""
        now = trio.current_time()
        left = job.deadline - now
        if not is_given and left > 1.0:
            # A pause that we chose ourselves must not outlast the request.
            wait = replace(wait, until=min(wait.until, now + left / 2))
        job.pauses[job.candidate] = wait
        self._back_to_router(job)

    async def _pause(self, job: Job, seconds: float) -> None:
        with trio.CancelScope() as job.call:
            await trio.sleep(seconds)
        job.call = None

    def _fail(self, job: Job, failure: ProviderFailure) -> None:
        """Move to the next candidate, or end the request. An empty answer beats a failure."""
        if job.refused.instead is not None:
            self._in_work.answer(job, job.refused.instead)
            return
        in_time = trio.current_time() < job.deadline
        if job.has_next_candidate and in_time and not job.has_used(self._shared.max_attempts):
            job.candidate_index += 1
            self._back_to_router(job)
        else:
            self._in_work.answer(
                job,
                Failure(
                    type=failure.type,
                    message=failure.message,
                    retryable=failure.retryable,
                    provider=self._provider,
                    status_code=failure.status_code,
                ),
            )

    def _back_to_router(self, job: Job) -> None:
        """Hand the job to the Router: for the next candidate, or to wait for this one."""
        job.tried_keys.clear()
        job.wait = None
        self._in_work.unroute(job)


def _out_of_time(job: Job) -> ProviderFailure:
    return ProviderFailure(type="timeout", message=timed_out(job), retryable=False, scope="request")
