# ruff: noqa: SLF001 - the runtime's modules share private members, which users do not see
"""Runs a tree inside any trio program, or as a program of its own."""

from __future__ import annotations

import logging
import math
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import trio
from trio.abc import Clock

from supervisors._core.actor import Actor, spawn
from supervisors._core.actor_ref import ActorRef
from supervisors._core.process import Process
from supervisors._core.program_end import ProgramEnd
from supervisors._core.reasons import (
    Crashed,
    ExitReason,
    Killed,
    Shutdown,
    cause_of,
    is_abnormal,
)
from supervisors._core.strays import ends_program, first_end, passes_on
from supervisors._core.threads import must_be_in_trio
from supervisors.errors import FailedToStartChild, StartError, StartIgnored, StartTimeout
from supervisors.supervision.child_spec import ChildSpec
from supervisors.supervision.crash_reports import report
from supervisors.supervision.hosting import name_of
from supervisors.supervision.shutdown import SUPERVISOR_MARGIN, stop_process

logger = logging.getLogger("supervisors")

Root: TypeAlias = ChildSpec | Callable[[], Actor]

_NAMES = ("SIGTERM", "SIGINT", "SIGHUP")
SIGNALS: tuple[signal.Signals, ...] = tuple(
    getattr(signal, name) for name in _NAMES if hasattr(signal, name)
)
"""Those that the platform has: Windows has no SIGHUP."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program that was started with `run` or `serve` ended."""

    reason: ExitReason
    """The root's reason. A supervisor ends with Shutdown, also if it gives up."""
    signal: signal.Signals | None
    """The first signal received. None: the root ended by itself, a failure for a service."""


@asynccontextmanager
async def open_tree(root: Root, *, grace: float = math.inf) -> AsyncIterator[ActorRef]:
    """Run a tree for the duration of the block: start `root`, yield its ref, and stop it in order
    at the end.

    root: a ChildSpec, or a function that makes the root actor (a Supervisor, or a single
    GenServer).
    grace: seconds the whole stop may take; then everything left is killed.

    Raises the StartError if the root does not start (a FailedToStartChild, with the exceptions that
    led to it as its causes). If the root ends by itself, the block goes on; `await ref.wait()`
    waits for that. The stop is shielded: cancellation and exceptions of the block come out after
    it, unchanged. A KeyboardInterrupt or SystemExit of an actor cancels the block, and is raised,
    in no group, once the tree has been stopped in order. NotInTrio under asyncio.
    """
    must_be_in_trio()
    spec = _as_spec(root)
    async with _hosting(spec, grace) as process:
        failure = await _await_start(process, spec)
        if failure is None:
            yield process.ref
    if failure is not None:
        raise failure


@asynccontextmanager
async def _hosting(
    spec: ChildSpec, grace: float, killed: trio.Event | None = None
) -> AsyncIterator[Process]:
    """Run the root's process for the duration of the block, and stop it in order at the end.
    killed: set if it is killed on request, which is not a crash to report.

    An exception of the block comes out unchanged, without a group. One that ends the program
    replaces it, also without a group.
    """
    end: ProgramEnd | None = None
    inner: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            try:
                process = _spawn_root(spec, nursery, killed)
                end = process.program_end
                try:
                    yield process
                except BaseException as error:
                    if ends_program(error):
                        end.came_from_block(error)
                    raise
                finally:
                    await _stop_root(process, grace)
                nursery.cancel_scope.cancel()  # tasks that the block has started in it
            except BaseException as error:
                inner = error
                raise
    except BaseExceptionGroup as group:
        # An exception of the block must not come out wrapped in our nursery's group.
        if group.exceptions != (inner,):
            if not ends_program(group):
                raise
            inner = first_end(group)
    if end is not None and end.error is not None:
        raise end.error
    if inner is not None:
        raise inner


def run(
    start_root: Root,
    *,
    grace: float = math.inf,
    signals: Iterable[signal.Signals] = SIGNALS,
    clock: Clock | None = None,
) -> Ended:
    """Run a tree as the whole program, and return how it ended.

    The first of `signals` stops the root in order, within `grace` seconds; the second kills
    everything. They are handled from before the start until after the end. Raises the StartError if
    the root does not start, unless a signal came meanwhile. A SystemExit or KeyboardInterrupt of an
    actor, the first of several, is raised once the tree is stopped.
    """
    return trio.run(partial(serve, start_root, grace=grace, signals=signals), clock=clock)


async def serve(
    start_root: Root, *, grace: float = math.inf, signals: Iterable[signal.Signals] = SIGNALS
) -> Ended:
    """`run` inside trio.run, in the main thread. Raises NotInTrio elsewhere."""
    must_be_in_trio()
    asked: signal.Signals | None = None
    killed = trio.Event()
    spec = _as_spec(start_root)
    with trio.open_signal_receiver(*signals) as arrivals:
        async with _hosting(spec, grace, killed) as process:

            async def watch() -> None:
                nonlocal asked
                async for number in arrivals:
                    name = signal.Signals(number).name
                    if asked is not None:
                        logger.warning("%s again: killing", name)
                        killed.set()
                        process.kill()
                    else:
                        logger.info("%s: stopping", name)
                        asked = signal.Signals(number)
                        process.nursery.start_soon(_stop_root, process, grace)

            process.nursery.start_soon(watch)
            failure = await _await_start(process, spec)
            reason = await process.ref.wait()
    if failure is not None and asked is None:
        raise failure
    return Ended(reason, asked)


def _as_spec(root: Root) -> ChildSpec:
    if isinstance(root, ChildSpec):
        return root
    name = getattr(root, "__name__", "<lambda>")
    return ChildSpec("root" if name == "<lambda>" else name, root, shutdown=math.inf)


def _spawn_root(spec: ChildSpec, nursery: trio.Nursery, killed: trio.Event | None) -> Process:
    try:
        actor = spec.start()
        process = spawn(actor, name_of(spec, actor), nursery, None)
        if spec.name is not None:
            spec.name._claim(process)
    except StartError:
        raise
    except BaseException as error:
        if ends_program(error):
            raise first_end(error) from None
        if passes_on(error):
            raise
        raise FailedToStartChild(spec.id, Crashed(error)) from error
    nursery.start_soon(_host_root, process, spec, killed, name=process.name)
    return process


async def _host_root(process: Process, spec: ChildSpec, killed: trio.Event | None) -> None:
    await process.actor._runtime_host()
    if isinstance(process.reason, Killed) and killed is not None and killed.is_set():
        return
    if process.started and process.reason is not None and is_abnormal(process.reason):
        report("root", "child_terminated", process.reason, spec, process)


async def _await_start(process: Process, spec: ChildSpec) -> StartError | None:
    with trio.move_on_after(spec.start_timeout):
        await process.wait_settled()
    if process.started:
        return None
    if process.ignored:
        return StartIgnored(spec.id)
    if process.reason is None:
        await stop_process(process, "brutal_kill", margin=SUPERVISOR_MARGIN)
        return StartTimeout(spec.id, spec.start_timeout)
    reason = process.reason
    if isinstance(reason, Shutdown) and isinstance(reason.detail, StartError):
        return reason.detail  # a supervisor's: it names the child, which is more specific
    failure = FailedToStartChild(spec.id, reason)
    failure.__cause__ = cause_of(reason)
    return failure


async def _stop_root(process: Process, grace: float) -> None:
    if process.reason is not None:
        return
    with trio.CancelScope(shield=True):  # bounded by grace, then by KILL_GRACE
        try:
            await stop_process(process, grace, margin=SUPERVISOR_MARGIN)
        except BaseException:  # a second Ctrl-C
            process.kill()
            raise
