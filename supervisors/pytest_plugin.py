# ruff: noqa: SLF001 - the runtime's modules share private members, which users do not see
"""The pytest plugin: its fixture `supervised` starts actors in a test and stops them afterwards.

It needs pytest-trio, since a fixture that stops actors must be async. A test that uses it has the
marker `trio`, or the option `trio_mode = true` marks all async tests:

    @pytest.mark.trio
    async def test_counts(supervised, autojump_clock):
        counter = await supervised(Counter)
        assert await counter.call(Add(2)) == 2

Installing otp-supervisors registers the plugin, which imports the runtime and trio once a test uses
the fixture. If it is not installed (a source tree, nexus-actors' wheel), put
`pytest_plugins = ["supervisors.pytest_plugin"]` into the top-level conftest.py; both together are
still one plugin. `-p no:supervisors.pytest_plugin` disables it. Tests without pytest-trio can use
the context manager `supervisors.testing.supervised`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import trio

from supervisors import telemetry
from supervisors._core.actor_ref import ActorRef, current_process
from supervisors._core.process import Process, as_process
from supervisors._core.reasons import Crashed
from supervisors._core.strays import in_trio
from supervisors._core.threads import NotInTrio
from supervisors.application import Root, open_tree
from supervisors.errors import StartError

__all__ = ["Supervised", "supervised"]


@dataclass(eq=False, slots=True)
class _Tree:
    may_crash: bool
    root: ActorRef | None = None
    leave: trio.Event = field(default_factory=trio.Event)
    left: trio.Event = field(default_factory=trio.Event)


class Supervised:
    """Starts actors and trees for one test. The value of the fixture `supervised`."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._running: dict[ActorRef, _Tree] = {}
        self._watched: set[ActorRef] = set()
        self._crashed: list[Process] = []

    async def __call__(
        self, root: Root, *, grace: float = 5.0, may_crash: bool = False
    ) -> ActorRef:
        """Start an actor or a tree and return its ref; it runs until the test ends (ExUnit
        `start_supervised!/1`).

        root, grace: as for `open_tree`. Raises the StartError if the root does not start.
        may_crash: unless it is True, the test fails if any actor of this tree crashes, even if its
        supervisor restarts it.
        """
        tree = _Tree(may_crash)
        came: ActorRef | StartError = await self._nursery.start(self._host, tree, root, grace)
        if isinstance(came, StartError):
            raise came
        return came

    async def stop(self, ref: ActorRef) -> None:
        """Stop a tree in order before the test ends, and wait until it has ended (ExUnit
        `stop_supervised!/1`).

        ref: the result of starting it. LookupError: it is none of these, or was stopped before.
        """
        tree = self._running.pop(ref, None)
        if tree is None:
            raise LookupError(f"{ref!r} was not started by this fixture, or is stopped already")
        tree.leave.set()
        await tree.left.wait()

    async def _host(
        self,
        tree: _Tree,
        root: Root,
        grace: float,
        task_status: trio.TaskStatus[ActorRef | StartError] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        try:
            async with open_tree(root, grace=grace) as ref:
                self._running[ref] = tree
                if not tree.may_crash:
                    self._watched.add(ref)
                task_status.started(ref)
                await tree.leave.wait()
        except StartError as error:  # not raised here: start of trio 0.30 loses its cause
            task_status.started(error)
        finally:
            tree.left.set()

    async def _stop_all(self) -> None:
        while self._running:
            await self.stop(next(reversed(self._running)))

    def _saw(self, event: telemetry.ProcessExited) -> None:
        # A process that crashes reports its end from its own task.
        process = as_process(current_process.get())
        if event.reason == "crashed" and process is not None and process.pid == event.pid:
            self._crashed.append(process)

    def _unexpected(self) -> list[Process]:
        """The processes that crashed after their start, in trees without `may_crash`."""
        return [it for it in self._crashed if it.started and _root_of(it).ref in self._watched]


def _root_of(process: Process) -> Process:
    while process.parent is not None:
        process = process.parent
    return process


@pytest.fixture
async def supervised() -> AsyncIterator[Supervised]:
    """Start actors and trees for this test: `ref = await supervised(Counter)`.

    After the test they are stopped, in reverse order. The test fails if an actor crashed in a tree
    that was started without `may_crash=True`; the exception of the first crash is the cause. Needs
    pytest-trio; NotInTrio under anything else, such as anyio's plugin on asyncio.
    """
    async with trees_of_a_test() as trees:
        yield trees


@asynccontextmanager
async def trees_of_a_test() -> AsyncIterator[Supervised]:
    """The fixture's implementation, also for the one that pytest finds by itself."""
    if not in_trio():
        raise NotInTrio from RuntimeError(
            "the fixture `supervised` needs pytest-trio: mark the test with pytest.mark.trio"
        )
    async with trio.open_nursery() as nursery:
        trees = Supervised(nursery)
        with telemetry.attached(trees, telemetry.ProcessExited, trees._saw):
            yield trees
            await trees._stop_all()
    crashed = trees._unexpected()
    if crashed:
        crashes = ", ".join(f"{it.name} ({it.class_name}): {it.reason!r}" for it in crashed)
        first = crashed[0].reason
        cause = first.exception if isinstance(first, Crashed) else None
        raise AssertionError(f"crashed in this test: {crashes}") from cause
