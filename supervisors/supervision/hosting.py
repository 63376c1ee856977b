# ruff: noqa: SLF001 - the runtime's modules share private members, which users do not see
"""Runs children: starts them, waits for them, stops them. `supervision` decides when.

The children's tasks run in their supervisor's own nursery, which is outside of its cancel scope:
killing the supervisor ends its loop, whose last action is to kill the children.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import trio

from supervisors._core.actor import Actor, run, spawn
from supervisors._core.actor_ref import ActorRef
from supervisors._core.messages import Ignore
from supervisors._core.named_ref import AlreadyStarted
from supervisors._core.process import Process, as_process
from supervisors._core.reasons import (
    ExitReason,
    Killed,
    Shutdown,
    cause_of,
    is_abnormal,
    reason_of,
)
from supervisors._core.strays import ends_tree, passes_on
from supervisors.errors import FailedToStartChild, StartTimeout
from supervisors.supervision.child_spec import ChildSpec
from supervisors.supervision.crash_reports import Context, report
from supervisors.supervision.shutdown import SUPERVISOR_MARGIN, stop_process


@dataclass(eq=False, slots=True)
class Child:
    """A row of a supervisor's table."""

    spec: ChildSpec
    process: Process | None = None
    restarting: bool = False
    restarts: int = 0
    former: Process | None = None
    """The last process that ended by itself."""
    latest: Process | None = None
    """The last process that was created, even if its init failed."""

    @property
    def ref(self) -> ActorRef | None:
        """Its process, if it has one."""
        return None if self.process is None else self.process.ref

    @property
    def is_up(self) -> bool:
        """Whether it has a process, or is about to get a new one."""
        return self.process is not None or self.restarting

    @property
    def margin(self) -> float:
        """Additional seconds to wait after a kill, since a supervisor first kills its children."""
        supervises = self.process is not None and isinstance(self.process.actor, ChildHost)
        return SUPERVISOR_MARGIN if supervises else 0.0


class Interrupted(Exception):
    """The supervisor was asked to stop while it waited for a child's init."""


class ChildHost(Actor):
    """An actor that has children."""

    def __init__(self, name: str | None) -> None:
        self._name = name
        self._nursery: trio.Nursery
        self._by_process: dict[Process, Child] = {}
        self._extra_arguments: tuple[Any, ...] = ()
        self._significant_up = 0
        self._start_wait: trio.CancelScope | None = None

    def _keeps(self, spec: ChildSpec) -> bool:
        """Whether the spec is kept once the child has ended for good."""
        return spec.restart != "temporary"

    @abstractmethod
    def _forget(self, child: Child) -> None:
        """Remove the child's spec."""

    def _child_of(self, ref: ActorRef) -> Child | None:
        process = as_process(ref._target())
        return None if process is None else self._by_process.get(process)

    def _runtime_linked_children(self) -> list[ActorRef]:
        children = self._by_process
        return [child.ref for child in children if child.parent_linked and child.ref.is_alive]

    async def _runtime_host(self) -> None:
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            await run(self._runtime_process)

    async def _start(self, child: Child) -> ActorRef | None:
        """Start a child and wait for its init. None if it returned Ignore. Raises StartError."""
        if self._runtime_process.stop_reason is not None:
            raise Interrupted
        spec = child.spec
        self._set(child, None)
        child.latest = None
        try:
            actor = spec.start(*self._extra_arguments)
            if spec.restart == "temporary":  # `start` is never needed again
                child.spec = spec = spec.without_arguments()
            if isinstance(actor, Ignore):
                self._ignored(child)
                return None
            process = spawn(actor, name_of(spec, actor), self._nursery, self._runtime_process)
            if spec.name is not None:
                spec.name._claim(process)
        except AlreadyStarted:
            raise
        except BaseException as error:
            if ends_tree(error):
                us = self._runtime_process
                reason: ExitReason = await us.program_end.came_from(us.pid, error)
            elif passes_on(error):
                raise
            else:
                reason = reason_of(error)
            raise FailedToStartChild(spec.id, reason) from error
        self._set(child, process)
        child.latest = process
        self._launch(process)
        await self._await_init(child, process)
        if process.ignored:
            self._ignored(child)
            return None
        return process.ref

    def _launch(self, process: Process) -> None:
        self._nursery.start_soon(process.actor._runtime_host, name=process.name)

    def _set(self, child: Child, process: Process | None, *, restarting: bool = False) -> None:
        """Change a child's state: it has this process, or none, or waits for its restart."""
        was_up = child.is_up
        if child.process is not None:
            self._by_process.pop(child.process, None)
        child.process, child.restarting = process, restarting
        if process is not None:
            self._by_process[process] = child
        if child.spec.significant:
            self._significant_up += child.is_up - was_up

    def _ignored(self, child: Child) -> None:
        self._set(child, None)
        if not self._keeps(child.spec):
            self._forget(child)

    async def _await_init(self, child: Child, process: Process) -> None:
        spec = child.spec
        # One scope for the time limit and for `_interrupt`: a scope costs as much as a message.
        deadline = trio.current_time() + spec.start_timeout
        with trio.CancelScope(deadline=deadline) as self._start_wait:
            await process.wait_settled()
        self._start_wait = None
        if process.started or process.ignored:
            return
        if process.reason is None:
            if self._runtime_process.stop_reason is not None:
                raise Interrupted  # the child is in the table, and is stopped with the others
            await stop_process(process, "brutal_kill", margin=child.margin)
            self._set(child, None)
            raise StartTimeout(spec.id, spec.start_timeout)
        self._set(child, None)
        raise FailedToStartChild(spec.id, process.reason) from cause_of(process.reason)

    def _interrupt(self) -> None:
        if self._start_wait is not None:
            self._start_wait.cancel()

    async def _stop(self, child: Child) -> None:
        """Stop a child's process, if any. An unread message about its own end no longer counts."""
        process = child.process
        if process is None:
            self._set(child, None)
            return
        shutdown = child.spec.grace
        reason = await stop_process(process, shutdown, margin=child.margin)
        self._set(child, None)
        if not _is_proper(reason, child.spec):
            self._report("shutdown_error", reason, child, process)

    def _report(
        self,
        context: Context,
        reason: ExitReason | str,
        child: Child,
        process: Process | None = None,
    ) -> None:
        report(self._runtime_process.name, context, reason, child.spec, process)


def _is_proper(reason: ExitReason, spec: ChildSpec) -> bool:
    """Whether a stopped child has ended as requested, or acceptably."""
    if reason == (Killed() if spec.shutdown == "brutal_kill" else Shutdown()):
        return True
    return spec.restart != "permanent" and not is_abnormal(reason)


def name_of(spec: ChildSpec, actor: object) -> str:
    """The name of a process: its registered name, a supervisor's own name, or its id."""
    if spec.name is not None:
        return spec.name.name
    own = actor._name if isinstance(actor, ChildHost) else None
    return own or spec.id
