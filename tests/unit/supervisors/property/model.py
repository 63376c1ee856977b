"""What supervision must do, as a pure model: no trio, no tasks, only who starts and ends when.

It knows one cause at a time: each method that tells of an event returns when all that follows from
it is over. A time that is threaded through is enough for that: what is done one after the other
passes the time on, what is done at once takes the longest.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field

from tests.unit.supervisors.property.generators import (
    MAX_CHILDREN,
    SLOW_START,
    START_TIMEOUT,
    Plan,
    RegistryPlan,
    SupervisorPlan,
    WorkerPlan,
)

ANY = "shutdown or killed"  # with a grace of nothing it is a race, in OTP too


@dataclass(eq=False)
class Row:
    """A child of a supervisor process."""

    plan: Plan
    path: str
    owner: Process | None
    process: Process | None = None


@dataclass(eq=False)
class Process:
    """A process that lives, or did."""

    label: str
    row: Row
    rows: list[Row] = field(default_factory=list)
    restarts: list[float] = field(default_factory=list)
    reason: str | None = None

    @property
    def plan(self) -> Plan:
        """What it is by."""
        return self.row.plan

    @property
    def boss(self) -> SupervisorPlan:
        """What it is by, if it is a supervisor."""
        assert isinstance(self.plan, SupervisorPlan)
        return self.plan


@dataclass(frozen=True)
class Event:
    """A birth (no reason) or an end, of a child of `owner`."""

    owner: str
    time: float
    label: str
    reason: str | None = None


class Failed(Exception):
    """A child did not start; the time it took, and the name of the error a caller gets."""

    def __init__(self, time: float, error: str = "FailedToStartChild") -> None:
        self.time = time
        self.error = error


class Model:
    """The tree of `plan`, started at `now`; `over` is when all that followed was done."""

    def __init__(self, plan: SupervisorPlan, now: float) -> None:
        self.events: list[Event] = []
        self.faults: dict[str, deque[str]] = defaultdict(deque)
        self.root = Row(plan, plan.id, None)
        self.dynamic: set[str] = set()
        """The labels of every DynamicSupervisor there was."""
        self._births: Counter[str] = Counter()
        self.over = self.start(self.root, now)

    def living(self, row: Row | None = None) -> list[Process]:
        """Every process below `row`, itself first, in start order."""
        process = (row or self.root).process
        if process is None:
            return []
        return [process, *(p for row in process.rows for p in self.living(row))]

    # --- starts ---

    def start(self, row: Row, now: float) -> float:
        """Start it; raise Failed. `row.process` stays None if it says Ignore."""
        queue = self.faults[row.path]
        fate = queue.popleft() if queue else "ok"
        if fate == "factory":
            raise Failed(now)
        if fate == "no actor":
            return now
        self._births[row.path] += 1
        process = Process(f"{row.path}#{self._births[row.path]}", row)
        self._tell(process, now)
        if isinstance(row.plan, SupervisorPlan):
            if row.plan.dynamic:
                self.dynamic.add(process.label)
            now = self._start_supervisor(process, fate, now)
        else:
            now = self._start_worker(process, fate, now)
        if process.reason is None:
            row.process = process
        return now

    def _start_worker(self, process: Process, fate: str, now: float) -> float:
        assert isinstance(process.plan, WorkerPlan)
        now += process.plan.init
        if fate == "slow":
            now += SLOW_START
        if fate == "late":
            now += START_TIMEOUT - process.plan.init
            self._end(process, "killed", now)
            raise Failed(now, "StartTimeout")
        self._start_otherwise(process, fate, now)
        return now

    def _start_supervisor(self, process: Process, fate: str, now: float) -> float:
        self._start_otherwise(process, fate, now)
        if process.reason is not None:
            return now
        process.rows = [
            Row(plan, f"{process.row.path}/{plan.id}", process) for plan in process.boss.children
        ]
        try:
            for row in list(process.rows):
                now = self.start(row, now)
                self._drop_if_ignored(row)
        except Failed as failure:
            now = self._stop_children(process, failure.time, math.inf)
            self._end(process, "shutdown (start error)", now)
            raise Failed(now) from None
        return now

    def _start_otherwise(self, process: Process, fate: str, now: float) -> None:
        reasons = {
            "raise": "crashed (Boom)",
            "garbage": "crashed (BadReturnValue)",
            "stop": "shutdown (no)",
        }
        if fate in reasons:
            self._end(process, reasons[fate], now)
            raise Failed(now)
        if fate == "ignore":
            self._end(process, "normal", now)

    def _drop_if_ignored(self, row: Row) -> None:
        owner = row.owner
        if row.process is not None or owner is None:
            return
        if row.plan.restart == "temporary" or owner.boss.dynamic:
            owner.rows.remove(row)

    # --- stops ---

    def stop(self, row: Row, now: float, limit: float = math.inf) -> float:
        """Its supervisor stops it; `limit`: when that itself is killed."""
        process, row.process = row.process, None
        if process is None:
            return now
        assert not isinstance(process.plan, RegistryPlan)
        grace = process.plan.shutdown
        if isinstance(grace, str):  # brutal_kill
            return self.kill(process, now)
        return self._shut(process, now, min(limit, now + grace))

    def _shut(self, process: Process, now: float, limit: float) -> float:
        if isinstance(process.plan, SupervisorPlan):
            done = self._stop_children(process, now, limit)
        else:
            assert isinstance(process.plan, WorkerPlan)
            done = now + (process.plan.stopping if process.plan.trap else 0.0)
        if done > limit:
            return self.kill(process, limit)
        self._end(process, ANY if done == limit else "shutdown", done)
        return done

    def _stop_children(self, process: Process, now: float, limit: float) -> float:
        """In reverse, each after the other; a dynamic one's all at once. Past the limit: not over,
        and those that are left are killed by `kill`.
        """
        if process.boss.dynamic:
            now = max((self.stop(row, now, limit) for row in process.rows), default=now)
            return math.inf if now >= limit else now
        for row in reversed(process.rows):
            if row.process is None:
                continue
            now = self.stop(row, now, limit)
            if now >= limit:
                return math.inf
        return now

    def kill(self, process: Process, now: float) -> float:
        """Its supervisor kills it: it and all below it end at once."""
        self._kill_children(process, now)
        self._end(process, "killed", now)
        return now

    def _kill_children(self, process: Process, now: float) -> None:
        for row in process.rows:
            if row.process is not None:
                self.kill(row.process, now)
                row.process = None

    def asked_to_stop(self, process: Process, reason: str, now: float) -> float:
        """`ref.stop(reason)`, or an end of its own accord: what is below it ends first."""
        if isinstance(process.plan, SupervisorPlan):
            now = self._stop_children(process, now, math.inf)
        else:
            assert isinstance(process.plan, WorkerPlan)
            now += process.plan.stopping
        return self.ended(process, reason, now)

    # --- ends ---

    def killed(self, process: Process, now: float) -> float:
        """Somebody killed it."""
        self._kill_children(process, now)
        return self.ended(process, "killed", now)

    def ended(self, process: Process, reason: str, now: float) -> float:
        """It ended by itself; what its supervisor does about it."""
        self._end(process, reason, now)
        row = process.row
        row.process = None
        owner = row.owner
        if owner is None:
            return now
        abnormal = not reason.startswith(("normal", "shutdown"))
        if row.plan.restart == "permanent" or (row.plan.restart == "transient" and abnormal):
            return self._restart(owner, row, now)
        if row.plan.restart == "temporary" or owner.boss.dynamic:
            owner.rows.remove(row)
        if self._was_last_significant(owner, row):
            return self._give_up(owner, now)
        return now

    def _was_last_significant(self, owner: Process, ended: Row) -> bool:
        if not ended.plan.significant or owner.boss.auto_shutdown == "never":
            return False
        if owner.boss.auto_shutdown == "any_significant":
            return True
        return not any(row.plan.significant and row.process for row in owner.rows)

    def _give_up(self, owner: Process, now: float) -> float:
        now = self._stop_children(owner, now, math.inf)
        return self.ended(owner, "shutdown", now)

    def _restart(self, owner: Process, row: Row, now: float) -> float:
        boss = owner.boss
        owner.restarts.append(now)
        recent = [time for time in owner.restarts if time >= now - boss.max_seconds]
        if len(recent) > boss.max_restarts:
            return self._give_up(owner, now)
        group = [row]
        if boss.strategy == "one_for_all":
            group = list(owner.rows)
        elif boss.strategy == "rest_for_one":
            group = owner.rows[owner.rows.index(row) :]
        for sibling in reversed(group):
            now = self.stop(sibling, now)
            if sibling.plan.restart == "temporary":
                owner.rows.remove(sibling)
        for sibling in group:
            if sibling not in owner.rows:
                continue
            try:
                now = self.start(sibling, now)
            except Failed as failure:
                return self._restart(owner, sibling, failure.time)
            self._drop_if_ignored(sibling)
        return now

    # --- administration: the answer, and when all is done ---

    def start_child(self, owner: Process, plan: Plan, now: float) -> tuple[str, float]:
        """The answer is "ok", "ignored" or the name of an error."""
        if plan.significant and owner.boss.auto_shutdown == "never":
            return "InvalidSignificant", now
        if owner.boss.dynamic:
            if len(owner.rows) >= MAX_CHILDREN:
                return "MaxChildren", now
        else:
            for row in owner.rows:
                if row.plan.id == plan.id:
                    return "AlreadyStarted" if row.process else "AlreadyPresent", now
        row = Row(plan, f"{owner.row.path}/{plan.id}", owner)
        owner.rows.append(row)
        answer, now = self._start_asked(row, now)
        if answer not in ("ok", "ignored"):
            owner.rows.remove(row)
        return answer, now

    def _start_asked(self, row: Row, now: float) -> tuple[str, float]:
        try:
            now = self.start(row, now)
        except Failed as failure:
            return failure.error, failure.time
        self._drop_if_ignored(row)
        return "ok" if row.process else "ignored", now

    def terminate_child(self, owner: Process, row: Row | None, now: float) -> tuple[str, float]:
        """Of a Supervisor by id, of a DynamicSupervisor by process."""
        if row is None or row not in owner.rows:
            return "NotFound", now
        now = self.stop(row, now)
        if row.plan.restart == "temporary" or owner.boss.dynamic:
            owner.rows.remove(row)
        return "ok", now

    def restart_child(self, owner: Process, row: Row | None, now: float) -> tuple[str, float]:
        """Only of a Supervisor."""
        if row is None or row not in owner.rows:
            return "NotFound", now
        if row.process is not None:
            return "ChildRunning", now
        return self._start_asked(row, now)

    def delete_child(self, owner: Process, row: Row | None, now: float) -> tuple[str, float]:
        """Only of a Supervisor."""
        if row is None or row not in owner.rows:
            return "NotFound", now
        if row.process is not None:
            return "ChildRunning", now
        owner.rows.remove(row)
        return "ok", now

    # --- telling ---

    def _tell(self, process: Process, now: float, reason: str | None = None) -> None:
        owner = process.row.owner
        self.events.append(Event("" if owner is None else owner.label, now, process.label, reason))

    def _end(self, process: Process, reason: str, now: float) -> None:
        process.reason = reason
        self._tell(process, now, reason)
