"""How commands run what waits: on trio, and so that Ctrl-C ends them in order, at any moment.

Python raises KeyboardInterrupt wherever it is, also in the middle of the driver, whose state it
tears: the command then hangs, or the process crashes. And what is raised once, at one place, is
easily lost. So while trio runs, the first Ctrl-C cancels the command, which the driver and all of
ours know how to bear; a second ends the process at once, as every one does while nothing waits.
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
    """Run an async function. Interrupted, it is cancelled, and KeyboardInterrupt raised when it has
    put all in order.
    """
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
            if scope.cancel_called:  # what was broken off may complain of it
                raise KeyboardInterrupt from error
            raise
        finally:
            if heeded:
                signal.signal(signal.SIGINT, before)
        raise KeyboardInterrupt

    return trio.run(interruptible)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
