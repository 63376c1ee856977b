"""How a child is started, restarted and stopped: plain data, checked when it is made."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from supervisors.errors import (
    InvalidChildType,
    InvalidName,
    InvalidRestartType,
    InvalidShutdown,
    InvalidSignificant,
    InvalidStart,
    InvalidStartTimeout,
    MissingId,
    MissingStart,
)

if TYPE_CHECKING:
    from supervisors.actor_ref import NamedRef
    from supervisors.messages import Ignore
    from supervisors.process import Actor

RestartType: TypeAlias = Literal["permanent", "transient", "temporary"]
ChildType: TypeAlias = Literal["worker", "supervisor"]
ShutdownType: TypeAlias = float | Literal["brutal_kill"]

WORKER_SHUTDOWN = 5.0


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One child of a supervisor. Raises a SpecError that names what is wrong.

    id: unique among its siblings (not under a DynamicSupervisor).
    start: makes a NEW, not yet started actor at each start and restart; it may say Ignore().
    restart: "permanent" always, "transient" after an abnormal end, "temporary" never.
    shutdown: seconds of grace between the request to stop and the kill; math.inf waits, "brutal_kill" does not ask.
        None is the default for the type: 5 seconds for a worker, math.inf for a supervisor.
    type: "worker" or "supervisor".
    significant: its end counts for the supervisor's auto_shutdown.
    start_timeout: seconds its init may take; then it is killed and the start fails with StartTimeout.
    name: a name it is registered under before its init runs, from `Registry.via`.
    """

    id: str
    start: Callable[[], Actor | Ignore]
    restart: RestartType = "permanent"
    shutdown: ShutdownType | None = None
    type: ChildType = "worker"
    significant: bool = False
    start_timeout: float = math.inf
    name: NamedRef | None = None

    def __post_init__(self) -> None:
        if not self.id:
            raise MissingId(self.id)
        if self.start is None:
            raise MissingStart(self.id)
        if not callable(self.start):
            raise InvalidStart(self.start)
        if self.restart not in ("permanent", "transient", "temporary"):
            raise InvalidRestartType(self.restart)
        if self.type not in ("worker", "supervisor"):
            raise InvalidChildType(self.type)
        if self.shutdown is None:
            object.__setattr__(
                self, "shutdown", WORKER_SHUTDOWN if self.type == "worker" else math.inf
            )
        if self.shutdown != "brutal_kill" and not _is_seconds(self.shutdown):
            raise InvalidShutdown(self.shutdown)
        if not isinstance(self.significant, bool) or (
            self.significant and self.restart == "permanent"
        ):
            raise InvalidSignificant(self.id)
        if not _is_seconds(self.start_timeout) or self.start_timeout == 0:
            raise InvalidStartTimeout(self.start_timeout)
        if self.name is not None and not hasattr(self.name, "_claim"):
            raise InvalidName(self.name)

    def with_id(self, id: str) -> ChildSpec:  # noqa: A002 - the field is called id in OTP too
        """The same child under another id."""
        return replace(self, id=id)

    @property
    def grace(self) -> ShutdownType:
        """`shutdown` with the default filled in."""
        return math.inf if self.shutdown is None else self.shutdown


def _is_seconds(value: object) -> bool:
    # `value >= 0` is also what refuses NaN
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
