"""Supervisor: children in a fixed order, restarted by a strategy."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from supervisors._core.actor_ref import ActorRef
from supervisors._core.checks import broken, reject
from supervisors._core.messages import Call
from supervisors._core.named_ref import AlreadyStarted
from supervisors.errors import (
    AlreadyPresent,
    ChildRestarting,
    ChildRunning,
    DuplicateChildId,
    InvalidAutoShutdown,
    InvalidStrategy,
    NotFound,
    SpecError,
    StartError,
)
from supervisors.supervision.child_spec import ChildSpec
from supervisors.supervision.hosting import Child
from supervisors.supervision.ordered import Ordered
from supervisors.supervision.restart_intensity import intensity_rules
from supervisors.supervision.strategies import AUTO_SHUTDOWNS, STRATEGIES, AutoShutdown, Strategy
from supervisors.supervision.supervisor_base import (
    MAX_RESTARTS,
    MAX_SECONDS,
    start_child,
    wrong_child,
)


@dataclass(frozen=True, slots=True)
class _TerminateChild(Call[None]):
    id: str


@dataclass(frozen=True, slots=True)
class _RestartChild(Call["ActorRef | None"]):
    id: str


@dataclass(frozen=True, slots=True)
class _DeleteChild(Call[None]):
    id: str


@dataclass(frozen=True, slots=True)
class _GetChildSpec(Call[ChildSpec]):
    id: str


class Supervisor(Ordered):
    """Starts its children in order, restarts them by its strategy, and stops them in reverse order
    (OTP `supervisor`).

    After more than `max_restarts` restarts within `max_seconds` seconds it stops its children and
    exits with Shutdown; its own supervisor decides what happens then. If a child fails to start
    when the supervisor starts, the children started so far are stopped in reverse order, and the
    start fails with FailedToStartChild. If it is told to stop while a child is in its init, it does
    not wait for that init, but stops that child with the others.

    Static functions that take the supervisor's ref, or a registered name, administer it: `await
    Supervisor.which_children(ref)`. They raise NoProcess if it does not run, and have no timeout.
    """

    def __init__(
        self,
        children: Iterable[ChildSpec] = (),
        strategy: Strategy = "one_for_one",
        max_restarts: int = MAX_RESTARTS,
        max_seconds: float = MAX_SECONDS,
        auto_shutdown: AutoShutdown = "never",
        name: str | None = None,
    ) -> None:
        """Raises a SpecError that names everything that is wrong, before anything is started."""
        specs = list(children)
        rules = (
            (strategy in STRATEGIES, InvalidStrategy, strategy),
            *intensity_rules(max_restarts, max_seconds),
            (auto_shutdown in AUTO_SHUTDOWNS, InvalidAutoShutdown, auto_shutdown),
        )
        reject([*broken(rules), *_wrong_children(specs, auto_shutdown)])
        super().__init__(
            specs,
            strategy,
            max_restarts=max_restarts,
            max_seconds=max_seconds,
            auto_shutdown=auto_shutdown,
            name=name,
        )

    # --- administration ---

    @staticmethod
    async def start_child(supervisor: ActorRef, spec: ChildSpec) -> ActorRef | None:
        """Add a child at the end and start it; None if its start returned Ignore (OTP
        `start_child/2`).

        Raises AlreadyStarted, AlreadyPresent, FailedToStartChild, StartTimeout, SpecError. In these
        cases the spec is not kept.
        """
        return await start_child(supervisor, spec)

    @staticmethod
    async def terminate_child(supervisor: ActorRef, id: str) -> None:  # noqa: A002
        """Stop a child. Its spec is kept unless it is temporary. Does nothing to a child that is
        stopped already. Raises NotFound.
        """
        await supervisor.call(_TerminateChild(id), timeout=math.inf)

    @staticmethod
    async def restart_child(supervisor: ActorRef, id: str) -> ActorRef | None:  # noqa: A002
        """Start a stopped child; None if its start returned Ignore. Raises NotFound, ChildRunning,
        ChildRestarting, StartError.
        """
        return await supervisor.call(_RestartChild(id), timeout=math.inf)

    @staticmethod
    async def delete_child(supervisor: ActorRef, id: str) -> None:  # noqa: A002
        """Remove the spec of a stopped child. Raises NotFound, ChildRunning, ChildRestarting."""
        await supervisor.call(_DeleteChild(id), timeout=math.inf)

    @staticmethod
    async def get_childspec(supervisor: ActorRef, id: str) -> ChildSpec:  # noqa: A002
        """The spec of a child; of a temporary one, `start` is only a name. Raises NotFound."""
        return await supervisor.call(_GetChildSpec(id), timeout=math.inf)

    # --- requests ---

    async def _answer(self, request: object) -> object:
        match request:
            case _GetChildSpec(id):
                return self._get(id).spec
            case _TerminateChild(id):
                await self._terminate(self._get(id))
                return None
            case _RestartChild(id):
                return await self._start(self._stopped(id))
            case _DeleteChild(id):
                self._forget(self._stopped(id))
                return None
        return await super()._answer(request)

    async def _add(self, spec: ChildSpec) -> ActorRef | None:
        present = self._table.get(spec.id)
        if present is not None:
            if present.ref is not None:
                raise AlreadyStarted(spec.id, present.ref)
            raise AlreadyPresent(spec.id)
        child = self._table[spec.id] = Child(spec)
        try:
            return await self._start(child)
        except StartError:
            self._forget(child)
            raise

    async def _terminate(self, child: Child) -> None:
        await self._stop(child)
        if child.spec.restart == "temporary":
            self._forget(child)

    def _get(self, id: str) -> Child:  # noqa: A002
        child = self._table.get(id)
        if child is None:
            raise NotFound(id)
        return child

    def _stopped(self, id: str) -> Child:  # noqa: A002
        child = self._get(id)
        if child.restarting:
            raise ChildRestarting(id)
        if child.process is not None:
            raise ChildRunning(id)
        return child


def _wrong_children(specs: list[ChildSpec], auto_shutdown: AutoShutdown) -> Iterator[SpecError]:
    ids = set()
    for spec in specs:
        yield from wrong_child(spec, auto_shutdown)
        if isinstance(spec, ChildSpec):
            if spec.id in ids:
                yield DuplicateChildId(spec.id)
            ids.add(spec.id)
