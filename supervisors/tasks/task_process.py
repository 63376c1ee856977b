"""The process that runs a task's function, and its outcome. The owner's handle is in `task`."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, Literal, TypeAlias, TypeVar, cast

import trio

from supervisors._core.actor import Actor
from supervisors._core.actor_ref import ActorRef
from supervisors._core.messages import UNSET
from supervisors._core.process import Process
from supervisors._core.reasons import Crashed, ExitReason, Normal, Shutdown
from supervisors._core.status import name_of_function
from supervisors.supervision.administration import StartChild
from supervisors.supervision.child_spec import ChildSpec, RestartType, ShutdownType
from supervisors.tasks.errors import TaskTimeout

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Tie: TypeAlias = Literal["link", "follow"]


@dataclass(frozen=True, slots=True)
class Ok(Generic[T_co]):
    """A task's function returned `value` (`{:ok, value}`)."""

    value: T_co


@dataclass(frozen=True, slots=True)
class Exited:
    """A task ended with `reason` and without a result (`{:exit, reason}`).

    input: in a stream with zip_input_on_exit, the item of the task (`{:exit, {input, reason}}`).
    """

    reason: ExitReason
    input: object = field(default=UNSET, repr=False)


class Run:
    """The message that a task appears to handle from its start to its end."""


class TaskActor(Actor, Generic[T]):
    """Runs `function(*args)` once, with the context variables of the code that creates it.

    It reads no messages. `ref.stop(reason)` ends it at its next checkpoint.
    """

    def __init__(
        self,
        function: Callable[..., Awaitable[T]],
        args: tuple[Any, ...],
        *,
        owner: Process | None = None,
        tie: Tie | None = None,
        timeout: float = math.inf,
        context: Context | None = None,
    ) -> None:
        """tie: "link" links it to `owner`; "follow" ends it with the owner, but not the reverse.

        timeout: seconds that the function may take. context: None is the current one.
        """
        self.name = name_of_function(function)
        self.context = copy_context() if context is None else context
        self.owner = owner
        self.on_end: Callable[[], None] | None = None
        """Called once when the process has ended."""
        self.deadline = math.inf
        self.function = function
        self._args = args
        self._tie: Tie | None = tie
        self._timeout = timeout
        self._ok: Ok[T] | None = None
        self._timed_out: TaskTimeout | None = None
        self._given_up = False

    @property
    def process(self) -> Process | None:
        """The process; None before its start."""
        return getattr(self, "_runtime_process", None)

    async def _runtime_main(self) -> ExitReason:
        process, owner = self._runtime_process, self.owner
        process.on_exit[self] = self._ended
        process.on_stop = self._stop
        process.message, process.busy_since = Run(), time.perf_counter()
        process.acknowledge()
        if self._given_up:
            return Shutdown()
        if process.stop_reason is not None:
            return process.stop_reason
        if owner is not None:
            if owner.reason is not None:  # nobody is interested any more
                return Shutdown(owner.reason)
            if self._tie == "link":
                process.link(owner)
            elif self._tie == "follow":
                owner.on_exit[self] = partial(self._owner_ended, owner)
        return await self._run()

    async def _run(self) -> ExitReason:
        self.deadline = trio.current_time() + self._timeout
        with trio.CancelScope(deadline=self.deadline) as limit:
            running, self._args = self.function(*self._args), ()  # so that they are not kept alive
            value = await running
            if self._runtime_process.reason is None:  # otherwise it was reported as ended before
                self._ok = Ok(value)
        if not limit.cancelled_caught:
            return Normal()
        self.untie()
        return Shutdown(self._time_out())

    def _time_out(self) -> TaskTimeout:
        self._timed_out = TaskTimeout(self.name, self._timeout)
        return self._timed_out

    def _runtime_note_crash(self, reason: Crashed) -> None:
        """Keeps nothing: the state is the runtime's, and the name shows what it runs."""

    def _stop(self) -> None:
        process = self._runtime_process
        process.doom(process.stop_reason or Normal())

    def _owner_ended(self, owner: Process) -> None:
        self._runtime_process.exit_signal(owner.ref, owner.reason or Normal())

    def _ended(self) -> None:
        if self.owner is not None:
            self.owner.on_exit.pop(self, None)
        if self.on_end is not None:
            self.on_end()

    # --- for the code that started it ---

    @property
    def outcome(self) -> Ok[T] | Exited:
        """The outcome, once the task has ended."""
        if self._ok is not None:
            return self._ok
        if self._timed_out is not None:
            return Exited(Shutdown(self._timed_out))
        process = self.process
        if process is None or process.reason is None:  # given up before it started
            return Exited(Shutdown())
        return Exited(process.reason)

    @property
    def timed_out(self) -> TaskTimeout | None:
        """The error if its function exceeded `timeout` seconds and was ended without a result."""
        return None if self._ok is not None else self._timed_out

    def untie(self) -> None:
        """No longer link to the owner or follow it."""
        if self.owner is not None:
            self._runtime_process.unlink(self.owner)
            self.owner.on_exit.pop(self, None)

    def give_up(self) -> None:
        """End it without notifying the owner. If it has not started yet, it never will."""
        self._given_up = True
        process = self.process
        if process is not None and process.reason is None:
            self.untie()
            process.doom(Shutdown())

    def abandon(self) -> None:
        """Report it as ended, since it did not end soon after its deadline."""
        process = self._runtime_process
        self.untie()
        self._time_out()
        process.kill()
        process.abandon()


def task_spec(
    id: str,  # noqa: A002 - an id is an id
    function: object,
    start: Callable[[], Actor],
    restart: RestartType,
    shutdown: ShutdownType,
) -> ChildSpec:
    """A child spec for a task that runs `function`. Raises a SpecError that names everything that
    is wrong: InvalidStart if `function` is not callable.
    """
    if not callable(function):
        start = cast("Any", function)
    return ChildSpec(id, start, restart, shutdown)


async def start_task(supervisor: ActorRef, actor: TaskActor[Any], shutdown: ShutdownType) -> None:
    """Start the task as a temporary child. Raises the same as start_child.

    If this is cancelled, the task does not start, or is ended.
    """
    spec = task_spec(actor.name, actor.function, lambda: actor, "temporary", shutdown)
    try:
        await supervisor.call(StartChild(spec), timeout=math.inf)
    except BaseException:
        actor.give_up()
        raise
