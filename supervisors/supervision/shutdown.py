"""How a process is stopped: ask, grace, kill, give up."""

from __future__ import annotations

from collections.abc import Iterable

import trio

from supervisors import telemetry
from supervisors._core import process as runtime
from supervisors._core.process import Process
from supervisors._core.reasons import ExitReason, Killed, Shutdown
from supervisors.supervision.child_spec import ShutdownType

# A supervisor that was killed waits KILL_GRACE for its children; who waits for it waits a little
# longer.
SUPERVISOR_MARGIN = 1.0


async def stop_process(
    process: Process, shutdown: ShutdownType, *, margin: float = 0.0
) -> ExitReason:
    """Stop it and return the reason it ended with.

    Asked with Shutdown(), it has `shutdown` seconds; then it is killed; if that does not end it
    either, it is given up as unkillable. Cancelled, the process may still run, asked but not waited
    for.
    """
    if shutdown != "brutal_kill":
        process.ask_to_stop(Shutdown())
        with trio.move_on_after(shutdown):
            await process.wait_ended()
        if process.reason is None and telemetry.ShutdownTimedOut.handlers:
            telemetry.execute(
                telemetry.ShutdownTimedOut(process.name, process.pid, process.class_name, shutdown)
            )
    if process.reason is None:
        process.kill()
        with trio.move_on_after(runtime.KILL_GRACE + margin):
            await process.wait_ended()
        process.abandon()
    return process.reason if process.reason is not None else Killed()


async def stop_all(processes: Iterable[Process], shutdown: ShutdownType) -> None:
    """Ask all of these to stop at once and wait until none is left, shielded, in the manner of
    stop_process: `shutdown` seconds for all together, then the kill.
    """
    everyone = list(processes)
    if shutdown != "brutal_kill":
        for process in everyone:
            process.ask_to_stop(Shutdown())
        with trio.CancelScope(shield=True, deadline=trio.current_time() + shutdown):
            for process in everyone:
                await process.wait_ended()
    await kill_all((process, 0.0) for process in everyone if process.reason is None)


async def kill_all(victims: Iterable[tuple[Process, float]]) -> None:
    """Kill all of these (process, margin) at once and wait until none is left, shielded."""
    everyone = list(victims)
    for process, _ in everyone:
        process.kill()
    start = trio.current_time()
    for process, margin in sorted(everyone, key=lambda pair: pair[1]):
        with trio.CancelScope(shield=True, deadline=start + runtime.KILL_GRACE + margin):
            await process.wait_ended()
        process.abandon()
