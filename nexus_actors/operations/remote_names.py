"""Helpers at the prompt of `nexus remote`: actors by name, and the tree."""

import builtins
import keyword
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from supervisors import ActorRef, Call, Node, Supervisor, system, tree

MOST_COMPLETIONS: Final = 200


@dataclass(frozen=True, slots=True)
class TreeView:
    """A snapshot of the supervision tree, with a readable `repr`."""

    root: Node

    def __repr__(self) -> str:
        return "\n".join(_lines(self.root, "", ""))


class Tree:
    """`await tree()`, or `await tree`: a TreeView."""

    def __init__(self, root: Callable[[], ActorRef]) -> None:
        self._root = root

    async def __call__(self) -> TreeView:
        """The tree as it is now."""
        return TreeView(await tree(self._root()))

    def __await__(self) -> Generator[Any, Any, TreeView]:
        return self().__await__()

    def __repr__(self) -> str:
        return "await tree() shows the supervision tree"


class Actors:
    """Functions for actors below `root`. They accept a name from nexus tree, or a ref."""

    def __init__(self, root: Callable[[], ActorRef]) -> None:
        self._root = root

    async def whereis(self, name: str) -> ActorRef | None:
        """The actor with this name; None if there is none."""
        return await _find(self._root(), name)

    async def call(self, actor: str | ActorRef, message: Call[Any], timeout: float = 5.0) -> object:
        """Call an actor and wait for its reply. Raises LookupError, and what `ActorRef.call`
        raises."""
        return await (await self._ref(actor)).call(message, timeout=timeout)

    async def cast(self, actor: str | ActorRef, message: object) -> None:
        """Send a cast to an actor. Raises LookupError."""
        (await self._ref(actor)).cast(message)

    async def get_state(self, actor: str | ActorRef, timeout: float = 5.0) -> dict[str, Any]:
        """An actor's attributes. Raises what `call` raises."""
        return await system.get_state(await self._ref(actor), timeout=timeout)

    def names(self) -> Mapping[str, object]:
        """These functions by their names."""
        ways: list[Callable[..., Awaitable[object]]]
        ways = [self.whereis, self.call, self.cast, self.get_state]
        return {it.__name__: it for it in ways} | {"tree": Tree(self._root)}

    async def _ref(self, actor: str | ActorRef) -> ActorRef:
        if isinstance(actor, ActorRef):
            return actor
        found = await self.whereis(actor)
        if found is None:
            raise LookupError(f"no actor is named {actor!r} now; await tree() shows who is there")
        return found


async def _find(ref: ActorRef, name: str) -> ActorRef | None:
    if ref.name == name:
        return ref
    for child in await Supervisor.which_children(ref):
        if child.ref is None:
            continue
        if child.type == "worker":
            if name in (child.ref.name, child.id):
                return child.ref
        elif (found := await _find(child.ref, name)) is not None:
            return found
    return None


def _lines(node: Node, first: str, below: str) -> Iterator[str]:
    pid = "-" if node.pid is None else f"pid {node.pid}"
    columns = [node.class_name, pid, node.current_message or node.status]
    columns += [f"{node.restarts} restarts"] if node.restarts else []
    columns += [f"{node.mailbox_length} in its mailbox"] if node.mailbox_length else []
    yield f"{first}{node.name}  {', '.join(filter(None, columns))}"
    left = len(node.children)
    for child in node.children:
        left -= 1
        corner, line = ("├─ ", "│  ") if left else ("└─ ", "   ")
        yield from _lines(child, below + corner, below + line)


def completions(text: str, names: Mapping[str, object]) -> list[str]:
    """Completions of a name, or of names joined by dots. Attributes are read; nothing is called."""
    head, dot, stem = text.rpartition(".")
    if not dot:
        found = {*names, *keyword.kwlist, *dir(builtins)}
    else:
        try:
            found = set(dir(_value(head, names)))
        except BaseException:  # noqa: BLE001 - an attribute may raise anything
            return []
    hidden = not stem.startswith("_")
    fitting = (it for it in found if it.startswith(stem) and not (hidden and it.startswith("_")))
    return [f"{head}{dot}{it}" for it in sorted(fitting)[:MOST_COMPLETIONS]]


def _value(path: str, names: Mapping[str, object]) -> object:
    first, *others = path.split(".")
    value = names[first] if first in names else getattr(builtins, first)
    for name in others:
        value = getattr(value, name)
    return value
