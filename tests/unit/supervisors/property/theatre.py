"""A tree on the stage, and the calls that are made to it from outside."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import trio

from supervisors import StartError, SupervisorsError, open_tree
from tests.unit.supervisors.property.plans import SupervisorPlan
from tests.unit.supervisors.property.puppets import make
from tests.unit.supervisors.property.stage import NeverEnds, Stage
from tests.unit.supervisors.property.world import Boom, World, story

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


class Theatre:
    """Runs the tree of `plan` until it is closed by one of the `ENDINGS`."""

    ENDINGS = ("leave", "raise", "cancel")

    def __init__(self, plan: SupervisorPlan, ending: str = "leave") -> None:
        # What the runtime logs of all the crashes here would be megabytes.
        logging.getLogger("supervisors").setLevel(logging.CRITICAL + 1)
        self.plan = plan
        self.ending = ending
        self.world = World(make)
        self.jobs: list[Job] = []
        self.closing = False
        self.over = False
        self.failed = False
        self._close = trio.Event()
        self._scope = trio.CancelScope()
        self.stage = Stage(self._main, [self.world])
        self.stage.tick(12)  # the names are there, the tree has begun to start

    # --- what is ordered ---

    def order(self, text: str, function: Callable[[], object]) -> None:
        """Have something done at the director's next step."""

        def told() -> None:
            self.world.note(f"> {text}")
            function()

        self.stage.order(told)

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
            what, lambda: self.world.nursery.start_soon(self._run_job, job, name="stage: job")
        )
        return job

    def close(self) -> None:
        """Have the tree's block left, in the way of `ending`."""
        if not self.closing:
            self.closing = True
            end = self._scope.cancel if self.ending == "cancel" else self._close.set
            self.order(f"close ({self.ending})", end)

    def finish(self) -> None:
        """Close the tree, let everything end, and see that nothing is left."""
        self.close()
        self.stage.sleep(A_LONG_TIME)
        self.check()
        world = self.world
        if not self.over:
            world.violation("the tree does not end")
        for record in world.live:
            world.violation(f"{record} lives after the end of the tree")
        for job in self.jobs:
            if job.elapsed is None:
                world.violation(f"this never ends: {job.what}")
        self.check()
        self.stage.end()
        self.check()

    def check(self) -> None:
        """Raise, with the whole story, if something has happened that should not."""
        finished = self.stage.outcome
        if finished is not None and not self.over:
            try:
                finished.unwrap()
            except BaseException as error:
                self.failed = True
                raise AssertionError(f"raised out of the tree{self._story()}") from error
        if self.world.violations:
            self.failed = True
            raise AssertionError(self.world.violations[0] + self._story())

    def leave(self) -> None:
        """Finish, or after a failure drop everything."""
        try:
            if not self.failed:
                self.finish()
        except NeverEnds:
            raise AssertionError(f"it never ends{self._story()}") from None
        finally:
            if self.stage.outcome is None:
                self.stage.abandon(self.world.nursery.cancel_scope.cancel)

    def _story(self) -> str:
        return story(self.plan, self.world)

    # --- what runs ---

    async def _main(self, stage: Stage) -> None:
        async with trio.open_nursery() as nursery:
            self.world.nursery = nursery
            async with open_tree(self.world.names.child_spec()):
                nursery.start_soon(self._run_tree, name="stage: tree")
                await stage.follow_orders()

    async def _run_tree(self) -> None:
        world = self.world
        before = set(world.tasks)
        try:
            with self._scope:
                async with open_tree(world.spec(self.plan, None)):
                    await self._close.wait()
                    if self.ending == "raise":
                        raise Boom("block")
        except StartError as error:
            world.note(f"the tree does not start: {error}")
        except Boom:
            if self.ending != "raise":
                raise
        self.over = True
        world.note("the tree is over")
        for record in world.live:
            world.violation(f"{record} lives after the end of the tree")
        for task in world.tasks - before:
            if not task.name.startswith("stage: "):
                world.violation(f"the task {task.name} is left of the tree")
        if world.inner.keys():
            world.violation("names are left in the registry inside the tree")
        if world.names.keys():
            world.violation(f"names are left: {world.names.keys()}")

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
        self.world.note(f"< {job.what}: {got}")
        wrong = None if job.cancelled else job.verify(job)
        if wrong is not None:
            self.world.violation(f"{job.what}: {wrong}, got {got}")
