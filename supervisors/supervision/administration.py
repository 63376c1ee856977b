"""Requests that any supervisor answers, and their results."""

from __future__ import annotations

from dataclasses import dataclass

from supervisors._core.actor_ref import ActorRef
from supervisors._core.messages import Call
from supervisors.supervision.child_spec import ChildSpec, ChildType


@dataclass(frozen=True, slots=True)
class ChildInfo:
    """One child in which_children. `ref` is None if it has no process; `restarting` is True while a
    restart is pending.
    """

    id: str
    ref: ActorRef | None
    type: ChildType
    restarting: bool = False


@dataclass(frozen=True, slots=True)
class ChildCounts:
    """The result of count_children: specs, live children, and specs of each type."""

    specs: int
    active: int
    supervisors: int
    workers: int


@dataclass(frozen=True, slots=True)
class SetIntensity(Call[None]):
    """Allow this many restarts within this many seconds from now on."""

    max_restarts: int
    max_seconds: float


@dataclass(frozen=True, slots=True)
class StartChild(Call["ActorRef | None"]):
    """Add this child and start it."""

    spec: ChildSpec


@dataclass(frozen=True, slots=True)
class WhichChildren(Call["list[ChildInfo]"]):
    """List all children."""


@dataclass(frozen=True, slots=True)
class CountChildren(Call[ChildCounts]):
    """Count the children of each kind."""
