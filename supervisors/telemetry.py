"""Telemetry: what happens in the runtime, as events that a metrics or alerting system attaches to.

    def count(event: telemetry.ChildRestarted) -> None:
        restarts.labels(event.supervisor, event.child).inc()

    telemetry.attach("metrics", telemetry.ChildRestarted, count)

After Erlang's `:telemetry`. An event is a frozen value with a dotted `name` that does not change;
`EVENTS` lists them all. It holds names, numbers and the types of things, never a message, a state
or an exception. There is none for each message handled: that would cost more than many a handler.

Handlers are plain functions, called at once where the event happens, often inside of the runtime
and between two steps of it. So a handler is short, does not block, and does not await: what takes
longer it casts to an actor of its own. One that raises is detached, and its error logged; whoever
emitted the event does not notice. Handlers belong to the whole program, and outlive a tree.

Events of one's own are made the same way: a subclass of `Event` with a `name`, and

    if Billed.handlers:  # all that it costs while nobody listens
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
    """Base of all events."""

    __slots__ = ()

    name: ClassVar[str]
    """Dotted and stable, for metrics."""
    handlers: ClassVar[tuple[Handler, ...]] = ()
    """Who is attached to this kind of event now; to be asked before one is made."""

    def __init_subclass__(cls) -> None:
        cls.handlers = ()  # its own, not those of the class it extends


@dataclass(frozen=True, slots=True)
class Handler:
    """A function that is attached."""

    id: Hashable
    events: tuple[type[Event], ...]
    function: Callable[[Any], object]


class AlreadyAttached(SupervisorsError, ValueError):
    """There is a handler with this id (`already_exists`)."""

    def __init__(self, handler_id: Hashable) -> None:
        self.handler_id = handler_id
        super().__init__(f"a handler is already attached as {handler_id!r}: detach it first")


# --- processes ---


@dataclass(frozen=True, slots=True)
class ProcessStarted(Event):
    """The init of a process went well."""

    name = "supervisors.process.started"

    process: str
    pid: int
    class_name: str
    init_seconds: float


@dataclass(frozen=True, slots=True)
class ProcessExited(Event):
    """A process has ended, well or not; one whose init failed, too."""

    name = "supervisors.process.exited"

    process: str
    pid: int
    class_name: str
    reason: ReasonKind
    error: str | None
    """The class of the exception, if there was one."""
    uptime_seconds: float
    """Since it was spawned."""
    unread: int
    """How many messages it left unread."""


@dataclass(frozen=True, slots=True)
class ProcessUnkillable(Event):
    """A process, or a task of it, did not end when it was killed, and was given up."""

    name = "supervisors.process.unkillable"

    process: str
    pid: int
    class_name: str
    task: str | None
    """Its linked task that is meant; None: the process itself."""
    waited_seconds: float


@dataclass(frozen=True, slots=True)
class TaskExited(Event):
    """A task of `GenServer.spawn_link` has ended."""

    name = "supervisors.task.exited"

    process: str
    """Whose task it was."""
    task: str
    reason: ReasonKind
    error: str | None
    uptime_seconds: float


# --- supervisors ---


@dataclass(frozen=True, slots=True)
class ChildRestarted(Event):
    """A supervisor has started a child again, because the child, or one tied to it, had ended."""

    name = "supervisors.child.restarted"

    supervisor: str
    child: str
    """Its id."""
    restarts: int
    """How often this child was restarted in all."""
    recent_restarts: int
    """How many restarts of the supervisor's count towards max_restarts at the moment."""
    max_restarts: int


@dataclass(frozen=True, slots=True)
class ChildStartFailed(Event):
    """A supervisor could not start, or restart, a child of its own accord. (To the caller of
    start_child a failure is an error, and no event.)
    """

    name = "supervisors.child.start_failed"

    supervisor: str
    child: str
    reason: ReasonKind
    error: str | None


@dataclass(frozen=True, slots=True)
class ShutdownTimedOut(Event):
    """A process that was asked to stop did not within its time, and is killed."""

    name = "supervisors.child.shutdown_timed_out"

    process: str
    pid: int
    class_name: str
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class SupervisorStopping(Event):
    """A supervisor begins to stop its children, in order: it was told to, it gave up, or one of
    them did not start. One that is killed emits none."""

    name = "supervisors.supervisor.stopping"

    supervisor: str
    pid: int
    reason: ReasonKind


@dataclass(frozen=True, slots=True)
class SupervisorGaveUp(Event):
    """A supervisor stops with all its children: there were too many restarts."""

    name = "supervisors.supervisor.gave_up"

    supervisor: str
    child: str
    """Whose end was the one too many."""
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
    """The length of the server's mailbox: many, and it is too slow; none, and it is stuck, or it
    forgot to reply.
    """


@dataclass(frozen=True, slots=True)
class MessageDropped(Event):
    """A bounded mailbox was full: by its policy this message was refused, or another dropped."""

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
    """For a while no actor could run; the `Watchdog` has seen it and says why.

    cause:
    "step": one step of a task, the named one: it was seen in it again and again.
    "lock": a call that held the interpreter's lock (GIL), so that nobody could look. The named one
    was running right after: most likely it, but not proven.
    "collector": the garbage collector. Nobody is named.
    "stall": neither the loop's thread nor the watchdog's could run: the machine stood still or had
    no time for this program, or another thread held the interpreter's lock. Nobody is named.
    "crowd": many short steps, none of which is to blame. Nobody is named.
    """

    name = "supervisors.loop.blocked"

    seconds: float
    """Real ones, also under a virtual clock. It may have been half a threshold more, for nobody
    has seen it begin.
    """
    cause: BlockCause
    caused_seconds: float
    """How many of them are that cause's; at least so many, for it is sampled."""
    cpu_seconds: float
    """How many of them the loop's thread computed, where the system tells, else 0. Near `seconds`:
    a computation. Near 0: it waited.
    """
    process: str | None
    """The actor; None: a plain trio task, or nobody."""
    class_name: str | None
    handler: str | None
    """The callback; of a task that is no actor's own, its name."""
    message: str | None
    """The type of the message that was being handled."""
    where: str | None
    """`file:line function`, the innermost one that belongs neither to the standard library, nor to
    trio, nor to this runtime, if there is such a one.
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
"""All events of the runtime."""


# --- attaching ---

E = TypeVar("E", bound=Event)

_attached: dict[Hashable, Handler] = {}
_changing = threading.Lock()


def attach(
    handler_id: Hashable, events: type[E] | Iterable[type[E]], function: Callable[[E], object]
) -> None:
    """Call `function` with each event of these kinds from now on (`:telemetry.attach_many/4`).

    Several kinds are best given as a tuple: type checkers then know them one by one. Raises
    AlreadyAttached if there is a handler with this id, TypeError for what is no event.
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
    """Take a handler away (`:telemetry.detach/1`). False if there is none: it may have raised."""
    with _changing:
        handler = _attached.pop(handler_id, None)
        if handler is None:
            return False
        for kind in handler.events:
            kind.handlers = tuple(other for other in kind.handlers if other is not handler)
        return True


def list_handlers(event: type[Event] | None = None) -> list[Handler]:
    """Every handler, or those of one kind of event, in the order they were attached
    (`:telemetry.list_handlers/1`).
    """
    return list(_attached.values() if event is None else event.handlers)


@contextmanager
def attached(
    handler_id: Hashable, events: type[E] | Iterable[type[E]], function: Callable[[E], object]
) -> Iterator[None]:
    """`attach` for as long as the block, for tests above all: `attached("t", X, seen.append)`."""
    attach(handler_id, events, function)
    try:
        yield
    finally:
        detach(handler_id)


def execute(event: Event) -> None:
    """Call every handler of this kind of event, in the order they were attached
    (`:telemetry.execute/3`). Ask `handlers` first.
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
