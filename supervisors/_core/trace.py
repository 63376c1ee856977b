"""What a traced actor does, event by event (OTP `sys:trace`, `sys:install`)."""

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
    """It begins to handle a message. Times are seconds on trio's clock."""

    ref: ActorRef
    callback: Callback
    message: object
    sender: ActorRef | None
    """Of a call by an actor; else None."""
    at: float


@dataclass(frozen=True, slots=True)
class Did:
    """The callback has returned. One that raises returns nothing: see the crash report."""

    ref: ActorRef
    callback: Callback
    message: object
    result: object
    """What the callback returned."""
    seconds: float
    """How long it took, waiting included."""


TraceEvent: TypeAlias = Got | Did

Tracer: TypeAlias = Callable[[TraceEvent], None]
"""Called within the traced actor's task, so it must not block. One that raises is removed."""


def tell(tracers: list[Tracer], event: TraceEvent) -> None:
    """Call each of an actor's tracers; one that raises is logged and taken out."""
    for tracer in list(tracers):
        try:
            tracer(event)
        except BaseException as error:
            if ends_program(error):
                raise
            logger.exception("a tracer of %s raised, and is removed", event.ref.name)
            if tracer in tracers:
                tracers.remove(tracer)
