"""Anything at any moment: kills, crashes, signals, calls and administration amid starts and stops.

What must hold whatever comes is looked at after every step of every task (observer.py), when all
has come to rest, and at the end (invariants.py): no orphan, no name of a dead process, no second
Down, no stop out of order, no call that never ends, no restart too many, no task left.

`make soak` runs this and the test beside it 10,000 times in all, with new examples each time; the
usual run is short and always the same.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, TypeAlias

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from supervisors import (
    DynamicSupervisor,
    ExitReason,
    Normal,
    Shutdown,
    Supervisor,
)
from tests.unit.supervisors.property.actors import Act, Ask
from tests.unit.supervisors.property.driver import (
    A_LONG_TIME,
    Driver,
    Job,
    kind_of,
    ref_of,
    table_of,
    wrong_end,
)
from tests.unit.supervisors.property.generators import (
    Plan,
    SupervisorPlan,
    WorkerPlan,
    plans,
    trees,
)
from tests.unit.supervisors.property.invariants import (
    gave_up_too_early,
    was_wrong,
    wrong_now,
    wrong_table,
)
from tests.unit.supervisors.property.observer import Record, Slot
from tests.unit.supervisors.property.runs import runs

WHO = st.integers(0, 15)
# How many steps all tasks go on before the next rule (0: it is done in the same step), and who is
# killed then, in the midst of it.
THEN = st.tuples(st.integers(0, 5), st.none() | WHO)
SECONDS = st.sampled_from((0.0301, 0.1, 0.5003, 1.0, 3.0))
REASONS: st.SearchStrategy[ExitReason] = st.sampled_from((Normal(), Shutdown("x")))
TIMEOUTS = st.sampled_from((0.2, 5.0, math.inf))
HOW = st.sampled_from(("cast", "info", "call"))

# Longer than a kill waits (5 s): the actor is given up while its task still blocks.
STUCK_SECONDS = 7.0

Then: TypeAlias = tuple[int, int | None]

ALONE = (
    *("sleep", "block", "swallow", "get stuck", "garbage", "answer now"),
    *("endless", "short", "failing", "slow to end"),
)
TOGETHER = ("monitor", "monitor", "demonitor", "link", "link", "unlink", "signal", "call")


class AnyEventAtAnyTime(RuleBasedStateMachine):
    """Rules name processes by their number among those that live, or that were born last."""

    @initialize(
        tree=trees(wild=True), ending=st.sampled_from(Driver.ENDINGS), seed=st.random_module()
    )
    def start(self, tree: SupervisorPlan, ending: str, seed: Any) -> None:
        self.driver = Driver(tree, ending)
        self.observer = self.driver.observer
        self.tokens = itertools.count(1)

    def alive(self) -> bool:
        return bool(self.observer.live)

    def any_child(self) -> bool:
        return len(self.observer.live) > 1

    # --- ends ---

    @precondition(any_child)
    @rule(who=WHO, then=THEN)
    def kill(self, who: int, then: Then) -> None:
        self._kill(who)
        self._go_on(then)

    @precondition(any_child)
    @rule(who=WHO, reason=REASONS, then=THEN)
    def signal(self, who: int, reason: ExitReason, then: Then) -> None:
        self.driver.signal(self._alive(who), reason)
        self._go_on(then)

    @precondition(any_child)
    @rule(who=WHO, reason=REASONS, timeout=TIMEOUTS, then=THEN)
    def stop(self, who: int, reason: ExitReason, timeout: float, then: Then) -> None:
        victim = self._some(who)
        victim.signalled = True

        def verify(job: Job) -> str | None:
            if job.error is None and (victim.alive or victim.reason not in (reason, None)):
                return f"it ended with {victim.reason}"
            return wrong_end(job, victim, timeout)

        ref = ref_of(victim)
        text = f"stop {victim}, {timeout} s: {reason}"
        self.driver.job(text, lambda: ref.stop(reason, timeout=timeout), verify)
        self._go_on(then)

    @precondition(any_child)
    @rule(who=WHO, how=HOW, end=st.none() | REASONS, then=THEN)
    def crash(self, who: int, how: str, end: ExitReason | None, then: Then) -> None:
        """Or end by itself."""
        act = Act("crash") if end is None else Act("end", reason=end)
        self._tell(self._alive(who), how, act)
        self._go_on(then)

    # --- what workers do, alone and to each other ---

    @precondition(any_child)
    @rule(who=WHO, how=HOW, what=st.sampled_from(ALONE), seconds=SECONDS, then=THEN)
    def act(self, who: int, how: str, what: str, seconds: float, then: Then) -> None:
        act = Act(what, STUCK_SECONDS if what == "get stuck" else seconds)
        self._tell(self._some(who), how, act)
        self._go_on(then)

    @precondition(any_child)
    @rule(who=WHO, seconds=SECONDS, then=THEN)
    def ask(self, who: int, seconds: float, then: Then) -> None:
        """A call that is answered after some time, in time or too late."""
        worker = self._worker(who)
        if worker is not None:
            self._call(worker, Act("answer later", seconds))
        self._go_on(then)

    @precondition(any_child)
    @rule(who=WHO, what=st.sampled_from(TOGETHER), other=WHO, then=THEN)
    def meet(self, who: int, what: str, other: int, then: Then) -> None:
        worker = self._worker(who)
        target = self._some(other)
        known = [] if worker is None else self._met(worker, what)
        if known:
            target = known[other % len(known)]
        if worker is None or (what in ("signal", "unlink") and target is worker.owner):
            return  # one deceives its supervisor, the other blinds it; in OTP as well
        self._tell(worker, "cast", Act(what, 1.0, target=target))
        self._go_on(then)

    @precondition(any_child)
    @rule(who=WHO, later=st.booleans(), seconds=SECONDS, then=THEN)
    def end_me(self, who: int, later: bool, seconds: float, then: Then) -> None:
        worker = self._worker(who)
        if worker is not None:
            act = Act("end me", target=worker.owner)
            self._tell(worker, "cast", Act("timer", seconds, then=act) if later else act)
        self._go_on(then)

    @precondition(any_child)
    @rule(who=WHO, seconds=SECONDS, then=THEN)
    def crash_later(self, who: int, seconds: float, then: Then) -> None:
        """By a timer, or (at once) by a continuation."""
        self._tell(self._alive(who), "cast", Act("timer", seconds, then=Act("crash")))
        self._tell(self._alive(who), "cast", Act("continue", then=Act("sleep", seconds)))
        self._go_on(then)

    @precondition(lambda self: any(job.elapsed is None for job in self.driver.jobs))
    @rule(number=WHO, then=THEN)
    def cancel(self, number: int, then: Then) -> None:
        """A call in flight, of whatever kind."""
        jobs = [job for job in self.driver.jobs if job.elapsed is None]
        job = jobs[number % len(jobs)]
        self.driver.order(f"cancel: {job.what}", job.scope.cancel)
        self._go_on(then)

    # --- administration ---

    @precondition(alive)
    @rule(who=WHO, plan=plans("n", 1, wild=True), number=st.integers(0, 4), then=THEN)
    def start_child(self, who: int, plan: Plan, number: int, then: Then) -> None:
        boss = self._boss(who)
        if boss is None:
            return
        assert isinstance(boss.plan, SupervisorPlan)
        if boss.plan.auto_shutdown == "never" and number:  # else it is refused at once
            plan = replace(plan, significant=False)
        plan = replace(plan, id=f"n{number}")
        spec = self.observer.spec(plan, boss)

        def verify(job: Job) -> str | None:
            if job.value is not None and not any(r.ref == job.value for r in self.observer.records):
                return "nobody has seen it"
            return wrong_end(job, boss)

        text = "\n        ".join([f"start_child of {boss}:", *plan.lines()])
        self.driver.job(text, lambda: kind_of(boss).start_child(ref_of(boss), spec), verify)
        self._go_on(then)

    @precondition(alive)
    @rule(
        who=WHO,
        number=WHO,
        what=st.sampled_from(("terminate_child", "restart_child", "delete_child")),
        then=THEN,
    )
    def administer(self, who: int, number: int, what: str, then: Then) -> None:
        boss = self._boss(who)
        slots = [] if boss is None else [slot for slot in boss.slots if slot.records]
        if boss is None or not slots:
            return
        slot = slots[number % len(slots)]
        victim = slot.records[-1]
        ask = self._request(boss, slot, victim, what)
        if ask is None:
            return
        for twin in boss.slots:
            if twin.id == slot.id and what != "delete_child":
                twin.asked[what.removesuffix("_child")] += 1

        def verify(job: Job) -> str | None:
            if what == "terminate_child" and job.error is None:
                if victim.alive:
                    return f"{victim} lives"
                if slot.calls_when_down is None:
                    slot.calls_when_down = len(slot.calls)
            return wrong_end(job, boss)

        self.driver.job(f"{what} of {boss}: {slot.id}", ask, verify)
        self._go_on(then)

    @precondition(alive)
    @rule(who=WHO, then=THEN)
    def look(self, who: int, then: Then) -> None:
        boss = self._boss(who)
        if boss is not None:
            self.driver.job(
                f"count_children of {boss}",
                lambda: kind_of(boss).count_children(ref_of(boss)),
                lambda job: wrong_end(job, boss),
            )
        self._go_on(then)

    # --- time ---

    @rule(ticks=st.integers(0, 12), seconds=st.just(0.0) | SECONDS)
    def go_on(self, ticks: int, seconds: float) -> None:
        self.driver.run.sleep(seconds)
        self._go_on((ticks, None))

    @rule()
    def rest(self) -> None:
        """Let everything happen that will, and see that all is in order."""
        self.driver.run.sleep(A_LONG_TIME)
        self.driver.check()
        if not self.driver.over:
            self._look_at_rest()

    @precondition(alive)
    @rule(which=st.integers(0, 15), then=THEN)
    def end_all(self, which: int, then: Then) -> None:
        """Not too often. What comes then comes while the tree ends."""
        root = self.observer.live[0]
        if which == 15:
            self.driver.close()
        elif which > 12 and root.owner is None:
            if which == 14:
                self.driver.kill(root)
            else:
                self.driver.signal(root, Shutdown("x"))
        self._go_on(then)

    def teardown(self) -> None:
        if not hasattr(self, "driver"):
            return
        try:
            if not self.driver.failed and not self.driver.closing:
                self.rest()
        finally:
            self.driver.leave()
        self._tell_of(was_wrong(self.observer))

    # --- who is meant ---

    def _alive(self, number: int) -> Record:
        """One that lives, but not the root, with which all would be over."""
        live = self.observer.live[1:]
        return live[-1 - number % len(live)]

    def _some(self, number: int) -> Record:
        """One that lives, or one of the last that were born."""
        if number % 2 and self.any_child():
            return self._alive(number)
        return self.observer.records[-1 - number % min(16, len(self.observer.records))]

    def _worker(self, number: int) -> Record | None:
        workers = [r for r in self.observer.live if isinstance(r.plan, WorkerPlan)]
        return workers[number % len(workers)] if workers else None

    def _met(self, worker: Record, what: str) -> list[Record]:
        """With whom it can break off again."""
        if what == "demonitor":
            return [w.target for w in worker.watches.values() if not w.dropped and w.target.alive]
        if what == "unlink":
            pairs = [pair for pair in self.observer.links if worker in pair]
            return sorted((next(iter(pair - {worker})) for pair in pairs), key=str)
        return []

    def _boss(self, number: int) -> Record | None:
        """A supervisor that lives, or now and then one of those that were born last."""
        among = self.observer.records[-30:] if number == 15 else self.observer.live
        bosses = [r for r in among if isinstance(r.plan, SupervisorPlan)]
        return bosses[-1 - number % len(bosses)] if bosses else None

    # --- helpers ---

    def _go_on(self, then: Then) -> None:
        ticks, victim = then
        self.driver.run.tick(ticks)
        if victim is not None and self.any_child():
            self._kill(victim)
        self.driver.check()

    def _kill(self, who: int) -> None:
        self.driver.kill(self._alive(who))

    def _tell(self, whom: Record, how: str, act: Act) -> None:
        if not isinstance(whom.plan, WorkerPlan):
            return
        if act.what == "get stuck":
            whom.stuck = True
        ref = ref_of(whom)
        if how == "cast":
            self.driver.order(f"cast to {whom}: {act}", lambda: ref.cast(act))
        elif how == "info":
            self.driver.order(f"send to {whom}: {act}", lambda: ref.send(act))
        else:
            self._call(whom, act)

    def _call(self, whom: Record, act: Act) -> None:
        token = next(self.tokens)
        timeout = (1.0, 5.0, math.inf)[token % 3]

        def verify(job: Job) -> str | None:
            if job.error is None and job.value != (token, whom):
                return f"the answer should be {(token, whom)}"
            return wrong_end(job, whom, timeout)

        ask = Ask(token, act)
        text = f"call {whom}, {timeout} s: {act}"
        self.driver.job(text, lambda: ref_of(whom).call(ask, timeout=timeout), verify)

    def _request(
        self, boss: Record, slot: Slot, victim: Record, what: str
    ) -> Callable[[], Any] | None:
        assert isinstance(boss.plan, SupervisorPlan)
        if not boss.plan.dynamic:
            return lambda: getattr(Supervisor, what)(ref_of(boss), slot.id)
        if what != "terminate_child" or victim.ref is None:
            return None
        child = victim.ref
        return lambda: DynamicSupervisor.terminate_child(ref_of(boss), child)

    def _look_at_rest(self) -> None:
        self._tell_of(wrong_now(self.observer))
        self._tell_of(gave_up_too_early(self.observer))
        hanging = [record for record in self.observer.live if record.hangs]
        for boss in self.observer.live:
            if boss.supervises and not any(record.is_below(boss) for record in hanging):
                self._look_at_table(boss)
        self.driver.run.sleep(0.001)
        self.driver.check()

    def _look_at_table(self, boss: Record) -> None:
        def verify(job: Job) -> str | None:
            if job.error is not None:
                return "it should answer"
            return next(iter(wrong_table(boss, self.observer, *job.value)), None)

        self.driver.job(f"children of {boss}", lambda: table_of(boss), verify)

    def _tell_of(self, wrongs: Iterable[str]) -> None:
        for wrong in wrongs:
            self.driver.wrong(wrong)
        self.driver.check()


TestAnyEventAtAnyTime = AnyEventAtAnyTime.TestCase
TestAnyEventAtAnyTime.settings = runs(modest=75, share=0.6, steps=60)
