"""Stops processes: request, grace period, kill, give up."""

from __future__ import annotations

from collections.abc import Iterable

import trio

from supervisors import telemetry
from supervisors._core import process as runtime
from supervisors._core.process import Process
from supervisors._core.reasons import ExitReason, Killed, Shutdown
from supervisors.supervision.child_spec import ShutdownType

# A killed supervisor waits KILL_GRACE for its children. Whoever waits for the supervisor waits a
# little longer.
SUPERVISOR_MARGIN = 1.0


async def stop_process(
    process: Process, shutdown: ShutdownType, *, margin: float = 0.0
) -> ExitReason:
    """Stop a process. Returns its exit reason.

    After a request with Shutdown() it has `shutdown` seconds, then it is killed. If it still does
    not end, it is given up as unkillable. If this is cancelled, the process has been asked to stop,
    but may still run.
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
    """Ask all of these to stop at once, and wait until all have ended, shielded, like
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
    """Kill all of these (process, margin) at once, and wait until all have ended, shielded."""
    everyone = list(victims)
    for process, _ in everyone:
        process.kill()
    start = trio.current_time()
    for process, margin in sorted(everyone, key=lambda pair: pair[1]):
        with trio.CancelScope(shield=True, deadline=start + runtime.KILL_GRACE + margin):
            await process.wait_ended()
        process.abandon()
