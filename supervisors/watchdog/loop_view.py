# ruff: noqa: SLF001 - the runtime's modules share private members, which users do not see
"""Observes trio's loop from another thread. All knowledge of internals that this needs is here.

It relies on internals of trio: its thread-local run context has the `task` whose step is running
(there is no public way to get it from another thread), its I/O wait is a function called
`get_events`, and its loop one called `unrolled_run`. It also relies on `process`: its context
variable, which every task of an actor inherits, and `message`; and on the names of callbacks. If
any of these changes, a sample has less information, but does not fail.

It reads no locals of frames, and keeps nothing that would keep a task alive.
"""

from __future__ import annotations

import sys
import threading
import weakref
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

import trio

from supervisors._core.actor_ref import current_process
from supervisors._core.process import Process, as_process

CALLBACKS = frozenset(
    {"init", "handle_call", "handle_cast", "handle_info", "handle_continue", "terminate"}
)

_LIBRARIES = sys.stdlib_module_names | {"trio", "supervisors"}


@dataclass(frozen=True, slots=True)
class Standing:
    """What the loop's thread was executing at one moment."""

    key: weakref.ref[trio.lowlevel.Task] | CodeType | None
    """Equal for the same task, or for the same function outside of tasks. None: the loop itself."""
    process: str | None
    class_name: str | None
    handler: str | None
    """A callback of the actor; for a task that is not the actor's own, the task's name."""
    message: str | None
    where: str

    def is_same(self, other: Standing | None) -> bool:
        """Whether both are in the same task."""
        return other is not None and self.key is not None and self.key == other.key


class LoopView:
    """Created in the loop's thread, and used from another one."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        context = getattr(sys.modules.get("trio._core._run"), "GLOBAL_RUN_CONTEXT", None)
        # created here, since a thread-local shows the data of the current thread
        self._running: dict[str, Any] = {} if context is None else vars(context)

    def look(self) -> Standing | None:
        """What the loop is executing now; None if it is idle, or has ended."""
        task = self._running.get("task")
        innermost = sys._current_frames().get(self._thread)
        if innermost is None or (task is None and innermost.f_code.co_name == "get_events"):
            return None
        frames = _step_of(innermost)
        own = next((frame for frame in frames if not _is_library(frame)), None)
        where = _line(own or innermost)
        if task is None:
            return Standing(own and own.f_code, None, None, None, None, where)
        key = weakref.ref(task)
        process = as_process(task.context.get(current_process))
        if process is None:
            return Standing(key, None, None, task.name, None, where)
        handler, message = _handler(process, task, frames)
        return Standing(key, process.name, type(process.actor).__name__, handler, message, where)


def _step_of(innermost: FrameType) -> list[FrameType]:
    """The frames that the loop has called, innermost first."""
    frames = []
    frame: FrameType | None = innermost
    while frame is not None and frame.f_code.co_name != "unrolled_run":
        frames.append(frame)
        frame = frame.f_back
    return frames


def _handler(
    process: Process, task: trio.lowlevel.Task, frames: list[FrameType]
) -> tuple[str | None, str | None]:
    """The callback of a step, and the type of the message that it handles."""
    if task is not process.task:
        return task.name, None
    names = (frame.f_code.co_name for frame in reversed(frames))
    callback = next((name for name in names if name in CALLBACKS), None)
    handles = callback is not None and callback.startswith("handle_")
    return callback, type(process.message).__name__ if handles else None


def _is_library(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] in _LIBRARIES


def _line(frame: FrameType) -> str:
    code = frame.f_code
    return f"{code.co_filename}:{frame.f_lineno} {code.co_qualname}"
