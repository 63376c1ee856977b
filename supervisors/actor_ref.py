# ruff: noqa: SLF001 - the runtime's modules share their insides, users do not see them
"""How a process is reached: calls, casts, signals. The one thing of an actor that others hold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar

import trio

from supervisors.errors import CallingSelf, CallTimeout, NoProcess, ServerExited
from supervisors.mailbox import CALL, CAST, INFO, STOP
from supervisors.messages import Call
from supervisors.reasons import ExitReason, NoProc, Normal, cause_of

if TYPE_CHECKING:
    from supervisors.process import Process

R = TypeVar("R")

NORMAL = Normal()


class Caller:
    """The way back to one call: a slot of its own, so that a late reply vanishes (OTP's `from`)."""

    __slots__ = ("_error", "_process", "_settled", "_task", "_value", "ref")

    def __init__(self, process: Process, ref: ActorRef | None) -> None:
        self._process = process
        self._task: trio.lowlevel.Task | None = None
        self._settled = False
        self._value: Any = None
        self._error: Exception | None = None
        self.ref = ref
        """The calling actor, or None for plain trio code."""

    def reply(self, value: object) -> None:
        """Answer (OTP `gen_server:reply`). Only the first answer counts, and only while the caller
        waits.
        """
        self._settle(value, None)

    def fail(self, error: Exception) -> None:
        """Make the caller's `call` raise `error`, without ending the server. One error object per
        caller.
        """
        self._settle(None, error)

    def _settle(self, value: object, error: Exception | None) -> None:
        if self._settled:
            return
        self._settled = True
        self._value, self._error = value, error
        self._process.pending.pop(self, None)
        if self._task is not None:
            trio.lowlevel.reschedule(self._task)

    async def _wait(self) -> None:
        def abort(_: object) -> trio.lowlevel.Abort:
            self._settled = True  # given up: whatever comes now is late
            self._process.pending.pop(self, None)
            return trio.lowlevel.Abort.SUCCEEDED

        self._task = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(abort)

    def _result(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._value


class ActorRef:
    """A process, as others see it (a pid). Equal to another ref of the same process, and only to
    that.
    """

    __slots__ = ("__weakref__", "_process")

    def __init__(self, process: Process) -> None:
        self._process = process

    def _target(self) -> Process | None:
        """Who is meant: itself here, looked up at each use for a name."""
        return self._process

    def _require(self, request: object) -> Process:
        process = self._target()
        if process is None or process.reason is not None:
            raise NoProcess(self.name, request)
        if process.task is trio.lowlevel.current_task():
            raise CallingSelf(self.name, request)
        return process

    async def call(self, request: Call[R], *, timeout: float = 5.0) -> R:
        """Ask, and wait at most `timeout` seconds for the answer (OTP `gen_server:call`).

        Raises NoProcess at once if nobody is there, CallTimeout, ServerExited if the server ends
        first, CallingSelf at once. Cancelled, the request may still be handled; its answer
        vanishes.
        """
        process = self._require(request)
        sender = process.current()
        caller = Caller(process, None if sender is None else sender.ref)
        process.pending[caller] = request
        process.mailbox.put((CALL, request, caller))
        if timeout == math.inf:
            await caller._wait()
        else:
            with trio.move_on_after(timeout) as scope:
                await caller._wait()
            if scope.cancelled_caught:
                raise CallTimeout(self.name, request, timeout)
        result: R = caller._result()
        return result

    def cast(self, message: object) -> None:
        """Send to handle_cast (OTP `gen_server:cast`). Never blocks or fails, promises nothing."""
        process = self._target()
        if process is not None:
            process.mailbox.put((CAST, message, None))

    def send(self, info: object) -> None:
        """Send to handle_info (OTP `!`). Never blocks, never fails, promises nothing."""
        process = self._target()
        if process is not None:
            process.mailbox.put((INFO, info, None))

    async def stop(self, reason: ExitReason = NORMAL, *, timeout: float = math.inf) -> None:
        """Let it handle what it has, run terminate and end with `reason` (OTP `gen_server:stop`).

        Returns once it has ended so. Raises NoProcess, CallingSelf, CallTimeout after `timeout`
        seconds, ServerExited if it ended otherwise. Cancelled, the request stands.
        """
        process = self._require(NORMAL)
        process.request_stop(reason)
        process.mailbox.put((STOP, reason, None))
        with trio.move_on_after(timeout):
            await process.exited.wait()
        if process.reason is None:
            raise CallTimeout(self.name, reason, timeout)
        if process.reason != reason:
            raise ServerExited(self.name, reason, process.reason) from cause_of(process.reason)

    def kill(self) -> None:
        """End it at its next checkpoint, without terminate, whether it traps exits or not."""
        process = self._target()
        if process is not None:
            process.kill()

    def exit(self, reason: ExitReason) -> None:
        """Send an exit signal (OTP `exit/2`).

        One that traps exits gets an `Exit` message. One that does not ends at its next checkpoint,
        without terminate, unless the reason is Normal.
        """
        process = self._target()
        if process is not None:
            sender = process.current()
            process.exit_signal(None if sender is None else sender.ref, reason)

    async def wait(self) -> ExitReason:
        """Wait until it has ended; its reason. NoProc for a name nobody has. Cancelled, nothing is
        left.
        """
        process = self._target()
        if process is None:
            await trio.lowlevel.checkpoint()
            return NoProc()
        await process.exited.wait()
        return process.reason if process.reason is not None else NoProc()

    @property
    def is_alive(self) -> bool:
        """Whether it has started to run and not yet ended."""
        process = self._target()
        return process is not None and process.reason is None

    @property
    def name(self) -> str:
        """What it is called in logs: its registered name, or its id in its supervisor."""
        return self._process.name

    @property
    def pid(self) -> int:
        """A number no other process of this program has; for a name, that of its holder (NoProcess
        if none).
        """
        process = self._target()
        if process is None:
            raise NoProcess(self.name, None)
        return process.pid

    def __eq__(self, other: object) -> bool:
        if type(other) is not ActorRef:
            return NotImplemented
        return self._process is other._process

    def __hash__(self) -> int:
        return hash(self._process)

    def __repr__(self) -> str:
        return f"<ActorRef {self.name} pid {self._process.pid}>"


class NamedRef(ActorRef):
    """A name that stands for whoever holds it at the moment of use (`{:via, ...}`)."""

    __slots__ = ()

    def _claim(self, process: Process) -> None:
        """Take the name for a process that is about to start; AlreadyStarted if it is taken."""
        raise NotImplementedError


def server_exited(process: Process, request: object, reason: ExitReason) -> ServerExited:
    """The error a caller gets whose server ended first, with the crash as its cause."""
    error = ServerExited(process.name, request, reason)
    error.__cause__ = cause_of(reason)
    return error
