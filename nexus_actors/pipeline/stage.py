"""The base class of stages that do work when they stop."""

from supervisors import Crashed, Exit, GenServer, HandleResult, Stop


class Stage(GenServer):
    """A stage whose `terminate` matters, so it traps exits.

    Its work runs in a linked task. Because the stage traps exits, it would survive a crash of that
    task and do nothing from then on. So it crashes with the task, and its supervisor restarts it.
    """

    trap_exit = True

    async def handle_info(self, info: object) -> HandleResult:
        """Crash with the linked task."""
        match info:
            case Exit(reason=Crashed() as reason):
                return Stop(reason)
        return await super().handle_info(info)
