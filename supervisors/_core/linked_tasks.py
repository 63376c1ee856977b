# ruff: noqa: SLF001 - the runtime's modules share private members, which users do not see
"""Tasks that an actor runs beside its callbacks. They end with the actor at the latest."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import trio

from supervisors import telemetry
from supervisors._core.handles import LinkedTask
from supervisors._core.process import Process
from supervisors._core.reasons import Crashed, ExitReason, Normal, reason_of
from supervisors._core.status import name_of_function
from supervisors._core.strays import ends_tree, passes_on

logger = logging.getLogger("supervisors")


def spawn_link(
    process: Process, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...]
) -> LinkedTask:
    """Start a task that ends with `process`."""
    process.must_live()
    task = LinkedTask(process, name_of_function(function))
    process.tasks[task] = None
    if process.tasks_done is not None:  # the other tasks are being ended
        task.cancel()
    process.nursery.start_soon(run_linked, process, task, function, args, name=task.name)
    return task


async def reap(process: Process, grace: float) -> None:
    """Cancel the process's linked tasks and wait for them, at most `grace` seconds."""
    process.tasks_done = trio.Event()
    for task in process.tasks:
        task.cancel()
    with trio.move_on_after(grace, shield=True):
        await process.tasks_done.wait()
    for task in process.tasks:
        logger.error("%s: its task %s is unkillable; given up", process.name, task.name)
        if telemetry.ProcessUnkillable.handlers:
            telemetry.execute(
                telemetry.ProcessUnkillable(
                    process.name, process.pid, process.class_name, task.name, grace
                )
            )


async def run_linked(
    process: Process,
    task: LinkedTask,
    function: Callable[..., Awaitable[Any]],
    args: tuple[Any, ...],
) -> None:
    """Run the task. If it crashes, its actor gets an exit signal."""
    crash: BaseException | None = None
    began = process.timekeeper.now()
    try:
        with task._scope:
            try:
                await function(*args)
            except BaseException as error:
                if passes_on(error):
                    raise
                crash = error
    except BaseException as error:  # what remains of a group without its cancellation
        if ends_tree(error):
            await process.program_end.came_from(process.pid, error)
            return
        if passes_on(error):
            raise
        crash = error
    finally:
        process.tasks.pop(task, None)
        if process.tasks_done is not None and not process.tasks:
            process.tasks_done.set()
    reason: ExitReason = Normal() if crash is None else reason_of(crash)
    if isinstance(reason, Crashed) and (
        process.tasks_done is not None or process.doomed is not None or process.reason is not None
    ):
        process.log_late_crash(reason, f"'s task {task.name}")
    if telemetry.TaskExited.handlers:
        telemetry.execute(
            telemetry.TaskExited(
                process.name,
                task.name,
                telemetry.kind_of(reason),
                telemetry.error_of(reason),
                process.timekeeper.now() - began,
            )
        )
    process.exit_signal(task, reason)
