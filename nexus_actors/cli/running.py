"""Runs async commands on trio so that Ctrl-C always ends them in order.

Python raises KeyboardInterrupt at any point, even inside the database driver, whose state it then
corrupts: the command hangs or the process crashes. A KeyboardInterrupt is also easily lost. So
while trio runs, the first Ctrl-C cancels the command, which all code supports; the second ends the
process at once, as any Ctrl-C does while trio is not running.
"""

import signal
import threading
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import TypeVar, TypeVarTuple, Unpack

from nexus_actors.cli import end_at_once

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


def run(function: Callable[[Unpack[Ts]], Awaitable[T]], *arguments: *Ts) -> T:
    """Run an async function. Ctrl-C cancels it; after its cleanup, KeyboardInterrupt is raised."""
    import trio

    async def interruptible() -> T:
        scope = trio.CancelScope()
        token = trio.lowlevel.current_trio_token()

        def interrupt(_number: int, _frame: FrameType | None) -> None:
            signal.signal(signal.SIGINT, end_at_once)
            token.run_sync_soon(scope.cancel)

        before = signal.getsignal(signal.SIGINT)
        heeded = before is not signal.SIG_IGN and _in_main_thread()
        if heeded:
            signal.signal(signal.SIGINT, interrupt)
        try:
            with scope:
                return await function(*arguments)
        except Exception as error:
            if scope.cancel_called:  # the cancellation may have caused it
                raise KeyboardInterrupt from error
            raise
        finally:
            if heeded:
                signal.signal(signal.SIGINT, before)
        raise KeyboardInterrupt

    return trio.run(interruptible)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
