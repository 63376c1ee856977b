# ruff: noqa: SLF001 - the runtime's modules share their insides, users do not see them
"""What every kind of supervisor does alike: host children, start them, learn of their ends, give
up.

A supervisor is itself a process that traps exits. Its children's tasks run in its own nursery,
which lies outside of its cancel scope: killing it ends its loop, and the loop's last act is to kill
the children.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import trio

from supervisors import system
from supervisors.actor_ref import ActorRef, Caller
from supervisors.child_spec import ChildSpec, ChildType
from supervisors.crash_reports import Context, report
from supervisors.errors import (
    AlreadyStarted,
    FailedToStartChild,
    InvalidAutoShutdown,
    InvalidSignificant,
    StartError,
    StartTimeout,
)
from supervisors.mailbox import CALL, SIGNAL, STOP, SYSTEM, Item
from supervisors.messages import Exit, Ignore, Stop
from supervisors.process import Actor, Process, run, spawn
from supervisors.reasons import Crashed, ExitReason, Normal, Shutdown, cause_of, is_abnormal
from supervisors.restart_intensity import RestartIntensity
from supervisors.shutdown import SUPERVISOR_MARGIN, kill_all, stop_process
from supervisors.strategies import AUTO_SHUTDOWNS, AutoShutdown

MAX_RESTARTS = 3
MAX_SECONDS = 5.0


@dataclass(eq=False, slots=True)
class Child:
    """A row of a supervisor's table."""

    spec: ChildSpec
    process: Process | None = None
    restarting: bool = False
    restarts: int = 0

    @property
    def ref(self) -> ActorRef | None:
        """Its process, if it has one."""
        return None if self.process is None else self.process.ref

    @property
    def margin(self) -> float:
        """How much longer than others it may take to die of a kill, because it kills others in
        turn.
        """
        supervises = self.process is not None and isinstance(self.process.actor, SupervisorBase)
        return SUPERVISOR_MARGIN if supervises else 0.0


@dataclass(frozen=True, slots=True)
class ChildInfo:
    """A line of which_children: ref is None without a process; restarting while a restart is
    pending.
    """

    id: str
    ref: ActorRef | None
    type: ChildType
    restarting: bool = False


@dataclass(frozen=True, slots=True)
class ChildCounts:
    """count_children: how many specs, how many live, how many specs of which type."""

    specs: int
    active: int
    supervisors: int
    workers: int


@dataclass(frozen=True, slots=True)
class _Retry:
    """To itself: the restart of this child failed; try again, after whatever else is in the
    mailbox.
    """

    child: Child


class _Interrupted(Exception):
    """The supervisor was asked to stop while it waited for a child's init."""


Answer: TypeAlias = Callable[[Any], Awaitable[object]]


class SupervisorBase(Actor):
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
        if auto_shutdown not in AUTO_SHUTDOWNS:
            raise InvalidAutoShutdown(auto_shutdown)
        self.intensity = RestartIntensity(max_restarts, max_seconds)
        self._auto_shutdown = auto_shutdown
        self._name = name
        self._nursery: trio.Nursery
        self._by_process: dict[Process, Child] = {}
        self._start_wait: trio.CancelScope | None = None

    async def init(self) -> Ignore | Stop | None:
        """Runs before any child starts. Ignore(): not started, no error. Stop(reason), or raising:
        the start fails.
        """
        return None

    # --- what the kinds differ in ---

    @property
    @abstractmethod
    def _children(self) -> list[Child]:
        """Every child, in start order."""

    @abstractmethod
    def _forget(self, child: Child) -> None:
        """Drop its spec."""

    @abstractmethod
    async def _start_all(self) -> None:
        """Start what belongs to the start; raise StartError."""

    @abstractmethod
    async def _stop_all(self) -> None:
        """Stop every child in the order of its kind."""

    @abstractmethod
    async def _restart(self, child: Child) -> None:
        """Start it anew, and whom the strategy ties to it; on failure `_try_again`."""

    @abstractmethod
    async def _answer(self, request: object) -> object:
        """Answer an administrative request; raise the error the caller is to get."""

    # --- life ---

    async def _runtime_host(self) -> None:
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            await run(self._runtime_process)

    async def _runtime_main(self) -> ExitReason:
        process = self._runtime_process
        process.on_stop = self._interrupt
        result = await self.init()
        if isinstance(result, Ignore):
            process.ignored = True
            return Normal()
        if isinstance(result, Stop):
            return result.reason
        try:
            reason = await self._serve()
            process.terminating = True
            await self._stop_all()
        except BaseException:
            # Killed, most likely: no child may outlive its supervisor.
            await kill_all((process, child.margin) for process, child in self._by_process.items())
            raise
        return reason

    async def _serve(self) -> ExitReason:
        process = self._runtime_process
        try:
            try:
                await self._start_all()
            except StartError as error:
                return Shutdown(error)
            process.acknowledge()
            while True:
                item = await process.mailbox.get()
                if process.doomed is not None:  # killed in the same instant as the message came
                    await trio.lowlevel.checkpoint()
                if item is not None:
                    reason = await self._handle(item)
                    if reason is not None:
                        return reason
        except _Interrupted:
            return process.stop_reason or Shutdown()

    async def _handle(self, item: Item) -> ExitReason | None:
        kind, payload, caller = item
        if kind == STOP:
            return self._runtime_process.stop_reason
        if kind == CALL and caller is not None:
            self._runtime_process.serving = caller
            await self._reply(payload, caller)
            return None
        if kind == SYSTEM:
            return await system.serve(self._runtime_process, payload, caller)
        if kind == SIGNAL:
            match payload:
                case Exit(
                    None, reason
                ):  # a signal from outside of any actor: whoever owns the tree
                    return reason
                case Exit(ActorRef() as ref, reason):
                    child = self._by_process.pop(ref._process, None)
                    return None if child is None else await self._child_ended(child, reason)
                case _Retry(child) if child.restarting:
                    return await self._restart_or_give_up(child)
        return None

    async def _reply(self, request: object, caller: Caller) -> None:
        try:
            caller.reply(await self._answer(request))
        except _Interrupted:
            raise
        except Exception as error:  # noqa: BLE001 - the caller's mistake, or its child's: the caller gets it
            caller.fail(error)

    # --- starting one ---

    async def _start(self, child: Child) -> ActorRef | None:
        """Start a child and wait for its init; None if it said Ignore. Raises StartError."""
        if self._runtime_process.stop_reason is not None:
            raise _Interrupted
        spec = child.spec
        child.restarting = False
        try:
            actor = spec.start()
            if isinstance(actor, Ignore):
                self._ignored(child)
                return None
            process = spawn(actor, name_of(spec, actor), self._nursery, self._runtime_process)
            if spec.name is not None:
                spec.name._claim(process)
        except AlreadyStarted:
            raise
        except Exception as error:
            raise FailedToStartChild(spec.id, Crashed(error)) from error
        child.process = process
        self._by_process[process] = child
        self._nursery.start_soon(actor._runtime_host, name=process.name)
        await self._await_init(child, process)
        if process.ignored:
            del self._by_process[process]
            self._ignored(child)
            return None
        return process.ref

    def _ignored(self, child: Child) -> None:
        child.process = None
        if child.spec.restart == "temporary":
            self._forget(child)

    async def _await_init(self, child: Child, process: Process) -> None:
        spec = child.spec
        limit = trio.move_on_after(spec.start_timeout)
        with trio.CancelScope() as self._start_wait, limit:
            await process.wait_settled()
        if not process.settled and self._runtime_process.stop_reason is not None:
            raise _Interrupted  # it is in the table, and is stopped with the others
        self._start_wait = None
        if process.started or process.ignored:
            return
        if process.reason is None:
            await stop_process(process, "brutal_kill", margin=child.margin)
        del self._by_process[process]
        child.process = None
        if limit.cancelled_caught:
            raise StartTimeout(spec.id, spec.start_timeout)
        reason = process.reason or Normal()
        raise FailedToStartChild(spec.id, reason) from cause_of(reason)

    def _interrupt(self) -> None:
        if self._start_wait is not None:
            self._start_wait.cancel()

    # --- ends ---

    async def _child_ended(self, child: Child, reason: ExitReason) -> ExitReason | None:
        process, child.process = child.process, None
        if is_abnormal(reason):
            self._report("child_terminated", reason, child, process)
        restart = child.spec.restart
        if restart == "permanent" or (restart == "transient" and is_abnormal(reason)):
            return await self._restart_or_give_up(child)
        if restart == "temporary":
            self._forget(child)
        return Shutdown() if self._is_last_significant(child) else None

    def _is_last_significant(self, ended: Child) -> bool:
        if not ended.spec.significant or self._auto_shutdown == "never":
            return False
        if self._auto_shutdown == "any_significant":
            return True
        return not any(c.spec.significant and c.process is not None for c in self._children)

    async def _restart_or_give_up(self, child: Child) -> ExitReason | None:
        if self.intensity.allow(trio.current_time()):
            await self._restart(child)
            return None
        child.restarting = False
        self._report("shutdown", "reached max restart intensity", child)
        return Shutdown()

    async def _start_again(self, child: Child) -> bool:
        """Start it as a restart; on failure report it and put the next try at the end of the
        mailbox.
        """
        child.restarts += 1
        try:
            await self._start(child)
        except StartError as error:
            reason = error.reason if isinstance(error, FailedToStartChild) else Crashed(error)
            self._report("start_error", reason, child)
            child.restarting = True
            self._runtime_process.mailbox.put((SIGNAL, _Retry(child), None))
            return False
        return True

    async def _stop(self, child: Child) -> None:
        """Stop its process, if any; its own end, unread in the mailbox, no longer counts."""
        child.restarting = False
        process = child.process
        if process is None:
            return
        shutdown = child.spec.grace
        reason = await stop_process(process, shutdown, margin=child.margin)
        self._by_process.pop(process, None)
        child.process = None
        if is_abnormal(reason) and shutdown != "brutal_kill":
            self._report("shutdown_error", reason, child, process)

    def _report(
        self,
        context: Context,
        reason: ExitReason | str,
        child: Child,
        process: Process | None = None,
    ) -> None:
        report(
            self._runtime_process.name,
            context,
            reason,
            child.spec.id,
            None if process is None else process.pid,
        )

    # --- administration they share ---

    def _which(self) -> list[ChildInfo]:
        return [
            ChildInfo(c.spec.id, c.ref, c.spec.type, c.restarting) for c in reversed(self._children)
        ]

    def _counts(self) -> ChildCounts:
        children = self._children
        supervisors = sum(c.spec.type == "supervisor" for c in children)
        return ChildCounts(
            specs=len(children),
            active=sum(c.process is not None and c.process.reason is None for c in children),
            supervisors=supervisors,
            workers=len(children) - supervisors,
        )

    def _check_significant(self, spec: ChildSpec) -> None:
        if spec.significant and self._auto_shutdown == "never":
            raise InvalidSignificant(spec.id)


def name_of(spec: ChildSpec, actor: object) -> str:
    """What a process is called: its registered name, a supervisor's own, or its id."""
    if spec.name is not None:
        return spec.name.name
    own = actor._name if isinstance(actor, SupervisorBase) else None
    return own or spec.id
