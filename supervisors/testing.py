"""Helpers for tests of actors.

Under trio's MockClock an hour of waiting takes no time: with pytest-trio, take its `autojump_clock`
as a parameter; without, `trio.run(main, clock=MockClock(autojump_threshold=0))`:

    async def test_counts(autojump_clock):
        async with supervised(Counter) as ref:
            ref.cast(Increment())
            assert await ref.call(Value()) == 1
            await ref.stop()
            assert await down(ref) == Normal()

The pytest plugin has a fixture of the same name that needs no block: see
`supervisors.pytest_plugin`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio

from supervisors._core.actor_ref import ActorRef, Caller
from supervisors._core.messages import Call, Reply
from supervisors._core.reasons import Crashed, ExitReason, cause_of
from supervisors._core.threads import running_task
from supervisors.application import Root, open_tree
from supervisors.errors import CallError
from supervisors.servers.gen_server import GenServer


@asynccontextmanager
async def supervised(
    root: Root, *, grace: float = 5.0, may_crash: bool = False
) -> AsyncIterator[ActorRef]:
    """Run an actor or a tree for the duration of the block, and stop it in order at the end.

    root, grace: as for `open_tree`. Raises the StartError if the root does not start.
    may_crash: unless it is True, the end of the block raises an AssertionError if the root crashed,
    with the crash as its cause. Crashes of children are left to their supervisor.
    Exceptions of the block come out unchanged.
    """
    async with open_tree(root, grace=grace) as ref:
        yield ref
    reason = await ref.wait()
    if isinstance(reason, Crashed) and not may_crash:
        raise AssertionError(f"{ref.name} crashed: {reason.exception!r}") from cause_of(reason)


async def down(ref: ActorRef, *, timeout: float = 60.0) -> ExitReason:
    """Wait until it has ended, and return its exit reason (ExUnit `assert_receive {:DOWN, ...}`).
    TimeoutError if it still runs after `timeout` seconds.
    """
    with trio.move_on_after(timeout):
        return await ref.wait()
    raise TimeoutError(f"{ref.name} has not ended within {timeout:g} s")


async def wait_until(condition: Callable[[], object], *, timeout: float = 60.0) -> None:
    """Return once `condition()` is true; TimeoutError after `timeout` seconds."""
    running_task()
    deadline = trio.current_time() + timeout
    while not condition():
        if trio.current_time() >= deadline:
            raise TimeoutError("the condition did not come true")
        await trio.sleep(0.001)


class Received(Call[list[object]]):
    """To a Recorder: everything it has received so far."""


class Watch(Call[None]):
    """To a Recorder: monitor `ref`."""

    def __init__(self, ref: ActorRef) -> None:
        self.ref = ref


class Recorder(GenServer):
    """Keeps every cast and info it receives, including Down and Exit (it traps exits)."""

    trap_exit = True

    def __init__(self) -> None:
        self._got: list[object] = []

    async def handle_call(self, request: Any, caller: Caller) -> Reply:
        """Received and Watch."""
        if isinstance(request, Watch):
            self.monitor(request.ref)
            return Reply(None)
        return Reply(list(self._got))

    async def handle_cast(self, message: Any) -> None:
        """Keep it."""
        self._got.append(message)

    async def handle_info(self, info: Any) -> None:
        """Keep it."""
        self._got.append(info)


async def is_answering(ref: ActorRef, request: Call[Any], *, timeout: float = 1.0) -> bool:
    """Whether a call is answered within `timeout` seconds."""
    try:
        await ref.call(request, timeout=timeout)
    except CallError:
        return False
    return True
