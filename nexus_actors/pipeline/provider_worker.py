"""Stage 4: one call at a time."""

import random
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog
import trio
from pydantic import SecretStr

from nexus_actors.contract.errors import ErrorType, Refusal
from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Answer, Failure
from nexus_actors.failpoints import reached
from nexus_actors.pipeline.checks import Checks
from nexus_actors.pipeline.in_work import InWork
from nexus_actors.pipeline.job import Job
from nexus_actors.pipeline.lane import Lane
from nexus_actors.pipeline.metrics import Metrics
from nexus_actors.pipeline.provider_limits import ProviderLimits
from nexus_actors.pipeline.provider_pool import WorkerStarted
from nexus_actors.pipeline.router import LONG_PAUSE
from nexus_actors.pipeline.sessions import Sessions, open_sessions
from nexus_actors.pipeline.text_streams import TextStreams
from nexus_actors.providers.port import (
    OnText,
    Outcome,
    ProviderFailure,
    ProviderKind,
    ProviderSettings,
)
from nexus_actors.providers.retry import backoff, may_wait
from nexus_actors.routing.choice import expected_tokens
from nexus_actors.storage.ports import Attempt
from supervisors import ActorRef, GenServer

GRACE = 5.0
"""Seconds beyond a call's timeout after which a provider that does not keep it is cut off."""
log = structlog.get_logger("nexus.worker")


class ProviderWorker(GenServer):
    """Takes jobs from its provider's lane and calls the provider, with a session of its own.

    A failed call is repeated as the provider's settings allow; what is beyond goes back to the
    Router for the next candidate. It does not trap exits: by the time it is told to stop, the drain
    is over.
    """

    def __init__(
        self,
        *,
        provider: str,
        kind: ProviderKind,
        settings: ProviderSettings,
        api_keys: Sequence[SecretStr],
        max_attempts: int,
        in_work: InWork,
        metrics: Metrics,
        lane: Lane,
        limits: ProviderLimits,
        checks: Checks,
        streams: TextStreams,
        pool: ActorRef,
        to_router: trio.MemorySendChannel[Job],
        to_publisher: trio.MemorySendChannel[Job],
    ) -> None:
        self._provider = provider
        self._kind = kind
        self._settings = settings
        self._api_keys = api_keys or (None,)
        self._max_attempts = max_attempts
        self._in_work = in_work
        self._metrics = metrics
        self._lane = lane
        self._limits = limits
        self._checks = checks
        self._streams = streams
        self._pool = pool
        self._to_router = to_router
        self._to_publisher = to_publisher
        self._random = random.Random()  # noqa: S311 - jitter, not secrecy

    async def init(self) -> None:
        """Let the pool watch us before anything is in our hands."""
        self._pool.cast(WorkerStarted(self.ref))
        self.spawn_link(self._work)

    async def _work(self) -> None:
        async with open_sessions(self._kind, self._provider, self._settings, self._api_keys) as own:
            while True:
                job = await self._lane.take()
                async with self._limits.slots:
                    if self._in_work.start(job, self.ref):
                        await self._serve(own, job)

    async def _serve(self, sessions: Sessions, job: Job) -> None:
        """Call until there is an answer, or nothing left to try here."""
        retries = 0
        while (key := await self._permit(job)) is not None:
            outcome = await self._attempt(sessions, job, key)
            match outcome:
                case None:
                    return None  # the lease was lost: the job is no longer ours
                case Answer():
                    return self._end(job, outcome)
                case ProviderFailure() if self._has_another_key(job, key, outcome):
                    continue
                case ProviderFailure() if _comes_too_early(outcome):
                    return self._back_to_router(job)
            pause = backoff(retries, outcome, self._random)
            retries += 1
            if not self._may_retry(job, outcome, retries, pause):
                return self._fail(job, outcome)
            await self._pause(job, pause)
        return None

    async def _permit(self, job: Job) -> int | None:
        """The key for a call that may begin now; None if none may, and the job has gone elsewhere
        or is ours no more."""
        while job in self._in_work:
            key = self._begin(job)
            if key is None:
                return None
            refused: ProviderFailure | None = None
            permitted = False
            try:
                if not await self._is_admitted(job, key):
                    continue
                refused = await self._checks.refusal(job)
                permitted = refused is None and job in self._in_work
            finally:
                if not permitted:
                    self._limits.ended(job.candidate.model, key, None, 0.0)
            if permitted:
                return key
            if refused is not None and job in self._in_work:
                self._settle(job.body, key, refused)
                self._fail(job, refused)
                return None
        return None

    def _begin(self, job: Job) -> int | None:
        """The key for a call that begins now; None if there is none to be made here, and the job
        has gone elsewhere."""
        if job.deadline <= trio.current_time():
            self._fail(job, _out_of_time(job))
            return None
        if (refused := self._limits.refused) is not None:
            self._fail(job, refused)
            return None
        home = job.previous.key_name if job.previous else None
        key = self._limits.begin(job.candidate.model, home)
        if key is None:
            self._back_to_router(job)
        return key

    async def _is_admitted(self, job: Job, key: int) -> bool:
        """Wait until the key's limits allow the call. False if the job's time was over first, or
        its lease lost."""
        if not self._limits.are_counted:
            return True
        assert isinstance(job.body, LLMRequest)  # noqa: S101 - refused requests never come here
        admitted = False
        with trio.CancelScope(deadline=job.deadline) as job.call:
            await self._limits.admit(key, expected_tokens(job.body))
            admitted = True
        job.call = None
        return admitted

    def _settle(self, request: LLMRequest | Refusal, key: int, outcome: Outcome | None) -> None:
        """Tell the key's limits what a call took of them. One that may have been paid counts."""
        if not self._limits.are_counted or isinstance(request, Refusal):
            return
        expected = expected_tokens(request)
        match outcome:
            case Answer(usage=usage) if usage.total_tokens:
                self._limits.settle(key, expected - usage.total_tokens)
            case ProviderFailure(maybe_paid=False):
                self._limits.settle(key, expected)

    def _has_another_key(self, job: Job, key: int, failure: ProviderFailure) -> bool:
        """Note what a failure says of its key; whether another is left, to be tried at once."""
        if _comes_too_early(failure):
            pause = backoff(job.spared_count - 1, failure, self._random)
            return self._limits.hold(job.candidate.model, key, pause)
        return failure.scope == "key" and self._limits.set_aside(job.candidate.model, key, failure)

    def _may_retry(self, job: Job, failure: ProviderFailure, retries: int, pause: float) -> bool:
        return (
            failure.retryable
            and retries <= self._settings.max_retries
            and may_wait(pause)
            and not job.has_used(self._max_attempts)
            and trio.current_time() + pause < job.deadline
            and (pause <= LONG_PAUSE or not job.has_next_candidate)
        )

    async def _attempt(self, sessions: Sessions, job: Job, key: int) -> Outcome | None:
        """One attempt, recorded. None if the lease was lost meanwhile."""
        assert isinstance(job.body, LLMRequest)  # noqa: S101 - refused requests never come here
        model = job.candidate.model
        timeout = min(self._settings.timeout, job.deadline - trio.current_time())
        job.call_started = datetime.now(UTC)
        started = job.call_began = trio.current_time()
        outcome = await self._call(sessions, job.body, job, timeout, key)
        if outcome is None or job not in self._in_work:
            return None
        failure = outcome if isinstance(outcome, ProviderFailure) else None
        job.record(
            Attempt(
                number=0,
                provider=self._provider,
                model=model,
                outcome="ok" if failure is None else failure.type,
                status_code=failure.status_code if failure else None,
                duration_ms=round((trio.current_time() - started) * 1000),
                cost=outcome.cost if isinstance(outcome, Answer) else None,
                error=failure.message if failure else None,
                started_at=job.call_started,
                maybe_paid=failure is not None and failure.maybe_paid,
                spared=_comes_too_early(outcome),
                dropped=outcome.dropped,
                first_text_ms=_milliseconds(outcome.seconds_to_first_text)
                if isinstance(outcome, Answer)
                else None,
                key_name=self._limits.key_name(key),
            )
        )
        job.call_started = None
        self._metrics.called(self._provider, job.attempts[-1])
        return outcome

    async def _call(
        self, sessions: Sessions, request: LLMRequest, job: Job, timeout: float, key: int
    ) -> Outcome | None:
        """The call itself. None if it was cut off because the lease was lost."""
        model = job.candidate.model
        started = trio.current_time()
        outcome: Outcome | None = None
        try:
            with trio.move_on_after(timeout + GRACE) as job.call:
                try:
                    session = await sessions.get(key)
                    reached("before_call")
                    outcome = await session.complete(
                        request, model, timeout=timeout, on_text=self._on_text(job, request)
                    )
                    reached("after_receive")
                except Exception as error:  # noqa: BLE001 - see _crashed
                    outcome = self._crashed(job, error)
            if outcome is None and job in self._in_work:
                outcome = ProviderFailure(
                    type=ErrorType.TIMEOUT,
                    message="no answer in time",
                    retryable=True,
                    maybe_paid=True,
                )
        finally:
            told = None if self._had_little_time(outcome, timeout) else outcome
            self._limits.ended(model, key, told, trio.current_time() - started)
            self._settle(request, key, outcome)
            job.call = None
        return outcome

    def _on_text(self, job: Job, request: LLMRequest) -> OnText | None:
        if not request.stream or job.request_id is None:
            return None
        return self._streams.open(job.request_id, job.attempt_count + 1).tell

    def _had_little_time(self, outcome: Outcome | None, timeout: float) -> bool:
        """Whether it was the request's haste, not the provider, that made it fail."""
        timed_out = isinstance(outcome, ProviderFailure) and outcome.type == ErrorType.TIMEOUT
        return timed_out and timeout < self._settings.timeout

    def _crashed(self, job: Job, error: Exception) -> ProviderFailure:
        """A mistake in a provider is one request's trouble: if the worker crashed of it, a few such
        requests would take the provider's other calls along.
        """
        # Where, but not what it says: it may quote the prompt or the key.
        log.error(
            "a call crashed",
            request_id=job.request_id,
            provider=self._provider,
            error=type(error).__name__,
            where="".join(traceback.format_tb(error.__traceback__)),
        )
        return ProviderFailure(
            type=ErrorType.INTERNAL_ERROR,
            message=f"{type(error).__name__} in the provider's adapter",
            retryable=True,
            scope="request",
            maybe_paid=True,
        )

    async def _pause(self, job: Job, seconds: float) -> None:
        with trio.CancelScope() as job.call:
            await trio.sleep(seconds)
        job.call = None

    def _fail(self, job: Job, failure: ProviderFailure) -> None:
        """The next candidate, or the end."""
        log.info(
            "call failed",
            request_id=job.request_id,
            provider=self._provider,
            model=job.candidate.model,
            error=failure.type,
            status_code=failure.status_code,
            message=failure.message,
        )
        in_time = trio.current_time() < job.deadline
        if job.has_next_candidate and in_time and not job.has_used(self._max_attempts):
            job.candidate_index += 1
            self._back_to_router(job)
        else:
            self._end(
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
        """For the next candidate, or to wait until this one may be called."""
        self._in_work.leave_lane(job)
        self._to_router.send_nowait(job)

    def _end(self, job: Job, outcome: Answer | Failure) -> None:
        self._in_work.answer(job, outcome)
        self._to_publisher.send_nowait(job)


def _comes_too_early(outcome: Outcome) -> bool:
    """Whether the provider says no more than: later."""
    return (
        isinstance(outcome, ProviderFailure)
        and outcome.type == ErrorType.RATE_LIMITED
        and outcome.retryable
    )


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _out_of_time(job: Job) -> ProviderFailure:
    tried = (
        f" after {job.attempt_count} attempts" if job.attempt_count else " before a call was made"
    )
    return ProviderFailure(
        type="timeout",
        message=f"the time allowed was over{tried}",
        retryable=False,
        scope="request",
    )
