"""Decides which exceptions end the program, and which only their process.

`KeyboardInterrupt` and `SystemExit` end the program (see program_end). `trio.Cancelled` is raised
again while an enclosing scope is cancelled, which waits for it. Any other exception of a callback
is a crash of that actor: an `asyncio.CancelledError` of a future that somebody else has cancelled,
a `GeneratorExit`, a `Cancelled` that was kept in one task and raised in another.
"""

from __future__ import annotations

import math

import trio
from sniffio import thread_local as running

PROGRAM_ENDS = (KeyboardInterrupt, SystemExit)


def in_trio() -> bool:
    """Whether trio runs this code. `trio.lowlevel.in_trio_task` is also true for asyncio code on
    top of trio (trio-asyncio), and after a run that broke down. sniffio, set by trio, is exact.
    """
    return running.name == "trio"


def ends_program(error: BaseException) -> bool:
    """Whether the error is one of PROGRAM_ENDS, or a group that contains one."""
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(PROGRAM_ENDS) is not None
    return isinstance(error, PROGRAM_ENDS)


def first_end(error: BaseException) -> BaseException:
    """The first of PROGRAM_ENDS in a group, at any depth; the error itself if it is not a group."""
    while isinstance(error, BaseExceptionGroup):
        error = next(inner for inner in error.exceptions if ends_program(inner))
    return error


def ends_tree(error: BaseException) -> bool:
    """Whether the error ends the program, and with it a tree that still runs (see program_end)."""
    return ends_program(error) and in_trio()


def passes_on(error: BaseException) -> bool:
    """Whether to raise a caught error again: it ends the program; or an enclosing scope is
    cancelled and waits for it; or the coroutine is closed outside of trio, as happens after a run
    that broke down.

    Call it within the process's own scope, whose shield hides cancellations around it.
    """
    if isinstance(error, Exception):
        return False
    if not in_trio():
        return True
    return ends_program(error) or (_holds_cancelled(error) and _is_cancelled())


def as_exception(error: BaseException) -> Exception:
    """An error that may be raised in another task instead. One that is not an Exception would end
    that task, or count as a cancellation there.
    """
    if isinstance(error, Exception):
        return error
    stray = RuntimeError(f"a {type(error).__name__} was raised, which is no Exception")
    stray.__cause__ = error
    return stray


def _holds_cancelled(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(trio.Cancelled) is not None
    return isinstance(error, trio.Cancelled)


def _is_cancelled() -> bool:
    return trio.current_effective_deadline() == -math.inf
