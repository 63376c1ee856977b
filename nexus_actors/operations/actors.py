"""Finds actors of the running tree by the names that `nexus tree` shows."""

from dataclasses import dataclass
from typing import Final

import trio

from nexus_actors.contract.shown_text import printable
from nexus_actors.operations.control import CommandRefused
from nexus_actors.settings.suggestions import nearest
from supervisors import ActorRef, Supervisor, SupervisorsError

PATIENCE: Final = 5.0
"""Seconds to wait for supervisors' lists of children. One that starts or stops a child is busy."""


@dataclass(frozen=True, slots=True)
class Found:
    """One child of a supervisor."""

    name: str
    supervisor: ActorRef
    id: str
    """The child's id in its supervisor."""
    ref: ActorRef | None
    """None if it is stopped or about to be restarted."""


async def find_actor(root: ActorRef, name: str) -> Found:
    """The actor of this name below `root`. Raises CommandRefused if there is none, with the most
    similar name, or if the tree is too busy."""
    there: dict[str, Found] = {}
    with trio.move_on_after(PATIENCE) as limit:
        there = {it.name: it for it in await _below(root)}
    if limit.cancelled_caught:
        raise CommandRefused("the tree starts or ends actors at this moment; try again")
    if name not in there:
        close = nearest(name, there)
        hint = "see nexus tree" if close is None else f"did you mean {close}?"
        raise CommandRefused(f"no actor is called {printable(name, 100)}; {hint}")
    return there[name]


async def _below(supervisor: ActorRef) -> list[Found]:
    found: list[Found] = []
    try:
        children = await Supervisor.which_children(supervisor)
    except SupervisorsError:  # it has ended meanwhile, with everything below it
        return found
    for child in children:
        name = child.id if child.ref is None else child.ref.name
        found.append(Found(name, supervisor, child.id, child.ref))
        if child.ref is not None and child.type == "supervisor":
            found += await _below(child.ref)
    return found
