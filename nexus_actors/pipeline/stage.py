"""What stages that stop in order have in common."""

from supervisors import Crashed, Exit, GenServer, HandleResult, Stop


class Stage(GenServer):
    """A stage whose `terminate` matters, hence one that traps exits.

    Its work runs in a linked task. Who traps exits would outlive that task's crash, and stand there
    doing nothing; so the crash is made the stage's own, and its supervisor starts it anew.
    """

    trap_exit = True

    async def handle_info(self, info: object) -> HandleResult:
        """Crash with the linked task."""
        match info:
            case Exit(reason=Crashed() as reason):
                return Stop(reason)
        return await super().handle_info(info)
