"""`nexus actor stop|start`: hold one actor of the tree, and let it go again."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog
import trio

from nexus_actors.operations.actors import PATIENCE, Found, find_actor
from nexus_actors.operations.control import CommandRefused
from nexus_actors.storage.outages import Outages
from supervisors import ActorRef, Supervisor, SupervisorsError, telemetry

log = structlog.get_logger("nexus.stopping")

STOPPABLE: Final = frozenset(
    {
        "Admin.Supervisor",
        "Admin",
        "StreamPublisher",
        "Cancellations",
        "ModelQuirks",
        "ResultPoller",
        "Pruner",
        "Rollup",
    }
)
"""Actors without which the service does the rest of its work. All others are not stopped: it would
end of it, do nothing, or hear its operator no more; and a provider's pool starts its own again."""


class Stopping:
    """One actor by its name. It is stopped by its supervisor, in its own time, and not started
    again until somebody says so, or what it depends on is started anew. Until then `outages` tell
    of it."""

    def __init__(self, root: Callable[[], ActorRef], outages: Outages) -> None:
        self._root = root
        self._outages = outages

    def heed(self, event: telemetry.ProcessStarted) -> None:
        """An actor has been started, whatever the reason."""
        self._outages.tell(_outage(event.process), None)

    async def stop(self, arguments: Mapping[str, Any]) -> object:
        """Stop the argument `actor`: `ended` is whether it has ended already. One that ends its
        work first is awaited for `PATIENCE` seconds, and goes on ending. Raises CommandRefused."""
        found = await self._find(arguments)
        if found.name not in STOPPABLE:
            told = "nexus restart starts it anew; nexus drain, pause and scale stop work"
            raise CommandRefused(f"{found.name} is not stopped, the others depend on it: {told}")
        log.warning("an actor is stopped, as asked", actor=found.name)
        was_held = self._outages.has(_outage(found.name))
        again = f"stopped, as an operator asked, until: nexus actor start {found.name}"
        self._outages.tell(_outage(found.name), again)
        try:
            ended = await _patiently(Supervisor.terminate_child, found)
        except CommandRefused:
            if not was_held:
                self._outages.tell(_outage(found.name), None)
            raise
        return {"actor": found.name, "ended": ended}

    async def start(self, arguments: Mapping[str, Any]) -> object:
        """Start the argument `actor`, which was stopped. Raises CommandRefused."""
        found = await self._find(arguments)
        log.warning("an actor is started, as asked", actor=found.name)
        started = await _patiently(Supervisor.restart_child, found)
        return {"actor": found.name, "started": started}

    async def _find(self, arguments: Mapping[str, Any]) -> Found:
        name = arguments.get("actor")
        if not isinstance(name, str):
            raise CommandRefused("actor: expected a name")
        root = self._root()
        if name == root.name:
            raise CommandRefused(f"{name} is the service itself: nexus stop")
        return await find_actor(root, name)


def _outage(actor: str) -> str:
    return f"actor {actor}"


async def _patiently(act: Callable[[ActorRef, str], Any], found: Found) -> bool:
    """Have its supervisor do that; whether it has, within `PATIENCE`. It does it all the same."""
    with trio.move_on_after(PATIENCE) as limit:
        try:
            await act(found.supervisor, found.id)
        except SupervisorsError as error:
            raise CommandRefused(f"{found.name}: {error}") from error
    return not limit.cancelled_caught
