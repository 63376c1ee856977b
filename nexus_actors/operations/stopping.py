"""`nexus actor stop|start`: stops one actor of the tree, and starts it again."""

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
"""Actors without which the service still does the rest of its work. Others cannot be stopped: the
service would end, do nothing, or no longer hear its operator. A provider's pool restarts its own
workers."""


class Stopping:
    """Stops one actor by its name, through its supervisor. It stays stopped until an operator
    starts it, or until its supervisor restarts. Meanwhile `outages` report it."""

    def __init__(self, root: Callable[[], ActorRef], outages: Outages) -> None:
        self._root = root
        self._outages = outages

    def heed(self, event: telemetry.ProcessStarted) -> None:
        """An actor has been started, for whatever reason."""
        self._outages.tell(_outage(event.process), None)

    async def stop(self, arguments: Mapping[str, Any]) -> object:
        """Stop the argument `actor`. `ended` says whether it has ended already: an actor that
        finishes its work first is awaited for `PATIENCE` seconds. Raises CommandRefused."""
        found = await self._find(arguments)
        if found.name not in STOPPABLE:
            hint = "nexus restart starts it anew; nexus drain, pause and scale stop work"
            raise CommandRefused(f"{found.name} is not stopped, the others depend on it: {hint}")
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
        """Start the argument `actor`, which must be stopped. Raises CommandRefused."""
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
    """Make the supervisor act. Returns whether it has within `PATIENCE`; it acts in any case."""
    with trio.move_on_after(PATIENCE) as limit:
        try:
            await act(found.supervisor, found.id)
        except SupervisorsError as error:
            raise CommandRefused(f"{found.name}: {error}") from error
    return not limit.cancelled_caught
