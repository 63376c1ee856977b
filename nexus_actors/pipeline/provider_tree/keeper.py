"""Keeps the children of Providers.Supervisor equal to the configured providers."""

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
"""Seconds between checks whether a provider that is to end still has calls."""
AGAIN = 1.0
"""Seconds until the next try after a failure."""


@dataclass(frozen=True, slots=True)
class RestartIdle:
    """Message to the keeper: stop this supervisor (of one provider, or of all) as soon as no call
    runs below it, so that it is restarted. Until then no call begins there."""

    supervisor: str


class ProviderKeeper(GenServer):
    """Starts new providers and removes those that are no longer configured. A provider that is to
    be removed begins no call; when its last call has ended, it leaves the tree, and requests that
    wait for it in the store become visible, to be routed again.

    The keeper compares the tree with the settings instead of following events, so neither a crash
    nor a second change leaves anything half done.
    """

    def __init__(self, shared: Shared, spec: Callable[[str], ChildSpec]) -> None:
        """`spec` returns the child spec of the supervisor of a named provider."""
        self._shared = shared
        self._spec = spec
        self._in_work = shared.in_work
        self._supervisor = shared.registry.via(ALL)
        self._restarts: set[str] = set()
        """Supervisors that are to be restarted once no call runs below them."""
        self._patience = shared.outages.patience("ProviderKeeper")

    def format_status(self, status: Status) -> Status:
        """Counts and names only: nothing that a request contains."""
        return replace(
            status.shapes(),
            state={
                "providers": list(self._in_work.providers),
                "to_restart": sorted(self._restarts),
                "store_away": self._patience.tried,
            },
        )

    async def init(self) -> None:
        """Apply the settings, which also completes what a predecessor began."""
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
        """Apply the settings. True if some provider or restart still waits for running calls."""
        there = {it.id for it in await Supervisor.which_children(self._supervisor)}
        for name in self._leaving():
            if self._is_idle(name):
                self._in_work.drop(name)  # before the await: nobody can revive it then
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
        return bool(self._leaving() or self._restarts)

    def _leaving(self) -> list[str]:
        """Providers that are no longer configured, and have calls or waiting requests."""
        known = {*self._in_work.providers, *self._shared.in_force.removed}
        return sorted(name for name in known if not self._is_configured(name))

    async def _restart_idle(self) -> None:
        for supervisor in tuple(self._restarts):
            below = [
                name
                for name in self._in_work.providers
                if self._is_configured(name) and supervisor in (ALL, f"{name}.Supervisor")
            ]
            # A list, not a generator: each check also keeps that provider from beginning calls.
            idle = [self._is_idle(name) for name in below]
            if all(idle):
                self._restarts.discard(supervisor)
                await self._shared.registry.via(supervisor).stop(Shutdown())

    def _orphans(self, there: set[str]) -> list[str]:
        """Providers that are gone, but whose supervisors a predecessor did not end."""
        named = {
            self._spec(name).id
            for name in (*self._in_work.providers, *self._shared.settings.providers)
        }
        return sorted(it.removesuffix(".Supervisor") for it in there - named)

    def _is_configured(self, name: str) -> bool:
        return name in self._shared.settings.providers

    def _is_idle(self, name: str) -> bool:
        """Whether the provider's workers hold no job, and none is being given back to wait for it.
        Also stops new calls, and hands the jobs of dead workers to the Router."""
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
            there.discard(child)
        self._shared.gates.forget(name)
        log.info("provider removed", provider=name)
        removed = self._shared.in_force.removed
        removed.discard(name)  # before the await: a reload may add it and remove it again meanwhile
        try:
            await self._release_waiting()
        except BaseException:
            removed.add(name)
            raise

    async def _release_waiting(self) -> None:
        """Make visible what this process gave back to wait, however long the store is away."""
        while True:
            try:
                await self._shared.store.forget_waiting()
            except StorageError as error:
                await self._patience.failed(error)
            else:
                return self._patience.worked()
