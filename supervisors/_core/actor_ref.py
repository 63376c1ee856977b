# ruff: noqa: SLF001 - the runtime's modules share private members, which users do not see
"""References to processes, for calls, casts and signals. Others hold nothing else of an actor."""

from __future__ import annotations

import math
from contextvars import ContextVar
from threading import get_ident
from typing import Any, Protocol, TypeVar

import trio
from trio.lowlevel import current_task, reschedule, wait_task_rescheduled

from supervisors import telemetry
from supervisors._core.copying import Alive
from supervisors._core.mailbox import CALL, CAST, INFO, Mailbox
from supervisors._core.messages import Call
from supervisors._core.reasons import ExitReason, NoProc, Normal, cause_of, check_reason
from supervisors._core.strays import as_exception
from supervisors._core.threads import refuse, running_task
from supervisors._core.timekeeper import Pending, Timekeeper
from supervisors.errors import CallingSelf, CallTimeout, NoProcess, ServerExited

R = TypeVar("R")

NORMAL = Normal()


class Target(Protocol):
    """What a ref knows of its process. Only `Process` implements it."""

    name: str
    pid: int
    ref: ActorRef
    mailbox: Mailbox[Caller]
    control: Mailbox[Caller]
    timekeeper: Timekeeper
    task: trio.lowlevel.Task | None
    reason: ExitReason | None
    unanswered: dict[Caller, None]

    @property
    def parent(self) -> Target | None: ...
    @property
    def traps_exits(self) -> bool: ...

    def must_be_here(self) -> None: ...
    def request_stop(self, reason: ExitReason) -> None: ...
    def exit_signal(self, sender: ActorRef | None, reason: ExitReason) -> None: ...
    def doom(self, reason: ExitReason) -> None: ...
    def kill(self) -> None: ...
    async def wait_ended(self) -> ExitReason: ...


current_process: ContextVar[Target | None] = ContextVar("supervisors_process", default=None)
"""The process whose task, or a task started by it, is running."""


class Caller(Pending):
    """The way back to one call: a slot of its own, so a late reply is dropped (OTP's `from`)."""

    __slots__ = ("_error", "_process", "_sender", "_task", "_timeout", "_value", "request")

    def __init__(
        self, process: Target, sender: Target | None, request: object, timeout: float
    ) -> None:
        self.settled = False
        self._process = process
        self._sender = sender
        self.request = request
        self._timeout = timeout
        self._task: trio.lowlevel.Task | None = None
        self._value: Any = None
        self._error: Exception | None = None

    @property
    def ref(self) -> ActorRef | None:
        """The calling actor, or None for plain trio code."""
        return None if self._sender is None else self._sender.ref

    def reply(self, value: object) -> None:
        """Answer (OTP `gen_server:reply`). Only the first answer counts, and only while the caller
        still waits. Raises WrongThread.
        """
        if self.settled:
            return
        process = self._process
        if get_ident() != process.timekeeper.thread:
            refuse()
        if self._task is not None:
            try:
                reschedule(self._task)  # before any change, as in Mailbox.put
            except (RuntimeError, AssertionError):
                refuse()
        self.settled = True
        self._value = value
        if process.unanswered:
            process.unanswered.pop(self, None)

    def fail(self, error: Exception) -> None:
        """Make the caller's `call` raise `error`; the server goes on. Use a new error object for
        each caller.
        """
        if not self.settled:
            self.reply(None)
            self._error = as_exception(error)  # it is raised later, in the caller

    def expire(self) -> None:
        """The call has timed out."""
        if telemetry.CallTimedOut.handlers:
            telemetry.execute(
                telemetry.CallTimedOut(
                    self._process.name,
                    None if self._sender is None else self._sender.name,
                    type(self.request).__name__,
                    self._timeout,
                    len(self._process.mailbox),
                )
            )
        self.fail(CallTimeout(self._process.name, self.request, self._timeout))

    async def _wait(self) -> Any:
        """For callers other than `ActorRef.call`, which contains the same code."""
        if not self.settled:
            self._task = current_task()
            await wait_task_rescheduled(self._abort)
        if self._error is not None:
            raise self._take_error(self._error)
        return self._value

    def _take_error(self, error: Exception) -> Exception:
        # Not kept: its traceback holds the frames of the callers, one of which holds this object,
        # and the server may keep this object for long.
        self._error = None
        return error

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self.settled = True  # given up: a reply from now on is late
        self._process.unanswered.pop(self, None)
        return trio.lowlevel.Abort.SUCCEEDED

    def __repr__(self) -> str:
        return f"<Caller of {self._process.name}>"


class ActorRef(Alive):
    """A process, as others see it (a pid). Equal only to another ref of the same process."""

    __slots__ = ("__weakref__", "_process")

    def __init__(self, process: Target) -> None:
        self._process = process

    def _target(self) -> Target | None:
        """The process. A named ref looks it up at each use (see named_ref)."""
        return self._process

    def _require(self, request: object) -> Target:
        process = self._target()
        if process is None or process.reason is not None:
            raise NoProcess(self.name, request)
        process.must_be_here()
        if process.task is running_task():
            raise CallingSelf(self.name, request)
        return process

    async def call(self, request: Call[R], *, timeout: float = 5.0) -> R:
        """Ask, and wait at most `timeout` seconds for the answer (OTP `gen_server:call`).

        Raises NoProcess at once if there is no such process, CallTimeout, ServerExited if the
        server ends first, CallingSelf at once, MailboxFull if the server's mailbox is bounded and
        full, WrongThread. If this is cancelled, the request may still be handled; its answer is
        dropped.
        """
        # Everything in one coroutine: this is the runtime's hottest path.
        process = self._process
        if process.reason is not None:
            raise NoProcess(self.name, request)
        try:
            task = current_task()
        except RuntimeError:  # in a thread without trio
            refuse()
        if process.task is task:
            raise CallingSelf(self.name, request)
        caller = Caller(process, current_process.get(), request, timeout)
        if not timeout >= 0:
            raise bad_timeout(timeout)
        process.mailbox.put((CALL, request, caller))
        if timeout != math.inf:
            process.timekeeper.after(timeout, caller)
        if not caller.settled:
            caller._task = task
            await wait_task_rescheduled(caller._abort)
        if caller._error is not None:
            raise caller._take_error(caller._error)
        result: R = caller._value
        return result

    def cast(self, message: object) -> None:
        """Send to handle_cast (OTP `gen_server:cast`). Never blocks, and raises only WrongThread;
        the message is dropped if there is no such process.
        """
        mailbox = self._process.mailbox
        # Mailbox.put for a busy actor, inlined: the call would cost more than its body.
        if mailbox.reader is None and get_ident() == mailbox.free_for:
            mailbox.items.append((CAST, message, None))
        else:
            mailbox.put((CAST, message, None))

    def send(self, info: object) -> None:
        """Send to handle_info (OTP `!`). Never blocks, and raises only WrongThread;
        the message is dropped if there is no such process.
        """
        self._process.mailbox.put((INFO, info, None))

    async def stop(self, reason: ExitReason = NORMAL, *, timeout: float = math.inf) -> None:
        """Let it handle the messages it has, run terminate, and end with `reason` (OTP
        `gen_server:stop`).

        Returns once it has ended with that reason. Raises NoProcess, CallingSelf, CallTimeout after
        `timeout` seconds, ServerExited if it ended with another reason, TypeError for anything that
        is not an ExitReason. If this is cancelled, the request to stop stands.
        """
        check_reason(reason)
        if not timeout >= 0:
            raise bad_timeout(timeout)
        process = self._require(NORMAL)
        process.request_stop(reason)
        with trio.move_on_after(timeout):
            await process.wait_ended()
        if process.reason is None:
            raise CallTimeout(self.name, reason, timeout)
        if process.reason != reason:
            raise ServerExited(self.name, reason, process.reason) from cause_of(process.reason)

    def kill(self) -> None:
        """End it at its next checkpoint, without terminate, even if it traps exits."""
        process = self._target()
        if process is not None:
            process.kill()

    def exit(self, reason: ExitReason) -> None:
        """Send an exit signal (OTP `exit/2`).

        A process that traps exits gets an `Exit` message. Any other ends at its next checkpoint,
        without terminate, unless the reason is Normal (which ends only a process that sends it to
        itself). For the root of a tree, a signal from plain code counts as its owner's: if it traps
        exits, it terminates. TypeError: not an ExitReason.
        """
        check_reason(reason)
        process = self._target()
        if process is None:
            return
        process.must_be_here()
        sender = current_process.get()
        if sender is None and process.parent is None and process.traps_exits:
            process.request_stop(reason)
        elif sender is process and isinstance(reason, Normal) and not process.traps_exits:
            process.doom(reason)
        else:
            process.exit_signal(None if sender is None else sender.ref, reason)

    async def wait(self) -> ExitReason:
        """Wait until it has ended, and return its reason; NoProc for an unregistered name. Raises
        CallingSelf in one of its own callbacks. Can be cancelled without consequences.
        """
        task = running_task()
        process = self._target()
        if process is None:
            await trio.lowlevel.checkpoint()
            return NoProc()
        process.must_be_here()
        if process.task is task:
            raise CallingSelf(self.name, "wait")
        return await process.wait_ended()

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended yet; for a name, whether a process has it. True already during
        init.
        """
        process = self._target()
        return process is not None and process.reason is None

    @property
    def name(self) -> str:
        """Its name in logs: the registered name, or its id in its supervisor."""
        return self._process.name

    @property
    def pid(self) -> int:
        """A number that is unique in this program; for a name, that of its holder (NoProcess if
        there is none).
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


def bad_timeout(timeout: object) -> ValueError:
    """The error for a negative timeout, or NaN. It is raised before anything is sent."""
    return ValueError(f"a timeout must be seconds of at least 0, or math.inf, not {timeout!r}")


def server_exited(process: Target, request: object, reason: ExitReason) -> ServerExited:
    """The error for a caller whose server ended first, with the crash as its cause."""
    error = ServerExited(process.name, request, reason)
    error.__cause__ = cause_of(reason)
    return error
