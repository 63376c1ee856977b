# ruff: noqa: SLF001 - the runtime's modules share their insides, users do not see them
"""Where trio's loop stands, looked at from another thread. All that it takes to tell is in here.

It relies on three things. Of trio: that its thread-local run context holds the `task` whose step is
being run (there is no public way to ask from outside of the thread), and that its I/O wait is a
function called `get_events`, its loop one called `unrolled_run`. Of `process`: its context
variable, inherited by every task an actor starts, and `message`. Of actors: the names of
their callbacks. Whatever of it changes, a look then says less, and fails in no other way.

No frame's locals are read, and nothing is kept that would keep a task alive.
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
    """What the loop's thread was at, at one moment."""

    key: weakref.ref[trio.lowlevel.Task] | CodeType | None
    """Equal for the same task, or for the same function outside of any. None: the loop's own."""
    process: str | None
    class_name: str | None
    handler: str | None
    """A callback of the actor's; for a task that is not the actor's own, its name."""
    message: str | None
    where: str

    def is_same(self, other: Standing | None) -> bool:
        """Whether both are in one task."""
        return other is not None and self.key is not None and self.key == other.key


class LoopView:
    """Made in the loop's thread, to be looked through from another."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        context = getattr(sys.modules.get("trio._core._run"), "GLOBAL_RUN_CONTEXT", None)
        # of this thread, for that is what a thread-local shows
        self._running: dict[str, Any] = {} if context is None else vars(context)

    def look(self) -> Standing | None:
        """What the loop is at now; None while it waits for something to do, or is no more."""
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
    """The frames the loop has called, innermost first."""
    frames = []
    frame: FrameType | None = innermost
    while frame is not None and frame.f_code.co_name != "unrolled_run":
        frames.append(frame)
        frame = frame.f_back
    return frames


def _handler(
    process: Process, task: trio.lowlevel.Task, frames: list[FrameType]
) -> tuple[str | None, str | None]:
    """The callback a step is in, and the type of what it handles."""
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
