"""Refs that are looked up at each use: a name, or one of several processes."""

from __future__ import annotations

from typing import TypeVar

from supervisors._core.actor_ref import ActorRef
from supervisors._core.mailbox import CAST, INFO
from supervisors._core.messages import Call
from supervisors._core.process import Process
from supervisors.errors import NoProcess, StartError

R = TypeVar("R")


class AlreadyStarted(StartError):
    """`name` is taken by the live process `ref` (OTP `already_started`)."""

    def __init__(self, name: object, ref: ActorRef) -> None:
        self.name = name
        self.ref = ref
        super().__init__(f"{name!s} is already started (pid {ref.pid})")


class LookedUpRef(ActorRef):
    """Stands for the process that is found at the time of use (`{:via, ...}`)."""

    __slots__ = ()

    def _target(self) -> Process | None:
        raise NotImplementedError

    async def call(self, request: Call[R], *, timeout: float = 5.0) -> R:
        """Call the process that is found now; see `ActorRef.call`."""
        process = self._target()
        if process is None:
            raise NoProcess(self.name, request)
        return await process.ref.call(request, timeout=timeout)

    def cast(self, message: object) -> None:
        """Send to handle_cast of the process that is found now; dropped if there is none."""
        process = self._target()
        if process is not None:
            process.mailbox.put((CAST, message, None))

    def send(self, info: object) -> None:
        """Send to handle_info of the process that is found now; dropped if there is none."""
        process = self._target()
        if process is not None:
            process.mailbox.put((INFO, info, None))


class NamedRef(LookedUpRef):
    """A name: stands for the process that holds it. `Registry.via` makes them."""

    __slots__ = ()

    def _claim(self, process: Process) -> None:
        """Claim the name for a process that is about to start. AlreadyStarted if it is taken."""
        raise NotImplementedError
