"""Keeps the tree below Providers.Supervisor equal to the providers that are configured."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf

import structlog
import trio

from nexus_actors.shared import Shared
from nexus_actors.storage.errors import StorageError
from nexus_actors.work.job import Held
from supervisors import ChildSpec, GenServer, Shutdown, Status, Supervisor, SupervisorsError

log = structlog.get_logger("nexus.providers")

ALL = "Providers.Supervisor"
LOOK = 0.1
"""Seconds between looks at a provider whose last calls are awaited."""
AGAIN = 1.0
"""Seconds until it is tried again after that failed."""


@dataclass(frozen=True, slots=True)
class RestartIdle:
    """To the keeper: end this supervisor, of one provider or of all, as soon as no call runs below
    it; until then none begins there."""

    supervisor: str


class ProviderKeeper(GenServer):
    """Starts a provider that is new. One that is configured no more begins no call; once the last
    of those that run has ended, it leaves the tree, and what waits for it in the store is made
    visible, to be routed anew.

    It goes by what it finds, not by what it was told: so its crash, another actor's, or a change
    that comes on top of one leaves nothing half done.
    """

    def __init__(self, shared: Shared, spec: Callable[[str], ChildSpec]) -> None:
        """`spec` gives that of the supervisor of the provider of this name."""
        self._shared = shared
        self._spec = spec
        self._in_work = shared.in_work
        self._supervisor = shared.registry.via(ALL)
        self._restarts: set[str] = set()
        """Supervisors that are to be ended once no call runs below them."""
        self._patience = shared.outages.patience("ProviderKeeper")

    def format_status(self, status: Status) -> Status:
        """Counts and names, for whoever looks; nothing of what a request says."""
        return replace(
            status.shapes(),
            state={
                "providers": list(self._in_work.providers),
                "to_restart": sorted(self._restarts),
                "store_away": self._patience.tried,
            },
        )

    async def init(self) -> None:
        """Begin with what a predecessor left."""
        self._shared.sizes.apply()
        self.spawn_link(self._keep)

    async def handle_cast(self, message: object) -> None:
        """Note a supervisor that is to be restarted once no call runs below it."""
        match message:
            case RestartIdle(supervisor):
                self._restarts.add(supervisor)
                self._shared.in_force.tell()

    async def _keep(self) -> None:
        while True:
            changed = self._shared.in_force.changed
            try:
                pause = LOOK if await self._settle() else inf
            except SupervisorsError as error:
                log.error("a provider is not started, or not ended, yet", error=str(error))  # noqa: TRY400
                pause = AGAIN
            with trio.move_on_after(pause):
                await changed.wait()

    async def _settle(self) -> bool:
        """Whether calls of some are still awaited."""
        there = {it.id for it in await Supervisor.which_children(self._supervisor)}
        leaving = [name for name in self._in_work.providers if not self._is_configured(name)]
        for name in leaving:
            if self._is_idle(name):
                self._in_work.drop(name)  # before the await: from here on nobody can revive it
                await self._end(name, there)
        for name in self._orphans(there):
            await self._end(name, there)
        for name in self._shared.settings.providers:
            spec = self._spec(name)
            if name not in self._in_work.providers:
                self._in_work.resize(name, self._shared.sizes.of(name))
            if spec.id not in there:
                limits = self._shared.settings.supervision.limits(len(there) + 1)
                await Supervisor.set_intensity(self._supervisor, *limits)
                await Supervisor.start_child(self._supervisor, spec)
                log.info("provider added", provider=name)
        await self._restart_idle()
        leave = any(not self._is_configured(name) for name in self._in_work.providers)
        return leave or bool(self._restarts)

    async def _restart_idle(self) -> None:
        for supervisor in tuple(self._restarts):
            below = [
                name
                for name in self._in_work.providers
                if self._is_configured(name) and supervisor in (ALL, f"{name}.Supervisor")
            ]
            idle = [self._is_idle(name) for name in below]  # asked of each, so none begins a call
            if all(idle):
                self._restarts.discard(supervisor)
                await self._shared.registry.via(supervisor).stop(Shutdown())

    def _orphans(self, there: set[str]) -> list[str]:
        """Providers that are no more, and whose supervisors a predecessor did not get to end."""
        named = {
            self._spec(name).id
            for name in (*self._in_work.providers, *self._shared.settings.providers)
        }
        return sorted(it.removesuffix(".Supervisor") for it in there - named)

    def _is_configured(self, name: str) -> bool:
        return name in self._shared.settings.providers

    def _is_idle(self, name: str) -> bool:
        """Whether nothing is in its workers' hands, nor on its way to wait for one in the store.
        What they left goes to the Router."""
        for job in self._in_work.held(name):
            if isinstance(job.place, Held) and not job.place.worker.is_alive:
                job.cut_off("worker_crashed")
                self._in_work.unroute(job)
        self._in_work.resize(name, 0)
        leaving = self._in_work.leaving()
        goes_to_wait = any(job.candidates and job.candidate.provider == name for job in leaving)
        return not goes_to_wait and not len(self._in_work.queue(name))

    async def _end(self, name: str, there: set[str]) -> None:
        child = self._spec(name).id
        if child in there:
            await Supervisor.terminate_child(self._supervisor, child)
            await Supervisor.delete_child(self._supervisor, child)
        self._shared.gates.forget(name)
        log.info("provider removed", provider=name)
        while True:
            try:
                await self._shared.store.forget_waiting()
            except StorageError as error:
                await self._patience.failed(error)
            else:
                return self._patience.worked()
