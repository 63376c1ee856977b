"""How a child is started, restarted and stopped: plain data, checked when it is made."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from supervisors._core.actor import Actor
from supervisors._core.checks import is_seconds
from supervisors._core.messages import Ignore
from supervisors._core.named_ref import NamedRef
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

RestartType: TypeAlias = Literal["permanent", "transient", "temporary"]
ChildType: TypeAlias = Literal["worker", "supervisor"]
ShutdownType: TypeAlias = float | Literal["brutal_kill"]

WORKER_SHUTDOWN = 5.0


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One child of a supervisor. Raises a SpecError that names what is wrong.

    id: unique among its siblings (not under a DynamicSupervisor).
    start: makes a NEW, not yet started actor at each start and restart; it may say Ignore(). Called
    without arguments, or with the DynamicSupervisor's extra_arguments.
    restart: "permanent" always, "transient" after an abnormal end, "temporary" never.
    shutdown: seconds of grace between the request to stop and the kill; math.inf waits,
    "brutal_kill" does not ask.
        None is the default for the type: 5 seconds for a worker, math.inf for a supervisor.
    type: "worker" or "supervisor".
    significant: its end counts for the supervisor's auto_shutdown.
    start_timeout: seconds its init may take; then it is killed and the start fails with
    StartTimeout.
    name: a name it is registered under before its init runs, from `Registry.via`.
    """

    id: str
    start: Callable[..., Actor | Ignore]
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
        self._check_life()
        if not is_seconds(self.start_timeout) or self.start_timeout == 0:
            raise InvalidStartTimeout(self.start_timeout)
        if self.name is not None and not hasattr(self.name, "_claim"):
            raise InvalidName(self.name)

    def _check_life(self) -> None:
        if self.restart not in ("permanent", "transient", "temporary"):
            raise InvalidRestartType(self.restart)
        if self.type not in ("worker", "supervisor"):
            raise InvalidChildType(self.type)
        if self.shutdown is None:
            object.__setattr__(
                self, "shutdown", WORKER_SHUTDOWN if self.type == "worker" else math.inf
            )
        if self.shutdown != "brutal_kill" and not is_seconds(self.shutdown):
            raise InvalidShutdown(self.shutdown)
        if self.significant and self.restart == "permanent":
            raise InvalidSignificant(self.id)

    @property
    def grace(self) -> ShutdownType:
        """`shutdown` with the default filled in."""
        return math.inf if self.shutdown is None else self.shutdown
