"""What a process requires of the actor in it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from supervisors._core.actor_ref import ActorRef, Caller
from supervisors._core.mailbox import Mailbox
from supervisors._core.reasons import Crashed, ExitReason
from supervisors._core.status import Status


class Behaviour:
    """The part of an `Actor` that its process knows."""

    trap_exit: bool = False
    """False: an exit signal ends the actor. True: it gets an `Exit` message, and terminate runs."""

    def format_status(self, status: Status) -> Status:
        """What `system.get_status` and a crash report may show (OTP `format_status/1`).

        By default only the types of attributes and message, because states hold secrets. Override
        it to show more: `return replace(status.shapes(), state={"depth": len(self.queue)})`.
        """
        return status.shapes()

    def _runtime_mailbox(self, name: str) -> Mailbox[Caller]:
        return Mailbox()

    def _runtime_linked_children(self) -> list[ActorRef]:
        """The children that are linked to it. They are not in its list of links."""
        return []

    def _runtime_note_crash(self, reason: Crashed) -> None:
        """Keep what the crash report shows, in its state at the time of the crash."""

    def _runtime_host(self) -> Coroutine[Any, Any, None]:
        raise NotImplementedError

    async def _runtime_main(self) -> ExitReason:
        raise NotImplementedError
