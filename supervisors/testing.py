"""Helpers for tests of actors.

Under trio's MockClock an hour of waiting takes no time: with pytest-trio, take its `autojump_clock`
as a parameter; without, `trio.run(main, clock=MockClock(autojump_threshold=0))`.

    async def test_counts(autojump_clock):
        async with supervised(Counter) as ref:
            ref.cast(Increment())
            assert await ref.call(Value()) == 1
            await ref.stop()
            assert await down(ref) == Normal()
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
    """Run an actor or a tree for as long as the block, and stop it in order at the end.

    root, grace: as for `open_tree`; it raises the StartError if the root does not start.
    may_crash: unless it is True, a root that ends with Crashed makes the block's end raise an
    AssertionError with the crash as its cause. Children that crash are their supervisor's business.
    What the block raises comes out as it is.
    """
    async with open_tree(root, grace=grace) as ref:
        yield ref
    reason = await ref.wait()
    if isinstance(reason, Crashed) and not may_crash:
        raise AssertionError(f"{ref.name} crashed: {reason.exception!r}") from cause_of(reason)


async def down(ref: ActorRef, *, timeout: float = 60.0) -> ExitReason:
    """The reason it ends with, once it has; TimeoutError if it still runs after `timeout` seconds
    (ExUnit `assert_receive {:DOWN, ...}`).
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
    """To a Recorder: all it has got so far."""


class Watch(Call[None]):
    """To a Recorder: monitor `ref`."""

    def __init__(self, ref: ActorRef) -> None:
        self.ref = ref


class Recorder(GenServer):
    """Keeps every cast and info it gets, Down and Exit included (it traps exits)."""

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
