"""Frozen values that handle_info gets from the runtime."""

from __future__ import annotations

from dataclasses import dataclass

from supervisors._core.actor_ref import ActorRef
from supervisors._core.handles import LinkedTask, Monitor
from supervisors._core.reasons import ExitReason


@dataclass(frozen=True, slots=True)
class Down:
    """A monitored process has ended (`{:DOWN, ref, :process, pid, reason}`)."""

    monitor: Monitor
    ref: ActorRef
    reason: ExitReason


@dataclass(frozen=True, slots=True)
class Exit:
    """An exit signal, for an actor that traps exits (`{:EXIT, pid, reason}`).

    `ref` is what ended: a linked actor, a task of `spawn_link`, or None if plain code sent the
    signal.
    """

    ref: ActorRef | LinkedTask | None
    reason: ExitReason


@dataclass(frozen=True, slots=True)
class Timeout:
    """No message came within the seconds that the last result requested."""
