"""Gates: which models may be called now, and which providers have no usable key left.

A passive table, like the in-work table. The Router and the workers consult it, synchronously,
before they place a job or call; the provider's breaker writes it. No call passes a gate while its
circuit is open, or before the time that the provider named when it throttled (429).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from nexus_actors.admission.circuit import Circuit, CircuitSettings
from nexus_actors.admission.key_ring import KeyRing
from nexus_actors.contract.shown_text import without_folder
from nexus_actors.work.job import Reason, Wait

MOST_GATES = 4096


@dataclass(slots=True)
class Gate:
    """The gate of one model."""

    circuit: Circuit
    throttled_until: float = -inf
    """By `trio.current_time()`."""
    why: str = ""
    """The type of the last error that closed the gate."""
    cause: str = ""
    """The same in our own words; for a failed connection also the address and the reason."""

    def wait(self, now: float) -> float:
        """Seconds until a call may begin; 0: now."""
        return max(self.throttled_until - now, self.circuit.wait(now), 0.0)


@dataclass(frozen=True, slots=True)
class NoKey:
    """A provider's keys are all suspended."""

    since: float
    """By `trio.current_time()`. Unchanged while keys are tried now and then and refused again."""
    until: float
    """When the first suspension ends."""
    type: str
    """The error that the last one was refused with."""
    status_code: int | None
    names: tuple[str, ...] = ()
    """Where the keys come from: variables and files. Empty if the provider has none."""

    def describe(self, provider: str, now: float) -> str:
        """The reason in our own words, for results too: the provider's message may concern another
        request, and where the key files are is nothing to producers. The names are last, so that a
        cut text keeps the reason."""
        status = "" if self.status_code is None else f" (HTTP {self.status_code})"
        rest = f", for {self.until - now:.0f} s more" if self.until > now else ""
        named = f" ({', '.join(map(without_folder, self.names))})" if self.names else ""
        return f"every key of provider {provider} is suspended: {self.type}{status}{rest}{named}"


@dataclass(frozen=True, slots=True)
class Census:
    """How many models cannot be called at present."""

    circuits: Counter[tuple[str, str]]
    """Models whose circuit is not closed, by provider and state."""
    throttled: Counter[str]
    """Throttled models, by provider."""


class Gates:
    """The gates of all providers, one for each model that was ever called."""

    def __init__(self) -> None:
        self._gates: dict[tuple[str, str], Gate] = {}
        self.refused: dict[str, NoKey] = {}
        """Providers whose keys are all suspended, until one has worked again."""
        self.keys: dict[str, KeyRing] = {}
        """Each provider's keys; for `nexus status`."""

    def no_key(self, provider: str, now: float) -> NoKey | None:
        """Why no call to the provider may begin now, as far as its keys go; None if one may."""
        refused = self.refused.get(provider)
        return refused if refused is not None and refused.until > now else None

    def wait(self, provider: str, model: str, now: float) -> float:
        """Seconds until this model may be called; 0: now, as far as is known."""
        gate = self._gates.get((provider, model))
        return 0.0 if gate is None else gate.wait(now)

    def shut(self, candidate: tuple[str, str], now: float) -> Wait | None:
        """Why this model may not be called now, and until when; None if it may, as far as is
        known."""
        gate = self._gates.get(candidate)
        if gate is None or (wait := gate.wait(now)) <= 0:
            return None
        is_open = gate.circuit.wait(now) >= wait
        reason: Reason = "circuit_open" if is_open else "throttled"
        detail = gate.cause if is_open and gate.cause else gate.why
        model = "/".join(candidate)
        return Wait(reason, f"{model}: {detail}", now + wait, subject=model)

    def why(self, provider: str, model: str) -> str:
        """The type of the last error that closed the gate; "" if none did."""
        gate = self._gates.get((provider, model))
        return "" if gate is None else gate.why

    def begin(self, provider: str, model: str, now: float) -> bool:
        """Begin a call; False if it may not. Its outcome must be reported."""
        gate = self._gates.get((provider, model))
        return gate is None or (gate.throttled_until <= now and gate.circuit.begin(now))

    def __len__(self) -> int:
        return len(self._gates)

    def gate(self, provider: str, model: str, settings: CircuitSettings, now: float) -> Gate:
        """The gate of a model; it is made if there is none yet."""
        key = (provider, model)
        if key not in self._gates:
            if len(self._gates) >= MOST_GATES:
                self._forget_open(now)
            self._gates[key] = Gate(Circuit(settings))
        return self._gates[key]

    def _forget_open(self, now: float) -> None:
        """Drop gates that are open: requests can name any number of models."""
        self._gates = {key: gate for key, gate in self._gates.items() if gate.wait(now) > 0}

    def find(self, provider: str, model: str) -> Gate | None:
        """The gate of a model, if there is one."""
        return self._gates.get((provider, model))

    def open_all(self, provider: str) -> None:
        """Open all gates of a provider, by forgetting them."""
        for key in [key for key in self._gates if key[0] == provider]:
            del self._gates[key]

    def forget(self, provider: str) -> None:
        """Forget a provider that is no longer configured."""
        self.open_all(provider)
        self.refused.pop(provider, None)
        self.keys.pop(provider, None)

    def failing(self, provider: str, now: float) -> Mapping[str, Gate]:
        """The gates of models whose circuit has opened and that have not answered since."""
        return {
            model: gate
            for (name, model), gate in self._gates.items()
            if name == provider and gate.circuit.state(now) != "closed"
        }

    def census(self, now: float) -> Census:
        """Count over all providers."""
        found = Census(Counter(), Counter())
        for (provider, _), gate in self._gates.items():
            if (state := gate.circuit.state(now)) != "closed":
                found.circuits[provider, state] += 1
            elif gate.throttled_until > now:
                found.throttled[provider] += 1
        return found

    def describe(self, provider: str, now: float) -> Mapping[str, str]:
        """Each model whose gate is not open, in a few words, for `nexus status`."""
        described = {}
        for (name, model), gate in self._gates.items():
            state, wait = gate.circuit.state(now), gate.wait(now)
            if name == provider and (state != "closed" or wait > 0):
                word = "throttled" if state == "closed" else state
                described[model] = f"{word} for {wait:.0f} s" if wait > 0 else word
        return described
