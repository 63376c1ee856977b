"""Helpers for tests of actors. Use them under trio's MockClock: they wait in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio

from supervisors.actor_ref import ActorRef, Caller
from supervisors.errors import CallError
from supervisors.gen_server import GenServer
from supervisors.messages import Call, Reply


async def wait_until(condition: Callable[[], object], *, timeout: float = 60.0) -> None:
    """Return once `condition()` is true; TimeoutError after `timeout` seconds."""
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
