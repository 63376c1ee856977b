"""Runs many tasks of one kind, a few at a time, and streams their outcomes.

No task in between starts the others: the consumer does, each time it asks for the next outcome. So
back-pressure needs no buffer, and leaving the block only has to cancel the tasks themselves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Generic, Literal, TypeAlias, TypedDict, TypeVar, Unpack

import trio

from supervisors._core import process as runtime
from supervisors._core.actor_ref import ActorRef, current_process
from supervisors._core.checks import is_seconds, is_whole
from supervisors._core.copying import Alive
from supervisors._core.messages import UNSET
from supervisors._core.process import Process, as_process
from supervisors.supervision.child_spec import WORKER_SHUTDOWN, ShutdownType
from supervisors.supervision.shutdown import stop_all
from supervisors.tasks.task_process import Exited, Ok, TaskActor, Tie, start_task, task_spec

T_co = TypeVar("T_co", covariant=True)

OnTimeout: TypeAlias = Literal["exit", "kill_task"]

MAX_CONCURRENCY = 10

_END: Final = object()


class StreamOptions(TypedDict, total=False):
    """See `TaskSupervisor.async_stream` for their meaning and defaults."""

    max_concurrency: int
    ordered: bool
    timeout: float
    on_timeout: OnTimeout
    shutdown: ShutdownType
    zip_input_on_exit: bool


@dataclass(frozen=True, slots=True)
class _Options:
    """StreamOptions with defaults. Raises ValueError if they are invalid."""

    max_concurrency: int = MAX_CONCURRENCY
    ordered: bool = True
    timeout: float = 5.0
    on_timeout: OnTimeout = "exit"
    shutdown: ShutdownType = WORKER_SHUTDOWN
    zip_input_on_exit: bool = False

    def __post_init__(self) -> None:
        if not is_whole(self.max_concurrency) or self.max_concurrency == 0:
            raise ValueError(
                f"max_concurrency must be an integer above 0, not {self.max_concurrency!r}"
            )
        if not is_seconds(self.timeout):
            raise ValueError(f"timeout must be seconds, or math.inf, not {self.timeout!r}")
        if self.on_timeout not in ("exit", "kill_task"):
            raise ValueError(f'on_timeout must be "exit" or "kill_task", not {self.on_timeout!r}')


class TaskStream(Alive, Generic[T_co]):
    """The async iterator of `TaskSupervisor.async_stream`: for one consumer, within its block."""

    def __init__(
        self,
        supervisor: ActorRef,
        items: Iterable[Any],
        function: Callable[[Any], Awaitable[T_co]],
        *,
        linked: bool,
        **options: Unpack[StreamOptions],
    ) -> None:
        self._options = _Options(**options)
        start = partial(TaskActor, function, ())
        task_spec("task", function, start, "temporary", self._options.shutdown)  # may raise
        self._supervisor = supervisor
        self._items = iter(items)
        self._function = function
        self._linked = linked
        # Started but not delivered, in order; each with its item, if items are zipped.
        self._window: dict[TaskActor[T_co], object] = {}
        self._over: dict[TaskActor[T_co], None] = {}  # those that have ended, in that order
        self._wake = trio.Event()
        self._closed = False

    def __aiter__(self) -> TaskStream[T_co]:
        return self

    async def __anext__(self) -> Ok[T_co] | Exited:
        """The next outcome, after starting as many tasks as there is room for.

        Raises what `items` raises, what starting a task raises (MaxChildren, NoProcess...), the
        TaskTimeout if on_timeout is "exit", trio.ClosedResourceError after the block. Cancelled,
        the stream is as it was; only a task that was just about to start is given up, and its
        outcome is `Exited(Shutdown())`.
        """
        if self._closed:
            raise trio.ClosedResourceError("the block of this stream is over")
        await trio.lowlevel.checkpoint()
        await self._fill()
        if not self._window:
            raise StopAsyncIteration
        actor = await self._next()
        item = self._window.pop(actor)
        del self._over[actor]
        if actor.timed_out is not None and self._options.on_timeout == "exit":
            raise actor.timed_out
        outcome = actor.outcome
        return replace(outcome, input=item) if isinstance(outcome, Exited) else outcome

    async def _fill(self) -> None:
        while len(self._window) < self._options.max_concurrency:
            item = next(self._items, _END)
            if item is _END:
                return
            owner = as_process(current_process.get())
            actor: TaskActor[T_co] = TaskActor(
                self._function,
                (item,),
                owner=owner,
                tie=self._tie(owner),
                timeout=self._options.timeout,
            )
            actor.on_end = partial(self._ended, actor)
            self._window[actor] = item if self._options.zip_input_on_exit else UNSET
            try:
                await start_task(self._supervisor, actor, self._options.shutdown)
            except BaseException:
                self._ended(actor)
                raise

    def _tie(self, owner: Process | None) -> Tie | None:
        if not self._linked or owner is None:
            return None
        # An owner that traps exits gets the outcomes; exit messages would report them twice.
        return "follow" if owner.actor.trap_exit else "link"

    def _ended(self, actor: TaskActor[T_co]) -> None:
        if actor in self._window:
            self._over[actor] = None
            self._wake.set()

    async def _next(self) -> TaskActor[T_co]:
        """Wait for the first task in order, or the first that ends. It stays in the window."""
        while True:
            first = next(iter(self._window))
            if self._over and (not self._options.ordered or first in self._over):
                return first if self._options.ordered else next(iter(self._over))
            self._wake = trio.Event()
            # The first task was started first, so it is the first one that can time out.
            with trio.CancelScope(deadline=first.deadline + runtime.KILL_GRACE) as limit:
                await self._wake.wait()
            if limit.cancelled_caught:
                first.abandon()

    async def _close(self) -> None:
        self._closed = True
        running = [actor for actor in self._window if actor not in self._over]
        for actor in running:
            actor.give_up()
        await stop_all(
            [a.process for a in running if a.process is not None], self._options.shutdown
        )
