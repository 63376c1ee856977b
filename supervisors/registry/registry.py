# ruff: noqa: SLF001 - the runtime's modules share private members, which users do not see
"""Registry: keys for processes, unique or shared. A process's entries are gone the moment it ends.

When not to use one: for what is not a process (a dict will do), and for a name that only one actor
uses (hand it the ref).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias

import trio

from supervisors._core.actor_ref import ActorRef
from supervisors._core.copying import Alive
from supervisors._core.named_ref import AlreadyStarted, NamedRef
from supervisors._core.process import Process, as_process
from supervisors.errors import InvalidKeys, NoProcess
from supervisors.registry.errors import (
    AlreadyRegistered,
    NotRegistered,
    NotUnique,
    RegistryNotRunning,
    UnhashableKey,
)
from supervisors.registry.table import RegistryTable, Row
from supervisors.servers.gen_server import GenServer
from supervisors.supervision.child_spec import ChildSpec

KeysType: TypeAlias = Literal["unique", "duplicate"]


class RegistryEntry(NamedTuple):
    """One entry: the registered process, and its value."""

    ref: ActorRef
    value: Any


@dataclass(frozen=True, slots=True)
class Registered:
    """To a registry's listeners: `ref` got an entry under `key` (`{:register, ...}`)."""

    registry: Registry
    key: Hashable
    ref: ActorRef
    value: Any


@dataclass(frozen=True, slots=True)
class Unregistered:
    """To a registry's listeners: `ref` is alive and gave up its last entry under `key`
    (`{:unregister, ...}`).
    """

    registry: Registry
    key: Hashable
    ref: ActorRef


class Registry(Alive):
    """Keys that stand for processes, with a value for each entry (Elixir `Registry`).

    Keys are "unique" (one entry each: a name) or "duplicate" (any number of entries, also several
    of one process: a topic). A key is anything hashable. Equal keys are one key: 1 and 1.0 are.

    The table is plain data: a lookup sends no message, never waits, and costs the same for any
    number of keys. When a process ends, its entries are gone before anyone is notified; a
    killed process keeps them until it has ended. Code that has a ref can register and unregister
    the process behind it: an actor itself (`self.ref`, also in init), or another one.

    A registry runs while its own process does: put `child_spec()` into the tree before its users,
    under rest_for_one or one_for_all, so that they are restarted with it. When its process ends,
    its entries and metadata are gone; after a restart it is empty except for `meta`. Registered
    processes go on without their keys, unless `linked`. Locks are not affected: holders keep them,
    and waiting tasks get them. In a registry that does not run, lookups find nothing, and changes
    raise RegistryNotRunning.

    Only `lock` waits; nothing else can be cancelled.
    """

    def __init__(
        self,
        name: str,
        keys: KeysType = "unique",
        *,
        listeners: Iterable[ActorRef] = (),
        meta: Mapping[Hashable, Any] | None = None,
        linked: bool = False,
    ) -> None:
        """Create a registry that does not run yet. Raises InvalidKeys.

        listeners: get Registered and Unregistered in handle_info. Use names of another registry,
        since a restarted listener has a new ref. They are not notified when a process ends, but
        they can monitor it.
        meta: the metadata at each start.
        linked: as in Elixir, the registry's end sends an exit signal with its reason to each
        process that has an entry: those that do not trap exits end, the others get an `Exit`. It is
        not the default, because a supervisor stops its children in order, and a signal interrupts
        them.
        """
        if keys not in ("unique", "duplicate"):
            raise InvalidKeys(keys)
        self.name = name
        self._unique = keys == "unique"
        self._listeners = tuple(listeners)
        self._first_meta = dict(meta or {})
        self._linked = linked
        self._owner: Process | None = None
        self._table = RegistryTable()
        self._meta: dict[Hashable, Any] = {}
        self._locks: dict[Hashable, trio.Lock] = {}

    def child_spec(self) -> ChildSpec:
        """The registry's own process, as a child of a supervisor."""
        return ChildSpec(self.name, lambda: RegistryOwner(self))

    # --- entries ---

    def register(self, key: Hashable, ref: ActorRef, value: Any = None) -> None:
        """Give the process of `ref` an entry under `key`; it may have entries under other keys.

        Raises AlreadyRegistered if keys are unique and the key is taken, even by the same process
        (the first value stays); NoProcess if the process has ended; RegistryNotRunning;
        UnhashableKey.
        """
        process = as_process(ref._target())
        if process is None or process.reason is not None:
            raise NoProcess(ref.name, key)
        self._register(key, process, value)

    def unregister(self, key: Hashable, ref: ActorRef) -> None:
        """Remove all entries of the process of `ref` under `key`, if there are any."""
        self._unregister(self._table.of_both(key, as_process(ref._target())))

    def unregister_match(
        self, key: Hashable, ref: ActorRef, predicate: Callable[[Any], bool]
    ) -> None:
        """Remove the entries of the process of `ref` under `key` whose value matches."""
        rows = self._table.of_both(key, as_process(ref._target()))
        self._unregister([row for row in rows if predicate(row.value)])

    def update_value(
        self, key: Hashable, ref: ActorRef, function: Callable[[Any], Any]
    ) -> tuple[Any, Any]:
        """Replace the value of the process of `ref` by `function(value)`; returns (new, old). For
        unique keys only.

        Raises NotRegistered, without calling `function`, if the process does not have the key;
        NotUnique. If `function` raises, the old value stays.
        """
        self._require_unique("update_value")
        row = self._table.first(key)
        process = as_process(ref._target())
        if row is None or row.process is not process:
            raise NotRegistered(key, None if row is None else row.process.ref)
        row.process.must_be_here()
        old = row.value
        row.value = function(old)
        return row.value, old

    # --- looking up ---

    def lookup(self, key: Hashable) -> list[RegistryEntry]:
        """All entries under `key`, in the order of registration."""
        return [_entry(row) for row in self._table.of_key(key)]

    def whereis(self, key: Hashable) -> ActorRef | None:
        """The process that has the key now, or None (`whereis_name`). Raises NotUnique."""
        self._require_unique("whereis")
        row = self._table.first(key)
        return None if row is None else row.process.ref

    def keys(self, ref: ActorRef | None = None) -> list[Hashable]:
        """The keys of one process, or of all, in the order of registration; one for each entry."""
        rows = self._table if ref is None else self._table.of_process(as_process(ref._target()))
        return [row.key for row in rows]

    def values(self, key: Hashable, ref: ActorRef) -> list[Any]:
        """The values that the process of `ref` has under `key`."""
        return [row.value for row in self._table.of_both(key, as_process(ref._target()))]

    def match(self, key: Hashable, predicate: Callable[[Any], bool]) -> list[RegistryEntry]:
        """The entries under `key` whose value matches."""
        return [_entry(row) for row in self._table.of_key(key) if predicate(row.value)]

    def count_match(self, key: Hashable, predicate: Callable[[Any], bool]) -> int:
        """The number of entries under `key` whose value matches."""
        return len(self.match(key, predicate))

    def select(self) -> list[tuple[Hashable, ActorRef, Any]]:
        """All entries, as (key, ref, value): select from them with a comprehension."""
        return [(row.key, row.process.ref, row.value) for row in self._table]

    def count(self) -> int:
        """The number of entries."""
        return len(self._table)

    def dispatch(self, key: Hashable, function: Callable[[list[RegistryEntry]], None]) -> None:
        """Call `function(entries)` once, at once, if there are entries under `key`."""
        if entries := self.lookup(key):
            function(entries)

    def via(self, key: Hashable, value: Any = None) -> ActorRefVia:
        """A ref that stands for the process that has the key at the time of use (`{:via, Registry,
        {name, key}}`).

        As `ChildSpec(name=...)` it is the name that the child is registered under, with `value`.
        Raises NotUnique, UnhashableKey.
        """
        self._require_unique("via")
        _require_hashable(key)
        return ActorRefVia(self, key, value)

    # --- metadata ---

    def put_meta(self, key: Hashable, value: Any) -> None:
        """Store metadata of the registry. Raises RegistryNotRunning, UnhashableKey."""
        self._require_running()
        _require_hashable(key)
        self._meta[key] = value

    def meta(self, key: Hashable, default: Any = None) -> Any:
        """The metadata stored under `key`, or `default`."""
        return self._meta.get(key, default)

    def delete_meta(self, key: Hashable) -> None:
        """Remove the metadata under `key`, if there is any."""
        self._require_here()
        self._meta.pop(key, None)

    # --- locks ---

    @asynccontextmanager
    async def lock(self, key: Hashable) -> AsyncIterator[None]:
        """Mutual exclusion: `async with registry.lock(key):`. Tasks get it in the order of
        their requests (Elixir `lock/3`).

        Its keys are independent of those of entries. It is released when the block is left, also by
        an exception, a cancellation or a kill, before anyone is notified of the process's end. (A
        process that was given up as unkillable holds it until its task ends.) Waiting for it can be
        cancelled without consequences. Raises RegistryNotRunning, UnhashableKey, and RuntimeError
        in a task that already holds it.
        """
        self._require_running()
        _require_hashable(key)
        lock = self._locks.setdefault(key, trio.Lock())
        try:
            async with lock:
                yield
        finally:
            # A released lock belongs to the next waiting task, if there is one. `_locks` may have
            # a new lock by now: a task that waits while cancelled fails only a moment later.
            if self._locks.get(key) is lock and not lock.locked():
                del self._locks[key]

    def __repr__(self) -> str:
        return f"<Registry {self.name}>"

    # --- for the runtime ---

    def _register(self, key: Hashable, process: Process, value: Any) -> None:
        self._require_running()
        process.must_be_here()
        _require_hashable(key)
        holder = self._table.first(key) if self._unique else None
        if holder is not None:
            raise AlreadyRegistered(key, holder.process.ref)
        if self._table.insert(Row(key, process, value)):
            process.on_exit[self] = partial(self._table.remove_process, process)
        self._tell(Registered(self, key, process.ref, value))

    def _unregister(self, rows: list[Row]) -> None:
        """Remove rows that one process has under one key."""
        self._require_here()
        for row in rows:
            if self._table.remove(row):
                row.process.on_exit.pop(self, None)
        if rows and not self._table.of_both(rows[0].key, rows[0].process):
            self._tell(Unregistered(self, rows[0].key, rows[0].process.ref))

    def _tell(self, news: Registered | Unregistered) -> None:
        for listener in self._listeners:
            listener.send(news)

    def _require_running(self) -> None:
        if self._owner is None:
            raise RegistryNotRunning(
                f"registry {self.name} is not running: put its child_spec() before its users"
            )
        self._require_here()

    def _require_here(self) -> None:
        """Raise WrongThread unless this is the thread of the registry and all its listeners."""
        listeners = [listener._target() for listener in self._listeners]
        for process in (self._owner, *listeners):
            if process is not None:
                process.must_be_here()

    def _require_unique(self, what: str) -> None:
        if not self._unique:
            raise NotUnique(self.name, what)

    def _open(self, owner: Process) -> None:
        if self._owner is not None:
            raise AlreadyStarted(self.name, self._owner.ref)
        self._owner = owner
        self._meta = dict(self._first_meta)
        owner.on_exit[RegistryOwner] = partial(self._close, owner)

    def _close(self, owner: Process) -> None:
        self._owner = None
        self._meta = {}
        users = self._table.processes
        self._table.clear()
        for user in users:
            user.on_exit.pop(self, None)
            if self._linked and owner.reason is not None:
                user.exit_signal(owner.ref, owner.reason)


class ActorRefVia(NamedRef):
    """A registered name as a ref. Equal only to the same name of the same registry, whatever the
    value, since it may stand for another process a moment later.
    """

    __slots__ = ("_key", "_registry", "_value")

    def __init__(self, registry: Registry, key: Hashable, value: Any) -> None:
        self._registry = registry
        self._key = key
        self._value = value

    @property
    def name(self) -> str:
        """The key."""
        return str(self._key)

    def _target(self) -> Process | None:
        row = self._registry._table.first(self._key)
        return None if row is None else row.process

    def _claim(self, process: Process) -> None:
        try:
            self._registry._register(self._key, process, self._value)
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
    """The registry's own process: the registry runs while it does."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def init(self) -> None:
        """Open the registry, which runs as long as this process."""
        self._registry._open(self._runtime_process)


def _entry(row: Row) -> RegistryEntry:
    return RegistryEntry(row.process.ref, row.value)


def _require_hashable(key: object) -> None:
    try:
        hash(key)
    except TypeError as error:
        raise UnhashableKey(key) from error
