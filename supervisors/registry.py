# ruff: noqa: SLF001 - the runtime's modules share their insides, users do not see them
"""Registry: names for processes. Names are unique and are freed the moment their process ends."""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial

from supervisors.actor_ref import ActorRef, NamedRef
from supervisors.child_spec import ChildSpec
from supervisors.errors import AlreadyRegistered, AlreadyStarted, NoProcess, RegistryNotRunning
from supervisors.gen_server import GenServer
from supervisors.process import Process


class Registry:
    """A table of unique names (Elixir `Registry`, keys: unique).

    The table is plain data, read without a message. It exists while its own process runs: put
    `child_spec()` into the tree before those who use it. If that process ends, every name is gone.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._table: dict[Hashable, Process] = {}
        self._owner: Process | None = None

    def child_spec(self) -> ChildSpec:
        """The registry's own process, as a child of a supervisor."""
        return ChildSpec(self.name, lambda: RegistryOwner(self))

    def register(self, key: Hashable, ref: ActorRef) -> None:
        """Give the name `key` to the process of `ref`; it may have several.

        Raises AlreadyRegistered (also for its own name), NoProcess if it has ended,
        RegistryNotRunning.
        """
        process = ref._target()
        if process is None or process.reason is not None:
            raise NoProcess(ref.name, key)
        self._register(key, process)

    def unregister(self, key: Hashable, ref: ActorRef) -> None:
        """Free the name `key` if it is that of `ref`; else nothing."""
        process = ref._target()
        if process is not None:
            process.on_exit.pop((id(self), key), None)
            self._free(key, process)

    def whereis(self, key: Hashable) -> ActorRef | None:
        """Who has the name now; None if nobody has."""
        process = self._table.get(key)
        return None if process is None else process.ref

    def keys(self, ref: ActorRef | None = None) -> list[Hashable]:
        """Every name, or those of one process, in the order they were given."""
        if ref is None:
            return list(self._table)
        process = ref._target()
        return [key for key, holder in self._table.items() if holder is process]

    def via(self, key: Hashable) -> ActorRefVia:
        """A ref that stands for whoever has the name at each use (`{:via, Registry, {name, key}}`).

        Given to ChildSpec(name=...), it is the name the child is started under.
        """
        return ActorRefVia(self, key)

    def __repr__(self) -> str:
        return f"<Registry {self.name}>"

    def _register(self, key: Hashable, process: Process) -> None:
        if self._owner is None:
            raise RegistryNotRunning(
                f"registry {self.name} is not running: put its child_spec() before its users"
            )
        holder = self._table.get(key)
        if holder is not None:
            raise AlreadyRegistered(key, holder.ref)
        self._table[key] = process
        process.on_exit[id(self), key] = partial(self._free, key, process)

    def _free(self, key: Hashable, process: Process) -> None:
        if self._table.get(key) is process:
            del self._table[key]

    def _open(self, owner: Process) -> None:
        if self._owner is not None:
            raise AlreadyStarted(self.name, self._owner.ref)
        self._owner = owner
        owner.on_exit[id(self)] = self._close

    def _close(self) -> None:
        self._owner = None
        self._table.clear()


class ActorRefVia(NamedRef):
    """A registered name as a ref. Equal to the same name of the same registry."""

    __slots__ = ("_key", "_registry")

    def __init__(self, registry: Registry, key: Hashable) -> None:
        self._registry = registry
        self._key = key

    @property
    def name(self) -> str:
        """The key."""
        return str(self._key)

    def _target(self) -> Process | None:
        return self._registry._table.get(self._key)

    def _claim(self, process: Process) -> None:
        try:
            self._registry._register(self._key, process)
        except AlreadyRegistered as taken:
            raise AlreadyStarted(self._key, taken.ref) from None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ActorRefVia):
            return NotImplemented
        return self._registry is other._registry and self._key == other._key

    def __hash__(self) -> int:
        return hash((id(self._registry), self._key))

    def __repr__(self) -> str:
        return f"<ActorRef {self._registry.name}:{self._key}>"


class RegistryOwner(GenServer):
    """Whose life is the registry's."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def init(self) -> None:
        self._registry._open(self._runtime_process)
