"""One provider call: bounded in time, isolated from adapter bugs, recorded as an attempt."""

import traceback
from dataclasses import replace
from datetime import UTC, datetime

import structlog
import trio

from nexus_actors.admission.provider_admission import ProviderAdmission
from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Answer
from nexus_actors.failpoints import reached
from nexus_actors.providers.port import OnText, Outcome, ProviderFailure, ProviderSettings
from nexus_actors.providers.sessions import Sessions
from nexus_actors.shared import Shared
from nexus_actors.storage.requests import Attempt
from nexus_actors.work.job import Job, LimitedRequest

GRACE = 5.0
"""Seconds beyond a call's timeout after which an adapter that ignores the timeout is cancelled."""
log = structlog.get_logger("nexus.worker")


class ProviderCalls:
    """Makes the calls of one worker."""

    def __init__(
        self,
        shared: Shared,
        settings: ProviderSettings,
        sessions: Sessions,
        admission: ProviderAdmission,
    ) -> None:
        self._provider = admission.provider
        self._settings = settings
        self._sessions = sessions
        self._shared = shared
        self._in_work = shared.in_work
        self._metrics = shared.metrics
        self._admission = admission
        self._streams = shared.streams
        self._quirks = shared.quirks

    async def make(self, job: Job, key: int) -> Outcome | None:
        """Make one call with the key at index `key`, and record it. None if the lease was lost
        meanwhile, or if the call failed and the request is to be cancelled.

        A failure has a `refused_field` only if the call is to be repeated without that field.
        """
        assert isinstance(job.body, LLMRequest)  # noqa: S101 - refused requests are never routed
        timeout = min(self._settings.timeout, job.deadline - trio.current_time())
        job.call_started = datetime.now(UTC)
        started = job.call_began = trio.current_time()
        if job.tried_at is None:
            job.tried_at = started
        sent = LimitedRequest(job.body) if job.limited is None else job.limited
        outcome = await self._call(sent.request, job, timeout, key)
        if outcome is not None and sent.notes:
            outcome = replace(outcome, dropped=(*sent.notes, *outcome.dropped))
        seconds = trio.current_time() - started
        knew = False
        if isinstance(outcome, ProviderFailure):
            outcome, knew = self._tell(job, outcome, key, seconds)
        if outcome is None or job not in self._in_work:
            return None
        if isinstance(outcome, ProviderFailure) and not job.refused.note(outcome):
            outcome = replace(outcome, refused_field=None)
        if isinstance(outcome, Answer) or outcome.instead is not None:  # an empty answer counts
            self._learn(job, job.body)
        attempt = self._attempt(job, outcome, seconds, key, knew=knew)
        job.attempts.append(attempt)
        job.call_started = None
        self._metrics.called(self._provider, attempt)
        if attempt.outcome != "ok":
            self._log(job, attempt)
        if job.cancelled is not None and not isinstance(outcome, Answer):
            return None
        return outcome

    def _log(self, job: Job, attempt: Attempt) -> None:
        """Log a failed call. Uncounted ones (throttled, or a key refused again) may be thousands
        and are logged once elsewhere, so they are debug lines here."""
        write = log.debug if attempt.uncounted else log.info
        write(
            "call failed",
            **job.ids,
            provider=attempt.provider,
            model=attempt.model,
            attempt=attempt.number,
            error=attempt.outcome,
            status_code=attempt.status_code,
            message=attempt.error,
        )

    def _tell(
        self, job: Job, failure: ProviderFailure, key: int, took: float
    ) -> tuple[ProviderFailure, bool]:
        """Report a failure to the provider's admission: throttling, and what it says of the key.
        Returns the failure, and whether the key was already known not to work."""
        if comes_too_early(failure):
            self._admission.throttled(job.candidate.model, key, failure, took, job.key)
        return self._admission.blamed(key, failure, job.key)

    def _is_uncounted(self, failure: ProviderFailure, *, knew: bool) -> bool:
        """Whether the call does not count towards `max_attempts`: it was throttled, it is repeated
        without a refused field, or the provider has no usable key for any request."""
        if comes_too_early(failure) or failure.refused_field is not None:
            return True
        waits = self._shared.holds and failure.scope == "key"
        return waits and (knew or self._admission.no_key is not None)

    def _learn(self, job: Job, request: LLMRequest) -> None:
        """Remember the refused fields: the call was answered once they were left out."""
        if not job.refused.reasons:
            return
        effort = request.reasoning_effort or ""
        for quirk in job.refused.learnt(self._provider, job.candidate.model, effort):
            self._quirks.learn(quirk, trio.current_time())

    def _attempt(
        self, job: Job, outcome: Outcome, seconds: float, key: int, *, knew: bool
    ) -> Attempt:
        assert job.call_started is not None  # noqa: S101 - set by `make`
        failure = outcome if isinstance(outcome, ProviderFailure) else None
        answer = outcome if isinstance(outcome, Answer) else None
        return Attempt(
            number=job.attempt_count + 1,
            provider=self._provider,
            model=job.candidate.model,
            outcome="ok" if failure is None else failure.type,
            status_code=failure.status_code if failure else None,
            duration_ms=round(seconds * 1000),
            cost=outcome.cost,
            cost_basis=outcome.cost_basis,
            error=failure.message if failure else None,
            started_at=job.call_started,
            maybe_paid=failure is not None and failure.maybe_paid,
            uncounted=failure is not None and self._is_uncounted(failure, knew=knew),
            dropped=outcome.dropped,
            first_text_ms=_milliseconds(answer.seconds_to_first_text) if answer else None,
            key_name=self._admission.key_name(key),
        )

    async def _call(
        self, request: LLMRequest, job: Job, timeout: float, key: int
    ) -> Outcome | None:
        """The call itself. None if it was cancelled because the lease was lost. A call that ended
        because its request was cancelled says nothing about the provider."""
        model = job.candidate.model
        started = trio.current_time()
        outcome: Outcome | None = None
        try:
            with trio.move_on_after(timeout + GRACE) as job.call:
                try:
                    outcome = await self._complete(request, job, timeout, key)
                except Exception as error:  # noqa: BLE001 - see _crashed
                    outcome = self._crashed(job, error)
            if outcome is None and job in self._in_work:
                outcome = _cut_off(job)
        finally:
            evidence = None if self._says_nothing(outcome, timeout) else outcome
            self._admission.ended(model, key, evidence, trio.current_time() - started)
            self._admission.settle(request, key, outcome)
            job.call = None
        return outcome

    async def _complete(self, request: LLMRequest, job: Job, timeout: float, key: int) -> Outcome:
        session = await self._sessions.get(key)
        model, effort = job.candidate.model, request.reasoning_effort or ""
        known = self._quirks.without(self._provider, model, effort, trio.current_time())
        reached("before_call")
        outcome = await session.complete(
            request,
            model,
            timeout=timeout,
            on_text=self._on_text(job, request),
            without=job.refused.besides(known),
            key_name=self._admission.key_name(key),
        )
        reached("after_receive")
        return outcome

    def _on_text(self, job: Job, request: LLMRequest) -> OnText | None:
        if not request.stream or job.request_id is None:
            return None
        return self._streams.open(job.request_id, job.attempt_count + 1).tell

    def _says_nothing(self, outcome: Outcome | None, timeout: float) -> bool:
        """Whether the failure says nothing about the provider: the request was cancelled, or its
        own timeout was shorter than the provider's."""
        match outcome:
            case ProviderFailure(type=ErrorType.CANCELLED):
                return True
            case ProviderFailure(type=ErrorType.TIMEOUT):
                return timeout < self._settings.timeout
            case _:
                return False

    def _crashed(self, job: Job, error: Exception) -> ProviderFailure:
        """A bug in an adapter fails this request only. If it crashed the worker, a few such
        requests would exceed the restart intensity and end the provider's other calls.
        """
        # The place, but not the message: it may quote the prompt or the key.
        log.error(
            "a call crashed",
            **job.ids,
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


def _cut_off(job: Job) -> ProviderFailure:
    """The failure of a call that was cancelled: its time was over, or the request was cancelled."""
    if job.cancelled is None:
        return ProviderFailure(
            type=ErrorType.TIMEOUT, message="no answer in time", retryable=True, maybe_paid=True
        )
    return ProviderFailure(
        type=ErrorType.CANCELLED,
        message="its request was cancelled during the call",
        retryable=False,
        scope="request",
        maybe_paid=True,
    )


def comes_too_early(failure: ProviderFailure) -> bool:
    """Whether the provider only asks to come later (throttling)."""
    return failure.type == ErrorType.RATE_LIMITED and failure.retryable


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
