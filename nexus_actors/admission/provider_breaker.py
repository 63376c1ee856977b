"""The actor behind one provider's gates: decides when a model must not be called, and wakes waiting
workers when it may be called again."""

from dataclasses import dataclass, replace

import structlog
import trio

from nexus_actors.admission.gates import Gates
from nexus_actors.contract.errors import ErrorType
from nexus_actors.work.in_work import InWork
from supervisors import GenServer, Status

log = structlog.get_logger("nexus.breaker")


@dataclass(frozen=True, slots=True)
class ModelBlocked:
    """A model must not be called for so many seconds."""

    model: str
    seconds: float
    why: str


@dataclass(frozen=True, slots=True)
class LookAgain:
    """From a timer: the gate may be open now."""

    model: str


class ProviderBreaker(GenServer):
    """Circuit breaker of each of a provider's models, closed when it starts.

    The circuits themselves stand in `Gates`, where the Router and the workers look without asking.
    """

    def __init__(self, provider: str, gates: Gates, in_work: InWork) -> None:
        self._provider = provider
        self._gates = gates
        self._in_work = in_work
        self._watched: set[str] = set()
        """Models with a timer under way."""

    def format_status(self, status: Status) -> Status:
        """Counts and names only: nothing that a request contains."""
        return replace(
            status.shapes(),
            state={
                "provider": self._provider,
                "shut": dict(self._gates.describe(self._provider, trio.current_time())),
                "timers": sorted(self._watched),
            },
        )

    async def init(self) -> None:
        """Whatever a predecessor thought of the provider is forgotten."""
        self._gates.open_all(self._provider)

    async def handle_cast(self, message: object) -> None:
        """On `ModelBlocked` log why, and start a timer, unless the model has one already."""
        match message:
            case ModelBlocked(model, seconds, why) if model not in self._watched:
                log.warning(
                    "throttled" if why == ErrorType.RATE_LIMITED else "circuit open",
                    provider=self._provider,
                    model=model,
                    error=why,
                    seconds=round(seconds, 1),
                )
                self._watch(model, seconds)

    async def handle_info(self, info: object) -> None:
        """On `LookAgain` wake those who wait for the model, or wait on if it is still blocked."""
        match info:
            case LookAgain(model):
                self._watched.discard(model)
                wait = self._gates.wait(self._provider, model, trio.current_time())
                if wait > 0:  # blocked again meanwhile, or for longer
                    self._watch(model, wait)
                else:
                    log.info("model may be called again", provider=self._provider, model=model)
                    self._in_work.on_room()

    def _watch(self, model: str, seconds: float) -> None:
        self._watched.add(model)
        self.send_after(seconds, LookAgain(model))
