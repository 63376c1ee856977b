# ruff: noqa: SLF001 - the runtime's modules share private members, which users do not see
"""The live tree as data. Reading it involves no actor, so a stuck actor hides nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal, TypeAlias

import trio

from supervisors._core.actor_ref import ActorRef
from supervisors._core.process import IDLE, Process, as_process
from supervisors._core.threads import running_task
from supervisors.supervision.child_spec import ChildType
from supervisors.supervision.hosting import Child
from supervisors.supervision.supervisor_base import SupervisorBase

Status: TypeAlias = Literal[
    "starting", "idle", "busy", "suspended", "stopping", "restarting", "stopped"
]


@dataclass(frozen=True, slots=True)
class Node:
    """One process, or one child without a process. Times are seconds since the epoch."""

    name: str
    class_name: str
    """The class of the actor; empty without a process."""
    type: ChildType
    status: Status
    pid: int | None
    restarts: int
    """The number of restarts by its supervisor."""
    recent_restarts: int
    """For a supervisor: restarts of its children that still count towards max_restarts."""
    max_restarts: int | None
    """For a supervisor; None for a worker."""
    mailbox_length: int
    current_message: str | None
    """The type of the message being handled, never its content."""
    since: float | None
    """When it began to handle that message."""
    started_at: float | None
    uptime: float
    """Seconds on trio's clock."""
    children: tuple[Node, ...] = ()
    """In start order."""


async def tree(ref: ActorRef) -> Node:
    """The tree below `ref` at this moment. For an unregistered name: a stopped node."""
    running_task()
    await trio.lowlevel.checkpoint()
    process = as_process(ref._target())
    if process is None:
        return _absent(ref.name, "worker", "stopped", 0)
    kind: ChildType = "supervisor" if isinstance(process.actor, SupervisorBase) else "worker"
    return _node(process, kind, 0, trio.current_time())


def unread(ref: ActorRef) -> dict[str, int]:
    """The number of messages in each mailbox of the tree below `ref`, by the actor's name, without
    empty ones. Much cheaper than `tree`. For several actors of one name, the fullest counts."""
    running_task()
    found: dict[str, int] = {}
    process = as_process(ref._target())
    if process is not None:
        _add_unread(process, found)
    return found


def _add_unread(process: Process, found: dict[str, int]) -> None:
    if length := len(process.mailbox):
        found[process.name] = max(length, found.get(process.name, 0))
    if isinstance(process.actor, SupervisorBase):
        for child in process.actor._children:
            if child.process is not None:
                _add_unread(child.process, found)


def _node(process: Process, kind: ChildType, restarts: int, now: float) -> Node:
    actor = process.actor
    supervisor = actor if isinstance(actor, SupervisorBase) else None
    busy = process.message is not IDLE
    return Node(
        name=process.name,
        class_name=type(actor).__name__,
        type=kind,
        status=_status(process),
        pid=process.pid,
        restarts=restarts,
        recent_restarts=0 if supervisor is None else supervisor.intensity.recent(now),
        max_restarts=None if supervisor is None else supervisor.intensity.max_restarts,
        mailbox_length=len(process.mailbox),
        current_message=type(process.message).__name__ if busy else None,
        since=time.time() - (time.perf_counter() - process.busy_since) if busy else None,
        started_at=process.started_at,
        uptime=now - process.started_at_clock,
        children=() if supervisor is None else tuple(_child(c, now) for c in supervisor._children),
    )


def _child(child: Child, now: float) -> Node:
    if child.process is None:
        name = child.spec.id if child.spec.name is None else child.spec.name.name
        status: Status = "restarting" if child.restarting else "stopped"
        return _absent(name, child.spec.type, status, child.restarts)
    return _node(child.process, child.spec.type, child.restarts, now)


def _absent(name: str, kind: ChildType, status: Status, restarts: int) -> Node:
    return Node(name, "", kind, status, None, restarts, 0, None, 0, None, None, None, 0.0)


def _status(process: Process) -> Status:
    if process.reason is not None:
        return "stopped"
    if process.doomed is not None or process.terminating:
        return "stopping"
    if not process.started:
        return "starting"
    if process.control is not process.mailbox:
        return "suspended"
    return "idle" if process.message is IDLE else "busy"
