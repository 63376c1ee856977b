"""Supervision against a pure model: one event, then all that follows from it, then the next event.

Every birth and every end, its time, its reason and its place in the order of its siblings must be
those of the model, and so must the answers and the tables of the supervisors. `make soak` runs this
and the test beside it 10,000 times in all.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import trio
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from supervisors import (
    ActorRef,
    DynamicSupervisor,
    ExitReason,
    Normal,
    Shutdown,
    Supervisor,
)
from tests.unit.supervisors.property.actors import Act, Ask
from tests.unit.supervisors.property.comparison import events_disagree, table_disagrees
from tests.unit.supervisors.property.driver import Driver, Job, kind_of, ref_of, table_of
from tests.unit.supervisors.property.generators import (
    Plan,
    SupervisorPlan,
    WorkerPlan,
    plans,
    trees,
)
from tests.unit.supervisors.property.model import Model, Process, Row
from tests.unit.supervisors.property.observer import Record, short
from tests.unit.supervisors.property.runs import runs

# After the last thing that the model foresees; too short for anything else to happen in it.
PAUSE = 0.00007
WHO = st.integers(0, 11)
REASONS = st.sampled_from((Normal(), Shutdown(), Shutdown("x")))
WORKER_FATES = ("raise", "stop", "ignore", "garbage", "factory", "no actor", "slow", "late")
SUPERVISOR_FATES = ("raise", "stop", "ignore", "factory", "no actor")
FATES = st.lists(st.sampled_from(WORKER_FATES), max_size=3)


class OneEventAtATime(RuleBasedStateMachine):
    """Rules name processes and children by their numbers among those there are."""

    @initialize(
        tree=trees(wild=False), ending=st.sampled_from(Driver.ENDINGS), seed=st.random_module()
    )
    def start(self, tree: SupervisorPlan, ending: str, seed: Any) -> None:
        self.driver = Driver(tree, ending)
        self.model = Model(tree, trio.current_time())
        self.numbers = itertools.count(1)
        self._see(self.model.over)

    def alive(self) -> bool:
        return bool(self.model.living())

    # --- ends ---

    @precondition(alive)
    @rule(who=WHO, how=st.sampled_from(("cast", "call", "info", "continue")))
    def crash(self, who: int, how: str) -> None:
        worker = self._worker(who)
        if worker is None:
            return
        ref, act = self._ref(worker), Act("crash")
        text = f"crash {worker.label} by {how}"
        if how == "call":
            self.driver.job(text, lambda: ref.call(Ask(1, act), timeout=100))
        elif how == "info":
            self.driver.order(text, lambda: ref.send(act))
        else:
            told = act if how == "cast" else Act("continue", then=act)
            self.driver.order(text, lambda: ref.cast(told))
        self._see(self.model.asked_to_stop(worker, "crashed (Boom)", self._now()))

    @precondition(alive)
    @rule(who=WHO, reason=REASONS)
    def end(self, who: int, reason: ExitReason) -> None:
        worker = self._worker(who)
        if worker is None:
            return
        ref, act = self._ref(worker), Act("end", reason=reason)
        self.driver.order(f"end of {worker.label}: {reason}", lambda: ref.cast(act))
        self._see(self.model.asked_to_stop(worker, short(reason), self._now()))

    @precondition(alive)
    @rule(who=WHO, reason=REASONS)
    def stop(self, who: int, reason: ExitReason) -> None:
        process = self._process(who)
        ref = self._ref(process)
        self.driver.job(f"stop {process.label}: {reason}", lambda: ref.stop(reason))
        self._see(self.model.asked_to_stop(process, short(reason), self._now()))

    @precondition(alive)
    @rule(who=WHO)
    def kill(self, who: int) -> None:
        process = self._process(who)
        self.driver.order(f"kill {process.label}", self._ref(process).kill)
        self._see(self.model.killed(process, self._now()))

    @precondition(alive)
    @rule(who=WHO, reason=REASONS)
    def signal(self, who: int, reason: ExitReason) -> None:
        worker = self._worker(who)
        if worker is None:
            return
        assert isinstance(worker.plan, WorkerPlan)
        ref, over = self._ref(worker), self._now()
        self.driver.order(f"exit signal to {worker.label}: {reason}", lambda: ref.exit(reason))
        if not worker.plan.trap and not isinstance(reason, Normal):
            over = self.model.ended(worker, short(reason), over)
        self._see(over)

    # --- what is to come ---

    @precondition(alive)
    @rule(who=WHO, number=WHO, fates=FATES)
    def next_starts(self, who: int, number: int, fates: list[str]) -> None:
        row = self._row(self._supervisor(who), number)
        if row is not None:
            self._foretell(row.path, row.plan, fates)

    @rule(seconds=st.sampled_from((0.5003, 4.0007, 61.0)))
    def wait(self, seconds: float) -> None:
        self._see(self._now() + seconds)

    # --- administration ---

    @precondition(alive)
    @rule(who=WHO, plan=plans("n", 1, wild=False), twin=st.none() | WHO, fates=FATES)
    def start_child(self, who: int, plan: Plan, twin: int | None, fates: list[str]) -> None:
        """A new child, or one with an id that is taken."""
        owner = self._supervisor(who)
        taken = None if twin is None or owner.boss.dynamic else self._row(owner, twin)
        plan = replace(plan, id=taken.plan.id if taken else f"n{next(self.numbers)}")
        if taken is None:
            self._foretell(f"{owner.row.path}/{plan.id}", plan, fates)
        boss = self._record(owner)
        spec = self.driver.observer.spec(plan, boss)
        self._ask(
            "\n    ".join([f"start_child of {owner.label}:", *plan.lines()]),
            lambda: kind_of(boss).start_child(ref_of(boss), spec),
            self.model.start_child(owner, plan, self._now()),
        )

    @precondition(alive)
    @rule(who=WHO, number=WHO)
    def terminate_child(self, who: int, number: int) -> None:
        owner = self._supervisor(who)
        row = self._row(owner, number)
        ref = self._ref(owner)

        def ask() -> Awaitable[object]:
            if not owner.boss.dynamic:
                return Supervisor.terminate_child(ref, row.plan.id if row else "nobody")
            return DynamicSupervisor.terminate_child(ref, child or ref)

        child = self._ref(row.process) if row and row.process else None
        self._ask(
            f"terminate_child of {owner.label}: {row and row.path}",
            ask,
            self.model.terminate_child(owner, row, self._now()),
        )

    @precondition(alive)
    @rule(who=WHO, number=WHO, what=st.sampled_from(("restart_child", "delete_child")))
    def restart_or_delete(self, who: int, number: int, what: str) -> None:
        owner = self._supervisor(who)
        if owner.boss.dynamic:
            return
        row = self._row(owner, number)
        ref, child = self._ref(owner), row.plan.id if row else "nobody"
        self._ask(
            f"{what} of {owner.label}: {child}",
            lambda: getattr(Supervisor, what)(ref, child),
            getattr(self.model, what)(owner, row, self._now()),
        )

    def teardown(self) -> None:
        if not hasattr(self, "model"):
            return
        try:
            if not self.driver.failed:
                self.driver.close()
                self._see(self.model.stop(self.model.root, self._now()))
        finally:
            self.driver.leave()

    # --- who is meant ---

    def _process(self, number: int) -> Process:
        """The root, with which all would be over, not so often."""
        living = self.model.living()
        return living[0] if number == 11 else living[-1 - number % max(1, len(living) - 1)]

    def _worker(self, number: int) -> Process | None:
        workers = [p for p in self.model.living() if isinstance(p.plan, WorkerPlan)]
        return workers[number % len(workers)] if workers else None

    def _supervisor(self, number: int) -> Process:
        bosses = [p for p in self.model.living() if isinstance(p.plan, SupervisorPlan)]
        return bosses[number % len(bosses)]

    def _row(self, owner: Process, number: int) -> Row | None:
        return owner.rows[number] if number < len(owner.rows) else None

    def _record(self, process: Process) -> Record:
        return next(r for r in self.driver.observer.live if r.label == process.label)

    def _ref(self, process: Process) -> ActorRef:
        return ref_of(self._record(process))

    def _now(self) -> float:
        return trio.current_time()

    def _foretell(self, path: str, plan: Plan, fates: list[str]) -> None:
        if isinstance(plan, SupervisorPlan):
            fates = [fate for fate in fates if fate in SUPERVISOR_FATES]
        self.driver.order(f"the next starts of {path}: {fates}", lambda: None)
        self.model.faults[path].extend(fates)
        self.driver.observer.faults[path].extend(fates)

    # --- seeing that all is as the model has it ---

    def _ask(
        self, what: str, ask: Callable[[], Awaitable[object]], foreseen: tuple[str, float]
    ) -> None:
        answer, over = foreseen

        def verify(job: Job) -> str | None:
            got = type(job.error).__name__ if job.error else "ok"
            if what.startswith(("start", "restart")) and job.error is None and job.value is None:
                got = "ignored"
            return None if got == answer else f"the answer should be {answer}"

        self.driver.job(what, ask, verify)
        self._see(over)

    def _see(self, over: float) -> None:
        driver = self.driver
        driver.run.sleep(over - self._now() + PAUSE)
        driver.check()
        wrong = events_disagree(self.model, driver.observer)
        if wrong is not None:
            driver.observer.violation(wrong)
        driver.check()
        for process in self.model.living():
            if isinstance(process.plan, SupervisorPlan):
                self._see_table(process)
        driver.run.sleep(PAUSE)
        driver.check()

    def _see_table(self, process: Process) -> None:
        record = self._record(process)

        def verify(job: Job) -> str | None:
            if job.error is not None:
                return "the supervisor should answer"
            return table_disagrees(process, self.driver.observer, *job.value)

        self.driver.job(f"children of {process.label}", lambda: table_of(record), verify)


TestOneEventAtATime = OneEventAtATime.TestCase
TestOneEventAtATime.settings = runs(modest=50, share=0.4, steps=25)
