# ruff: noqa: SLF001 - the runtime's modules share their insides, users do not see them
"""A process: one trio task with a mailbox, an exit reason, links and monitors.

The life of one: `spawn` → its actor's `_main` → its tasks are cancelled and awaited → `finish`,
which frees its names, answers who still waits, and posts Down and Exit, all without a checkpoint.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import trio

from supervisors.actor_ref import ActorRef, Caller, server_exited
from supervisors.errors import BadReturnValue, InvalidStart, NoProcess
from supervisors.mailbox import INFO, STOP, Mailbox
from supervisors.messages import Down, Exit, Ignore, Monitor
from supervisors.reasons import Crashed, ExitReason, Killed, NoProc, Normal

logger = logging.getLogger("supervisors")

# How long what was killed may take to end. Then it is given up: told dead, though its task still
# blocks.
KILL_GRACE = 5.0

_pids = itertools.count(1)
_current: ContextVar[Process | None] = ContextVar("supervisors_process", default=None)


class Actor:
    """What runs in a process. Its classes are GenServer and the supervisors."""

    trap_exit: bool = False
    """False: an exit signal ends the actor. True: it gets an `Exit` message, and terminate runs."""

    # Names a subclass will not hit upon: one of its own `_process` or `_main` must break nothing.
    _runtime_process: Process

    @property
    def ref(self) -> ActorRef:
        """The reference others reach this actor by; there from before init."""
        return self._runtime_process.ref

    async def _runtime_host(self) -> None:
        await run(self._runtime_process)

    async def _runtime_main(self) -> ExitReason:
        raise NotImplementedError


class LinkedTask:
    """A task of `GenServer.spawn_link`: it lives no longer than its actor."""

    __slots__ = ("_scope", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._scope = trio.CancelScope(shield=True)

    def cancel(self) -> None:
        """Ask it to end; the actor is told nothing but a `Normal` exit, if it traps exits."""
        self._scope.cancel()

    def __repr__(self) -> str:
        return f"<LinkedTask {self.name}>"


class Timer:
    """A message on its way, from `GenServer.send_after`."""

    __slots__ = ("_scope",)

    def __init__(self) -> None:
        self._scope = trio.CancelScope()

    def cancel(self) -> None:
        """Do not send it, if it is not sent yet."""
        self._scope.cancel()


class Process:
    """The runtime's own record of a process. Not for users: they hold an `ActorRef`."""

    def __init__(
        self, name: str, actor: Actor, nursery: trio.Nursery, parent: Process | None
    ) -> None:
        self.pid = next(_pids)
        self.name = name
        self.actor = actor
        self.nursery = nursery
        """Where its task runs, and those of spawn_link and send_after."""
        self.parent = parent
        self.ref = ActorRef(self)
        self.mailbox = Mailbox()
        self.scope = trio.CancelScope(shield=True)
        self.task: trio.lowlevel.Task | None = None
        self.settled = trio.Event()
        """Set once init is over, well or not."""
        self.started = False
        self.ignored = False
        self.exited = trio.Event()
        self.doomed: ExitReason | None = None
        """The reason it was cancelled with, recorded before cancelling: what its task then does no
        longer counts.
        """
        self.reason: ExitReason | None = None
        self.stop_reason: ExitReason | None = None
        self.on_stop: Callable[[], None] | None = None
        self.pending: dict[Caller, object] = {}
        self.links: set[Process] = set()
        self.monitors: dict[Monitor, Process] = {}
        self.watchers: dict[Monitor, Process] = {}
        self.on_exit: dict[object, Callable[[], None]] = {}
        self.timers: set[Timer] = set()
        self.tasks: set[LinkedTask] = set()
        self.tasks_done: trio.Event | None = None
        self.terminating = False
        self.started_at = trio.current_time()
        self.current_message: str | None = None
        self.busy_since = 0.0

    def __repr__(self) -> str:
        return f"<Process {self.name} pid {self.pid}>"

    @staticmethod
    def current() -> Process | None:
        """The process whose task, or a task started by it, is running."""
        return _current.get()

    # --- start ---

    def acknowledge(self) -> None:
        """Init went well: from here on the parent is linked (OTP `init_ack`)."""
        self.started = True
        if self.parent is not None:
            self.links.add(self.parent)
            self.parent.links.add(self)
        self.settled.set()

    # --- signals ---

    def exit_signal(self, sender: ActorRef | LinkedTask | None, reason: ExitReason) -> None:
        """What OTP does with an exit signal: a message to one who traps it, else the end, unless it
        is Normal.
        """
        if self.reason is not None:
            return
        if self.actor.trap_exit:
            self.mailbox.put((INFO, Exit(sender, reason), None))
        elif not isinstance(reason, Normal):
            self.doom(reason)

    def ask_to_stop(self, reason: ExitReason) -> None:
        """The parent's exit signal: one that traps exits terminates after what came before."""
        if self.actor.trap_exit:
            self.request_stop(reason)
            self.mailbox.put((STOP, reason, None))
        else:
            self.doom(reason)

    def request_stop(self, reason: ExitReason) -> None:
        """Note that a request to stop is on its way, for one who waits elsewhere than at its
        mailbox.
        """
        if self.stop_reason is None:
            self.stop_reason = reason
            if self.on_stop is not None:
                self.on_stop()

    def kill(self) -> None:
        """The untrappable signal."""
        self.doom(Killed())

    def doom(self, reason: ExitReason) -> None:
        """Record why, then cancel. The first reason counts, but a kill outranks it."""
        if self.reason is not None:
            return
        if self.doomed is None or isinstance(reason, Killed):
            self.doomed = reason
        self.scope.cancel()

    def abandon(self) -> None:
        """It was killed and does not end: tell everyone it did, and let its task block on alone."""
        if self.reason is None:
            logger.error("%s is unkillable: its task blocks or shields itself; given up", self.name)
            self.finish(Killed())

    # --- links and monitors ---

    def link(self, other: Process | None) -> None:
        """Both ways. To the dead: an exit signal with NoProc."""
        if other is None or other.reason is not None:
            self.exit_signal(None if other is None else other.ref, NoProc())
        elif other is not self:
            self.links.add(other)
            other.links.add(self)

    def unlink(self, other: Process | None) -> None:
        """Both ways; nothing if there is no link."""
        if other is not None:
            self.links.discard(other)
            other.links.discard(self)

    def monitor(self, ref: ActorRef) -> Monitor:
        """One Down when the process behind `ref` ends, at once if it has."""
        target = ref._target()
        monitor = Monitor(ref)
        if target is None or target.reason is not None:
            self.mailbox.put((INFO, Down(monitor, ref, NoProc()), None))
        else:
            self.monitors[monitor] = target
            target.watchers[monitor] = self
        return monitor

    def demonitor(self, monitor: Monitor) -> None:
        """No Down from now on; one already in the mailbox stays there."""
        target = self.monitors.pop(monitor, None)
        if target is not None:
            target.watchers.pop(monitor, None)

    # --- tasks and timers ---

    def spawn_link(
        self, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...]
    ) -> LinkedTask:
        """Start a task that ends with this process."""
        self._must_live()
        task = LinkedTask(getattr(function, "__qualname__", repr(function)))
        self.tasks.add(task)
        self.nursery.start_soon(_run_linked, self, task, function, args, name=task.name)
        return task

    def send_after(self, seconds: float, info: object) -> Timer:
        """Start a timer; it dies with this process."""
        self._must_live()
        if not seconds >= 0:
            raise ValueError(f"send_after takes seconds of at least 0, not {seconds!r}")
        timer = Timer()
        self.timers.add(timer)
        self.nursery.start_soon(_run_timer, self, timer, seconds, info)
        return timer

    def _must_live(self) -> None:
        if self.reason is not None:  # one that was given up while its task blocked on
            raise NoProcess(self.name, None)

    async def reap(self) -> None:
        """Cancel the linked tasks and wait for them, KILL_GRACE at most."""
        if not self.tasks:
            return
        self.tasks_done = trio.Event()
        for task in self.tasks:
            task.cancel()
        with trio.move_on_after(KILL_GRACE, shield=True):
            await self.tasks_done.wait()
        for task in self.tasks:
            logger.error("%s: its task %s is unkillable; given up", self.name, task.name)

    # --- the end ---

    def finish(self, reason: ExitReason) -> None:
        """Tell everyone. The first reason told stands. No checkpoint in here: nobody sees it half
        dead.
        """
        if self.reason is not None:
            return
        self.reason = reason
        self.mailbox.close()
        for release in list(self.on_exit.values()):
            release()
        self.on_exit.clear()
        for timer in self.timers:
            timer.cancel()
        for task in self.tasks:
            task.cancel()
        for monitor, target in self.monitors.items():
            target.watchers.pop(monitor, None)
        self.monitors.clear()
        for caller, request in list(self.pending.items()):
            caller.fail(server_exited(self, request, reason))
        for monitor, watcher in self.watchers.items():
            watcher.monitors.pop(monitor, None)
            watcher.mailbox.put((INFO, Down(monitor, monitor.ref, reason), None))
        self.watchers.clear()
        for other in self.links:
            other.links.discard(self)
            other.exit_signal(self.ref, reason)
        self.links.clear()
        self.settled.set()
        self.exited.set()


def spawn(
    actor: Actor | Ignore, name: str, nursery: trio.Nursery, parent: Process | None
) -> Process:
    """A process for `actor`, its task not yet started: that is `actor._runtime_host`.

    Raises BadReturnValue for what is no actor, InvalidStart for an actor that has run before.
    """
    if not isinstance(actor, Actor):
        raise BadReturnValue("start", actor)
    if hasattr(actor, "_runtime_process"):
        raise InvalidStart(actor)
    process = Process(name, actor, nursery, parent)
    actor._runtime_process = process
    return process


async def run(process: Process) -> None:
    """The process's task, from its first step to `finish`. Only KeyboardInterrupt and its like
    leave it.
    """
    _current.set(process)
    process.task = trio.lowlevel.current_task()
    try:
        reason = await _run_body(process)
        await process.reap()
    except BaseException:
        # The program itself is to end (KeyboardInterrupt, SystemExit). Supervisors are shielded
        # from the cancellation this brings, so those above are told: they take everyone along.
        kill_ancestors(process)
        process.finish(Killed())
        raise
    # the second look: a kill may have come while its tasks were awaited
    process.finish(process.doomed or reason)


async def _run_body(process: Process) -> ExitReason:
    early = process.doomed
    if early is not None:  # killed before its first step
        return early
    try:
        with process.scope:
            return await process.actor._runtime_main()
    except Exception as error:  # noqa: BLE001 - the one place where it becomes a reason
        crash = Crashed(error)
        if process.doomed is None:
            return crash
        log_late_crash(process, "", crash)
    # Doom alone cancels the scope, and records the reason first.
    return process.doomed or Killed()


async def _run_linked(
    process: Process,
    task: LinkedTask,
    function: Callable[..., Awaitable[Any]],
    args: tuple[Any, ...],
) -> None:
    reason: ExitReason = Normal()
    try:
        with task._scope:
            await function(*args)
    except Exception as error:  # noqa: BLE001 - it becomes the exit signal
        reason = Crashed(error)
    except BaseException:
        kill_ancestors(process)
        raise
    finally:
        process.tasks.discard(task)
        if process.tasks_done is not None and not process.tasks:
            process.tasks_done.set()
    if isinstance(reason, Crashed) and (
        process.tasks_done is not None or process.doomed is not None or process.reason is not None
    ):
        log_late_crash(process, f"'s task {task.name}", reason)
    process.exit_signal(task, reason)


async def _run_timer(process: Process, timer: Timer, seconds: float, info: object) -> None:
    with timer._scope:
        await trio.sleep(seconds)
    process.timers.discard(timer)
    if not timer._scope.cancelled_caught:
        process.mailbox.put((INFO, info, None))


def log_late_crash(process: Process, what: str, crash: Crashed) -> None:
    """An exception that can no longer be anyone's exit reason must not be lost."""
    logger.error(
        "%s%s raised while it was being ended", process.name, what, exc_info=crash.exception
    )


def kill_ancestors(process: Process) -> None:
    """Kill it and all above it at once, so that none restarts what another lost."""
    ancestor: Process | None = process
    while ancestor is not None:  # each then kills whatever else is below it
        ancestor.kill()
        ancestor = ancestor.parent
