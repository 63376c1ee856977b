# ruff: noqa: SLF001 - the runtime's modules share private members, which users do not see
"""DynamicSupervisor: independent children that are started on demand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import trio

from supervisors._core.actor_ref import ActorRef
from supervisors._core.checks import broken, is_whole, reject
from supervisors._core.messages import Call
from supervisors.errors import (
    InvalidAutoShutdown,
    InvalidExtraArguments,
    InvalidMaxChildren,
    InvalidStrategy,
    MaxChildren,
    NotFound,
    StartError,
)
from supervisors.supervision.child_spec import ChildSpec
from supervisors.supervision.hosting import Child
from supervisors.supervision.restart_intensity import intensity_rules
from supervisors.supervision.supervisor_base import (
    MAX_RESTARTS,
    MAX_SECONDS,
    SupervisorBase,
    start_child,
)


@dataclass(frozen=True, slots=True)
class _TerminateChild(Call[None]):
    ref: ActorRef


class OnDemand(SupervisorBase):
    """The common part of DynamicSupervisor and TaskSupervisor: everything except how to start.

    Neither is a subclass of the other, because their `start_child` have different parameters.
    """

    def __init__(
        self,
        max_restarts: int = MAX_RESTARTS,
        max_seconds: float = MAX_SECONDS,
        max_children: float = math.inf,
        name: str | None = None,
        *,
        extra_arguments: Sequence[Any] = (),
        strategy: Literal["one_for_one"] = "one_for_one",
        auto_shutdown: Literal["never"] = "never",
    ) -> None:
        """`extra_arguments` are passed to each spec's start function. Raises a SpecError that names
        everything that is wrong.
        """
        has_limit = max_children == math.inf or is_whole(max_children)
        rules = (
            *intensity_rules(max_restarts, max_seconds),
            (strategy == "one_for_one", InvalidStrategy, strategy),
            (auto_shutdown == "never", InvalidAutoShutdown, auto_shutdown),
            (isinstance(extra_arguments, list | tuple), InvalidExtraArguments, extra_arguments),
            (has_limit, InvalidMaxChildren, max_children),
        )
        reject(broken(rules))
        super().__init__(
            max_restarts=max_restarts, max_seconds=max_seconds, auto_shutdown="never", name=name
        )
        self._extra_arguments = tuple(extra_arguments)
        self.max_children = max_children
        self._table: dict[Child, None] = {}  # ordered, with fast removal

    @staticmethod
    async def terminate_child(supervisor: ActorRef, child: ActorRef) -> None:
        """Stop a child and remove it. Raises NotFound, also if it had ended before."""
        await supervisor.call(_TerminateChild(child), timeout=math.inf)

    @property
    def _children(self) -> list[Child]:
        return list(self._table)

    def _keeps(self, spec: ChildSpec) -> bool:
        return False

    def _forget(self, child: Child) -> None:
        self._table.pop(child, None)

    async def _start_all(self) -> None:
        """There are no children yet."""

    async def _stop_all(self) -> None:
        async with trio.open_nursery() as nursery:
            for child in self._table:
                nursery.start_soon(self._stop, child)

    async def _restart(self, child: Child) -> None:
        await self._start_again(child)

    async def _answer(self, request: object) -> object:
        match request:
            case _TerminateChild(ref):
                await self._terminate(ref)
                return None
        return await super()._answer(request)

    async def _add(self, spec: ChildSpec) -> ActorRef | None:
        if len(self._table) >= self.max_children:
            raise MaxChildren(self.max_children)
        child = Child(spec)
        self._table[child] = None
        try:
            ref = await self._start(child)
        except StartError:
            self._forget(child)
            raise
        if ref is None:
            self._forget(child)
        return ref

    async def _terminate(self, ref: ActorRef) -> None:
        child = self._child_of(ref)
        if child is None:  # a child that waits for its restart is found by its last ref
            process = ref._target()
            waiting = (c for c in self._table if c.restarting and c.former is process)
            child = next(waiting, None)
        if child is None:
            raise NotFound(ref.name)
        await self._stop(child)
        self._forget(child)


class DynamicSupervisor(OnDemand):
    """Starts children on demand, any number from the same spec; they have no order (Elixir
    `DynamicSupervisor`).

    Ids need not be unique: a child is identified by its ref. The strategy is one_for_one. Its
    children are stopped all at once, each within its own `shutdown`. `max_children` also counts
    children that wait for a restart.
    """

    @staticmethod
    async def start_child(supervisor: ActorRef, spec: ChildSpec) -> ActorRef | None:
        """Start a child; None if its start returned Ignore, in which case nothing is kept.

        Raises MaxChildren, AlreadyStarted (its name is taken), FailedToStartChild, StartTimeout,
        SpecError.
        """
        return await start_child(supervisor, spec)
