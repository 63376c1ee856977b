"""`nexus restart ACTOR`: ends one actor of the tree, so that its supervisor restarts it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
import trio

from nexus_actors.operations.actors import find_actor
from nexus_actors.operations.control import CommandRefused
from nexus_actors.pipeline.provider_tree.keeper import RestartIdle
from nexus_actors.pipeline.provider_worker import Retire
from supervisors import ActorRef, CallTimeout, Registry, ServerExited, Shutdown

log = structlog.get_logger("nexus.restart")

PATIENCE = 5.0
"""Seconds that the caller waits for the end."""
REPLY = 0.1
"""Seconds after which Control itself is ended, so that it can answer first."""
_PROVIDERS = "Providers.Supervisor"


class Restarting:
    """Restarts one actor, named as in `nexus tree`. The actor is asked to end like its supervisor
    would ask it. The supervisor then restarts it by its strategy, with others if they depend on it.
    So the caller may be cancelled at any moment.

    Running calls end first: a worker ends its own; the supervisor of one provider or of all waits
    until none runs; the pipeline drains as at a stop. With `now` the actor is killed, and calls are
    cut off and made again.
    """

    def __init__(self, root: Callable[[], ActorRef], registry: Registry) -> None:
        self._root = root
        self._registry = registry

    async def __call__(self, arguments: Mapping[str, Any]) -> object:
        """The answer to `restart`: which actor, and whether it has ended already."""
        return await self.restart(arguments, trio.lowlevel.checkpoint)

    async def restart(
        self, arguments: Mapping[str, Any], first: Callable[[], Awaitable[None]]
    ) -> Mapping[str, Any]:
        """Restart an actor. `first` is awaited once the actor is found, before it is ended."""
        name, now = arguments.get("actor"), arguments.get("now", False)
        if not isinstance(name, str) or not isinstance(now, bool):
            raise CommandRefused("actor: expected a name; now: true or false")
        ref = await self._find(name)
        await first()
        log.warning("an actor is restarted, as asked", actor=ref.name, now=now)
        if ref.name == "Control":
            trio.lowlevel.spawn_system_task(_kill_soon, ref)
            return {"actor": ref.name, "ended": True}
        if now:
            ref.kill()
        else:
            await self._ask(ref)
        with trio.move_on_after(PATIENCE):
            await ref.wait()
        return {"actor": ref.name, "ended": not ref.is_alive}

    async def _ask(self, ref: ActorRef) -> None:
        provider, _, kind = ref.name.partition(".")
        if ref.name == _PROVIDERS or (kind == "Supervisor" and provider != "Pipeline"):
            self._registry.via("ProviderKeeper").cast(RestartIdle(ref.name))
        elif kind.startswith("Worker."):
            ref.cast(Retire())
        else:
            try:
                await ref.stop(Shutdown(), timeout=PATIENCE)
            except (CallTimeout, ServerExited):
                return  # it still drains, or has ended otherwise

    async def _find(self, name: str) -> ActorRef:
        root = self._root()
        if name == root.name:
            raise CommandRefused(f"{name} is the service itself: nexus stop, and start it again")
        found = await find_actor(root, name)
        if found.ref is None:
            raise CommandRefused(f"{name} is stopped: nexus actor start {name}")
        return found.ref


async def _kill_soon(ref: ActorRef) -> None:
    await trio.sleep(REPLY)
    ref.kill()
