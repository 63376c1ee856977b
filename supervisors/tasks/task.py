# ruff: noqa: SLF001 - the runtime's modules share private members, which users do not see
"""Task: the owner's handle to a function that runs as a process of its own (Elixir `Task`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar, TypeVarTuple

import trio

from supervisors._core.actor_ref import current_process
from supervisors._core.copying import Alive
from supervisors._core.handles import Monitor
from supervisors._core.mailbox import DEFERRED
from supervisors._core.process import Process
from supervisors._core.reasons import ExitReason, Killed, NoProc, Shutdown, cause_of
from supervisors._core.signals import Down
from supervisors.servers.gen_server import GenServer
from supervisors.supervision.child_spec import WORKER_SHUTDOWN, ChildSpec, RestartType, ShutdownType
from supervisors.supervision.shutdown import stop_process
from supervisors.tasks.errors import AlreadyAwaited, NotOwner, TaskExited, TaskTimeout
from supervisors.tasks.task_process import Exited, Ok, TaskActor, task_spec

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Ts = TypeVarTuple("Ts")


class Task(Alive, Generic[T_co]):
    """A running task, as its owner sees it: the actor, or plain trio code, that started it with
    `TaskSupervisor.async_`.

    The owner takes the outcome once, with `result`, `poll`, `shutdown` or `await_many`. If a
    GenServer does not, its handle_info gets `TaskResult(task, value)`, then
    `Down(task.monitor, task.ref, Normal())`; without a result it gets only the Down, with the
    reason. After `self.demonitor(task.monitor)` it gets neither, even if they are in its mailbox.

    For work that nobody waits for, use `TaskSupervisor.start_child`; for work that must not outlive
    a block of code, a trio nursery.
    """

    __slots__ = ("_actor", "_awaiting", "_is_delivered", "_owner", "_taken", "monitor", "ref")

    def __init__(self, actor: TaskActor[T_co]) -> None:
        self.ref = actor.ref
        """The task's process."""
        self.monitor = Monitor(self.ref)
        """The monitor in its Down, if the outcome is sent as a message."""
        self._actor = actor
        self._owner = actor.owner
        self._awaiting = 0
        self._taken = False
        self._is_delivered = False
        if self._owner is not None and isinstance(self._owner.actor, GenServer):
            self._owner.monitors[self.monitor] = self._process
        actor.on_end = self._tell
        self._tell()  # the task may have ended already

    @property
    def _process(self) -> Process:
        return self._actor._runtime_process

    async def result(self, timeout: float = 5.0) -> T_co:
        """Wait for what the function returns (Elixir `Task.await/2`).

        Raises TaskExited, with the task's exception, if any, as the cause; TaskTimeout after
        `timeout` seconds: the task goes on, but its outcome is given up, and only `shutdown` is
        left; NotOwner; AlreadyAwaited. A linked owner that does not trap exits ends with the task
        before this can raise. If this is cancelled, the task goes on and can still be awaited.
        """
        match await self.poll(timeout):
            case Ok(value):
                return value
            case Exited(reason):
                raise TaskExited(self.ref.name, reason) from cause_of(reason)
            case None:
                self._take()
                raise TaskTimeout(self.ref.name, timeout)

    async def poll(self, timeout: float = 5.0) -> Ok[T_co] | Exited | None:
        """Wait for the outcome; None if there is none after `timeout` seconds, which changes
        nothing (Elixir `Task.yield/2`).

        `await task.poll(1.0) or await task.shutdown()` gives it a second, then ends it. Raises
        NotOwner, AlreadyAwaited. If this is cancelled, the task goes on and can still be awaited.
        """
        self._require_owner()
        self._require_untaken()
        with _Awaiting(self):
            with trio.move_on_after(timeout):
                await self.ref.wait()
            if self._process.reason is None:
                return None
            self._require_untaken()
            self._take()
        return self._actor.outcome

    async def shutdown(self, timeout: ShutdownType = WORKER_SHUTDOWN) -> Ok[T_co] | Exited | None:
        """Unlink the task, end it, and wait until it has ended (Elixir `Task.shutdown/2`).

        It is cancelled, and killed after `timeout` seconds; "brutal_kill" kills it at once. Returns
        Ok if there was a result by then, None if it ended as it was told to, and Exited if it ended
        otherwise: with `Killed()` if time ran out, with `NoProc()` if its outcome was taken before.
        Raises NotOwner. If this is cancelled, the task has been told to end, but may still run.
        """
        self._require_owner()
        await trio.lowlevel.checkpoint()
        if self._taken and self._process.reason is not None:
            return Exited(NoProc())
        self._actor.untie()
        with _Awaiting(self):
            await stop_process(self._process, timeout)
            self._take()
        outcome = self._actor.outcome
        asked: ExitReason = Killed() if timeout == "brutal_kill" else Shutdown()
        return None if outcome == Exited(asked) else outcome

    @staticmethod
    async def await_many(tasks: Iterable[Task[T]], timeout: float = 5.0) -> list[T]:
        """Wait for what all of these return, `timeout` seconds in all; in the order of `tasks`
        (Elixir `Task.await_many/2`).

        The first task that ends without a result raises TaskExited at once, with its exception as
        the cause. TaskTimeout: not all have returned within `timeout` seconds. In both cases all
        outcomes are given up, also those of tasks that have returned; tasks that still run go on,
        and only `shutdown` is left for them. A linked owner that does not trap exits ends with the
        first task that crashes, before this can raise, and so do its other linked tasks.

        NotOwner or AlreadyAwaited of any of them is raised before anything is waited for.
        If this is cancelled, the tasks go on and can still be awaited. A GenServer handles no
        messages meanwhile.
        """
        every = list(tasks)
        distinct = dict.fromkeys(every)
        for task in distinct:
            task._require_owner()
            task._require_untaken()
        with ExitStack() as awaiting:
            for task in distinct:
                awaiting.enter_context(_Awaiting(task))
            ends = _Ends(distinct)
            with trio.move_on_after(timeout):
                await ends.wait()
            for task in distinct:  # another task of the owner may have taken an outcome first
                task._require_untaken()
            for task in distinct:
                task._take()
        if ends.failure is not None:
            raise ends.failure
        if ends.running:
            first = next(iter(ends.running)).ref.name
            others = f" and {len(ends.running) - 1} more" if len(ends.running) > 1 else ""
            raise TaskTimeout(f"{first}{others}", timeout)
        outcomes = (task._actor.outcome for task in every)
        return [outcome.value for outcome in outcomes if isinstance(outcome, Ok)]

    @staticmethod
    def child_spec(
        id: str,  # noqa: A002 - an id is an id
        function: Callable[[*Ts], Awaitable[object]],
        *args: *Ts,
        restart: RestartType = "temporary",
        shutdown: ShutdownType = WORKER_SHUTDOWN,
    ) -> ChildSpec:
        """A task as a child of any supervisor; the result of `function(*args)` is dropped (Elixir
        `Task.child_spec/1`).
        """
        return task_spec(id, function, partial(TaskActor, function, args), restart, shutdown)

    def __repr__(self) -> str:
        return f"<Task {self.ref.name} pid {self.ref.pid}>"

    def _require_owner(self) -> None:
        for process in (self._process, self._owner):
            if process is not None:
                process.must_be_here()
        if current_process.get() is not self._owner:
            raise NotOwner(self.ref.name)

    def _require_untaken(self) -> None:
        if self._taken:
            raise AlreadyAwaited(self.ref.name)

    def _take(self) -> None:
        self._taken = True
        if self._owner is not None:
            self._owner.demonitor(self.monitor)

    # --- the outcome as messages ---

    def _tell(self) -> None:
        """Send the messages to the owner if the task has ended and nobody awaits it."""
        owner, reason = self._owner, self._process.reason
        if (
            owner is None
            or reason is None
            or self._awaiting
            or self._is_delivered
            or not self._is_watched
        ):
            return
        self._is_delivered = True
        match self._actor.outcome:
            case Ok(value):
                owner.mailbox.put((DEFERRED, _Message(self, TaskResult(self, value)), None))
        owner.mailbox.put((DEFERRED, _Message(self, Down(self.monitor, self.ref, reason)), None))

    @property
    def _is_watched(self) -> bool:
        """Whether the owner gets messages, and has neither taken the outcome nor demonitored."""
        return self._owner is not None and self.monitor in self._owner.monitors


@dataclass(frozen=True, slots=True)
class TaskResult(Generic[T_co]):
    """To handle_info: a task of this actor that was not awaited returned `value` (`{ref, value}`).
    Its Down comes next.
    """

    task: Task[T_co]
    value: T_co


class _Awaiting:
    """While active, the outcome is not sent as a message. If it is not taken, it is sent later."""

    __slots__ = ("_task",)

    def __init__(self, task: Task[object]) -> None:
        self._task = task

    def __enter__(self) -> None:
        self._task._awaiting += 1

    def __exit__(self, *_: object) -> None:
        self._task._awaiting -= 1
        self._task._tell()


class _Ends:
    """Waits until all of these tasks have ended, or one of them has without a result."""

    def __init__(self, tasks: Iterable[Task[Any]]) -> None:
        self.running: dict[Task[Any], None] = {}
        self.failure: TaskExited | None = None
        """The error of the first task that ended without a result."""
        self._done = trio.Event()
        for task in tasks:
            if task._process.reason is None:
                self.running[task] = None
            else:
                self._note(task)

    async def wait(self) -> None:
        """Wait. If cancelled, it leaves nothing behind."""
        if not self.running or self.failure is not None:
            await trio.lowlevel.checkpoint()
            return
        watched = list(self.running)
        for task in watched:
            task._process.on_exit[self] = partial(self._ended, task)
        try:
            await self._done.wait()
        finally:
            for task in watched:
                task._process.on_exit.pop(self, None)

    def _ended(self, task: Task[Any]) -> None:
        del self.running[task]
        self._note(task)
        if not self.running or self.failure is not None:
            self._done.set()

    def _note(self, task: Task[Any]) -> None:
        match task._actor.outcome:
            case Exited(reason) if self.failure is None:
                self.failure = TaskExited(task.ref.name, reason)
                self.failure.__cause__ = cause_of(reason)


class _Message:
    """A message to the owner: the result, or the Down, unless the outcome was taken before."""

    __slots__ = ("_info", "_task")

    def __init__(self, task: Task[object], info: TaskResult[object] | Down) -> None:
        self._task = task
        self._info = info

    def take(self) -> TaskResult[object] | Down | None:
        """See mailbox.Deferred."""
        task = self._task
        if not task._is_watched:
            return None
        if isinstance(self._info, Down):
            task._take()
        else:
            task._taken = True  # the Down comes later
        return self._info
