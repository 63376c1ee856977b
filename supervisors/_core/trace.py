"""Trace events of an actor (OTP `sys:trace`, `sys:install`)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from supervisors._core.actor_ref import ActorRef
from supervisors._core.strays import ends_program

logger = logging.getLogger("supervisors")

Callback: TypeAlias = Literal["handle_call", "handle_cast", "handle_info", "handle_continue"]


@dataclass(frozen=True, slots=True)
class Got:
    """The actor begins to handle a message. Times are seconds on trio's clock."""

    ref: ActorRef
    callback: Callback
    message: object
    sender: ActorRef | None
    """For a call by an actor, the caller; else None."""
    at: float


@dataclass(frozen=True, slots=True)
class Did:
    """The callback has returned. If it raises, there is no such event: see the crash report."""

    ref: ActorRef
    callback: Callback
    message: object
    result: object
    """What the callback returned."""
    seconds: float
    """The duration, including waiting."""


TraceEvent: TypeAlias = Got | Did

Tracer: TypeAlias = Callable[[TraceEvent], None]
"""Called in the traced actor's task, so it must not block. One that raises is removed."""


def tell(tracers: list[Tracer], event: TraceEvent) -> None:
    """Call each of an actor's tracers. One that raises is logged and removed."""
    for tracer in list(tracers):
        try:
            tracer(event)
        except BaseException as error:
            if ends_program(error):
                raise
            logger.exception("a tracer of %s raised, and is removed", event.ref.name)
            if tracer in tracers:
                tracers.remove(tracer)
