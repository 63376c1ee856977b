# ruff: noqa: SLF001 - the runtime's modules share private members, which users do not see
"""TaskSupervisor: independent tasks that are started on demand (Elixir `Task.Supervisor`)."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import copy_context
from functools import partial
from typing import TypeVar, TypeVarTuple, Unpack

from supervisors._core.actor_ref import ActorRef, current_process
from supervisors._core.process import Process, as_process
from supervisors._core.status import name_of_function
from supervisors._core.threads import running_task
from supervisors.errors import StartIgnored
from supervisors.supervision.administration import StartChild
from supervisors.supervision.child_spec import WORKER_SHUTDOWN, RestartType, ShutdownType
from supervisors.supervision.dynamic_supervisor import OnDemand
from supervisors.tasks.task import Task
from supervisors.tasks.task_process import TaskActor, Tie, start_task, task_spec
from supervisors.tasks.task_stream import StreamOptions, TaskStream

A = TypeVar("A")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class TaskSupervisor(OnDemand):
    """Runs functions as processes: they are in the tree, are stopped in order, and a crash is their
    own (Elixir `Task.Supervisor`).

    Put it into the tree before the actors that use it: `ChildSpec("tasks", TaskSupervisor,
    type="supervisor")`. Everything else is done with static functions that take its ref, or a
    registered name; they raise NoProcess if it does not run.

    A task ends by cancellation at its next checkpoint when its supervisor stops, at an exit signal,
    `ref.stop()` or a kill. What it then does in a shield may take `shutdown` seconds. It gets the
    context variables of the code that started it. A crash is logged once, by this supervisor.

    Except for `start_child` it is a DynamicSupervisor: `max_children`, `max_restarts` (for tasks of
    start_child that are not temporary), which_children, count_children, terminate_child.
    """

    @staticmethod
    async def async_(
        supervisor: ActorRef,
        function: Callable[[*Ts], Awaitable[T]],
        *args: *Ts,
        shutdown: ShutdownType = WORKER_SHUTDOWN,
    ) -> Task[T]:
        """Run `function(*args)` as a task, owned by the calling actor and linked to it (Elixir
        `Task.Supervisor.async/3`).

        If the task crashes, an owner that does not trap exits ends with the same reason; one that
        does gets an Exit in addition to the outcome. If the owner ends other than normally, so does
        the task. Plain trio code is not linked, as with async_nolink. Raises MaxChildren. If this
        is cancelled, the task is not started, or is ended.
        """
        return await _start(supervisor, function, args, "link", shutdown)

    @staticmethod
    async def async_nolink(
        supervisor: ActorRef,
        function: Callable[[*Ts], Awaitable[T]],
        *args: *Ts,
        shutdown: ShutdownType = WORKER_SHUTDOWN,
    ) -> Task[T]:
        """`async_` without the link: neither ends with the other (Elixir `async_nolink/3`). For a
        server that must survive crashes of its tasks.
        """
        return await _start(supervisor, function, args, None, shutdown)

    @staticmethod
    async def start_child(
        supervisor: ActorRef,
        function: Callable[[*Ts], Awaitable[object]],
        *args: *Ts,
        restart: RestartType = "temporary",
        shutdown: ShutdownType = WORKER_SHUTDOWN,
    ) -> ActorRef:
        """Run `function(*args)` and drop what it returns (Elixir `start_child/3`).

        `restart`: "transient" runs it again after a crash, "permanent" whenever it ends. Raises
        MaxChildren. If this is cancelled, the task may still run.
        """
        start = partial(TaskActor, function, args, context=copy_context())
        spec = task_spec(name_of_function(function), function, start, restart, shutdown)
        ref = await supervisor.call(StartChild(spec), timeout=math.inf)
        if ref is None:
            raise StartIgnored(spec.id)
        return ref

    @staticmethod
    async def children(supervisor: ActorRef) -> list[ActorRef]:
        """All tasks that have a process, the last started first (Elixir `children/1`)."""
        infos = await OnDemand.which_children(supervisor)
        return [info.ref for info in infos if info.ref is not None]

    @staticmethod
    def async_stream(
        supervisor: ActorRef,
        items: Iterable[A],
        function: Callable[[A], Awaitable[T]],
        **options: Unpack[StreamOptions],
    ) -> AbstractAsyncContextManager[TaskStream[T]]:
        """Run a task `function(item)` for each item, and stream the outcomes (Elixir
        `async_stream/4`).

            async with TaskSupervisor.async_stream(tasks, urls, fetch) as outcomes:
                async for outcome in outcomes:
                    match outcome:
                        case Ok(page): ...
                        case Exited(reason): ...

        When the block is left, in whatever way, tasks that still run are ended first. The tasks are
        linked to the calling actor: if it does not trap exits, it ends with the first task that
        crashes; otherwise, and in plain trio code, a crash is an outcome. They send no messages.
        Raises ValueError for options out of range.

        max_concurrency (10): how many items may be taken from `items` ahead of the outcomes; their
        tasks run, or wait to be delivered. The next ones start when the next outcome is asked for.
        ordered (True): outcomes come in the order of the items; False: in the order of their ends.
        timeout (5.0): seconds each task may take before it is ended.
        on_timeout ("exit"): the iteration raises the TaskTimeout. "kill_task": the outcome is
        `Exited(Shutdown(TaskTimeout))`, and the stream goes on.
        shutdown (5.0): seconds that ended tasks get for their cleanup, or "brutal_kill".
        zip_input_on_exit (False): True adds the item to an outcome without a result, as
        `Exited(reason, input)`.
        """
        return _stream(TaskStream(supervisor, items, function, linked=True, **options))

    @staticmethod
    def async_stream_nolink(
        supervisor: ActorRef,
        items: Iterable[A],
        function: Callable[[A], Awaitable[T]],
        **options: Unpack[StreamOptions],
    ) -> AbstractAsyncContextManager[TaskStream[T]]:
        """`async_stream` without the links: for any caller a crash is an outcome (Elixir
        `async_stream_nolink/4`).
        """
        return _stream(TaskStream(supervisor, items, function, linked=False, **options))

    def _launch(self, process: Process) -> None:
        actor = process.actor
        if isinstance(actor, TaskActor):
            actor.context.run(super()._launch, process)
        else:
            super()._launch(process)


async def _start(
    supervisor: ActorRef,
    function: Callable[[*Ts], Awaitable[T]],
    args: tuple[*Ts],
    tie: Tie | None,
    shutdown: ShutdownType,
) -> Task[T]:
    actor = TaskActor(function, args, owner=as_process(current_process.get()), tie=tie)
    await start_task(supervisor, actor, shutdown)
    return Task(actor)


@asynccontextmanager
async def _stream(stream: TaskStream[T]) -> AsyncIterator[TaskStream[T]]:
    running_task()
    try:
        yield stream
    finally:
        await stream._close()
