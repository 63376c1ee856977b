"""Inspects one actor: its state as far as it may be shown, mailbox, links, and counts of its
messages since the first look."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import trio

from nexus_actors.contract.shown_text import json_text, readable
from nexus_actors.operations.actors import find_actor
from nexus_actors.operations.control import CommandRefused
from supervisors import ActorRef, SupervisorsError, system, tree

ANSWER: Final = 1.0
"""Seconds to wait for an actor. One that is busy for longer is shown without its state."""
FORGOTTEN: Final = 10.0
"""Seconds without a look after which an actor's messages are no longer counted."""
LONGEST_STATE: Final = 100_000
"""The most characters of a state that are shown."""
MOST_NAMES: Final = 200
"""The most names of links, monitors and tasks, each."""


class Counting:
    """A tracer that counts an actor's messages while somebody looks. It removes itself at the first
    message after that."""

    def __init__(self) -> None:
        now = trio.current_time()
        self.counted = system.Statistics(now)
        self.looked_at = now

    def __call__(self, event: system.TraceEvent) -> None:
        """Count the event, or remove the tracer."""
        if trio.current_time() - self.looked_at > FORGOTTEN:
            system.remove(event.ref, self)
        else:
            self.counted(event)


class Inspection:
    """Inspects actors, and changes nothing except for counting. Outlives them."""

    def __init__(self, root: Callable[[], ActorRef]) -> None:
        self._root = root
        self._counting: dict[ActorRef, Counting] = {}

    async def __call__(self, arguments: Mapping[str, Any]) -> object:
        """The answer to `inspect`, for the argument `actor`."""
        name = arguments.get("actor")
        if not isinstance(name, str):
            raise CommandRefused("actor: expected a name")
        return await self.inspect(name)

    async def inspect(self, name: str) -> Mapping[str, object]:
        """Inspect the actor of this name, for JSON. `state` is a text from `format_status`: types,
        unless the actor shows more. If the actor does not respond in time, it is None and
        `sys_state` is busy. `calls`, `casts`, `infos` and `seconds` (spent on them) are counted
        since the first look. `since` is when it began to handle its current message (seconds since
        the epoch). Raises CommandRefused if there is no such actor, or it has no process."""
        ref = await self._find(name)
        if ref is None:
            raise CommandRefused(f"{name} is stopped: there is no process")
        counting = self._count(ref)
        node = await tree(ref)
        found: dict[str, object] = {
            "name": node.name,
            "class": node.class_name,
            "status": node.status,
            "sys_state": "busy",
            "state": None,
            "mailbox_length": node.mailbox_length,
            "current_message": node.current_message,
            "since": node.since,
            "pid": node.pid,
            "uptime": node.uptime,
            "links": [],
            "monitors": [],
            "monitored_by": [],
            "linked_tasks": [],
            "calls": counting.counted.calls,
            "casts": counting.counted.casts,
            "infos": counting.counted.infos,
            "seconds": counting.counted.seconds,
            "counted_for": trio.current_time() - counting.counted.started_at,
        }
        try:
            status = await system.get_status(ref, timeout=ANSWER)
        except SupervisorsError:  # it is busy or has just ended: return the rest
            return found
        return {
            **found,
            "sys_state": status.sys_state,
            "state": _state(status.state),
            "mailbox_length": status.mailbox_length,
            "links": _names(status.links),
            "monitors": _names(status.monitors),
            "monitored_by": _names(status.monitored_by),
            "linked_tasks": list(status.linked_tasks[:MOST_NAMES]),
        }

    async def _find(self, name: str) -> ActorRef | None:
        """Find the actor, without a search of the tree if it was inspected just now."""
        for ref in self._counting:
            if ref.name == name and ref.is_alive:
                return ref
        root = self._root()
        return root if name == root.name else (await find_actor(root, name)).ref

    def _count(self, ref: ActorRef) -> Counting:
        now = trio.current_time()
        for other, counting in list(self._counting.items()):
            if not other.is_alive or now - counting.looked_at > FORGOTTEN:
                del self._counting[other]
                system.remove(other, counting)
        if (found := self._counting.get(ref)) is None:
            found = Counting()
            try:
                system.install(ref, found)
            except SupervisorsError as error:
                raise CommandRefused(f"{ref.name} has ended just now") from error
            self._counting[ref] = found
        found.looked_at = now
        return found


def _names(refs: tuple[ActorRef, ...]) -> list[str]:
    return [ref.name for ref in refs[:MOST_NAMES]]


def _state(state: object) -> str:
    text = json_text(state, indent=2) if isinstance(state, dict | list) else str(state)
    return readable(text)[:LONGEST_STATE]
