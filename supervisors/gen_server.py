# ruff: noqa: SLF001 - the runtime's modules share their insides, users do not see them
"""GenServer: the actor users write. State in `self`, one message at a time.

When not to use one: for work without state or messages a plain function will do, and for one long
job a task of `spawn_link`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import trio

from supervisors.actor_ref import ActorRef, Caller
from supervisors.errors import BadReturnValue
from supervisors.mailbox import CALL, CAST, STOP, Item
from supervisors.messages import (
    UNSET,
    CallResult,
    Continue,
    Exit,
    HandleResult,
    Ignore,
    InitResult,
    Monitor,
    NoReply,
    Reply,
    Stop,
    Timeout,
)
from supervisors.process import Actor, LinkedTask, Timer, log_late_crash
from supervisors.reasons import Crashed, ExitReason, Normal

logger = logging.getLogger("supervisors")

T = TypeVar("T")

_FOREVER = float("inf")


class GenServer(Actor):
    """Override what you need; every callback may await, and none runs beside another.

    A callback that raises ends the server: terminate runs, then the reason is `Crashed(error)`.
    """

    __idle_timeout: float = _FOREVER

    # --- callbacks ---

    async def init(self) -> InitResult:
        """Set up; the starter waits for it (OTP `init/1`).

        None: running. Continue(x): running, handle_continue first. NoReply(timeout=s): running,
        with a timeout. Ignore(): not started, and no error. Stop(reason): the start fails.
        terminate does not run after an init that failed.
        """
        return None

    async def handle_call(self, request: Any, caller: Caller) -> CallResult:
        """Answer a request: Reply(value), NoReply() and `caller.reply(value)` later, or
        Stop(reason, reply=...).
        """
        raise NotImplementedError(f"{type(self).__name__} does not answer {type(request).__name__}")

    async def handle_cast(self, message: Any) -> HandleResult:
        """Take a cast: None, NoReply(timeout=...), Continue(x) or Stop(reason)."""
        raise NotImplementedError(f"{type(self).__name__} does not take {type(message).__name__}")

    async def handle_info(self, info: Any) -> HandleResult:
        """Take anything else: timers, Down, Exit, Timeout. By default it is logged and dropped."""
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
        """Clean up; the tasks of spawn_link still run. A reason it returns replaces the given one.

        Called when a callback stops or raises, at `ref.stop()`, and, if `trap_exit`, when the
        supervisor asks; then it has what is left of the child's `shutdown` seconds. Never called on
        a kill.
        """
        return None

    # --- what an actor may do ---

    def monitor(self, ref: ActorRef) -> Monitor:
        """Get one `Down` when `ref` ends, at once with NoProc if it has."""
        return self._runtime_process.monitor(ref)

    def demonitor(self, monitor: Monitor) -> None:
        """Get no Down from it any more."""
        self._runtime_process.demonitor(monitor)

    def link(self, ref: ActorRef) -> None:
        """Share fates: an abnormal end of either is an exit signal to the other."""
        self._runtime_process.link(ref._target())

    def unlink(self, ref: ActorRef) -> None:
        """Undo link."""
        self._runtime_process.unlink(ref._target())

    def send_after(self, seconds: float, info: object) -> Timer:
        """Get `info` in handle_info after `seconds`, unless the timer is cancelled or the actor
        ends.
        """
        return self._runtime_process.send_after(seconds, info)

    def spawn_link(self, function: Callable[..., Awaitable[Any]], *args: Any) -> LinkedTask:
        """Run `function(*args)` beside the callbacks, for as long as the actor lives at most.

        If it raises, the actor gets the exit signal Crashed(error). It still runs while terminate
        does; then it is cancelled and awaited before anyone hears that the actor has ended and
        before its names are free.
        """
        return self._runtime_process.spawn_link(function, args)

    # --- the loop ---

    async def _runtime_main(self) -> ExitReason:
        result = await self.init()
        if isinstance(result, Ignore):
            self._runtime_process.ignored = True
            return Normal()
        if isinstance(result, Stop):
            return result.reason
        self._runtime_process.acknowledge()
        try:
            reason = await self.__loop(result)
        except Exception as error:  # noqa: BLE001 - a callback's crash is this server's exit reason
            reason = Crashed(error)
        if self._runtime_process.doomed is not None:
            if isinstance(reason, Crashed):
                log_late_crash(self._runtime_process, "", reason)
            return self._runtime_process.doomed
        self._runtime_process.terminating = True
        self.__note("terminate")
        try:
            return await self.terminate(reason) or reason
        except Exception as error:
            if isinstance(reason, Crashed) and error.__context__ is None:
                error.__context__ = reason.exception  # so that it does not hide the first
            raise

    # Each of these returns why to end, or None to go on.

    async def __loop(self, first: InitResult) -> ExitReason:
        process = self._runtime_process
        mailbox = process.mailbox
        ending = await self.__follow("init", first)
        while ending is None:
            process.current_message = None
            item = await mailbox.get(self.__idle_timeout)
            if process.doomed is not None:  # it may have swallowed its cancellation
                await trio.lowlevel.checkpoint()
            ending = await self.__turn(item)
        return ending

    async def __turn(self, item: Item | None) -> ExitReason | None:
        if item is None:
            self.__note("Timeout")
            return await self.__follow("handle_info", await self.handle_info(Timeout()))
        kind, payload, caller = item
        self.__note(type(payload).__name__)
        if kind == CAST:
            return await self.__follow("handle_cast", await self.handle_cast(payload))
        if kind == CALL and caller is not None:
            return await self.__call(payload, caller)
        if kind == STOP and isinstance(payload, ExitReason):
            return payload
        return await self.__follow("handle_info", await self.handle_info(payload))

    async def __call(self, request: object, caller: Caller) -> ExitReason | None:
        result = await self.handle_call(request, caller)
        match result:
            case Reply(value, timeout, continue_with):
                caller.reply(value)
                return await self.__follow("handle_call", NoReply(timeout, continue_with))
            case Stop(reason, reply):
                if reply is not UNSET:
                    caller.reply(reply)
                return reason
            case NoReply():
                return await self.__follow("handle_call", result)
        raise BadReturnValue("handle_call", result)

    async def __follow(self, where: str, result: object) -> ExitReason | None:
        """Do what a callback returned, continuations included."""
        self.__idle_timeout = _FOREVER
        while result is not None:
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
            self.__note("Continue")
            result = await self.handle_continue(argument)
        return None

    def __note(self, message: str) -> None:
        self._runtime_process.current_message = message
        self._runtime_process.busy_since = trio.current_time()
