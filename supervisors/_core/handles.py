"""What an actor holds of what it has begun: a timer, a watch over another, a task beside it."""

from __future__ import annotations

from typing import Protocol

import trio

from supervisors._core.actor_ref import ActorRef, Target
from supervisors._core.copying import Alive
from supervisors._core.mailbox import SIGNAL
from supervisors._core.timekeeper import Pending


class TimerOwner(Target, Protocol):
    """Whose timers they are: `Process` is the one kind."""

    timers: dict[Timer, None]


class Timer(Pending):
    """A message on its way, from `GenServer.send_after`."""

    __slots__ = ("_info", "_process", "due")

    def __init__(self, process: TimerOwner, info: object) -> None:
        super().__init__()
        self._process = process
        self._info = info
        self.due = 0.0

    def cancel(self) -> float | None:
        """Do not send it; how many seconds were left, or None if it is sent or cancelled already
        (OTP `erlang:cancel_timer`). One that waits in the mailbox by now stays there.
        """
        if self.settled:
            return None
        self._process.must_be_here()
        self._settle()
        return max(0.0, self.due - self._process.timekeeper.now())

    def expire(self) -> None:
        """Send it."""
        self._settle()
        self._process.mailbox.put((SIGNAL, self._info, None))

    def _settle(self) -> None:
        self.settled = True
        self._process.timers.pop(self, None)


class Monitor(Alive):
    """One watch over one process, made by `GenServer.monitor`; compared by identity."""

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
        """Ask it to end; the actor is told nothing but a `Normal` exit, if it traps exits. Raises
        WrongThread.
        """
        self._process.must_be_here()
        self._scope.cancel()

    def __repr__(self) -> str:
        return f"<LinkedTask {self.name}>"
