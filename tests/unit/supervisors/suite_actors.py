# ruff: noqa: A002 - an id is an id
"""What the test_suite_* files share: ways to make each callback return something, failing inits."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import trio

from supervisors import (
    ActorRef,
    CallTimeout,
    ChildSpec,
    Continue,
    Ignore,
    NoReply,
    ServerExited,
    Supervisor,
)
from tests.unit.supervisors.actors import Do, Puppet, puppet


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
