# ruff: noqa: SLF001 - the runtime's modules share private members, which users do not see
"""Inspects, suspends and traces a running actor (OTP `sys`).

A request waits for its turn in the mailbox, so it sees the effects of all earlier messages. A
suspended actor answers at once. All of these raise the same as `ActorRef.call`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from supervisors._core.actor import shown, state_of
from supervisors._core.actor_ref import ActorRef, Caller, bad_timeout, current_process
from supervisors._core.mailbox import STOP, SYSTEM, Mailbox
from supervisors._core.messages import Call, Reply
from supervisors._core.process import IDLE, Process, as_process
from supervisors._core.reasons import ExitReason
from supervisors._core.status import Status
from supervisors._core.strays import as_exception, ends_program
from supervisors._core.trace import Did, Got, TraceEvent, Tracer
from supervisors.errors import NoProcess

__all__ = [
    "Did",
    "Got",
    "ServerStatus",
    "Statistics",
    "TraceEvent",
    "Tracer",
    "get_state",
    "get_status",
    "install",
    "log_event",
    "remove",
    "replace_state",
    "resume",
    "statistics",
    "suspend",
    "trace",
]

logger = logging.getLogger("supervisors.trace")

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """The result of get_status (OTP `sys:get_status`)."""

    ref: ActorRef
    class_name: str
    parent: ActorRef | None
    sys_state: Literal["running", "suspended"]
    state: object
    """The state after format_status: by default each attribute's type."""
    mailbox_length: int
    links: tuple[ActorRef, ...]
    monitors: tuple[ActorRef, ...]
    """The actors that it monitors."""
    monitored_by: tuple[ActorRef, ...]
    linked_tasks: tuple[str, ...]


@dataclass(slots=True)
class Statistics:
    """Counted since `statistics(ref, True)` (OTP `sys:statistics`)."""

    started_at: float
    """Seconds on trio's clock."""
    calls: int = 0
    casts: int = 0
    infos: int = 0
    """Includes timeouts, timers and signals."""
    replies: int = 0
    """Returned by handle_call; answers by `caller.reply` are not counted."""
    seconds: float = 0.0
    """The time spent in callbacks, including waiting."""

    def __call__(self, event: TraceEvent) -> None:
        """Count an event. This makes it a tracer."""
        match event:
            case Got(callback="handle_call"):
                self.calls += 1
            case Got(callback="handle_cast"):
                self.casts += 1
            case Got(callback="handle_info"):
                self.infos += 1
            case Did(result=result, seconds=seconds):
                self.seconds += seconds
                self.replies += isinstance(result, Reply)

    # --- requests ---


@dataclass(frozen=True, slots=True)
class Request(Call[R]):
    """A request that the runtime answers within the actor's own task."""

    answer: Callable[[Process], R]


async def get_state(ref: ActorRef, *, timeout: float = 5.0) -> dict[str, Any]:
    """The actor's attributes by name, unchanged (OTP `sys:get_state`). For tests and debugging: a
    value may be a secret, and a mutable one is the actor's own.
    """
    return await _ask(ref, lambda process: state_of(process.actor), timeout)


async def replace_state(
    ref: ActorRef,
    function: Callable[[dict[str, Any]], Mapping[str, Any]],
    *,
    timeout: float = 5.0,
) -> None:
    """Replace the attributes by `function(attributes)` (OTP `sys:replace_state`). If it raises, the
    caller gets the exception, and the actor is unchanged.
    """

    def change(process: Process) -> None:
        attributes = vars(process.actor)
        before = dict(attributes)
        try:
            for name, value in function(state_of(process.actor)).items():
                setattr(process.actor, name, value)
        except BaseException:
            attributes.clear()
            attributes.update(before)
            raise

    await _ask(ref, change, timeout)


async def get_status(ref: ActorRef, *, timeout: float = 5.0) -> ServerStatus:
    """The actor's status, with its state after `format_status` (OTP `sys:get_status`)."""
    return await _ask(ref, _status_of, timeout)


async def suspend(ref: ActorRef, *, timeout: float = 5.0) -> None:
    """Let the actor handle only system requests and the request to stop, until `resume`. Its
    mailbox fills, and its linked tasks go on. Suspending it again has no effect.
    """
    await _ask(ref, _suspend, timeout)


async def resume(ref: ActorRef, *, timeout: float = 5.0) -> None:
    """Let the actor continue with its messages. No effect if it is not suspended."""
    await _ask(ref, release, timeout)


async def statistics(
    ref: ActorRef, flag: bool | Literal["get"] = "get", *, timeout: float = 5.0
) -> Statistics | None:
    """True: start counting; False: stop counting; "get": return the counts, or None."""

    def count(process: Process) -> Statistics | None:
        found = next((t for t in process.tracers if isinstance(t, Statistics)), None)
        if flag == "get":  # a copy, since this one goes on counting
            return None if found is None else replace(found)
        if found is not None:
            process.tracers.remove(found)
        if flag:
            process.tracers.append(Statistics(process.timekeeper.now()))
        return None

    return await _ask(ref, count, timeout)


def install(ref: ActorRef, tracer: Tracer) -> None:
    """Call `tracer` with each TraceEvent of the actor from now on (OTP `sys:install`). Raises
    NoProcess. A tracer that raises is removed, and its error is logged; the actor is not affected.
    """
    _running(ref).tracers.append(tracer)


def remove(ref: ActorRef, tracer: Tracer) -> None:
    """Undo install. No effect if it is not installed, or the actor has ended."""
    process = as_process(ref._target())
    if process is not None and tracer in process.tracers:
        process.must_be_here()
        process.tracers.remove(tracer)


def log_event(event: TraceEvent) -> None:
    """A tracer that logs types, never contents, at level INFO of "supervisors.trace"."""
    match event:
        case Got(ref, callback, message):
            logger.info("%s got %s in %s", ref.name, type(message).__name__, callback)
        case Did(ref, callback, _, result, seconds):
            logger.info(
                "%s returned %s from %s after %.6f s",
                ref.name,
                type(result).__name__,
                callback,
                seconds,
            )


@contextmanager
def trace(ref: ActorRef, tracer: Tracer = log_event) -> Iterator[None]:
    """Trace the actor for the duration of the block (OTP `sys:trace`)."""
    install(ref, tracer)
    try:
        yield
    finally:
        remove(ref, tracer)


async def _ask(ref: ActorRef, answer: Callable[[Process], R], timeout: float) -> R:
    if not timeout >= 0:
        raise bad_timeout(timeout)
    request = Request(answer)
    process = ref._require(request)
    caller = Caller(process, current_process.get(), request, timeout)
    process.control.put((SYSTEM, request, caller))
    if timeout != math.inf:
        process.timekeeper.after(timeout, caller)
    result: R = await caller._wait()
    return result


def _running(ref: ActorRef) -> Process:
    process = as_process(ref._target())
    if process is None or process.reason is not None:
        raise NoProcess(ref.name, None)
    process.must_be_here()
    return process


# --- in the actor ---


async def serve(process: Process, request: object, caller: Caller | None) -> ExitReason | None:
    """Answer a SYSTEM item and, if that suspends the actor, all further ones until it is resumed.
    Returns a reason if it was told to stop meanwhile.
    """
    _answer(process, request, caller)
    while process.control is not process.mailbox:
        kind, payload, caller = await process.control.get()
        if kind == STOP and isinstance(payload, ExitReason):
            release(process)
            return payload
        _answer(process, payload, caller)
    return None


def _answer(process: Process, request: object, caller: Caller | None) -> None:
    if caller is None or not isinstance(request, Request):
        return
    try:
        caller.reply(request.answer(process))
    except BaseException as error:  # the requested function failed, not the actor
        if ends_program(error):
            raise
        caller.fail(as_exception(error))


def _suspend(process: Process) -> None:
    if process.control is not process.mailbox:
        return
    process.message = IDLE
    process.control = Mailbox()
    waiting = list(process.mailbox.items)
    process.mailbox.items.clear()
    for item in waiting:
        if item[0] in (STOP, SYSTEM):
            process.mailbox.signal_taken()
            process.control.items.append(item)
        else:
            process.mailbox.items.append(item)


def release(process: Process) -> None:
    """End a suspension. Items that waited outside of the mailbox come first."""
    past, process.control = process.control, process.mailbox
    if past is not process.mailbox:
        for item in reversed(past.close()):
            process.mailbox.put_first(item)


def _status_of(process: Process) -> ServerStatus:
    linked = [other.ref for other in process.links]
    if process.parent is not None and process.parent_linked:
        linked.append(process.parent.ref)
    linked += process.actor._runtime_linked_children()
    return ServerStatus(
        ref=process.ref,
        class_name=type(process.actor).__name__,
        parent=None if process.parent is None else process.parent.ref,
        sys_state="running" if process.control is process.mailbox else "suspended",
        state=shown(process, Status(state_of(process.actor))).state,
        mailbox_length=len(process.mailbox),
        links=tuple(linked),
        monitors=tuple(target.ref for target in process.monitors.values()),
        monitored_by=tuple(watcher.ref for watcher in process.watchers.values()),
        linked_tasks=tuple(task.name for task in process.tasks),
    )
