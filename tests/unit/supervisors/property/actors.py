"""The actors of the property tests: they do what they are told and let the observer know."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import trio

from supervisors import (
    Call,
    Caller,
    CallError,
    Continue,
    Crashed,
    Down,
    DynamicSupervisor,
    Exit,
    ExitReason,
    GenServer,
    Ignore,
    LinkedTask,
    NoReply,
    Reply,
    Shutdown,
    Stop,
    Supervisor,
    SupervisorsError,
)
from tests.unit.supervisors.property.generators import (
    MAX_CHILDREN,
    SLOW_START,
    RegistryPlan,
    SupervisorPlan,
    WorkerPlan,
)
from tests.unit.supervisors.property.observer import Boom, Observer, Record, Watch

# How much longer than usual an init takes.
INIT_SECONDS = {"slow": SLOW_START, "tasks": 0.25, "late": 100.0, "hang": math.inf}


@dataclass(frozen=True)
class Act:
    """What a worker is to do: `what`, for so many `seconds`, to `target`, or with `reason`."""

    what: str
    seconds: float = 0.0
    target: Record | None = None
    reason: ExitReason | None = None
    then: Act | None = None

    def __str__(self) -> str:
        words = (self.seconds or "", self.target or "", self.reason or "", self.then or "")
        return " ".join(str(word) for word in (self.what, *words) if word != "")


@dataclass(frozen=True)
class Ask(Call[Any]):
    """Do `act`, and answer (token, who answers)."""

    token: int
    act: Act


class Worker(GenServer):
    """A GenServer by plan."""

    def __init__(self, observer: Observer, record: Record) -> None:
        assert isinstance(record.plan, WorkerPlan)
        self.observer = observer
        self.record = record
        self.plan = record.plan
        self.trap_exit = record.plan.trap
        self.callers: list[tuple[Caller, int]] = []

    # --- callbacks ---

    async def init(self) -> Any:
        self.observer.born(self.record, self.ref)
        for what in self.plan.meets:
            others = [other for other in self.observer.live if other is not self.record]
            for other in others if what == "monitor" else others[-1:]:
                await self._meet(Act(what), other)
        await trio.sleep(self.plan.init)
        match self.record.fate:
            case "raise":
                raise Boom("init")
            case "stop":
                return Stop(Shutdown("no"))
            case "ignore":
                return Ignore()
            case "garbage":
                return "garbage"
            case "tasks":
                self._task("endless", 0)
                self._task("slow to end", 0.5)
        await trio.sleep(INIT_SECONDS.get(self.record.fate, 0.0))
        self.record.up = True
        self.observer.note(f"{self.record} up")
        return None

    async def handle_call(self, request: Ask, caller: Caller) -> Any:
        self._hear()
        if request.act.what == "answer later":
            self.callers.append((caller, request.token))
            self.send_after(request.act.seconds, Act("answer now"))
            return NoReply()
        result = await self._perform(request.act)
        answer = (request.token, self.record)
        match result:
            case Stop(reason):
                return Stop(reason, reply=answer)
            case Continue(argument):
                return Reply(answer, continue_with=argument)
            case None:
                return Reply(answer)
        return result

    async def handle_cast(self, message: Act) -> Any:
        self._hear()
        return await self._perform(message)

    async def handle_info(self, info: Any) -> Any:
        self._hear()
        match info:
            case Act():
                return await self._perform(info)
            case Down():
                self._down(info)
            case Exit():
                self._exit(info)
        return None

    async def handle_continue(self, argument: Act) -> Any:
        return await self._perform(argument)

    async def terminate(self, reason: ExitReason) -> ExitReason | None:
        record, observer = self.record, self.observer
        observer.note(f"{record} terminates: {reason}")
        if record.killed or record.died_at is not None:
            observer.violation(f"{record} terminates, though it was killed or is dead")
        if reason == Shutdown():  # nobody but its supervisor uses this one
            record.later_at_stop = observer.later_than(record)
        match self.plan.stops:
            case "block":
                with trio.CancelScope(shield=True):
                    await trio.sleep(self.plan.stopping)
            case "swallow":
                await _swallow(self.plan.stopping)
            case _:
                await trio.sleep(self.plan.stopping)
        if self.plan.stops == "raise":
            raise Boom("terminate")
        return Shutdown("other") if self.plan.stops == "other" else None

    # --- what it is told ---

    async def _perform(self, act: Act) -> Any:
        self.observer.note(f"{self.record} does: {act}")
        match act.what:
            case "crash":
                raise Boom("told to")
            case "end":
                assert act.reason is not None
                return Stop(act.reason)
            case "garbage":
                return "garbage"
            case "continue":
                return Continue(act.then)
            case "timer":
                self.send_after(act.seconds, act.then)
            case "answer now":
                self._answer()
            case "endless" | "short" | "failing" | "slow to end":
                self._task(act.what, act.seconds)
            case _ if act.target is not None:
                await self._meet(act, act.target)
            case _:
                await _spend(act)
        return None

    async def _meet(self, act: Act, target: Record) -> None:
        """What it does to others."""
        assert target.ref is not None
        match act.what:
            case "monitor":
                late = not target.ref.is_alive
                self.record.watches[self.monitor(target.ref)] = Watch(target, late)
            case "demonitor":
                self._demonitor(target)
            case "link" if target is not self.record:
                self._link(target)
            case "unlink":
                self.observer.links.discard(frozenset((self.record, target)))
                self.unlink(target.ref)
            case "signal":
                target.signalled = True
                target.on_purpose[self.record] += 1
                target.ref.exit(Shutdown("signal"))
            case "call":
                try:
                    await target.ref.call(Ask(0, Act("nothing")), timeout=act.seconds)
                except CallError as error:
                    self.observer.note(f"{self.record} gets {type(error).__name__}")
            case "end me":
                await self._end_me(target)

    def _link(self, target: Record) -> None:
        assert target.ref is not None
        record = self.record
        record.linked = target.linked = True
        if target.ref.is_alive:
            self.observer.links.add(frozenset((record, target)))
        elif self.trap_exit:
            record.due_exits[target] += 1
        else:
            record.linked_to_dead = True
        self.link(target.ref)

    async def _end_me(self, supervisor: Record) -> None:
        """Ask its own supervisor to end it: it waits for who waits for it, but not for ever."""
        slot = self.record.slot
        slot.asked["terminate"] += 1
        assert supervisor.ref is not None
        with trio.move_on_after(3):
            try:
                if isinstance(supervisor.plan, SupervisorPlan) and supervisor.plan.dynamic:
                    await DynamicSupervisor.terminate_child(supervisor.ref, self.ref)
                else:
                    await Supervisor.terminate_child(supervisor.ref, slot.id)
            except SupervisorsError as error:
                self.observer.note(f"{self.record} gets {type(error).__name__}")

    def _answer(self) -> None:
        for caller, token in self.callers:
            caller.reply((token, self.record))
            caller.reply((token, "a second answer"))
            caller.fail(CallError(self.ref.name, None, "a third answer"))
        self.callers.clear()

    def _demonitor(self, target: Record) -> None:
        for monitor, watch in self.record.watches.items():
            if watch.target is target and not watch.dropped:
                watch.dropped = "dead" if watch.late or target.died_at is not None else "alive"
                self.demonitor(monitor)

    def _task(self, kind: str, seconds: float) -> None:
        record = self.record
        token = object()

        async def task() -> None:
            record.tasks.add(token)
            try:
                if kind in ("short", "failing"):
                    await trio.sleep(seconds)
                else:
                    await trio.sleep_forever()
                if kind == "failing":
                    raise Boom("task")
            finally:
                if kind == "slow to end":
                    with trio.CancelScope(shield=True):
                        await trio.sleep(seconds)
                record.tasks.discard(token)
                record.tasks_ended[kind == "failing"] += 1

        self.spawn_link(task)

    # --- what it hears ---

    def _hear(self) -> None:
        if self.record.killed or self.record.died_at is not None:
            self.observer.violation(
                f"{self.record} takes a message, though it was killed or is dead"
            )

    def _down(self, down: Down) -> None:
        record, observer = self.record, self.observer
        watch = record.watches.get(down.monitor)
        observer.note(f"{record} hears that {down.ref} is down: {down.reason}")
        if watch is None:
            observer.violation(f"{record} gets a Down it did not ask for: {down}")
            return
        watch.downs += 1
        watch.reason = down.reason
        target = watch.target
        if watch.downs > 1:
            observer.violation(f"{record} gets {watch.downs} Downs of {target} from one monitor")
        if watch.dropped == "alive":
            observer.violation(f"{record} gets a Down of {target} after it demonitored it")
        assert target.ref is not None
        if target.ref.is_alive:
            observer.violation(f"{record} gets a Down of {target}, which lives")
        if observer.names.keys(target.ref) or observer.inner.keys(target.ref):
            observer.violation(f"{record} gets a Down of {target}, which still has its names")

    def _exit(self, info: Exit) -> None:
        self.observer.note(f"{self.record} gets an exit signal of {info.ref}: {info.reason}")
        if isinstance(info.ref, LinkedTask):
            self.record.tasks_heard[isinstance(info.reason, Crashed)] += 1
        for other in self.observer.records:
            if other.ref == info.ref:
                if info.reason == Shutdown("signal") and self.record.on_purpose[other]:
                    self.record.on_purpose[other] -= 1
                    return  # sent on purpose, not by a link
                self.record.exits[other] += 1
                if other.alive and other.ref is not None and other.ref.is_alive:
                    self.observer.violation(f"{self.record} gets an Exit of {other}, which lives")


async def _spend(act: Act) -> None:
    """Spend time, in a way that heeds a cancellation, or puts it off, or takes no notice of it."""
    match act.what:
        case "sleep":
            await trio.sleep(act.seconds)
        case "swallow":
            await _swallow(act.seconds)
        case "block" | "get stuck":
            with trio.CancelScope(shield=True):
                await trio.sleep(act.seconds)


async def _swallow(seconds: float) -> None:
    """Wait, and take a cancellation for the end of waiting, as careless code does."""
    try:
        await trio.sleep(seconds)
    except trio.Cancelled:
        return


class WatchedSupervisor(Supervisor):
    """A Supervisor the observer knows of."""

    def __init__(self, observer: Observer, record: Record, plan: SupervisorPlan) -> None:
        super().__init__(
            [observer.spec(child, record) for child in plan.children],
            strategy=plan.strategy,  # type: ignore[arg-type]
            max_restarts=plan.max_restarts,
            max_seconds=plan.max_seconds,
            auto_shutdown=plan.auto_shutdown,  # type: ignore[arg-type]
        )
        self.observer = observer
        self.record = record

    async def init(self) -> Any:
        return supervisor_init(self, self.observer, self.record)


class WatchedDynamicSupervisor(DynamicSupervisor):
    """A DynamicSupervisor the observer knows of."""

    def __init__(self, observer: Observer, record: Record, plan: SupervisorPlan) -> None:
        super().__init__(
            max_restarts=plan.max_restarts,
            max_seconds=plan.max_seconds,
            max_children=MAX_CHILDREN,
        )
        self.observer = observer
        self.record = record

    async def init(self) -> Any:
        return supervisor_init(self, self.observer, self.record)


def supervisor_init(actor: Any, observer: Observer, record: Record) -> Any:
    """The init of both."""
    observer.born(record, actor.ref)
    match record.fate:
        case "raise":
            raise Boom("init")
        case "ignore":
            return Ignore()
        case "stop":
            return Stop(Shutdown("no"))
    record.up = True
    return None


def make(observer: Observer, record: Record) -> Any:
    """The actor for a record."""
    plan = record.plan
    match plan:
        case WorkerPlan():
            return Worker(observer, record)
        case RegistryPlan():
            return observer.inner.child_spec().start()
        case SupervisorPlan():
            kind = WatchedDynamicSupervisor if plan.dynamic else WatchedSupervisor
            return kind(observer, record, plan)
