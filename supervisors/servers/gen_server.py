# ruff: noqa: SLF001 - the runtime's modules share private members, which users do not see
"""GenServer: the base class for users' actors. State in `self`, one message at a time.

When not to use one: for work without state or messages a plain function will do, and for one long
job a task of `spawn_link`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

import trio
from trio.lowlevel import checkpoint, wait_task_rescheduled

from supervisors import system
from supervisors._core.actor import Actor
from supervisors._core.actor_ref import ActorRef, Caller
from supervisors._core.handles import LinkedTask, Monitor, Timer
from supervisors._core.linked_tasks import spawn_link
from supervisors._core.mailbox import (
    CALL,
    CAST,
    DEFERRED,
    FAIR_SHARE,
    INFO,
    STOP,
    SYSTEM,
    BoundedMailbox,
    Deferred,
    Mailbox,
    MailboxBound,
)
from supervisors._core.messages import (
    UNSET,
    CallResult,
    Continue,
    HandleResult,
    Ignore,
    InitResult,
    NoReply,
    Reply,
    Stop,
)
from supervisors._core.process import IDLE, as_process
from supervisors._core.reasons import Crashed, ExitReason, Normal, reason_of
from supervisors._core.signals import Exit, Timeout
from supervisors._core.strays import ends_tree, passes_on
from supervisors._core.trace import Callback, Did, Got, tell
from supervisors.errors import BadReturnValue

logger = logging.getLogger("supervisors")

_FOREVER = math.inf


class GenServer(Actor):
    """Base class of servers: override the callbacks you need. Callbacks may await, and run one at a
    time (OTP `gen_server`).

    A callback that raises ends the server: terminate runs, and the reason is `Crashed(error)`.
    """

    mailbox_bound: MailboxBound | None = None
    """None: the mailbox is unbounded. A class attribute, read before init."""

    __idle_timeout: float = _FOREVER
    __farewell: tuple[Caller, object] | None = None

    # --- callbacks ---

    async def init(self) -> InitResult:
        """Set up; whoever starts the server waits for it (OTP `init/1`).

        Return None to run, Continue(x) to run handle_continue first, NoReply(timeout=s) to run with
        a timeout, Ignore() not to start, without an error, Stop(reason) to make the start fail.
        terminate does not run after an init that failed.
        """
        return None

    async def handle_call(self, request: Any, caller: Caller) -> CallResult:
        """Answer a request: return Reply(value), NoReply() and use `caller.reply(value)` later, or
        Stop(reason, reply=...).
        """
        raise NotImplementedError(f"{type(self).__name__} does not answer {type(request).__name__}")

    async def handle_cast(self, message: Any) -> HandleResult:
        """Handle a cast: return None, NoReply(timeout=...), Continue(x) or Stop(reason)."""
        raise NotImplementedError(f"{type(self).__name__} does not take {type(message).__name__}")

    async def handle_info(self, info: Any) -> HandleResult:
        """Handle anything else: timers, Down, Exit, Timeout. The default logs and drops it."""
        match info:
            case Exit(ref, Crashed(error)):
                logger.error(
                    "%s: %r crashed, nobody handled it", self.ref.name, ref, exc_info=error
                )
            case Exit():
                pass
            case _:
                logger.warning("%s got an unexpected %s", self.ref.name, type(info).__name__)
        return None

    async def handle_continue(self, argument: Any) -> HandleResult:
        """Go on after a callback, before any other message (OTP `handle_continue/2`)."""
        raise NotImplementedError(f"{type(self).__name__} does not continue")

    async def terminate(self, reason: ExitReason) -> ExitReason | None:
        """Clean up; tasks of spawn_link still run. If it returns a reason, that replaces the given
        one.

        Called when a callback stops or raises, at `ref.stop()`, and, with `trap_exit`, when the
        supervisor stops it; in that case it has what is left of the child's `shutdown` seconds.
        Never called on a kill.
        """
        return None

    # --- what an actor may do ---

    def monitor(self, ref: ActorRef) -> Monitor:
        """Get one `Down` when `ref` ends; at once, with NoProc, if it has ended."""
        return self._runtime_process.monitor(ref)

    def demonitor(self, monitor: Monitor, *, flush: bool = False) -> None:
        """Get no Down from it any more; with `flush`, not even one that is in the mailbox."""
        self._runtime_process.demonitor(monitor, flush=flush)

    def link(self, ref: ActorRef) -> None:
        """Link both: an abnormal end of either is an exit signal to the other."""
        self._runtime_process.link(as_process(ref._target()))

    def unlink(self, ref: ActorRef) -> None:
        """Undo link."""
        self._runtime_process.unlink(as_process(ref._target()))

    def send_after(self, seconds: float, info: object) -> Timer:
        """Get `info` in handle_info after `seconds`, unless the timer is cancelled or the actor
        ends before.
        """
        return self._runtime_process.send_after(seconds, info)

    def spawn_link(self, function: Callable[..., Awaitable[Any]], *args: Any) -> LinkedTask:
        """Run `function(*args)` beside the callbacks; it ends with the actor at the latest.

        If it raises, the actor gets the exit signal Crashed(error). It goes on while terminate
        runs; then it is cancelled and awaited, before anyone is notified of the actor's end and
        before its names are free.
        """
        return spawn_link(self._runtime_process, function, args)

    # --- the loop ---

    def _runtime_mailbox(self, name: str) -> Mailbox[Caller]:
        bound = self.mailbox_bound
        return Mailbox() if bound is None else BoundedMailbox(bound, name)

    async def _runtime_main(self) -> ExitReason:
        process = self._runtime_process
        result = await self.init()
        if isinstance(result, Ignore):
            process.ignored = True
            return Normal()
        if isinstance(result, Stop):
            return result.reason
        if not isinstance(result, Continue | NoReply | None):
            raise BadReturnValue("init", result)
        process.acknowledge()
        try:
            reason = await self.__loop(result)
        except BaseException as error:  # a callback's crash is this server's exit reason
            if ends_tree(error):
                reason = await process.program_end.came_from(process.pid, error)
            elif passes_on(error):
                raise
            else:
                reason = reason_of(error)
        if isinstance(reason, Crashed):
            self._runtime_note_crash(reason)
        if process.doomed is not None:
            if isinstance(reason, Crashed):
                process.log_late_crash(reason)
            return process.doomed
        return await self.__terminate(reason)

    async def __terminate(self, reason: ExitReason) -> ExitReason:
        process = self._runtime_process
        process.terminating = True
        if process.message is IDLE:  # otherwise a crash report shows the last message
            self.__note(reason)
        try:
            own = await self.terminate(reason)
        except BaseException as error:
            if passes_on(error):
                raise
            first = reason.exception if isinstance(reason, Crashed) else None
            if first is not error and error.__context__ is None:
                error.__context__ = first  # so that it does not hide the first one
            self.__say_farewell()
            raise
        self.__say_farewell()
        if not isinstance(own, ExitReason | None):
            raise BadReturnValue("terminate", own)
        return own or reason

    def __say_farewell(self) -> None:
        if self.__farewell is not None:
            caller, reply = self.__farewell
            caller.reply(reply)

    # Each of these returns the exit reason, or None to go on. The loop inlines what happens to most
    # messages: a coroutine for each step would be 10 % slower.

    async def __loop(self, first: InitResult) -> ExitReason:  # noqa: C901 - see above
        process = self._runtime_process
        mailbox, items = process.mailbox, process.mailbox.items
        in_a_row = 0
        ending = await self.__follow("init", first)
        while ending is None:
            if not items:
                in_a_row = 0
                process.message = IDLE
                process.serving = None
                if self.__idle_timeout == _FOREVER:
                    mailbox.reader = process.task
                    await wait_task_rescheduled(mailbox.abort)
                elif await self.__is_idle_for(self.__idle_timeout):
                    ending = await self.__info(Timeout())
                continue
            in_a_row += 1
            if in_a_row == FAIR_SHARE:
                in_a_row = 0
                await checkpoint()
            if process.doomed is not None:  # the callback may have swallowed its cancellation
                await checkpoint()
            kind, payload, caller = items.popleft()
            process.message = payload
            process.busy_since = perf_counter()
            if kind == CAST:
                if process.tracers:
                    result = await self.__traced("handle_cast", payload)
                else:
                    result = await self.handle_cast(payload)
                if result is None:
                    self.__idle_timeout = _FOREVER
                else:
                    ending = await self.__follow("handle_cast", result)
            elif kind == CALL and caller is not None:
                process.serving = caller
                if process.tracers:
                    answer = await self.__traced("handle_call", payload, caller)
                else:
                    answer = await self.handle_call(payload, caller)
                if (
                    type(answer) is Reply
                    and answer.timeout is None
                    and answer.continue_with is UNSET
                ):
                    caller.reply(answer.value)
                    self.__idle_timeout = _FOREVER
                else:
                    ending = await self.__answer(answer, caller)
            elif kind == INFO:
                ending = await self.__info(payload)
            else:
                mailbox.signal_taken()
                ending = await self.__signal(kind, payload, caller)
        return ending

    async def __is_idle_for(self, seconds: float) -> bool:
        mailbox = self._runtime_process.mailbox
        with trio.move_on_after(seconds):
            mailbox.reader = self._runtime_process.task
            await wait_task_rescheduled(mailbox.abort)
        return not mailbox.items

    async def __answer(self, result: object, caller: Caller) -> ExitReason | None:
        match result:
            case Reply(value, timeout, continue_with):
                caller.reply(value)
                return await self.__follow("handle_call", NoReply(timeout, continue_with))
            case Stop(reason, reply):
                if reply is not UNSET:
                    self.__farewell = caller, reply
                return reason
            case NoReply():
                if not caller.settled:
                    self._runtime_process.unanswered[caller] = None
                return await self.__follow("handle_call", result)
        raise BadReturnValue("handle_call", result)

    async def __info(self, info: object) -> ExitReason | None:
        self.__note(info)
        if self._runtime_process.tracers:
            result = await self.__traced("handle_info", info)
        else:
            result = await self.handle_info(info)
        return await self.__follow("handle_info", result)

    async def __signal(
        self, kind: int, payload: object, caller: Caller | None
    ) -> ExitReason | None:
        if kind == STOP and isinstance(payload, ExitReason):
            return payload
        if kind == SYSTEM:
            return await system.serve(self._runtime_process, payload, caller)
        if kind == DEFERRED and isinstance(payload, Deferred):
            info = payload.take()
            return None if info is None else await self.__info(info)
        return await self.__info(payload)

    async def __follow(self, where: str, result: object) -> ExitReason | None:
        """Do what a callback's result requests, including continuations."""
        self.__idle_timeout = _FOREVER
        in_a_row = 0
        while result is not None:
            in_a_row += 1
            if in_a_row == FAIR_SHARE:
                in_a_row = 0
                await checkpoint()
            match result:
                case Stop(reason):
                    return reason
                case Continue(argument):
                    pass
                case NoReply(timeout, continue_with):
                    if continue_with is UNSET:
                        self.__idle_timeout = _FOREVER if timeout is None else timeout
                        return None
                    argument = continue_with
                case _:
                    raise BadReturnValue(where, result)
            where = "handle_continue"
            message = Continue(argument)
            self.__note(message)
            if self._runtime_process.tracers:
                result = await self.__traced("handle_continue", argument)
            else:
                result = await self.handle_continue(argument)
        return None

    async def __traced(
        self, callback: Callback, message: object, caller: Caller | None = None
    ) -> object:
        process = self._runtime_process
        began = process.timekeeper.now()
        got = Got(self.ref, callback, message, None if caller is None else caller.ref, began)
        tell(process.tracers, got)
        arguments = (message,) if caller is None else (message, caller)
        result = await getattr(self, callback)(*arguments)
        did = Did(self.ref, callback, message, result, process.timekeeper.now() - began)
        tell(process.tracers, did)
        return result

    def __note(self, message: object) -> None:
        self._runtime_process.message = message
        self._runtime_process.busy_since = perf_counter()
