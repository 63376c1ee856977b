"""The common part of supervisors with a fixed order: table, strategy, ordered start and stop."""

from __future__ import annotations

from collections.abc import Iterable

from supervisors._core.reasons import Crashed
from supervisors.errors import FailedToStartChild, StartError
from supervisors.supervision.child_spec import ChildSpec
from supervisors.supervision.hosting import Child
from supervisors.supervision.strategies import AutoShutdown, Strategy, affected
from supervisors.supervision.supervisor_base import SupervisorBase


class Ordered(SupervisorBase):
    """The common part of Supervisor and PartitionSupervisor: everything except their requests."""

    def __init__(
        self,
        specs: Iterable[ChildSpec],
        strategy: Strategy,
        *,
        max_restarts: int,
        max_seconds: float,
        auto_shutdown: AutoShutdown,
        name: str | None,
    ) -> None:
        """The arguments have been checked already."""
        super().__init__(
            max_restarts=max_restarts,
            max_seconds=max_seconds,
            auto_shutdown=auto_shutdown,
            name=name,
        )
        self.strategy: Strategy = strategy
        self._table = {spec.id: Child(spec) for spec in specs}  # in start order

    @property
    def _children(self) -> list[Child]:
        return list(self._table.values())

    def _forget(self, child: Child) -> None:
        del self._table[child.spec.id]

    async def _start_all(self) -> None:
        for child in self._children:
            try:
                await self._start(child)
            except FailedToStartChild:
                raise
            except StartError as error:
                raise FailedToStartChild(child.spec.id, Crashed(error)) from error

    async def _stop_all(self) -> None:
        for child in reversed(self._table.values()):
            await self._stop(child)

    async def _restart(self, child: Child) -> None:
        group = affected(self.strategy, child, self._table.values())
        for sibling in reversed(group):
            await self._stop(sibling)
            if sibling.spec.restart == "temporary":  # it is stopped with the others, not restarted
                self._forget(sibling)
        for sibling in group:
            if sibling.spec.restart != "temporary" and not await self._start_again(sibling):
                return  # the next try also restarts the rest of the group
