"""A tree that is run step by step, and the calls that are made to it from outside."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import outcome
import trio

from supervisors import (
    ActorRef,
    CallTimeout,
    ChildCounts,
    ChildInfo,
    DynamicSupervisor,
    ExitReason,
    NoProcess,
    ServerExited,
    StartError,
    Supervisor,
    SupervisorsError,
    open_tree,
)
from tests.unit.supervisors.property.actors import make
from tests.unit.supervisors.property.generators import SupervisorPlan
from tests.unit.supervisors.property.observer import Boom, Observer, Record, story
from tests.unit.supervisors.property.stepped_run import NeverEnds, SteppedRun

LOGGER = logging.getLogger("supervisors")

# Longer than anything here can take, were it all one after the other.
A_LONG_TIME = 2000.0


@dataclass(eq=False)
class Job:
    """A call in flight. `verify(job)` says what is wrong with its outcome, or nothing."""

    what: str
    function: Callable[[], Awaitable[object]]
    verify: Callable[[Job], str | None]
    scope: trio.CancelScope
    started_at: float = 0.0
    elapsed: float | None = None
    value: Any = None
    error: SupervisorsError | None = None
    cancelled: bool = False


class Driver:
    """Runs the tree of `plan` until it is closed by one of the `ENDINGS`."""

    ENDINGS = ("leave", "raise", "cancel")

    def __init__(self, plan: SupervisorPlan, ending: str = "leave") -> None:
        # What the runtime logs of all the crashes here would be megabytes.
        LOGGER.setLevel(logging.CRITICAL + 1)
        self.plan = plan
        self.ending = ending
        self.observer = Observer(make)
        self.jobs: list[Job] = []
        self.closing = False
        self.over = False
        self.failed = False
        self._close = trio.Event()
        self._entered = False
        self._left_at = 0.0
        self._scope = trio.CancelScope()
        self.run = SteppedRun(self._main, [self.observer])
        self.run.tick(12)  # the names are there, the tree has begun to start

    # --- what is ordered ---

    def order(self, text: str, function: Callable[[], object]) -> None:
        """Have something done at the follower's next step."""

        def told() -> None:
            self.observer.note(f"> {text}")
            function()

        self.run.order(told)

    def job(
        self,
        what: str,
        function: Callable[[], Awaitable[object]],
        verify: Callable[[Job], str | None] = lambda _: None,
    ) -> Job:
        """Have a task wait for `function()`."""
        job = Job(what, function, verify, trio.CancelScope())
        self.jobs.append(job)
        self.order(
            what, lambda: self.observer.nursery.start_soon(self._run_job, job, name="driver: job")
        )
        return job

    def kill(self, victim: Record) -> None:
        """Have it killed."""
        ref = ref_of(victim)
        victim.signalled = True

        def kill() -> None:
            victim.killed |= ref.is_alive
            ref.kill()

        self.order(f"kill {victim}", kill)

    def signal(self, victim: Record, reason: ExitReason) -> None:
        """Have it sent an exit signal by nobody in particular."""
        ref = ref_of(victim)
        victim.signalled = True
        self.order(f"exit signal to {victim}: {reason}", lambda: ref.exit(reason))

    def close(self) -> None:
        """Have the tree's block left, in the way of `ending`; cancelled, if it still starts."""

        def end() -> None:
            if self.ending == "cancel" or not self._entered:
                self._scope.cancel()
            self._close.set()

        if not self.closing:
            self.closing = True
            self.order(f"close ({self.ending})", end)

    def finish(self) -> None:
        """Close the tree, let everything end, and see that nothing is left."""
        self.close()
        self.run.sleep(A_LONG_TIME)
        self.check()
        observer = self.observer
        if not self.over:
            observer.violation("the tree does not end")
        for record in observer.live:
            observer.violation(f"{record} lives after the end of the tree")
        for job in self.jobs:
            if job.elapsed is None:
                observer.violation(f"this never ends: {job.what}")
        self.check()
        self.run.end()
        self.check()

    def check(self) -> None:
        """Raise, with the whole story, if something has happened that should not."""
        finished = self.run.outcome
        if isinstance(finished, outcome.Error):
            self._fail("raised out of the tree", finished.error)
        if self.observer.violations:
            self._fail(self.observer.violations[0])

    def _fail(self, text: str, cause: BaseException | None = None) -> NoReturn:
        self.failed = True
        raise AssertionError(text + story(self.plan, self.observer)) from cause

    def wrong(self, text: str) -> None:
        """Something is wrong that was found out from outside; the run may be over."""
        self.observer.journal.append(f"VIOLATION: {text}")
        self.observer.violations.append(text)

    def leave(self) -> None:
        """Finish, or after a failure drop everything."""
        try:
            if not self.failed:
                self.finish()
        except NeverEnds:
            self._fail("it never ends")
        finally:
            LOGGER.setLevel(logging.NOTSET)
            if self.run.outcome is None:
                self.run.abandon(self.observer.nursery.cancel_scope.cancel)

    # --- what runs ---

    async def _main(self, run: SteppedRun) -> None:
        async with trio.open_nursery() as nursery:
            self.observer.nursery = nursery
            async with open_tree(self.observer.names.child_spec()):
                nursery.start_soon(self._run_tree, name="driver: tree")
                await run.follow_orders()

    async def _run_tree(self) -> None:
        observer = self.observer
        before = set(observer.tasks)
        try:
            with self._scope:
                async with open_tree(observer.spec(self.plan, None)):
                    await self._block()
        except StartError as error:
            observer.note(f"the tree does not start: {error}")
        except Boom:
            if not self.closing:
                raise
        self.over = True
        observer.note("the tree is over")
        for record in observer.live:
            observer.violation(f"{record} lives after the end of the tree")
        for task in observer.tasks - before:
            if not task.name.startswith("driver: "):
                observer.violation(f"the task {task.name} is left of the tree")
        names = [*observer.names.keys(), *observer.inner.keys()]
        if names:
            observer.violation(f"names are left: {names}")
        ends = [record.died_at for record in observer.records if record.died_at is not None]
        late = trio.current_time() - max([self._left_at, *ends])
        if late > 1e-6 and not any(record.stuck for record in observer.records):
            observer.violation(f"the tree goes on for {late} s after the last of it has ended")

    async def _block(self) -> None:
        self._entered = True
        try:
            await self._close.wait()
        finally:
            self._left_at = trio.current_time()
        if self.ending == "raise":
            raise Boom("block")

    async def _run_job(self, job: Job) -> None:
        job.started_at = trio.current_time()
        with job.scope:
            try:
                job.value = await job.function()
            except SupervisorsError as error:
                job.error = error
        job.elapsed = trio.current_time() - job.started_at
        job.cancelled = job.scope.cancelled_caught
        got = "cancelled" if job.cancelled else repr(job.error or job.value)
        self.observer.note(f"< {job.what}: {got}")
        wrong = None if job.cancelled else job.verify(job)
        if wrong is not None:
            self.observer.violation(f"{job.what}: {wrong}, got {got}")


# --- how processes are reached ---


def ref_of(record: Record) -> ActorRef:
    """Of one that was born."""
    assert record.ref is not None
    return record.ref


def kind_of(boss: Record) -> type[Supervisor] | type[DynamicSupervisor]:
    """The class whose functions administer it."""
    assert isinstance(boss.plan, SupervisorPlan)
    return DynamicSupervisor if boss.plan.dynamic else Supervisor


async def table_of(boss: Record) -> tuple[list[ChildInfo], ChildCounts]:
    """What it says of its children."""
    kind, ref = kind_of(boss), ref_of(boss)
    return await kind.which_children(ref), await kind.count_children(ref)


def wrong_end(job: Job, server: Record, timeout: float = math.inf) -> str | None:
    """What is wrong with the way a call to `server` ended; None if nothing is."""
    elapsed = job.elapsed or 0.0
    match job.error:
        case NoProcess() | ServerExited() if server.alive:
            return f"{server} lives"
        case NoProcess() if elapsed:
            return f"it took {elapsed} s"
        case CallTimeout() if abs(elapsed - timeout) > 1e-6:
            return f"it took {elapsed} s"
    return None
