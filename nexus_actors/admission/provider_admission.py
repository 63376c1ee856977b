"""Admission to one provider: its workers ask before a call and report after it. Passive and
synchronous, so what one call shows is known before the next one is placed."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

import structlog
import trio

from nexus_actors.admission.circuit import CircuitSettings
from nexus_actors.admission.gates import Gates, NoKey
from nexus_actors.admission.key_ring import KeyRing
from nexus_actors.admission.provider_breaker import ModelBlocked
from nexus_actors.admission.rate_limiter import Admit, GaveUp, Settle
from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Answer
from nexus_actors.contract.shown_text import without_folder
from nexus_actors.providers.port import Outcome, ProviderFailure, ProviderSettings
from nexus_actors.providers.retry import FIRST, LONGEST
from nexus_actors.routing.choice import expected_tokens
from nexus_actors.work.concurrency import Concurrency
from supervisors import ActorRef, NoProcess, ServerExited

SUCCESSOR = 0.05
"""Seconds between tries to reach the successor of a limiter that has ended."""

log = structlog.get_logger("nexus.limits")
_TAKEN = (400, 404, 413, 422)
"""Statuses that refuse the request itself, which shows that the key was accepted."""
_SUSPECTED: Final = "the call with the key from {} was refused"
_REFUSALS: Final[Mapping[str, tuple[str, str]]] = {
    ErrorType.AUTHENTICATION_FAILED: ("the key from {} was refused", _SUSPECTED),
    ErrorType.QUOTA_EXCEEDED: ("the quota of the key from {} is used up", _SUSPECTED),
}
"""What to say of a key that is at fault, and of one that may be."""


class ProviderAdmission:
    """Made at each start of the provider's supervisor, and at each change of its settings. What was
    learnt about its keys and its concurrency is forgotten then."""

    def __init__(
        self,
        provider: str,
        settings: ProviderSettings,
        *,
        keys: Sequence[str],
        gates: Gates,
        concurrency: Concurrency,
        breaker: ActorRef,
        limiter: ActorRef | None = None,
    ) -> None:
        self.provider = provider
        self._circuits = CircuitSettings(
            failures=settings.breaker_failures,
            open_seconds=settings.breaker_seconds,
            open_seconds_max=max(settings.breaker_seconds, settings.breaker_seconds_max),
        )
        self._gates = gates
        self._concurrency = concurrency
        self._breaker = breaker
        self._limiter = limiter
        self._has_keys = bool(keys)
        self._ring = KeyRing(keys or ("no key",))
        self._rest_seconds = settings.key_rest_seconds
        self.is_retired = False
        """Whether another one has replaced this, or the provider was removed."""
        gates.refused.pop(provider, None)
        gates.keys[provider] = self._ring
        concurrency.reset()

    def retire(self) -> None:
        """This is no longer in force. Calls that began before keep reporting here, but that must
        not affect the successor, whose keys are others."""
        self._gates, self._concurrency = Gates(), Concurrency(self._concurrency.most)
        self._limiter = None
        self.is_retired = True

    @property
    def no_key(self) -> ProviderFailure | None:
        """Why no call is worth making, if all keys are suspended; else None."""
        now = trio.current_time()
        refused = self._gates.no_key(self.provider, now)
        if refused is None:
            return None
        return ProviderFailure(
            type=refused.type,
            message=refused.describe(self.provider, now),
            retryable=False,
            scope="key",
            status_code=refused.status_code,
        )

    def begin(
        self, model: str, key_name: str | None = None, without: Collection[int] = ()
    ) -> int | None:
        """Begin a call. Returns the index of its key: the named one if possible, none of `without`.
        None if no call may begin now. `ended` must follow."""
        now = trio.current_time()
        key = self._ring.take(model, now, key_name, without)
        if key is None:  # only for a moment, or the gate would be closed
            gate = self._gates.gate(self.provider, model, self._circuits, now)
            gate.throttled_until = max(gate.throttled_until, now + self._ring.wait(model, now))
            gate.why = ErrorType.RATE_LIMITED
            return None
        if not self._gates.begin(self.provider, model, now):
            self._ring.put_back(key)
            return None
        return key

    def has_another_key(self, model: str, without: Collection[int]) -> bool:
        """Whether a call might begin now with another key than these."""
        return self._ring.has_another(model, trio.current_time(), without)

    def key_name(self, key: int) -> str | None:
        """The name of the key at this index; None if the provider needs no key."""
        return self._ring.name(key) if self._has_keys else None

    @property
    def are_counted(self) -> bool:
        """Whether there are limits per minute."""
        return self._limiter is not None

    async def admit(self, request: LLMRequest, key: int) -> bool:
        """Wait until the key's limits allow the call. False if other limits are in force by then.
        If this is cancelled, the share goes to another call.

        If the limiter ends meanwhile, its successor is asked: it does not know the caller.
        """
        while (limiter := self._limiter) is not None:
            try:
                if await limiter.call(Admit(key, expected_tokens(request)), timeout=math.inf):
                    return True
            except trio.Cancelled:
                limiter.cast(GaveUp(key))
                raise
            except (NoProcess, ServerExited):
                await trio.sleep(SUCCESSOR)
        return not self.is_retired

    def settle(self, request: LLMRequest, key: int, outcome: Outcome | None) -> None:
        """Report how much of the key's limits a call used. One that may have been paid counts."""
        if self._limiter is None:
            return
        expected = expected_tokens(request)
        match outcome:
            case Answer(usage=usage) if usage.total_tokens:
                self._limiter.cast(Settle(key, expected - usage.total_tokens))
            case ProviderFailure(maybe_paid=False):
                self._limiter.cast(Settle(key, expected))

    def ended(self, model: str, key: int, outcome: Outcome | None, took: float) -> None:
        """A call ended after `took` seconds. An outcome of None says nothing about the provider."""
        now = trio.current_time()
        self._ring.put_back(key)
        match outcome:
            case Answer():
                self._concurrency.answered()
                self._ring.answered(key, model)
                self._works(key, now - took)
                self._reached(model)
            case ProviderFailure(scope="provider"):
                gate = self._gates.gate(self.provider, model, self._circuits, now)
                gate.circuit.failed(now)
                gate.why = outcome.type
                refused = outcome.type == ErrorType.CONNECTION_FAILED
                gate.cause = f"{outcome.type}: {outcome.message}" if refused else outcome.type
                self._tell(model, outcome.type)
            case ProviderFailure(scope="request"):
                if outcome.suspects is None and outcome.status_code in _TAKEN:
                    self._works(key, now - took)
                self._reached(model)
            case _:
                if (gate_or_none := self._gates.find(self.provider, model)) is not None:
                    gate_or_none.circuit.abandon()

    def throttled(
        self, model: str, key: int, failure: ProviderFailure, took: float, who: object
    ) -> None:
        """A call of `who` that took so long was answered 429.

        Others hear of it only if the provider names a delay, or if another request met the same
        just before: the key is throttled for the model, and the model, if no key is left for it.
        """
        now = trio.current_time()
        seconds = failure.retry_after
        if not seconds:
            proven = self._ring.throttled(key, model, who)
            seconds = min(FIRST * 2.0 ** min(proven, 16), LONGEST) if proven else 0.0
        if seconds <= 0:
            return
        self._concurrency.refused(now, took)
        self._ring.block(key, now + seconds, ErrorType.RATE_LIMITED, model)
        if (wait := self._ring.wait(model, now)) > 0:
            gate = self._gates.gate(self.provider, model, self._circuits, now)
            gate.throttled_until, gate.why = (
                max(gate.throttled_until, now + wait),
                ErrorType.RATE_LIMITED,
            )
            self._tell(model, ErrorType.RATE_LIMITED)

    def blamed(
        self, key: int, failure: ProviderFailure, who: object
    ) -> tuple[ProviderFailure, bool]:
        """What a failed call by `who` says about its key. Returns the failure, with scope `key` if
        the key is shown to be at fault, and with the key's name in its message if it may be; and
        whether the key was already suspended."""
        if failure.suspects == "key" and self._ring.suspect(key, who):
            failure = replace(failure, scope="key")
        if failure.scope != "key" or failure.type == ErrorType.RATE_LIMITED:
            return self._naming(key, failure), False
        is_new = self._suspend(key, failure)
        return self._naming(key, failure), not is_new

    def _naming(self, key: int, failure: ProviderFailure) -> ProviderFailure:
        """The failure, with the variable or file that the key is from if it may be the key's fault:
        whoever reads the dead letter has to know which key to replace. Producers read it, too, so
        the file's folder is left out."""
        name = self.key_name(key)
        words = _REFUSALS.get(failure.type)
        if words is None or name is None or (failure.scope != "key" and failure.suspects != "key"):
            return failure
        sure, unsure = words
        told = (unsure if failure.suspects == "key" else sure).format(without_folder(name))
        return replace(failure, message=f"{told}: {failure.message}")

    def _suspend(self, key: int, failure: ProviderFailure) -> bool:
        now = trio.current_time()
        sure = failure.suspects is None
        is_new = self._ring.suspend(key, now, self._rest_seconds, failure.type, sure=sure)
        if is_new:
            log.warning(
                "key suspended",
                provider=self.provider,
                key=self._ring.name(key),
                error=failure.type,
                status_code=failure.status_code,
                message=failure.message,
                seconds=self._rest_seconds,
            )
        if (until := self._ring.all_refused_until(now)) is not None:
            before = self._gates.refused.get(self.provider)
            self._gates.refused[self.provider] = NoKey(
                since=now if before is None else before.since,
                until=until,
                type=failure.type,
                status_code=failure.status_code,
                names=self._ring.names if self._has_keys else (),
            )
        return is_new

    def _works(self, key: int, began: float) -> None:
        """The provider accepted this key in a call that began then."""
        if not self._ring.works(key, began):
            return
        log.info("key works again", provider=self.provider, key=self._ring.name(key))
        self._gates.refused.pop(self.provider, None)

    def _reached(self, model: str) -> None:
        gate = self._gates.find(self.provider, model)
        if gate is not None:
            gate.circuit.succeeded()

    def _tell(self, model: str, why: str) -> None:
        wait = self._gates.wait(self.provider, model, trio.current_time())
        if wait > 0:
            self._breaker.cast(ModelBlocked(model, wait, why))
