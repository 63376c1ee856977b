# ruff: noqa: SLF001 - the runtime's modules share their insides, users do not see them
"""DynamicSupervisor: children that come and go, each by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

import trio

from supervisors.actor_ref import ActorRef
from supervisors.child_spec import ChildSpec
from supervisors.errors import (
    BadReturnValue,
    InvalidChildSpec,
    InvalidMaxChildren,
    MaxChildren,
    NotFound,
    StartError,
)
from supervisors.messages import Call
from supervisors.supervision import (
    MAX_RESTARTS,
    MAX_SECONDS,
    Child,
    ChildCounts,
    ChildInfo,
    SupervisorBase,
)


@dataclass(frozen=True, slots=True)
class _StartChild(Call["ActorRef | None"]):
    spec: ChildSpec


@dataclass(frozen=True, slots=True)
class _TerminateChild(Call[None]):
    ref: ActorRef


@dataclass(frozen=True, slots=True)
class _WhichChildren(Call["list[ChildInfo]"]):
    pass


@dataclass(frozen=True, slots=True)
class _CountChildren(Call[ChildCounts]):
    pass


class DynamicSupervisor(SupervisorBase):
    """Starts children on demand, many of one kind if need be; they have no order (Elixir
    `DynamicSupervisor`).

    Ids need not be unique: a child is known by its ref. Strategy: one_for_one. Its children are
    stopped all at once, each with its own grace. At most `max_children`, those waiting for a
    restart included.
    """

    def __init__(
        self,
        max_restarts: int = MAX_RESTARTS,
        max_seconds: float = MAX_SECONDS,
        max_children: float = math.inf,
        name: str | None = None,
    ) -> None:
        """Raises the SpecError that names what is wrong."""
        super().__init__(
            max_restarts=max_restarts, max_seconds=max_seconds, auto_shutdown="never", name=name
        )
        if max_children != math.inf and (
            not isinstance(max_children, int) or isinstance(max_children, bool) or max_children < 0
        ):
            raise InvalidMaxChildren(max_children)
        self.max_children = max_children
        self._table: dict[Child, None] = {}  # ordered, and quick to leave

    @staticmethod
    async def start_child(supervisor: ActorRef, spec: ChildSpec) -> ActorRef | None:
        """Start a child; None if its start said Ignore, and then nothing is kept.

        Raises MaxChildren, AlreadyStarted (its name), FailedToStartChild, StartTimeout, SpecError.
        """
        return await supervisor.call(_StartChild(spec), timeout=math.inf)

    @staticmethod
    async def terminate_child(supervisor: ActorRef, child: ActorRef) -> None:
        """Stop a child and forget it. Raises NotFound."""
        await supervisor.call(_TerminateChild(child), timeout=math.inf)

    @staticmethod
    async def which_children(supervisor: ActorRef) -> list[ChildInfo]:
        """Every child, the last started first."""
        return await supervisor.call(_WhichChildren(), timeout=math.inf)

    @staticmethod
    async def count_children(supervisor: ActorRef) -> ChildCounts:
        """How many children of what kind."""
        return await supervisor.call(_CountChildren(), timeout=math.inf)

    @property
    def _children(self) -> list[Child]:
        return list(self._table)

    def _forget(self, child: Child) -> None:
        self._table.pop(child, None)

    async def _start_all(self) -> None:
        """There is nobody yet."""

    async def _stop_all(self) -> None:
        async with trio.open_nursery() as nursery:
            for child in self._table:
                nursery.start_soon(self._stop, child)

    async def _restart(self, child: Child) -> None:
        await self._start_again(child)

    async def _answer(self, request: object) -> object:
        match request:
            case _StartChild(spec):
                return await self._add(spec)
            case _TerminateChild(ref):
                await self._terminate(ref)
                return None
            case _WhichChildren():
                return self._which()
            case _CountChildren():
                return self._counts()
        raise BadReturnValue("a request to a supervisor", request)

    async def _add(self, spec: object) -> ActorRef | None:
        if not isinstance(spec, ChildSpec):
            raise InvalidChildSpec(spec)
        self._check_significant(spec)
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
        process = ref._target()
        child = None if process is None else self._by_process.get(process)
        if child is None:
            raise NotFound(ref.name)
        await self._stop(child)
        self._forget(child)
