"""Which exceptions end the program, and which only the process they come out of.

`KeyboardInterrupt` and `SystemExit` end the program (how: program_end). `trio.Cancelled` passes on
while a scope around here is cancelled, which is waiting for it. Whatever else comes out of a
callback is that actor's crash: an `asyncio.CancelledError` of a future that somebody else has
cancelled, a `GeneratorExit`, a `Cancelled` that was kept in one task and raised in another.
"""

from __future__ import annotations

import math

import trio
from sniffio import thread_local as running

PROGRAM_ENDS = (KeyboardInterrupt, SystemExit)


def in_trio() -> bool:
    """Whether trio runs this code. `trio.lowlevel.in_trio_task` says so also of asyncio code on top
    of trio (trio-asyncio) and after a run that broke down; sniffio, which trio tells, does not.
    """
    return running.name == "trio"


def ends_program(error: BaseException) -> bool:
    """Whether it is one of PROGRAM_ENDS, or a group that holds one."""
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(PROGRAM_ENDS) is not None
    return isinstance(error, PROGRAM_ENDS)


def first_end(error: BaseException) -> BaseException:
    """The first of PROGRAM_ENDS that a group holds, however deep; what is no group itself."""
    while isinstance(error, BaseExceptionGroup):
        error = next(inner for inner in error.exceptions if ends_program(inner))
    return error


def ends_tree(error: BaseException) -> bool:
    """Whether it ends the program and with it a tree that still runs (see program_end)."""
    return ends_program(error) and in_trio()


def passes_on(error: BaseException) -> bool:
    """Whether who has caught it is to raise it again: it ends the program; or a scope around the
    caller is cancelled and waits for it; or the coroutine is closed outside of trio, as those of a
    run that broke down are.

    To be asked within the process's own scope, whose shield hides what is cancelled around it.
    """
    if isinstance(error, Exception):
        return False
    if not in_trio():
        return True
    return ends_program(error) or (_holds_cancelled(error) and _is_cancelled())


def as_exception(error: BaseException) -> Exception:
    """What may be raised in another task in its place: what is no Exception would end that one, or
    be taken for a cancellation there.
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
