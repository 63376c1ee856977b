# ruff: noqa: A002 - an id is an id
"""Actors the tests drive from outside: they do what they are told."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import trio

from supervisors import (
    ActorRef,
    Call,
    Caller,
    ChildSpec,
    ExitReason,
    GenServer,
    NoReply,
    Reply,
    Stop,
    Supervisor,
)

INTENSITY = {"max_restarts": 2, "max_seconds": 3600.0}


@dataclass(frozen=True)
class Do(Call[Any]):
    """Call `function(actor)` in the actor; reply what it returns."""

    function: Callable[[Any], Any]


class Puppet(GenServer):
    """Runs the functions it is sent; writes its life into `journal`, if there is one."""

    def __init__(
        self,
        name: str = "",
        journal: list[Any] | None = None,
        *,
        trap: bool = True,
        init: Callable[[Any], Any] | None = None,
        stopping: float = 0.0,
    ) -> None:
        self.trap_exit = trap
        self.label = name
        self.journal = [] if journal is None else journal
        self.on_init = init
        self.stopping = stopping
        self.got: list[Any] = []

    async def init(self) -> Any:
        if self.on_init is not None:
            result = await _run(self.on_init, self)
            if result is not None:
                return result
        self.journal.append(("start", self.label))
        return None

    async def handle_call(self, request: Do, caller: Caller) -> Any:
        self.caller = caller
        result = await _run(request.function, self)
        return result if isinstance(result, Reply | NoReply | Stop) else Reply(result)

    async def handle_cast(self, message: Callable[[Any], Any]) -> Any:
        return await _run(message, self)

    async def handle_info(self, info: Any) -> Any:
        if callable(info):
            return await _run(info, self)
        self.got.append(info)
        return None

    async def handle_continue(self, argument: Any) -> None:
        self.journal.append(("continue", argument))

    async def terminate(self, reason: ExitReason) -> None:
        if self.stopping:
            await trio.sleep(self.stopping)
        self.journal.append(("stop", self.label, reason))


async def _run(function: Callable[[Any], Any], actor: Any) -> Any:
    result = function(actor)
    return await result if inspect.isawaitable(result) else result


def puppet(id: str, journal: list[Any] | None = None, **options: Any) -> ChildSpec:
    """A spec for a Puppet; options of the Puppet are trap, init and stopping."""
    own = {key: options.pop(key) for key in ("trap", "init", "stopping") if key in options}
    options.setdefault("shutdown", 1.0)
    return ChildSpec(id, lambda: Puppet(id, journal, **own), **options)


def boom(_: Any) -> None:
    raise RuntimeError("boom")


async def crash(ref: ActorRef) -> None:
    """Crash it and let its supervisor react."""
    ref.cast(boom)
    await ref.wait()
    await trio.sleep(0.01)


async def end(ref: ActorRef, reason: ExitReason) -> None:
    """Let it end by itself with this reason and let its supervisor react."""
    ref.cast(lambda _: Stop(reason))
    await ref.wait()
    await trio.sleep(0.01)


async def children(supervisor: ActorRef) -> dict[str, ActorRef | None]:
    """id → ref, in start order."""
    return {c.id: c.ref for c in reversed(await Supervisor.which_children(supervisor))}


async def child(supervisor: ActorRef, id: str) -> ActorRef:
    """The live child with this id."""
    ref = (await children(supervisor))[id]
    assert ref is not None
    return ref


async def counts(supervisor: ActorRef) -> tuple[int, int, int, int]:
    """(specs, active, supervisors, workers)."""
    c = await Supervisor.count_children(supervisor)
    return c.specs, c.active, c.supervisors, c.workers
