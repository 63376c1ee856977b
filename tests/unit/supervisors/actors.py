# ruff: noqa: A002 - an id is an id
"""Actors the tests drive from outside: they do what they are told."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import trio

from supervisors import (
    ActorRef,
    Call,
    Caller,
    CallTimeout,
    ChildSpec,
    Continue,
    ExitReason,
    GenServer,
    Ignore,
    NoReply,
    Reply,
    ServerExited,
    Stop,
    Supervisor,
)

INTENSITY = {"max_restarts": 2, "max_seconds": 3600.0}
MANY = {"max_restarts": 10**6, "max_seconds": 3600.0}


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


class Chained(Puppet):
    """Its continuations are functions too."""

    async def handle_continue(self, argument: Any) -> Any:
        result = argument(self)
        return await result if inspect.isawaitable(result) else result


async def start(
    top: ActorRef, id: str, journal: list[Any] | None = None, **options: Any
) -> ActorRef:
    """Start a temporary puppet under `top`."""
    options.setdefault("restart", "temporary")
    ref = await Supervisor.start_child(top, puppet(id, journal, **options))
    assert ref is not None
    return ref


def supervisor(id: str, specs: list[ChildSpec], **options: Any) -> ChildSpec:
    """A spec of a Supervisor; options of the spec are restart, shutdown and significant."""
    own = {k: options.pop(k) for k in ("restart", "shutdown", "significant") if k in options}
    return ChildSpec(id, lambda: Supervisor(specs, **options), type="supervisor", **own)


async def got(ref: ActorRef) -> list[Any]:
    """What a puppet's handle_info has kept."""
    return await ref.call(Do(lambda me: list(me.got)))


Result = Callable[[], Any]


async def by_call(ref: ActorRef, result: Result) -> None:
    """Make handle_call return `result()`, which does not answer."""
    with pytest.raises((CallTimeout, ServerExited)):
        await ref.call(Do(lambda _: result()), timeout=0.01)


async def by_cast(ref: ActorRef, result: Result) -> None:
    """Make handle_cast return `result()`."""
    ref.cast(lambda _: result())


async def by_info(ref: ActorRef, result: Result) -> None:
    """Make handle_info return `result()`."""
    ref.send(lambda _: result())


async def by_continue(ref: ActorRef, result: Result) -> None:
    """Make handle_continue of a Chained return `result()`."""
    ref.cast(lambda _: NoReply(continue_with=lambda _: result()))


async def by_bare_continue(ref: ActorRef, result: Result) -> None:
    """The same, by way of a Continue."""
    ref.cast(lambda _: Continue(lambda _: result()))


class Switch:
    """An init that succeeds, fails or says Ignore, as `mode` says, after `pause` seconds."""

    def __init__(self, pause: float = 0.1) -> None:
        self.mode = "ok"
        self.pause = pause
        self.starts: list[ActorRef] = []

    async def init(self, actor: Any) -> Ignore | None:
        """Give this to `puppet`. Its first call does not pause."""
        if self.starts:
            await trio.sleep(self.pause)
        self.starts.append(actor.ref)
        if self.mode == "fail":
            raise RuntimeError("cannot start now")
        return Ignore() if self.mode == "ignore" else None


def fails_from_the_second_on(starts: list[ActorRef], pause: float = 0.1) -> Callable[[Any], Any]:
    """An `init` for a puppet; each start is put into `starts`."""

    async def init(actor: Any) -> None:
        starts.append(actor.ref)
        if len(starts) > 1:
            await trio.sleep(pause)
            raise RuntimeError("cannot start again")

    return init


def ends_with(reason: ExitReason | Exception, id: str = "a", **options: Any) -> ChildSpec:
    """A child that ends with a reason of its own when it is asked to stop."""

    class Own(Puppet):
        async def terminate(self, _: ExitReason) -> Any:
            if isinstance(reason, Exception):
                raise reason
            return reason

    return ChildSpec(id, Own, **options)
