"""The actor behind one provider's gates. It logs when a model must not be called, and has waiting
requests looked at when it may be called again."""

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
    """Message: a model must not be called for so many seconds."""

    model: str
    seconds: float
    why: str


@dataclass(frozen=True, slots=True)
class LookAgain:
    """Message from a timer: the gate may be open now."""

    model: str


class ProviderBreaker(GenServer):
    """The circuit breakers of a provider's models. All circuits are closed when it starts.

    The circuits themselves are in `Gates`, which the Router and the workers read synchronously.
    """

    def __init__(self, provider: str, gates: Gates, in_work: InWork) -> None:
        self._provider = provider
        self._gates = gates
        self._in_work = in_work
        self._watched: set[str] = set()
        """Models with a running timer."""

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
        """Forget what a predecessor knew about the provider."""
        self._gates.open_all(self._provider)

    async def handle_cast(self, message: object) -> None:
        """On `ModelBlocked`, log it and start a timer, unless the model already has one."""
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
        """On `LookAgain`, wake the requests that wait, or set the timer again if still blocked."""
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
