"""An actor's handles to what it has started: timers, monitors and linked tasks."""

from __future__ import annotations

from typing import Protocol

import trio

from supervisors._core.actor_ref import ActorRef, Target
from supervisors._core.copying import Alive
from supervisors._core.mailbox import SIGNAL
from supervisors._core.timekeeper import Pending


class TimerOwner(Target, Protocol):
    """The owner of timers. Only `Process` implements it."""

    timers: dict[Timer, None]


class Timer(Pending):
    """A message to be sent later, from `GenServer.send_after`."""

    __slots__ = ("_info", "_process", "due")

    def __init__(self, process: TimerOwner, info: object) -> None:
        super().__init__()
        self._process = process
        self._info = info
        self.due = 0.0

    def cancel(self) -> float | None:
        """Do not send the message. Returns the seconds that were left, or None if it was sent or
        cancelled already (OTP `erlang:cancel_timer`). A message in the mailbox stays there.
        """
        if self.settled:
            return None
        self._process.must_be_here()
        self._settle()
        return max(0.0, self.due - self._process.timekeeper.now())

    def expire(self) -> None:
        """Send the message."""
        self._settle()
        self._process.mailbox.put((SIGNAL, self._info, None))

    def _settle(self) -> None:
        self.settled = True
        self._process.timers.pop(self, None)


class Monitor(Alive):
    """One monitor of one process, made by `GenServer.monitor`; compared by identity."""

    __slots__ = ("ref",)

    def __init__(self, ref: ActorRef) -> None:
        self.ref = ref

    def __repr__(self) -> str:
        return f"<Monitor of {self.ref!r}>"


class LinkedTask(Alive):
    """A task of `GenServer.spawn_link`: it lives no longer than its actor."""

    __slots__ = ("_process", "_scope", "name")

    def __init__(self, process: Target, name: str) -> None:
        self.name = name
        self._process = process
        self._scope = trio.CancelScope(shield=True)

    def cancel(self) -> None:
        """Ask the task to end. If the actor traps exits, it gets an `Exit` with `Normal`; otherwise
        it gets nothing. Raises WrongThread.
        """
        self._process.must_be_here()
        self._scope.cancel()

    def __repr__(self) -> str:
        return f"<LinkedTask {self.name}>"
