# ruff: noqa: SLF001 - the runtime's modules share private members, which users do not see
"""A process: one trio task with a mailbox, an exit reason, links and monitors.

Its life: `spawn` → its actor's `_main` → its tasks are cancelled and awaited → `finish`, which
frees its names, answers waiting callers, and posts Down and Exit, all without a checkpoint.
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

# How long a killed process may take to end. After that it is given up: reported as ended, although
# its task still blocks.
KILL_GRACE = 5.0

# No message. None may be a message.
IDLE: Final = object()

_pids = itertools.count(1)


class Process(Alive):
    """The runtime's own record of a process. Users hold an `ActorRef` instead."""

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
        """Where its task and those of spawn_link run."""
        self.parent = parent
        self.program_end: ProgramEnd = (
            ProgramEnd(nursery.cancel_scope) if parent is None else parent.program_end
        )
        self.parent_linked = False
        """Whether it is linked to its parent, who knows its children and keeps no list of them."""
        self.ref = ActorRef(self)
        self.mailbox: Mailbox[Caller] = actor._runtime_mailbox(name)
        self.control = self.mailbox
        """Takes requests to stop and `system` requests; another queue while suspended."""
        self.scope = trio.CancelScope(shield=True)
        self.task: trio.lowlevel.Task | None = None
        self.started = False
        self.ignored = False
        self.doomed: ExitReason | None = None
        """The reason for its cancellation. What its task does after that no longer counts."""
        self.reason: ExitReason | None = None
        self.stop_reason: ExitReason | None = None
        self.on_stop: Callable[[], None] | None = None
        self.serving: Caller | None = None
        """The caller whose request is being handled."""
        # Dicts even where a set would do: an empty one takes a third of the memory.
        self.unanswered: dict[Caller, None] = {}
        """Callers whose requests were handled, but will be answered later."""
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
        """The message being handled."""
        self.busy_since = 0.0
        """When it began to handle that message, by `time.perf_counter`."""
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
        """Whether it gets exit signals as messages."""
        return self.actor.trap_exit

    @property
    def uptime(self) -> float:
        """Seconds since it was spawned."""
        return self.timekeeper.now() - self.started_at_clock

    # --- start ---

    def acknowledge(self) -> None:
        """Init succeeded: from now on the parent is linked (OTP `init_ack`)."""
        self.started = True
        self.parent_linked = self.parent is not None
        self._tell_settled()
        if telemetry.ProcessStarted.handlers:
            telemetry.execute(
                telemetry.ProcessStarted(self.name, self.pid, self.class_name, self.uptime)
            )

    @property
    def settled(self) -> bool:
        """Whether init is over, successful or not."""
        return self.started or self.reason is not None

    async def wait_settled(self) -> None:
        """Wait until init is over, successful or not."""
        if not self.settled:
            if self._settled is None:
                self._settled = trio.Event()
            await self._settled.wait()

    def _tell_settled(self) -> None:
        if self._settled is not None:
            self._settled.set()

    # --- signals ---

    def exit_signal(self, sender: ActorRef | LinkedTask | None, reason: ExitReason) -> None:
        """As in OTP: a message if it traps exits, else the end, unless the reason is Normal."""
        if self.reason is not None:
            return
        if self.traps_exits:
            self.mailbox.put((SIGNAL, Exit(sender, reason), None))
        elif not isinstance(reason, Normal):
            self.doom(reason)

    def ask_to_stop(self, reason: ExitReason) -> None:
        """The parent's exit signal. If it traps exits, it terminates after its earlier messages.

        During init there is nothing to terminate, and the mailbox is not read: the init is
        cancelled. (In OTP it is not asked at all, since the supervisor waits for it indefinitely.)
        """
        if self.traps_exits and (self.started or self.on_stop is not None):
            self.request_stop(reason)
        else:
            self.doom(reason)

    def request_stop(self, reason: ExitReason) -> None:
        """Let it end with `reason`, after its earlier messages. Raises WrongThread."""
        self.must_be_here()
        self.control.put((STOP, reason, None))  # first, since it may raise
        if self.stop_reason is None:
            self.stop_reason = reason
            if self.on_stop is not None:  # it waits elsewhere than at its mailbox
                self.on_stop()

    def kill(self) -> None:
        """The untrappable signal."""
        self.doom(Killed())

    def doom(self, reason: ExitReason) -> None:
        """Record the reason, then cancel. The first reason counts, but a kill overrides it."""
        if self.reason is not None:
            return
        self.must_be_here()
        if self.doomed is None or isinstance(reason, Killed):
            self.doomed = reason
        self.scope.cancel()

    def abandon(self) -> None:
        """Report a killed process that does not end as ended. Its task goes on alone."""
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
        """Link both processes. If the other has ended: an exit signal with NoProc."""
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
        """Unlink both processes, if they are linked."""
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
        """Get one Down when the process of `ref` ends, or at once if it has ended."""
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
        """Get no more Down. One that is already in the mailbox stays there unless `flush`."""
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
        """Start a timer, which ends with this process."""
        self.must_live()
        if not seconds >= 0:
            raise ValueError(f"send_after takes seconds of at least 0, not {seconds!r}")
        timer = Timer(self, info)
        self.timers[timer] = None
        timer.due = self.timekeeper.after(seconds, timer)
        return timer

    def must_be_here(self) -> None:
        """Raise WrongThread if called in another thread while the process lives."""
        if get_ident() != self.timekeeper.thread and self.reason is None:
            refuse()

    def must_live(self) -> None:
        """Raise NoProcess if the process was given up while its task went on, or WrongThread."""
        self.must_be_here()
        if self.reason is not None:
            raise NoProcess(self.name, None)

    # --- the end ---

    def finish(self, reason: ExitReason) -> None:
        """Notify everyone. The first reason counts. Without a checkpoint, so that it is atomic."""
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
        """Wait until it has ended. Returns the reason. Raises WrongThread."""
        if self.reason is None:
            self.must_be_here()
            if self._ended is None:
                self._ended = trio.Event()
            await self._ended.wait()
        else:
            await trio.lowlevel.checkpoint()
        return self.reason or Killed()

    def log_late_crash(self, crash: Crashed, what: str = "") -> None:
        """Log an exception that comes too late to be an exit reason."""
        logger.error(
            "%s%s raised while it was being ended", self.name, what, exc_info=crash.exception
        )


def as_process(target: Target | None) -> Process | None:
    """The process of a ref, or of `current_process`."""
    return target if isinstance(target, Process) else None
