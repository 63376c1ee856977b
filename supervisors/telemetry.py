"""Telemetry: events of the runtime, for metrics and alerts.

    def count(event: telemetry.ChildRestarted) -> None:
        restarts.labels(event.supervisor, event.child).inc()

    telemetry.attach("metrics", telemetry.ChildRestarted, count)

Modelled on Erlang's `:telemetry`. An event is a frozen value with a dotted `name` that does not
change; `EVENTS` lists all kinds. It contains names, numbers and types, never a message, a state or
an exception. There is no event for each handled message: it would cost more than many handlers.

Handlers are plain functions, called at once where the event happens, often in the middle of the
runtime's own work. So a handler must be short, and must not block or await; it casts longer work to
an actor. A handler that raises is detached, and its error logged; the code that emitted the event
does not notice. Handlers belong to the program, not to a tree.

Define your own events in the same way: a subclass of `Event` with a `name`, and

    if Billed.handlers:  # the only cost while nobody listens
        telemetry.execute(Billed(...))
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, TypeAlias, TypeVar

from supervisors._core import reasons
from supervisors._core.strays import ends_program
from supervisors.errors import SupervisorsError

logger = logging.getLogger("supervisors")

ReasonKind: TypeAlias = reasons.ReasonKind

BlockCause: TypeAlias = Literal["step", "lock", "collector", "stall", "crowd"]


class Event:
    """Base class of all events."""

    __slots__ = ()

    name: ClassVar[str]
    """The dotted name, which does not change."""
    handlers: ClassVar[tuple[Handler, ...]] = ()
    """The handlers attached to this kind of event; check it before you make an event."""

    def __init_subclass__(cls) -> None:
        cls.handlers = ()  # its own, not those of its base class


@dataclass(frozen=True, slots=True)
class Handler:
    """An attached function."""

    id: Hashable
    events: tuple[type[Event], ...]
    function: Callable[[Any], object]


class AlreadyAttached(SupervisorsError, ValueError):
    """There is a handler with this id already (`already_exists`)."""

    def __init__(self, handler_id: Hashable) -> None:
        self.handler_id = handler_id
        super().__init__(f"a handler is already attached as {handler_id!r}: detach it first")


# --- processes ---


@dataclass(frozen=True, slots=True)
class ProcessStarted(Event):
    """The init of a process succeeded."""

    name = "supervisors.process.started"

    process: str
    pid: int
    class_name: str
    init_seconds: float


@dataclass(frozen=True, slots=True)
class ProcessExited(Event):
    """A process has ended, for any reason; also one whose init failed."""

    name = "supervisors.process.exited"

    process: str
    pid: int
    class_name: str
    reason: ReasonKind
    error: str | None
    """The class of the exception, if there was one."""
    uptime_seconds: float
    """Seconds since it was spawned."""
    unread: int
    """The number of unread messages in its mailbox."""


@dataclass(frozen=True, slots=True)
class ProcessUnkillable(Event):
    """A process, or one of its linked tasks, did not end when killed, and was given up."""

    name = "supervisors.process.unkillable"

    process: str
    pid: int
    class_name: str
    task: str | None
    """The name of its linked task; None: the process itself."""
    waited_seconds: float


@dataclass(frozen=True, slots=True)
class TaskExited(Event):
    """A task of `GenServer.spawn_link` has ended."""

    name = "supervisors.task.exited"

    process: str
    """The name of the actor whose task it was."""
    task: str
    reason: ReasonKind
    error: str | None
    uptime_seconds: float


# --- supervisors ---


@dataclass(frozen=True, slots=True)
class ChildRestarted(Event):
    """A supervisor has restarted a child, because the child, or a sibling tied to it, had ended."""

    name = "supervisors.child.restarted"

    supervisor: str
    child: str
    """The id of the child."""
    restarts: int
    """The number of restarts of this child."""
    recent_restarts: int
    """The number of the supervisor's restarts that currently count towards max_restarts."""
    max_restarts: int


@dataclass(frozen=True, slots=True)
class ChildStartFailed(Event):
    """A supervisor could not start or restart a child. (A failed `start_child` raises an error
    instead.)
    """

    name = "supervisors.child.start_failed"

    supervisor: str
    child: str
    reason: ReasonKind
    error: str | None


@dataclass(frozen=True, slots=True)
class ShutdownTimedOut(Event):
    """A process did not stop in time, and is killed."""

    name = "supervisors.child.shutdown_timed_out"

    process: str
    pid: int
    class_name: str
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class SupervisorStopping(Event):
    """A supervisor begins to stop its children in order: it was told to, it gave up, or a child did
    not start. A supervisor that is killed emits none."""

    name = "supervisors.supervisor.stopping"

    supervisor: str
    pid: int
    reason: ReasonKind


@dataclass(frozen=True, slots=True)
class SupervisorGaveUp(Event):
    """A supervisor stops with all its children because of too many restarts."""

    name = "supervisors.supervisor.gave_up"

    supervisor: str
    child: str
    """The child whose end exceeded the limit."""
    max_restarts: int
    max_seconds: float


# --- messages ---


@dataclass(frozen=True, slots=True)
class CallTimedOut(Event):
    """A caller got no answer in time."""

    name = "supervisors.call.timed_out"

    server: str
    caller: str | None
    """The calling process; None: plain trio code."""
    request: str
    """The type of the request."""
    timeout_seconds: float
    unread: int
    """The length of the server's mailbox. Many: it is too slow. None: it is stuck, or does not
    reply.
    """


@dataclass(frozen=True, slots=True)
class MessageDropped(Event):
    """A bounded mailbox was full: a message was refused or dropped, as its policy says."""

    name = "supervisors.mailbox.dropped"

    process: str
    policy: str
    message: str
    """The type of the message that is lost."""
    unread: int
    """The length of the mailbox."""


# --- the loop ---


@dataclass(frozen=True, slots=True)
class LoopBlocked(Event):
    """For a while no actor could run. The `Watchdog` has noticed that and found the cause.

    cause:
    "step": one step of the named task, which was seen in it repeatedly.
    "lock": a call that held the interpreter's lock (GIL), so that nothing could be observed. The
    named task ran right after: it is the likely cause, but this is not proven.
    "collector": the garbage collector. No task is named.
    "stall": neither the loop's thread nor the watchdog's could run: the machine was suspended or
    overloaded, or another thread held the interpreter's lock. No task is named.
    "crowd": many short steps, none of which is to blame. No task is named.
    """

    name = "supervisors.loop.blocked"

    seconds: float
    """Real seconds, also under a virtual clock. The true duration may be up to half a threshold
    longer, since the beginning is not observed.
    """
    cause: BlockCause
    caused_seconds: float
    """How many of them are due to that cause, at least: they are sampled."""
    cpu_seconds: float
    """CPU time of the loop's thread, if the system reports it, else 0. If near `seconds`, the
    thread computed; if near 0, it waited.
    """
    process: str | None
    """The actor; None: a plain trio task, or unknown."""
    class_name: str | None
    handler: str | None
    """The callback; for a task that is not an actor's own, the name of the task."""
    message: str | None
    """The type of the message that was being handled."""
    where: str | None
    """`file:line function`: the innermost frame outside the standard library, trio and this
    runtime, if there is one.
    """


EVENTS: Final[tuple[type[Event], ...]] = (
    ProcessStarted,
    ProcessExited,
    ProcessUnkillable,
    TaskExited,
    ChildRestarted,
    ChildStartFailed,
    ShutdownTimedOut,
    SupervisorGaveUp,
    SupervisorStopping,
    CallTimedOut,
    MessageDropped,
    LoopBlocked,
)
"""All kinds of events of the runtime."""


# --- attaching ---

E = TypeVar("E", bound=Event)

_attached: dict[Hashable, Handler] = {}
_changing = threading.Lock()


def attach(
    handler_id: Hashable, events: type[E] | Iterable[type[E]], function: Callable[[E], object]
) -> None:
    """Call `function` with each event of these kinds from now on (`:telemetry.attach_many/4`).

    Give several kinds as a tuple: type checkers then know each of them. Raises AlreadyAttached if
    there is a handler with this id, TypeError for anything that is not a kind of event.
    """
    kinds: tuple[type[Event], ...] = (events,) if isinstance(events, type) else tuple(events)
    for kind in kinds:
        if not _is_event(kind):
            raise TypeError(f"{kind!r} is no telemetry event")
    with _changing:
        if handler_id in _attached:
            raise AlreadyAttached(handler_id)
        _attached[handler_id] = handler = Handler(handler_id, tuple(dict.fromkeys(kinds)), function)
        for kind in handler.events:
            kind.handlers = (*kind.handlers, handler)


def _is_event(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Event) and hasattr(kind, "name")


def detach(handler_id: Hashable) -> bool:
    """Remove a handler (`:telemetry.detach/1`). False if there is none: it may have raised."""
    with _changing:
        handler = _attached.pop(handler_id, None)
        if handler is None:
            return False
        for kind in handler.events:
            kind.handlers = tuple(other for other in kind.handlers if other is not handler)
        return True


def list_handlers(event: type[Event] | None = None) -> list[Handler]:
    """All handlers, or those of one kind of event, in the order of attachment
    (`:telemetry.list_handlers/1`).
    """
    return list(_attached.values() if event is None else event.handlers)


@contextmanager
def attached(
    handler_id: Hashable, events: type[E] | Iterable[type[E]], function: Callable[[E], object]
) -> Iterator[None]:
    """`attach` for the duration of the block, mainly for tests: `attached("t", X, seen.append)`."""
    attach(handler_id, events, function)
    try:
        yield
    finally:
        detach(handler_id)


def execute(event: Event) -> None:
    """Call every handler of this kind of event, in the order of attachment
    (`:telemetry.execute/3`). Check `handlers` first.
    """
    for handler in type(event).handlers:
        try:
            handler.function(event)
        except BaseException as error:
            if ends_program(error):
                raise
            logger.exception(
                "the telemetry handler %r raised at %s, and is detached", handler.id, event.name
            )
            detach(handler.id)


# --- what events say of a reason ---


kind_of = reasons.kind_of


def error_of(reason: reasons.ExitReason) -> str | None:
    """The class of the exception a reason carries, or None."""
    error = reasons.cause_of(reason)
    return None if error is None else type(error).__name__
