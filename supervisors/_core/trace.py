"""What a traced actor does, event by event (OTP `sys:trace`, `sys:install`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from supervisors._core.actor_ref import ActorRef

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
"""Called within the traced actor's task, so it must neither block nor raise."""
