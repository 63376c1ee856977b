# ruff: noqa: SLF001 - the runtime's modules share their insides, users do not see them
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
    """What lookup finds: who registered, and the value given with it."""

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
    """To a registry's listeners: `ref` lives and gave up its last entry under `key`
    (`{:unregister, ...}`).
    """

    registry: Registry
    key: Hashable
    ref: ActorRef


class Registry(Alive):
    """Keys that stand for processes, with a value for each entry (Elixir `Registry`).

    Keys are "unique" (one entry each: a name) or "duplicate" (any number of entries, by the same
    process too: a topic). A key is anything hashable, and equal keys are one key, so 1 and 1.0 are.

    The table is plain data: to look something up sends no message, waits for nobody, and costs the
    same however many keys there are. When a process ends, all of its entries are gone before anyone
    hears of its end; one that was killed keeps them until it has ended. Whoever holds a ref may
    register and unregister the process behind it: itself (`self.ref`, also in init) or another.

    A registry runs while its own process does: put `child_spec()` into the tree before those who
    use it, under rest_for_one or one_for_all, so that they are restarted when it is. When its
    process ends, the entries and the metadata go with it, and one that starts again is empty, but
    for `meta`. Registered processes live on without their keys, unless `linked`. Locks are not
    affected: who holds one keeps it, who waits for one gets it. A registry that does not run finds
    nobody; what would change it raises RegistryNotRunning.

    Nothing in here waits, except for `lock`: there is nothing to cancel.
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
        """A registry that does not run yet. Raises InvalidKeys.

        listeners: get Registered and Unregistered in handle_info; best names of another registry,
        since a restarted listener has a new ref. They are not told when a process ends: they may
        monitor it.
        meta: the metadata it starts with, each time.
        linked: as in Elixir, its end is an exit signal with its reason to each process that has an
        entry: those that do not trap exits end too, and the others get an `Exit`. Not the default,
        because a supervisor that restarts them stops them in order, while a signal cuts them off.
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
        """Give the process of `ref` an entry under `key`; it may have entries under others too.

        Raises AlreadyRegistered if keys are unique and somebody has it, be it the process itself
        (the first value stays); NoProcess if the process has ended; RegistryNotRunning;
        UnhashableKey.
        """
        process = as_process(ref._target())
        if process is None or process.reason is not None:
            raise NoProcess(ref.name, key)
        self._register(key, process, value)

    def unregister(self, key: Hashable, ref: ActorRef) -> None:
        """Drop every entry of the process of `ref` under `key`; nothing if it has none."""
        self._unregister(self._table.of_both(key, as_process(ref._target())))

    def unregister_match(
        self, key: Hashable, ref: ActorRef, predicate: Callable[[Any], bool]
    ) -> None:
        """Drop those entries of the process of `ref` under `key` whose value fits."""
        rows = self._table.of_both(key, as_process(ref._target()))
        self._unregister([row for row in rows if predicate(row.value)])

    def update_value(
        self, key: Hashable, ref: ActorRef, function: Callable[[Any], Any]
    ) -> tuple[Any, Any]:
        """Replace the value of the process of `ref` by `function(value)`; (new, old). Unique keys
        only.

        Raises NotRegistered, without calling, if nobody or somebody else has the key; NotUnique. If
        `function` raises, the old value stays.
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
        """Every entry under `key`, in the order of registration: (ref, value) pairs."""
        return [_entry(row) for row in self._table.of_key(key)]

    def whereis(self, key: Hashable) -> ActorRef | None:
        """Who has the key now, or None (`whereis_name`). Raises NotUnique."""
        self._require_unique("whereis")
        row = self._table.first(key)
        return None if row is None else row.process.ref

    def keys(self, ref: ActorRef | None = None) -> list[Hashable]:
        """The keys of one process in the order of registration, or all; once for each entry."""
        rows = self._table if ref is None else self._table.of_process(as_process(ref._target()))
        return [row.key for row in rows]

    def values(self, key: Hashable, ref: ActorRef) -> list[Any]:
        """The values that the process of `ref` has under `key`."""
        return [row.value for row in self._table.of_both(key, as_process(ref._target()))]

    def match(self, key: Hashable, predicate: Callable[[Any], bool]) -> list[RegistryEntry]:
        """The entries under `key` whose value fits."""
        return [_entry(row) for row in self._table.of_key(key) if predicate(row.value)]

    def count_match(self, key: Hashable, predicate: Callable[[Any], bool]) -> int:
        """How many entries under `key` have a value that fits."""
        return len(self.match(key, predicate))

    def select(self) -> list[tuple[Hashable, ActorRef, Any]]:
        """Everything, as (key, ref, value), to be picked from by a comprehension."""
        return [(row.key, row.process.ref, row.value) for row in self._table]

    def count(self) -> int:
        """How many entries there are."""
        return len(self._table)

    def dispatch(self, key: Hashable, function: Callable[[list[RegistryEntry]], None]) -> None:
        """Call `function(entries)` once, here and now, if there is an entry under `key`."""
        if entries := self.lookup(key):
            function(entries)

    def via(self, key: Hashable, value: Any = None) -> ActorRefVia:
        """A ref that stands for whoever has the key at each use (`{:via, Registry, {name, key}}`).

        Given to ChildSpec(name=...), it is the name the child is started under, with `value`.
        Raises NotUnique, UnhashableKey.
        """
        self._require_unique("via")
        _require_hashable(key)
        return ActorRefVia(self, key, value)

    # --- metadata ---

    def put_meta(self, key: Hashable, value: Any) -> None:
        """Store something beside the entries, for all to see. Raises RegistryNotRunning,
        UnhashableKey.
        """
        self._require_running()
        _require_hashable(key)
        self._meta[key] = value

    def meta(self, key: Hashable, default: Any = None) -> Any:
        """What was stored, else `default`."""
        return self._meta.get(key, default)

    def delete_meta(self, key: Hashable) -> None:
        """Drop what was stored; nothing if there is nothing."""
        self._require_here()
        self._meta.pop(key, None)

    # --- locks ---

    @asynccontextmanager
    async def lock(self, key: Hashable) -> AsyncIterator[None]:
        """`async with registry.lock(key):` by one task at a time, in the order of asking (Elixir
        `lock/3`).

        Its keys have nothing to do with those of the entries. It is released when the block is
        left, also by an exception, a cancellation or a kill: before anyone hears that the process
        ended. (One that was given up as unkillable holds it for as long as its task goes on.)
        Cancelled while it waits, it leaves nothing behind. Raises RegistryNotRunning,
        UnhashableKey, and RuntimeError in a task that already holds it.
        """
        self._require_running()
        _require_hashable(key)
        lock = self._locks.setdefault(key, trio.Lock())
        try:
            async with lock:
                yield
        finally:
            # Released, it already belongs to the next in line, if there is one. It may be another's
            # by now: one that asks while it is cancelled is told so a moment later only.
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
        """Drop some rows that one process has under one key."""
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
        """Whoever changes it, or a listener that would be told, must be in its thread."""
        told = [listener._target() for listener in self._listeners]
        for process in (self._owner, *told):
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
    """A registered name as a ref. Equal to the same name of the same registry, whatever the value,
    and to nothing else: it may stand for another process a moment later.
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
    """Whose life is the registry's."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def init(self) -> None:
        self._registry._open(self._runtime_process)


def _entry(row: Row) -> RegistryEntry:
    return RegistryEntry(row.process.ref, row.value)


def _require_hashable(key: object) -> None:
    try:
        hash(key)
    except TypeError as error:
        raise UnhashableKey(key) from error
