# ruff: noqa: SLF001 - the runtime's modules share private members, which users do not see
"""The common part of all supervisors: start children, notice their ends, restart them, give up,
answer requests.

A supervisor is itself a process that traps exits.
"""

from __future__ import annotations

import logging
import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import trio

from supervisors import system, telemetry
from supervisors._core.actor_ref import ActorRef, Caller
from supervisors._core.checks import broken, reject
from supervisors._core.mailbox import CALL, FAIR_SHARE, SIGNAL, STOP, SYSTEM, Item
from supervisors._core.messages import Ignore, Stop
from supervisors._core.process import as_process
from supervisors._core.reasons import Crashed, ExitReason, Normal, Shutdown, is_abnormal
from supervisors._core.signals import Exit
from supervisors._core.strays import ends_tree
from supervisors.errors import (
    BadReturnValue,
    FailedToStartChild,
    InvalidChildSpec,
    InvalidSignificant,
    SpecError,
    StartError,
)
from supervisors.supervision.administration import (
    ChildCounts,
    ChildInfo,
    CountChildren,
    SetIntensity,
    StartChild,
    WhichChildren,
)
from supervisors.supervision.child_spec import ChildSpec
from supervisors.supervision.hosting import Child, ChildHost, Interrupted
from supervisors.supervision.restart_intensity import RestartIntensity, intensity_rules
from supervisors.supervision.shutdown import kill_all
from supervisors.supervision.strategies import AutoShutdown

logger = logging.getLogger("supervisors")

MAX_RESTARTS = 3
MAX_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Retry:
    """A message to itself: the restart of this child failed. Try again after the messages that are
    already in the mailbox.
    """

    child: Child


class SupervisorBase(ChildHost):
    """The common part; see Supervisor and DynamicSupervisor."""

    trap_exit = True

    def __init__(
        self,
        *,
        max_restarts: int,
        max_seconds: float,
        auto_shutdown: AutoShutdown,
        name: str | None,
    ) -> None:
        self.intensity = RestartIntensity(max_restarts, max_seconds)
        self._auto_shutdown = auto_shutdown
        super().__init__(name)

    async def init(self) -> Ignore | Stop | None:
        """Runs before any child starts. Return Ignore() not to start, without an error. If it
        returns Stop(reason) or raises, the start fails.
        """
        return None

    # --- what differs between supervisors ---

    @property
    @abstractmethod
    def _children(self) -> list[Child]:
        """Every child, in start order."""

    @abstractmethod
    async def _start_all(self) -> None:
        """Start the initial children. Raises StartError."""

    @abstractmethod
    async def _stop_all(self) -> None:
        """Stop all children, in the order of this kind of supervisor."""

    @abstractmethod
    async def _restart(self, child: Child) -> None:
        """Restart a child, and those that the strategy ties to it. A failure is retried later."""

    @abstractmethod
    async def _add(self, spec: ChildSpec) -> ActorRef | None:
        """Keep the spec and start the child. None if it returned Ignore. Raises StartError."""

    # --- lifecycle ---

    async def _runtime_main(self) -> ExitReason:
        process = self._runtime_process
        result = await self.init()
        if isinstance(result, Ignore):
            process.ignored = True
            return Normal()
        if isinstance(result, Stop):
            return result.reason
        if result is not None:
            raise BadReturnValue("init", result)
        try:
            try:
                reason = await self._serve()
            except BaseException as error:
                if not ends_tree(error):
                    raise
                reason = await process.program_end.came_from(process.pid, error)
            process.terminating = True
            if telemetry.SupervisorStopping.handlers:
                kind = telemetry.kind_of(reason)
                telemetry.execute(telemetry.SupervisorStopping(process.name, process.pid, kind))
            await self._stop_all()
        except BaseException:
            # Probably killed. No child may outlive its supervisor.
            await kill_all((process, child.margin) for process, child in self._by_process.items())
            raise
        return reason

    async def _serve(self) -> ExitReason:
        process = self._runtime_process
        process.on_stop = self._interrupt  # from here on there are children to stop
        try:
            try:
                await self._start_all()
            except StartError as error:
                return Shutdown(error)
            process.acknowledge()
            in_a_row = 0
            while True:
                in_a_row = in_a_row + 1 if process.mailbox.items else 0
                if in_a_row == FAIR_SHARE:
                    in_a_row = 0
                    await trio.lowlevel.checkpoint()
                item = await process.mailbox.get()
                process.serving = item[2]  # from here on, only this knows that the caller waits
                if process.doomed is not None:  # killed at the same moment as the message came
                    await trio.lowlevel.checkpoint()
                reason = await self._handle(item)
                if reason is not None:
                    return reason
                process.serving = None
                del item  # it may hold a specification, which should not be kept alive
        except Interrupted:
            return process.stop_reason or Shutdown()

    async def _handle(self, item: Item[Caller]) -> ExitReason | None:
        kind, payload, caller = item
        if kind == STOP:
            return self._runtime_process.stop_reason
        if kind == CALL and caller is not None:
            await self._reply(payload, caller)
            return None
        if kind == SYSTEM:
            return await system.serve(self._runtime_process, payload, caller)
        if kind == SIGNAL:
            match payload:
                case Exit(ActorRef() as ref, reason) if child := self._child_of(ref):
                    if not ref.is_alive:  # otherwise the child sent an exit signal, and lives
                        return await self._child_ended(child, reason)
                case _Retry(child):
                    return await self._restart_or_give_up(child) if child.restarting else None
                case Exit():  # from a child that was stopped, or from a stranger
                    return None
        logger.warning("%s got an unexpected %s", self.ref.name, type(payload).__name__)
        return None

    async def _reply(self, request: object, caller: Caller) -> None:
        try:
            caller.reply(await self._answer(request))
        except Interrupted:
            raise
        except Exception as error:  # noqa: BLE001 - an error of the caller or the child, for the caller
            caller.fail(error)

    # --- ends ---

    async def _child_ended(self, child: Child, reason: ExitReason) -> ExitReason | None:
        process = child.process
        self._set(child, None)
        child.former = process
        restart = child.spec.restart
        ending = self._runtime_process.program_end.has_come
        if is_abnormal(reason) or (restart == "permanent" and not ending):
            self._report("child_terminated", reason, child, process)
        if restart == "permanent" or (restart == "transient" and is_abnormal(reason)):
            return await self._restart_or_give_up(child)
        if not self._keeps(child.spec):
            self._forget(child)
        return Shutdown() if self._is_last_significant(child) else None

    def _is_last_significant(self, ended: Child) -> bool:
        if not ended.spec.significant or self._auto_shutdown == "never":
            return False
        if self._auto_shutdown == "any_significant":
            return True
        return self._significant_up == 0

    async def _restart_or_give_up(self, child: Child) -> ExitReason | None:
        if self._runtime_process.program_end.has_come:
            self._set(child, None)
            return None
        if self.intensity.allow(trio.current_time()):
            await self._restart(child)
            return None
        self._set(child, None)
        self._report("shutdown", "reached max restart intensity", child)
        if telemetry.SupervisorGaveUp.handlers:
            limit = self.intensity
            telemetry.execute(
                telemetry.SupervisorGaveUp(
                    self.ref.name, child.spec.id, limit.max_restarts, limit.max_seconds
                )
            )
        return Shutdown()

    async def _start_again(self, child: Child) -> bool:
        """Start a child as a restart. If that fails, report it, and put the next try at the end of
        the mailbox.
        """
        child.restarts += 1
        try:
            await self._start(child)
        except StartError as error:
            if self._runtime_process.program_end.has_come:
                return False
            reason = error.reason if isinstance(error, FailedToStartChild) else Crashed(error)
            self._report("start_error", reason, child, child.latest)
            self._set(child, None, restarting=True)
            self._runtime_process.mailbox.put((SIGNAL, _Retry(child), None))
            return False
        if telemetry.ChildRestarted.handlers:
            recent = self.intensity.recent(trio.current_time())
            telemetry.execute(
                telemetry.ChildRestarted(
                    self.ref.name,
                    child.spec.id,
                    child.restarts,
                    recent,
                    self.intensity.max_restarts,
                )
            )
        return True

    # --- shared administration ---

    @staticmethod
    async def which_children(supervisor: ActorRef) -> list[ChildInfo]:
        """All children, the last started first (OTP `which_children/1`). Raises NoProcess."""
        return await supervisor.call(WhichChildren(), timeout=math.inf)

    @staticmethod
    async def count_children(supervisor: ActorRef) -> ChildCounts:
        """The number of children of each kind (OTP `count_children/1`). Raises NoProcess."""
        return await supervisor.call(CountChildren(), timeout=math.inf)

    @staticmethod
    async def set_intensity(supervisor: ActorRef, max_restarts: int, max_seconds: float) -> None:
        """Change how many restarts a running supervisor allows; restarts in the last `max_seconds`
        seconds count. Use it when the number of children changes (in OTP: `code_change` of the
        flags). Raises NoProcess, SpecError.
        """
        reject(broken(intensity_rules(max_restarts, max_seconds)))
        await supervisor.call(SetIntensity(max_restarts, max_seconds), timeout=math.inf)

    async def _answer(self, request: object) -> object:
        """Answer an administrative request, or raise the error for the caller."""
        match request:
            case WhichChildren():
                return [
                    ChildInfo(c.spec.id, c.ref, c.spec.type, c.restarting)
                    for c in reversed(self._children)
                ]
            case CountChildren():
                return self._counts()
            case StartChild(spec):
                return await self._add(spec)
            case SetIntensity(max_restarts, max_seconds):
                self.intensity.max_restarts = max_restarts
                self.intensity.max_seconds = max_seconds
                return None
        raise BadReturnValue("a request to a supervisor", request)

    def _counts(self) -> ChildCounts:
        children = self._children
        supervisors = sum(c.spec.type == "supervisor" for c in children)
        return ChildCounts(
            specs=len(children),
            active=sum(c.process is not None and c.process.reason is None for c in children),
            supervisors=supervisors,
            workers=len(children) - supervisors,
        )


def wrong_child(spec: object, auto_shutdown: object) -> Iterator[SpecError]:
    """The errors of a child spec under a supervisor with this `auto_shutdown`."""
    if not isinstance(spec, ChildSpec):
        yield InvalidChildSpec(spec)
    elif spec.significant and auto_shutdown == "never":
        yield InvalidSignificant(spec.id)


async def start_child(supervisor: ActorRef, spec: ChildSpec) -> ActorRef | None:
    """Ask the supervisor to start a child. The spec is checked here, in the caller, first.

    Raises the same as the supervisors' `start_child`.
    """
    process = as_process(supervisor._target())
    actor = None if process is None else process.actor
    known = actor._auto_shutdown if isinstance(actor, SupervisorBase) else None
    reject(wrong_child(spec, known))
    return await supervisor.call(StartChild(spec), timeout=math.inf)
