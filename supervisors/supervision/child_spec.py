"""How a child is started, restarted and stopped: plain data, checked when it is made."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, NoReturn, TypeAlias

from supervisors._core.actor import Actor
from supervisors._core.checks import broken, is_hashable, is_seconds, reject
from supervisors._core.messages import Ignore
from supervisors._core.named_ref import NamedRef
from supervisors._core.status import name_of_function
from supervisors.errors import (
    InvalidChildType,
    InvalidId,
    InvalidName,
    InvalidRestartType,
    InvalidShutdown,
    InvalidSignificant,
    InvalidStart,
    InvalidStartTimeout,
    MissingId,
    MissingStart,
    SupervisorsError,
)

RestartType: TypeAlias = Literal["permanent", "transient", "temporary"]
ChildType: TypeAlias = Literal["worker", "supervisor"]
ShutdownType: TypeAlias = float | Literal["brutal_kill"]

RESTART_TYPES: tuple[RestartType, ...] = ("permanent", "transient", "temporary")
CHILD_TYPES: tuple[ChildType, ...] = ("worker", "supervisor")

WORKER_SHUTDOWN = 5.0


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One child of a supervisor. Raises a SpecError that names everything that is wrong.

    id: unique among its siblings (except under a DynamicSupervisor).
    start: makes a NEW actor, not started yet, at each start and restart; it may return Ignore(). It
    gets no arguments, or the DynamicSupervisor's extra_arguments.
    restart: "permanent" always, "transient" after an abnormal end, "temporary" never.
    shutdown: seconds between the request to stop and the kill; math.inf waits without limit,
    "brutal_kill" kills at once. None is the default of the type: 5 seconds for a worker, math.inf
    for a supervisor.
    type: "worker" or "supervisor".
    significant: whether its end counts for the supervisor's auto_shutdown.
    start_timeout: seconds its init may take; then it is killed, and the start fails with
    StartTimeout.
    name: a name from `Registry.via`; it is registered before its init runs.
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
        if self.shutdown is None or isinstance(self.shutdown, _Default):
            default = _Default(math.inf if self.type == "supervisor" else WORKER_SHUTDOWN)
            object.__setattr__(self, "shutdown", default)
        has_name = self.name is None or hasattr(self.name, "_claim")
        has_shutdown = self.shutdown == "brutal_kill" or is_seconds(self.shutdown)
        has_timeout = is_seconds(self.start_timeout) and self.start_timeout != 0
        start: object = self.start
        missing = start is None
        rules = (
            (self.id not in (None, ""), MissingId, self.id),
            (is_hashable(self.id), InvalidId, self.id),
            (not missing, MissingStart, self.id),
            (missing or callable(start), InvalidStart, start),
            (self.restart in RESTART_TYPES, InvalidRestartType, self.restart),
            (has_shutdown, InvalidShutdown, self.shutdown),
            (self.type in CHILD_TYPES, InvalidChildType, self.type),
            (isinstance(self.significant, bool), InvalidSignificant, self.significant),
            (not self.significant or self.restart != "permanent", InvalidSignificant, self.id),
            (has_timeout, InvalidStartTimeout, self.start_timeout),
            (has_name, InvalidName, self.name),
        )
        reject(broken(rules))

    @property
    def grace(self) -> ShutdownType:
        """`shutdown`, with the default of the type for None."""
        return math.inf if self.shutdown is None else self.shutdown

    def without_arguments(self) -> ChildSpec:
        """The same spec with only the name of `start`, so that its arguments are not kept alive."""
        if isinstance(self.start, type):  # it has no arguments
            return self

        def start(*_: object) -> NoReturn:
            raise SupervisorsError("a temporary child is not started again")

        start.__qualname__ = name_of_function(self.start)
        return replace(self, start=start)


class _Default(float):
    """A default `shutdown`: if `dataclasses.replace` changes the type, the default changes, too."""
