"""What one provider's workers ask before a call and tell after it. Passive and synchronous, so that
what a call taught is known before the next is placed."""

import trio

from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.result import Answer
from nexus_actors.limits.circuit import CircuitSettings
from nexus_actors.limits.concurrency import AdaptiveLimit
from nexus_actors.limits.gates import Gates
from nexus_actors.pipeline.in_work import InWork
from nexus_actors.pipeline.provider_breaker import GateShut
from nexus_actors.providers.port import Outcome, ProviderFailure, ProviderSettings
from supervisors import ActorRef


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
        gates: Gates,
        in_work: InWork,
        breaker: ActorRef,
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
        self.slots = trio.CapacityLimiter(settings.pool_size)
        in_work.set_slots(provider, settings.pool_size)

    def begin(self, model: str) -> bool:
        """A call is to begin; False if the model must not be called now. `ended` must follow."""
        return self._gates.begin(self._provider, model, trio.current_time())

    def ended(self, model: str, outcome: Outcome | None, took: float) -> None:
        """A call ended after `took` seconds. None: it was cut off, and says nothing of the
        provider."""
        now = trio.current_time()
        match outcome:
            case Answer():
                self._adaptive.answered()
                self._resize()
                self._reached(model)
            case ProviderFailure(type=ErrorType.RATE_LIMITED):
                self._adaptive.refused(now, took)
                self._resize()
            case ProviderFailure(scope="provider"):
                gate = self._gates.gate(self._provider, model, self._circuits)
                gate.circuit.failed(now)
                self._tell(model, outcome.type)
            case ProviderFailure(scope="request"):
                self._reached(model)
            case _:
                if (gate_or_none := self._gates.find(self._provider, model)) is not None:
                    gate_or_none.circuit.abandon()

    def hold(self, model: str, seconds: float) -> None:
        """The provider asked not to be called for this model, for so long."""
        gate = self._gates.gate(self._provider, model, self._circuits)
        gate.circuit.abandon()
        gate.held_until = max(gate.held_until, trio.current_time() + seconds)
        self._tell(model, ErrorType.RATE_LIMITED)

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
