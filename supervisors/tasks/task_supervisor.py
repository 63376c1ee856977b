# ruff: noqa: SLF001 - the runtime's modules share their insides, users do not see them
"""TaskSupervisor: tasks that come and go, each by itself (Elixir `Task.Supervisor`)."""

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
    """Runs functions as processes: in the tree, each crash by itself, stopped in order (Elixir
    `Task.Supervisor`).

    Put it into the tree before those who use it: `ChildSpec("tasks", TaskSupervisor,
    type="supervisor")`. Everything else is by static functions that take its ref, also a registered
    name; all raise NoProcess if it is not there.

    A task is cancelled to end it: at its next checkpoint, by its supervisor's stop, an exit signal,
    `ref.stop()` or a kill. What it does in a shield after that has `shutdown` seconds. It sees the
    context variables of whoever started it. A crash is logged once, by this supervisor.

    It is a DynamicSupervisor in all but `start_child`: `max_children`, `max_restarts` (of tasks of
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

        If the task crashes, an owner that does not trap exits ends with the same reason, and one
        that does gets an Exit besides the outcome. If the owner ends, other than normally, so does
        the task. For plain trio code there is no link, as in async_nolink. Raises MaxChildren.
        Cancelled, the task does not run, or no longer.
        """
        return await _start(supervisor, function, args, "link", shutdown)

    @staticmethod
    async def async_nolink(
        supervisor: ActorRef,
        function: Callable[[*Ts], Awaitable[T]],
        *args: *Ts,
        shutdown: ShutdownType = WORKER_SHUTDOWN,
    ) -> Task[T]:
        """`async_` without the link: neither ends with the other (Elixir `async_nolink/3`).

        What a server wants that must outlive its tasks' crashes.
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
        """Run `function(*args)` for nobody: what it returns is dropped (Elixir `start_child/3`).

        `restart`: "transient" runs it again after a crash, "permanent" whenever it ends. Raises
        MaxChildren. Cancelled, the task may run all the same.
        """
        start = partial(TaskActor, function, args, context=copy_context())
        spec = task_spec(name_of_function(function), function, start, restart, shutdown)
        ref = await supervisor.call(StartChild(spec), timeout=math.inf)
        if ref is None:
            raise StartIgnored(spec.id)
        return ref

    @staticmethod
    async def children(supervisor: ActorRef) -> list[ActorRef]:
        """Every task that has a process, the last started first (Elixir `children/1`)."""
        infos = await OnDemand.which_children(supervisor)
        return [info.ref for info in infos if info.ref is not None]

    @staticmethod
    def async_stream(
        supervisor: ActorRef,
        items: Iterable[A],
        function: Callable[[A], Awaitable[T]],
        **options: Unpack[StreamOptions],
    ) -> AbstractAsyncContextManager[TaskStream[T]]:
        """A task `function(item)` for each item, and the outcomes as a stream (Elixir
        `async_stream/4`).

            async with TaskSupervisor.async_stream(tasks, urls, fetch) as outcomes:
                async for outcome in outcomes:
                    match outcome:
                        case Ok(page): ...
                        case Exited(reason): ...

        However the block is left, tasks that still run are ended before it is over. The tasks are
        linked to the calling actor: if it does not trap exits, it ends with the first that crashes;
        if it does, or is plain trio code, a crash is just an outcome. They send no messages. Raises
        ValueError for options out of range.

        max_concurrency (10): so many items are taken from `items` ahead of the outcomes at most;
        these run, or wait to be delivered. The next start when the next outcome is asked for.
        ordered (True): in the order of the items; else in that of the ends.
        timeout (5.0): seconds each task may take; then it is ended.
        on_timeout ("exit"): the iteration raises the TaskTimeout. "kill_task": the outcome is
        `Exited(Shutdown(TaskTimeout))`, and the stream goes on.
        shutdown (5.0): seconds that tasks which are ended have for their cleanup, or "brutal_kill".
        zip_input_on_exit (False): True: an outcome without a result bears the item it was for, as
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
        """`async_stream` without the links: a crash is just an outcome, whoever asks (Elixir
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
