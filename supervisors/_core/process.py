# ruff: noqa: SLF001 - the runtime's modules share their insides, users do not see them
"""A process: one trio task with a mailbox, an exit reason, links and monitors.

The life of one: `spawn` → its actor's `_main` → its tasks are cancelled and awaited → `finish`,
which frees its names, answers who still waits, and posts Down and Exit, all without a checkpoint.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable
from threading import get_ident
from typing import Final

import trio

from supervisors import telemetry
from supervisors._core.actor_ref import ActorRef, Caller, Target, server_exited
from supervisors._core.behaviour import Behaviour
from supervisors._core.copying import Alive
from supervisors._core.handles import LinkedTask, Monitor, Timer
from supervisors._core.mailbox import SIGNAL, STOP, Mailbox
from supervisors._core.program_end import ProgramEnd
from supervisors._core.reasons import Crashed, ExitReason, Killed, NoProc, Normal
from supervisors._core.signals import Down, Exit
from supervisors._core.status import Status
from supervisors._core.threads import refuse
from supervisors._core.timekeeper import Timekeeper
from supervisors._core.trace import Tracer
from supervisors.errors import NoProcess

logger = logging.getLogger("supervisors")

# How long what was killed may take to end. Then it is given up: told dead, though its task still
# blocks.
KILL_GRACE = 5.0

# No message: one may be None.
IDLE: Final = object()

_pids = itertools.count(1)


class Process(Alive):
    """The runtime's own record of a process. Not for users: they hold an `ActorRef`."""

    __slots__ = (
        "__weakref__",
        "_ended",
        "_settled",
        "actor",
        "busy_since",
        "control",
        "crash_status",
        "doomed",
        "ignored",
        "links",
        "mailbox",
        "message",
        "monitors",
        "name",
        "nursery",
        "on_exit",
        "on_stop",
        "parent",
        "parent_linked",
        "pid",
        "program_end",
        "reason",
        "ref",
        "scope",
        "serving",
        "started",
        "started_at",
        "started_at_clock",
        "stop_reason",
        "task",
        "tasks",
        "tasks_done",
        "terminating",
        "timekeeper",
        "timers",
        "tracers",
        "unanswered",
        "watchers",
    )

    def __init__(
        self, name: str, actor: Behaviour, nursery: trio.Nursery, parent: Process | None
    ) -> None:
        self.pid = next(_pids)
        self.name = name
        self.actor = actor
        self.nursery = nursery
        """Where its task runs, and those of spawn_link."""
        self.parent = parent
        self.program_end: ProgramEnd = (
            ProgramEnd(nursery.cancel_scope) if parent is None else parent.program_end
        )
        self.parent_linked = False
        """Whether it is linked to its parent, who knows its children anyway and keeps no list."""
        self.ref = ActorRef(self)
        self.mailbox: Mailbox[Caller] = actor._runtime_mailbox(name)
        self.control = self.mailbox
        """Where requests to stop and `system` requests go: past the mailbox while suspended."""
        self.scope = trio.CancelScope(shield=True)
        self.task: trio.lowlevel.Task | None = None
        self.started = False
        self.ignored = False
        self.doomed: ExitReason | None = None
        """What it was cancelled with; what its task then does no longer counts."""
        self.reason: ExitReason | None = None
        self.stop_reason: ExitReason | None = None
        self.on_stop: Callable[[], None] | None = None
        self.serving: Caller | None = None
        """Whose call is being handled."""
        # Dicts also where a set would do: an empty one takes a third of the memory.
        self.unanswered: dict[Caller, None] = {}
        """Whose calls were handled, but will be answered later."""
        self.links: dict[Process, None] = {}
        self.monitors: dict[Monitor, Process] = {}
        self.watchers: dict[Monitor, Process] = {}
        self.on_exit: dict[object, Callable[[], None]] = {}
        self.timers: dict[Timer, None] = {}
        self.tasks: dict[LinkedTask, None] = {}
        self.tasks_done: trio.Event | None = None
        self.terminating = False
        self.timekeeper = Timekeeper.current()
        self.started_at = time.time()
        self.started_at_clock = self.timekeeper.now()
        self.message: object = IDLE
        """What is being handled."""
        self.busy_since = 0.0
        """Since when, by `time.perf_counter`."""
        self.tracers: list[Tracer] = []
        self.crash_status: Status | None = None
        self._settled: trio.Event | None = None
        self._ended: trio.Event | None = None

    def __repr__(self) -> str:
        return f"<Process {self.name} pid {self.pid}>"

    @property
    def class_name(self) -> str:
        """The class of its actor."""
        return type(self.actor).__name__

    @property
    def traps_exits(self) -> bool:
        """Whether exit signals are messages to it."""
        return self.actor.trap_exit

    @property
    def uptime(self) -> float:
        """Seconds since it was spawned."""
        return self.timekeeper.now() - self.started_at_clock

    # --- start ---

    def acknowledge(self) -> None:
        """Init went well: from here on the parent is linked (OTP `init_ack`)."""
        self.started = True
        self.parent_linked = self.parent is not None
        self._tell_settled()
        if telemetry.ProcessStarted.handlers:
            telemetry.execute(
                telemetry.ProcessStarted(self.name, self.pid, self.class_name, self.uptime)
            )

    @property
    def settled(self) -> bool:
        """Whether init is over, well or not."""
        return self.started or self.reason is not None

    async def wait_settled(self) -> None:
        """Until init is over, well or not."""
        if not self.settled:
            if self._settled is None:
                self._settled = trio.Event()
            await self._settled.wait()

    def _tell_settled(self) -> None:
        if self._settled is not None:
            self._settled.set()

    # --- signals ---

    def exit_signal(self, sender: ActorRef | LinkedTask | None, reason: ExitReason) -> None:
        """As in OTP: a message to one who traps it, else the end, unless it is Normal."""
        if self.reason is not None:
            return
        if self.traps_exits:
            self.mailbox.put((SIGNAL, Exit(sender, reason), None))
        elif not isinstance(reason, Normal):
            self.doom(reason)

    def ask_to_stop(self, reason: ExitReason) -> None:
        """The parent's exit signal: one that traps exits terminates after what came before.

        One still in init has nothing to terminate and does not read its mailbox: its init is
        cancelled. (OTP never asks it, for its supervisor waits for that init without end.)
        """
        if self.traps_exits and (self.started or self.on_stop is not None):
            self.request_stop(reason)
        else:
            self.doom(reason)

    def request_stop(self, reason: ExitReason) -> None:
        """It is to end with `reason`, after what it was sent before. Raises WrongThread."""
        self.must_be_here()
        self.control.put((STOP, reason, None))  # first: it may refuse
        if self.stop_reason is None:
            self.stop_reason = reason
            if self.on_stop is not None:  # one that waits elsewhere than at its mailbox
                self.on_stop()

    def kill(self) -> None:
        """The untrappable signal."""
        self.doom(Killed())

    def doom(self, reason: ExitReason) -> None:
        """Record why, then cancel. The first reason counts, but a kill outranks it."""
        if self.reason is not None:
            return
        self.must_be_here()
        if self.doomed is None or isinstance(reason, Killed):
            self.doomed = reason
        self.scope.cancel()

    def abandon(self) -> None:
        """It was killed and does not end: tell everyone it did, and let its task block on alone."""
        if self.reason is None:
            logger.error("%s is unkillable: its task blocks or shields itself; given up", self.name)
            if telemetry.ProcessUnkillable.handlers:
                telemetry.execute(
                    telemetry.ProcessUnkillable(
                        self.name, self.pid, self.class_name, None, KILL_GRACE
                    )
                )
            self.finish(Killed())

    # --- links and monitors ---

    def link(self, other: Process | None) -> None:
        """Both ways. To the dead: an exit signal with NoProc."""
        self.must_live()
        if other is None or other.reason is not None:
            self.exit_signal(None if other is None else other.ref, NoProc())
            return
        other.must_be_here()
        if other is self.parent:
            self.parent_linked = True
        elif other.parent is self:
            other.parent_linked = True
        elif other is not self:
            self.links[other] = None
            other.links[self] = None

    def unlink(self, other: Process | None) -> None:
        """Both ways; nothing if there is no link."""
        self.must_be_here()
        if other is None:
            return
        other.must_be_here()
        if other is self.parent:
            self.parent_linked = False
        elif other.parent is self:
            other.parent_linked = False
        else:
            self.links.pop(other, None)
            other.links.pop(self, None)

    def monitor(self, ref: ActorRef) -> Monitor:
        """One Down when the process behind `ref` ends, at once if it has."""
        self.must_live()
        target = as_process(ref._target())
        monitor = Monitor(ref)
        if target is None or target.reason is not None:
            self.mailbox.put((SIGNAL, Down(monitor, ref, NoProc()), None))
        else:
            target.must_be_here()
            self.monitors[monitor] = target
            target.watchers[monitor] = self
        return monitor

    def demonitor(self, monitor: Monitor, *, flush: bool = False) -> None:
        """No Down from now on; one already in the mailbox stays there unless `flush`."""
        self.must_be_here()
        target = self.monitors.pop(monitor, None)
        if target is not None:
            target.watchers.pop(monitor, None)
        elif flush:
            self.mailbox.remove_signal(
                lambda info: isinstance(info, Down) and info.monitor is monitor
            )

    # --- timers ---

    def send_after(self, seconds: float, info: object) -> Timer:
        """Start a timer; it dies with this process."""
        self.must_live()
        if not seconds >= 0:
            raise ValueError(f"send_after takes seconds of at least 0, not {seconds!r}")
        timer = Timer(self, info)
        self.timers[timer] = None
        timer.due = self.timekeeper.after(seconds, timer)
        return timer

    def must_be_here(self) -> None:
        """Raises WrongThread elsewhere than in its thread, while it lives."""
        if get_ident() != self.timekeeper.thread and self.reason is None:
            refuse()

    def must_live(self) -> None:
        """Raises NoProcess in one that was given up while its task blocked on, or WrongThread."""
        self.must_be_here()
        if self.reason is not None:
            raise NoProcess(self.name, None)

    # --- the end ---

    def finish(self, reason: ExitReason) -> None:
        """Tell everyone; the first reason stands. No checkpoint in here: none sees it half dead."""
        if self.reason is not None:
            return
        self.reason = reason
        for release in list(self.on_exit.values()):
            release()
        self.on_exit.clear()
        for timer in list(self.timers):
            timer.cancel()
        for task in self.tasks:
            task.cancel()
        for monitor, target in self.monitors.items():
            target.watchers.pop(monitor, None)
        self.monitors.clear()
        unread = len(self.mailbox)
        self._fail_callers(reason)
        for monitor, watcher in self.watchers.items():
            watcher.monitors.pop(monitor, None)
            watcher.mailbox.put((SIGNAL, Down(monitor, monitor.ref, reason), None))
        self.watchers.clear()
        self._signal_links(reason)
        self._tell_settled()
        if self._ended is not None:
            self._ended.set()
        if telemetry.ProcessExited.handlers:
            self._tell_exited(reason, unread)

    def _signal_links(self, reason: ExitReason) -> None:
        if self.parent is not None and self.parent_linked:
            self.parent.exit_signal(self.ref, reason)
        for other in self.links:
            other.links.pop(self, None)
            other.exit_signal(self.ref, reason)
        self.links.clear()

    def _tell_exited(self, reason: ExitReason, unread: int) -> None:
        who = self.name, self.pid, self.class_name
        how = telemetry.kind_of(reason), telemetry.error_of(reason)
        telemetry.execute(telemetry.ProcessExited(*who, *how, self.uptime, unread))

    def _fail_callers(self, reason: ExitReason) -> None:
        unread = self.mailbox.close() + self.control.close()
        callers = [self.serving, *self.unanswered, *(caller for _, _, caller in unread)]
        self.serving = None
        for caller in callers:
            if caller is not None and not caller.settled:
                caller.fail(server_exited(self, caller.request, reason))
        for _, payload, _ in unread:
            match payload:
                case Exit(LinkedTask(name=task), Crashed() as crash):
                    self.log_late_crash(crash, f"'s task {task}")

    async def wait_ended(self) -> ExitReason:
        """Until it has ended; why. Raises WrongThread."""
        if self.reason is None:
            self.must_be_here()
            if self._ended is None:
                self._ended = trio.Event()
            await self._ended.wait()
        else:
            await trio.lowlevel.checkpoint()
        return self.reason or Killed()

    def log_late_crash(self, crash: Crashed, what: str = "") -> None:
        """An exception that can no longer be anyone's exit reason must not be lost."""
        logger.error(
            "%s%s raised while it was being ended", self.name, what, exc_info=crash.exception
        )


def as_process(target: Target | None) -> Process | None:
    """The whole of what a ref, or `current_process`, stands for."""
    return target if isinstance(target, Process) else None
