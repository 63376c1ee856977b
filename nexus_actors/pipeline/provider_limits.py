"""What one provider's workers ask before a call and tell after it. Passive and synchronous, so that
what a call taught is known before the next is placed."""

import math
from collections.abc import Sequence

import structlog
import trio

from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Answer
from nexus_actors.limits.circuit import CircuitSettings
from nexus_actors.limits.concurrency import AdaptiveLimit
from nexus_actors.limits.gates import Gates
from nexus_actors.limits.keys import KeyRing
from nexus_actors.pipeline.in_work import InWork
from nexus_actors.pipeline.provider_breaker import GateShut
from nexus_actors.pipeline.rate_limiter import Admit, Settle
from nexus_actors.providers.port import Outcome, ProviderFailure, ProviderSettings
from nexus_actors.routing.choice import expected_tokens
from supervisors import ActorRef, NoProcess, ServerExited

SUCCESSOR = 0.05
"""Seconds between looks for the successor of a limiter that has ended."""

log = structlog.get_logger("nexus.limits")


class ProviderLimits:
    """Made by the provider's supervisor, anew with each of its starts.

    `slots` is what a worker holds during a call, so that no more are made at once than the provider
    was found to bear.
    """

    def __init__(
        self,
        *,
        provider: str,
        settings: ProviderSettings,
        keys: Sequence[str],
        gates: Gates,
        in_work: InWork,
        breaker: ActorRef,
        limiter: ActorRef | None = None,
    ) -> None:
        self._provider = provider
        self._circuits = CircuitSettings(
            failures=settings.breaker_failures,
            open_seconds=settings.breaker_seconds,
            open_seconds_max=max(settings.breaker_seconds, settings.breaker_seconds_max),
        )
        self._gates = gates
        self._in_work = in_work
        self._breaker = breaker
        self._adaptive = AdaptiveLimit(settings.pool_size)
        self._limiter = limiter
        self._has_keys = bool(keys)
        self._ring = KeyRing(keys or ("no key",))
        self._rest_seconds = settings.key_rest_seconds
        self._refusals: dict[int, tuple[float, ProviderFailure]] = {}
        """Keys that are set aside: until when, and what the provider said."""
        in_work.keys_held[provider] = self._ring.describe
        self.slots = trio.CapacityLimiter(settings.pool_size)
        in_work.set_slots(provider, settings.pool_size)

    @property
    def refused(self) -> ProviderFailure | None:
        """What the provider said last, if it has refused every key of ours: no call is worth
        making until one of them has rested."""
        now = trio.current_time()
        self._refusals = {key: it for key, it in self._refusals.items() if it[0] > now}
        if len(self._refusals) < len(self._ring):
            return None
        return next(reversed(self._refusals.values()))[1]

    def begin(self, model: str, key_name: str | None = None) -> int | None:
        """A call is to begin: the place of its key, the one of this name if possible; None if none
        may begin now. `ended` must follow."""
        now = trio.current_time()
        key = self._ring.take(model, now, key_name)
        if key is None:  # only for a moment: else the gate would be shut
            gate = self._gates.gate(self._provider, model, self._circuits, now)
            gate.held_until = max(gate.held_until, now + self._ring.wait(model, now))
            gate.why = ErrorType.RATE_LIMITED
            return None
        if not self._gates.begin(self._provider, model, now):
            self._ring.put_back(key)
            return None
        return key

    def key_name(self, key: int) -> str | None:
        """Where the key at this place comes from; None where the provider needs none."""
        return self._ring.name(key) if self._has_keys else None

    @property
    def are_counted(self) -> bool:
        """Whether calls are limited by the minute."""
        return self._limiter is not None

    async def admit(self, request: LLMRequest, key: int) -> None:
        """Wait for a call's share of the key's limits. Cancelled, the share goes to another.

        Who waits for a limiter that ends asks its successor, which knows of nobody.
        """
        while self._limiter is not None:
            try:
                await self._limiter.call(Admit(key, expected_tokens(request)), timeout=math.inf)
            except (NoProcess, ServerExited):
                await trio.sleep(SUCCESSOR)
            else:
                return

    def settle(self, request: LLMRequest, key: int, outcome: Outcome | None) -> None:
        """Tell what a call took of the key's limits. One that may have been paid counts."""
        if self._limiter is None:
            return
        expected = expected_tokens(request)
        match outcome:
            case Answer(usage=usage) if usage.total_tokens:
                self._limiter.cast(Settle(key, expected - usage.total_tokens))
            case ProviderFailure(maybe_paid=False):
                self._limiter.cast(Settle(key, expected))

    def ended(self, model: str, key: int, outcome: Outcome | None, took: float) -> None:
        """A call ended after `took` seconds. None: it was cut off, and says nothing of the
        provider."""
        now = trio.current_time()
        self._ring.put_back(key)
        match outcome:
            case Answer():
                self._adaptive.answered()
                self._resize()
                self._reached(model)
            case ProviderFailure(type=ErrorType.RATE_LIMITED):
                self._adaptive.refused(now, took)
                self._resize()
            case ProviderFailure(scope="provider"):
                gate = self._gates.gate(self._provider, model, self._circuits, now)
                gate.circuit.failed(now)
                gate.why = outcome.type
                self._tell(model, outcome.type)
            case ProviderFailure(scope="request"):
                self._reached(model)
            case _:
                if (gate_or_none := self._gates.find(self._provider, model)) is not None:
                    gate_or_none.circuit.abandon()

    def hold(self, model: str, key: int, seconds: float) -> bool:
        """The provider asked not to be called for this model with this key for so long. True if
        another key is left; else the model is left alone until one is."""
        now = trio.current_time()
        gate = self._gates.gate(self._provider, model, self._circuits, now)
        gate.circuit.abandon()
        self._ring.hold(key, now + seconds, ErrorType.RATE_LIMITED, model)
        if (wait := self._ring.wait(model, now)) <= 0:
            return True
        gate.held_until, gate.why = max(gate.held_until, now + wait), ErrorType.RATE_LIMITED
        self._tell(model, ErrorType.RATE_LIMITED)
        return False

    def set_aside(self, model: str, key: int, failure: ProviderFailure) -> bool:
        """The provider refused this key. True if another is left."""
        until = trio.current_time() + self._rest_seconds
        if self._ring.hold(key, until, failure.type):
            log.warning(
                "key is set aside",
                provider=self._provider,
                key=self._ring.name(key),
                error=failure.type,
                seconds=self._rest_seconds,
            )
        self._refusals[key] = until, failure
        return self._ring.wait(model, trio.current_time()) <= 0

    def _reached(self, model: str) -> None:
        gate = self._gates.find(self._provider, model)
        if gate is not None:
            gate.circuit.succeeded()

    def _resize(self) -> None:
        calls = self._adaptive.calls
        if calls != self.slots.total_tokens:
            self.slots.total_tokens = calls
            self._in_work.set_slots(self._provider, calls)

    def _tell(self, model: str, why: str) -> None:
        wait = self._gates.wait(self._provider, model, trio.current_time())
        if wait > 0:
            self._breaker.cast(GateShut(model, wait, why))
