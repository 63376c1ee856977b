"""What happens in a run, seen from outside: every process, its birth, its end, who owns it.

The observer makes the specs, so it knows by itself which process belongs to which child of which
supervisor. It is a trio instrument: after each step of each task it looks who has died and whether
what must hold at every moment holds. It uses the public API of the runtime only.
"""

from __future__ import annotations

import contextvars
import itertools
import math
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import trio

from supervisors import (
    ActorRef,
    ChildSpec,
    Crashed,
    ExitReason,
    Ignore,
    Killed,
    Monitor,
    NoProc,
    Normal,
    Registry,
    Shutdown,
    StartError,
)
from tests.unit.supervisors.property.generators import (
    START_TIMEOUT,
    Plan,
    RegistryPlan,
    SupervisorPlan,
)


class Boom(Exception):
    """The crash of a worker that was told to."""


@dataclass(eq=False)
class Slot:
    """A child of one supervisor process: what a spec stands for."""

    id: str
    plan: Plan
    owner: Record | None
    order: int | None = None
    """Its place among its siblings: the observer's count when it was first started."""
    calls: list[float] = field(default_factory=list)
    """When its start function was called."""
    fates: list[str] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    """How often whoever asked its supervisor to terminate or restart it."""
    calls_when_down: int | None = None
    """How often it had been started when its supervisor first said that it was terminated."""

    def is_for(self, other: Slot) -> bool:
        """Whether both stand for the same id of the same supervisor."""
        return self.id == other.id and self.owner is other.owner


@dataclass(eq=False)
class Watch:
    """One monitor of one worker."""

    target: Record
    late: bool
    """Whether the target was dead already."""
    dropped: str = ""
    """What the target was when the monitor was taken back: "alive", "dead"."""
    downs: int = 0
    reason: ExitReason | None = None


@dataclass(eq=False)
class Record:
    """One process, from the call of its start function on."""

    label: str
    path: str
    plan: Plan
    slot: Slot
    fate: str
    """How this start of it is to go."""
    actor: Any = None
    ref: ActorRef | None = None
    born_at: float | None = None
    died_at: float | None = None
    number: int = 0
    """How many were born before it."""
    up: bool = False
    """Its init went well."""
    reason: ExitReason | None = None
    signalled: bool = False
    """Somebody killed it, or sent it an exit signal or a request to stop."""
    killed: bool = False
    """It was killed from outside while it lived."""
    linked: bool = False
    linked_to_dead: bool = False
    stuck: bool = False
    """It shields itself for longer than a kill waits."""
    tasks: set[object] = field(default_factory=set)
    tasks_ended: Counter[bool] = field(default_factory=Counter)
    """How many of its linked tasks have ended by themselves; of those that failed: True."""
    tasks_heard: Counter[bool] = field(default_factory=Counter)
    """Of how many it was told."""
    slots: list[Slot] = field(default_factory=list)
    watches: dict[Monitor, Watch] = field(default_factory=dict)
    on_purpose: Counter[Record] = field(default_factory=Counter)
    """Who has sent it how many exit signals of its own accord that it has not taken up yet."""
    exits: Counter[Record] = field(default_factory=Counter)
    due_exits: Counter[Record] = field(default_factory=Counter)
    """Whose ends it must hear of, by a link, and how often."""
    later_at_stop: list[Record] | None = None
    later_at_death: list[Record] = field(default_factory=list)

    @property
    def owner(self) -> Record | None:
        """The supervisor process that started it."""
        return self.slot.owner

    @property
    def alive(self) -> bool:
        """As far as the observer has seen."""
        return self.born_at is not None and self.died_at is None

    @property
    def hangs(self) -> bool:
        """Whether it is in an init that does not end."""
        return self.alive and self.fate == "hang" and not self.up

    @property
    def supervises(self) -> bool:
        """Whether it is a supervisor."""
        return isinstance(self.plan, SupervisorPlan)

    def is_below(self, other: Record) -> bool:
        """Whether `other` is it, or its supervisor, or one of those above."""
        return self is other or (self.owner is not None and self.owner.is_below(other))

    def __repr__(self) -> str:
        return self.label


class Observer(trio.abc.Instrument):
    """Everything that was seen. `violations` is what should not have been."""

    def __init__(self, make: Callable[[Observer, Record], Any]) -> None:
        self.make = make
        self.names = Registry("names")
        self.inner = Registry("inner")
        self.has_inner = False
        self.nursery: trio.Nursery
        self.records: list[Record] = []
        self.events: list[tuple[Record, str]] = []
        """Who was born and who ended, in order: (record, "born" or "end")."""
        self.live: list[Record] = []
        self.faults: dict[str, deque[str]] = defaultdict(deque)
        self.links: set[frozenset[Record]] = set()
        self.journal: list[str] = []
        self.violations: list[str] = []
        self.tasks: set[trio.lowlevel.Task] = set()
        self.steps = 0
        self._births: Counter[str] = Counter()
        self._foretold: defaultdict[str, bool] = defaultdict(bool)
        self._orders = itertools.count()
        self._unmet: list[Record] = []

    # --- telling ---

    def note(self, text: object) -> None:
        """A line of the story."""
        self.journal.append(f"{trio.current_time():10.4f}  step {self.steps:5}  {text}")

    def violation(self, text: str) -> None:
        """What should not have happened."""
        self.note(f"VIOLATION: {text}")
        self.violations.append(text)

    # --- making processes ---

    def spec(self, plan: Plan, owner: Record | None) -> ChildSpec:
        """A spec by which `owner` (None: nobody) can start `plan`."""
        slot = Slot(plan.id, plan, owner)
        if owner is not None:
            # A request that names an id may be under way still, and find the id's next holder.
            for twin in owner.slots:
                if twin.id == slot.id:
                    slot.asked.update(twin.asked)
            owner.slots.append(slot)
        path = plan.id if owner is None else f"{owner.path}/{plan.id}"

        def start() -> Any:
            return self._start(slot, path)

        if isinstance(plan, RegistryPlan):
            self.has_inner = True
            return replace(self.inner.child_spec(), start=start)
        common: dict[str, Any] = {
            "restart": plan.restart,
            "shutdown": plan.shutdown,
            "significant": plan.significant,
        }
        if isinstance(plan, SupervisorPlan):
            return ChildSpec(plan.id, start, type="supervisor", **common)
        name = None
        if plan.key is not None:
            registry, key = self.name_of(plan.key, path)
            name = registry.via(key)
        limit = math.inf if "hang" in plan.starts else START_TIMEOUT
        return ChildSpec(plan.id, start, start_timeout=limit, name=name, **common)

    def name_of(self, key: str, path: str) -> tuple[Registry, str]:
        """Which registry the key of a plan belongs to, and the name in it."""
        inside, _, name = key.rpartition(":")
        registry = self.inner if inside and self.has_inner else self.names
        return registry, path if name == "own" else name

    def _start(self, slot: Slot, path: str) -> Any:
        if slot.order is None:
            slot.order = next(self._orders)
        slot.calls.append(trio.current_time())
        queue = self.faults[path]
        if not self._foretold[path]:
            self._foretold[path] = True
            queue.extend(slot.plan.starts)
        fate = queue.popleft() if queue else "ok"
        slot.fates.append(fate)
        self.note(f"start of {path}: {fate}")
        if fate == "factory":
            raise Boom("start")
        if fate == "no actor":
            return Ignore()
        record = Record("", path, slot.plan, slot, fate)
        slot.records.append(record)
        record.actor = self.make(self, record)
        if isinstance(slot.plan, RegistryPlan):
            self._unmet.append(record)  # it cannot say itself that it is born
        return record.actor

    # --- birth and death ---

    def born(self, record: Record, ref: ActorRef) -> None:
        """Its init begins."""
        self._births[record.path] += 1
        record.label = f"{record.path}#{self._births[record.path]}"
        record.ref = ref
        record.born_at = trio.current_time()
        record.number = len(self.records)
        self.note(f"{record} born")
        self.events.append((record, "born"))
        owner, slot = record.owner, record.slot
        if not ref.is_alive:
            self.violation(f"{record} runs, and is said to be dead")
        if owner is not None and not owner.alive:
            self.violation(f"{record} is started by {owner}, which is dead")
        for other in self.live:
            if other.slot is slot or (other.slot.is_for(slot) and not _many(owner)):
                self.violation(f"{record} is started while {other} still lives")
        self.records.append(record)
        self.live.append(record)
        # In a context of its own: it is no task of the actor in whose step we are.
        start = partial(self.nursery.start_soon, self._await_end, record, name="run: wait")
        contextvars.Context().run(start)

    async def _await_end(self, record: Record) -> None:
        assert record.ref is not None
        record.reason = await record.ref.wait()
        self.note(f"{record} is known to have ended: {short(record.reason)}")

    def bury(self, record: Record) -> None:
        """It has ended in the step that was just made."""
        record.died_at = trio.current_time()
        self.note(f"{record} ended")
        self.events.append((record, "end"))
        record.later_at_death = self.later_than(record)
        if record.tasks and not record.stuck:
            self.violation(f"{record} has ended, its linked tasks have not")
        for registry in (self.names, self.inner):
            assert record.ref is not None
            if registry.keys(record.ref):
                self.violation(f"{record} has ended and still has names")
        for pair in [pair for pair in self.links if record in pair]:
            self.links.discard(pair)
            (other,) = pair - {record}
            if other.alive:
                other.due_exits[record] += 1

    def later_than(self, record: Record) -> list[Record]:
        """Its siblings started after it that still live."""
        order = record.slot.order
        assert order is not None
        return [
            other
            for other in self.live
            if other.owner is record.owner
            and other is not record
            and other.slot.order is not None
            and other.slot.order > order
        ]

    # --- looking, after every step ---

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        """Instrument."""
        self.tasks.add(task)

    def task_exited(self, task: trio.lowlevel.Task) -> None:
        """Instrument."""
        self.tasks.discard(task)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Instrument. trio would silence one that raises: what goes wrong here is written down."""
        self.steps += 1
        try:
            self._look()
        except Exception as error:  # noqa: BLE001
            self.violation(f"the observer cannot look: {error!r}")

    def _look(self) -> None:
        for record in list(self._unmet):
            ref = getattr(record.actor, "ref", None)
            if ref is not None:
                self._unmet.remove(record)
                self.born(record, ref)
                record.up = True
        dead = [record for record in self.live if record.ref and not record.ref.is_alive]
        if dead:
            self.live = [record for record in self.live if record not in dead]
            for record in dead:
                self.bury(record)
            for record in self.live:
                if record.owner is not None and not record.owner.alive:
                    self.violation(f"{record} lives, its supervisor {record.owner} does not")
        self._look_at_names()

    def _look_at_names(self) -> None:
        names = {key: ref for key, ref, _ in self.names.select()}
        inner = {key: ref for key, ref, _ in self.inner.select()}
        for holders in (names, inner):
            for key, holder in holders.items():
                if not holder.is_alive:
                    self.violation(f"the name {key} is that of the dead {holder}")
        table = None
        if self.has_inner:
            table = next((r for r in self.live if isinstance(r.plan, RegistryPlan)), None)
        if table is None and inner:
            self.violation(f"{self.inner} has names, and does not run")
        for record in self.live:
            key = getattr(record.plan, "key", None)
            if key is None:
                continue
            registry, name = self.name_of(key, record.path)
            if registry is self.inner and (table is None or table.number > record.number):
                continue  # it was registered, if at all, in a life of the registry before this
            holder = (names if registry is self.names else inner).get(name)
            if holder != record.ref:
                self.violation(f"{record} has lost its name {name} to {holder}")


def _many(owner: Record | None) -> bool:
    """Whether it may have several children with one id."""
    return owner is not None and isinstance(owner.plan, SupervisorPlan) and owner.plan.dynamic


def short(reason: ExitReason | None) -> str:
    """A reason in a word or two."""
    match reason:
        case Normal():
            return "normal"
        case Killed():
            return "killed"
        case NoProc():
            return "noproc"
        case Shutdown(None):
            return "shutdown"
        case Shutdown(StartError()):
            return "shutdown (start error)"
        case Shutdown(detail):
            return f"shutdown ({detail})"
        case Crashed(error):
            return f"crashed ({type(error).__name__})"
        case _:
            return "?"


def story(plan: Plan, observer: Observer, lines: int = 120) -> str:
    """The tree as it was drawn, and the end of what happened to it."""
    told: Iterable[str] = observer.journal[-lines:]
    left_out = len(observer.journal) - lines
    head = [f"... {left_out} lines before ..."] if left_out > 0 else []
    return "\n".join(["", *plan.lines(), "", *head, *told, "", *observer.violations])
