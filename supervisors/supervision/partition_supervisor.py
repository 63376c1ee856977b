# ruff: noqa: SLF001 - the runtime's modules share private members, which users do not see
"""PartitionSupervisor: several instances of one child, selected by key."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

from supervisors._core.actor_ref import ActorRef
from supervisors._core.checks import broken, is_whole, reject
from supervisors._core.named_ref import LookedUpRef
from supervisors._core.process import Process, as_process
from supervisors.errors import (
    BadReturnValue,
    InvalidPartitions,
    InvalidStrategy,
    InvalidWithArguments,
    NamedPartition,
    NoProcess,
    SpecError,
)
from supervisors.supervision.child_spec import ChildSpec
from supervisors.supervision.ordered import Ordered
from supervisors.supervision.restart_intensity import intensity_rules
from supervisors.supervision.strategies import STRATEGIES, Strategy
from supervisors.supervision.supervisor_base import MAX_RESTARTS, MAX_SECONDS, wrong_child

WithArguments: TypeAlias = Callable[[int], Sequence[Any]]


class PartitionSupervisor(Ordered):
    """Starts `partitions` children from one spec, and routes by key (Elixir `PartitionSupervisor`).

    For a server that is a bottleneck because it waits: each partition handles one message at a
    time, and messages with the same key always reach the same partition, in order:

        ChildSpec(
            "writers",
            lambda: PartitionSupervisor(ChildSpec("writer", Writer), 8),
            type="supervisor",
            name=names.via("writers"),
        )
        await PartitionSupervisor.via(names.via("writers"), user_id).call(Write(row))

    The number of partitions is fixed; to change it, stop the supervisor and start another. A
    child's id is the spec's id, a hyphen, and the number of its partition, from 0. Children are
    started, restarted and stopped as under a `Supervisor`. `which_children` and `count_children`
    work as there; children cannot be added, deleted or stopped one by one.
    """

    def __init__(
        self,
        child: ChildSpec,
        partitions: int,
        *,
        with_arguments: WithArguments | None = None,
        strategy: Strategy = "one_for_one",
        max_restarts: int = MAX_RESTARTS,
        max_seconds: float = MAX_SECONDS,
        name: str | None = None,
    ) -> None:
        """Raises a SpecError that names everything that is wrong, before anything is started.

        child: its `start` is called once for each partition. It must have no `name`.
        with_arguments: `with_arguments(n)` gives the arguments that `start` gets for partition n,
        at its restarts too. Without it `start` gets none.
        """
        usable = with_arguments is None or callable(with_arguments)
        rules = (
            (is_whole(partitions) and partitions > 0, InvalidPartitions, partitions),
            (usable, InvalidWithArguments, with_arguments),
            (strategy in STRATEGIES, InvalidStrategy, strategy),
            *intensity_rules(max_restarts, max_seconds),
        )
        reject([*broken(rules), *_wrong_partition(child)])
        specs = [_spec(child, number, with_arguments) for number in range(partitions)]
        super().__init__(
            specs,
            strategy,
            max_restarts=max_restarts,
            max_seconds=max_seconds,
            auto_shutdown="never",
            name=name,
        )
        self._partition_ids = tuple(spec.id for spec in specs)

    @staticmethod
    def via(supervisor: ActorRef, key: Hashable) -> ActorRef:
        """A ref that stands for the partition of `key`, looked up at each use (Elixir
        `{:via, PartitionSupervisor, {name, key}}`).

        supervisor: the ref of a PartitionSupervisor, most often a registered name.
        key: an integer belongs to partition `abs(key) % partitions`, anything else to
        `abs(hash(key)) % partitions`. Python salts the hashes of strings: the partition of a string
        changes from one start of the program to the next. An integer and the float that equals it
        may belong to different partitions: -1 and -1.0 do. TypeError for a key without a hash.

        While the supervisor or the partition does not run, the ref behaves like an unregistered
        name: a call raises NoProcess. If `supervisor` is another kind of actor, using the ref
        raises TypeError. It cannot be the name of a ChildSpec.
        """
        return PartitionRef(supervisor, key)

    @staticmethod
    def partitions(supervisor: ActorRef) -> int:
        """The number of partitions (Elixir `partitions/1`). Sends no message. Raises NoProcess,
        TypeError for another kind of actor.
        """
        found = _find(supervisor)
        if found is None:
            raise NoProcess(supervisor.name, None)
        return len(found._partition_ids)

    def _process_of(self, number: int) -> Process | None:
        child = self._table.get(self._partition_ids[number % len(self._partition_ids)])
        return None if child is None else child.process

    async def _add(self, spec: ChildSpec) -> ActorRef | None:
        raise BadReturnValue("a request to a PartitionSupervisor", spec)


class PartitionRef(LookedUpRef):
    """See `PartitionSupervisor.via`."""

    __slots__ = ("_key", "_number", "_supervisor")

    def __init__(self, supervisor: ActorRef, key: Hashable) -> None:
        self._supervisor = supervisor
        self._key = key
        self._number = abs(key if isinstance(key, int) else hash(key))

    @property
    def name(self) -> str:
        """The supervisor's name with the key."""
        return f"{self._supervisor.name}[{self._key!r}]"

    def _target(self) -> Process | None:
        found = _find(self._supervisor)
        return None if found is None else found._process_of(self._number)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PartitionRef):
            return NotImplemented
        mine, its = (self._number, self._key), (other._number, other._key)
        return self._supervisor == other._supervisor and mine == its

    def __hash__(self) -> int:
        return hash((self._supervisor, self._number))

    def __repr__(self) -> str:
        return f"<ActorRef {self.name}>"


def _find(supervisor: ActorRef) -> PartitionSupervisor | None:
    """The running supervisor of a ref. TypeError for another kind of actor."""
    process = as_process(supervisor._target())
    if process is None or process.reason is not None:
        return None
    if not isinstance(process.actor, PartitionSupervisor):
        raise TypeError(f"{process.name} is a {process.class_name}, not a PartitionSupervisor")
    return process.actor


def _wrong_partition(child: object) -> Iterator[SpecError]:
    yield from wrong_child(child, "never")
    if isinstance(child, ChildSpec) and child.name is not None:
        yield NamedPartition(child.id)


def _spec(child: ChildSpec, number: int, with_arguments: WithArguments | None) -> ChildSpec:
    start = child.start
    if with_arguments is not None:
        arguments: object = with_arguments(number)
        if not isinstance(arguments, list | tuple):
            raise InvalidWithArguments(arguments)
        start = partial(child.start, *arguments)
    return replace(child, id=f"{child.id}-{number}", start=start)
