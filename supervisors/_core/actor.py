# ruff: noqa: SLF001 - the runtime's modules share private members, which users do not see
"""The base class of actors, and the task that runs one in its process."""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from typing import Any

import trio

from supervisors._core.actor_ref import ActorRef, current_process
from supervisors._core.behaviour import Behaviour
from supervisors._core.linked_tasks import reap
from supervisors._core.messages import Ignore
from supervisors._core.process import IDLE, KILL_GRACE, Process
from supervisors._core.reasons import Crashed, ExitReason, Killed, reason_of
from supervisors._core.status import Status
from supervisors._core.strays import ends_program, ends_tree, passes_on
from supervisors.errors import BadReturnValue, InvalidStart

logger = logging.getLogger("supervisors")


class Actor(Behaviour):
    """What runs in a process: the base class of GenServer and the supervisors."""

    # Names that no subclass uses by accident: its own `_process` or `_main` must break nothing.
    _runtime_process: Process

    @property
    def ref(self) -> ActorRef:
        """The reference that others reach this actor by. It exists before init."""
        return self._runtime_process.ref

    def _runtime_host(self) -> Coroutine[Any, Any, None]:
        return run(self._runtime_process)

    def _runtime_note_crash(self, reason: Crashed) -> None:
        """Keep what the crash report shows, in its state at the time of the crash."""
        process = self._runtime_process
        message = None if process.message is IDLE else process.message
        served = process.serving
        asked = None if served is None or served.request is not message else served.ref
        client = None if asked is None else asked.name
        process.crash_status = shown(process, Status(state_of(self), message, reason, client))


def shown(process: Process, status: Status) -> Status:
    """The status after its format_status; only types, if that raises or returns no Status."""
    try:
        made: object = process.actor.format_status(status)
    except BaseException as error:
        if ends_program(error):
            raise
        logger.exception("%s: its format_status raised", process.name)
        return status.shapes()
    if isinstance(made, Status):
        return made
    logger.error("%s: its format_status returned a %s", process.name, type(made).__name__)
    return status.shapes()


def state_of(actor: Behaviour) -> dict[str, Any]:
    """The actor's attributes by name, without the runtime's own."""
    own = ("_runtime_", "_GenServer__")
    return {name: value for name, value in vars(actor).items() if not name.startswith(own)}


def spawn(
    actor: Actor | Ignore, name: str, nursery: trio.Nursery, parent: Process | None
) -> Process:
    """Create a process for `actor`. Its task, `actor._runtime_host`, is not started yet.

    Raises BadReturnValue if this is not an actor, InvalidStart if the actor has run before.
    """
    if not isinstance(actor, Actor):
        raise BadReturnValue("start", actor)
    if hasattr(actor, "_runtime_process"):
        raise InvalidStart(actor)
    process = Process(name, actor, nursery, parent)
    actor._runtime_process = process
    return process


async def run(process: Process) -> None:
    """The process's task, from its first step to `finish`. It raises nothing, unless trio's run has
    broken down: an exception that ends the program is kept (see program_end).
    """
    current_process.set(process)
    process.task = trio.lowlevel.current_task()
    try:
        reason = await _live(process)
        if process.tasks:
            await reap(process, KILL_GRACE)
    except BaseException:
        process.finish(Killed())
        raise
    # Only doom cancels the scope, and records the reason first. It may also have done so just now,
    # while the process's tasks were awaited.
    try:
        process.finish(process.doomed or reason)
    except BaseException as error:  # from a telemetry handler; everyone has been notified by then
        if not ends_tree(error):
            raise
        await process.program_end.came_from(process.pid, error)


async def _live(process: Process) -> ExitReason:
    """Run the actor. Returns its exit reason."""
    if process.doomed is not None:  # killed before its first step
        return process.doomed
    reason: ExitReason = Killed()
    crash: BaseException | None = None
    try:
        with process.scope:
            try:
                reason = await process.actor._runtime_main()
            except BaseException as error:
                if passes_on(error):
                    raise
                crash = error
    except BaseException as error:  # what remains of a group without its cancellation
        if ends_tree(error):
            return await process.program_end.came_from(process.pid, error)
        if passes_on(error):
            raise
        crash = error
    if crash is not None:  # the only place where an exception becomes a reason
        reason = reason_of(crash)
        if isinstance(reason, Crashed):
            if process.scope.cancel_called:  # by doom
                process.log_late_crash(reason)
            else:
                process.actor._runtime_note_crash(reason)
    return reason
