"""Who may reach an actor: code in the thread that its trio runs in, and nobody else.

A mailbox filled from elsewhere would wake nobody. `threading.get_ident` costs a fortieth of a
microsecond, so every way to a live process looks, before it changes anything. The dead are as
harmless from elsewhere as from here.
"""

from __future__ import annotations

from typing import NoReturn

import trio

from supervisors._core.strays import in_trio
from supervisors.errors import SupervisorsError


class WrongThread(SupervisorsError, RuntimeError):
    """A live actor, or a running registry, was reached from a thread other than its own, or after
    its trio run broke down. Nothing has changed.
    """

    def __init__(self) -> None:
        super().__init__(
            "an actor can be reached only from the thread its trio runs in; from another one use"
            " trio.from_thread.run_sync(ref.cast, …) or trio.from_thread.run(ref.call, …),"
            " with trio_token=… if that thread was not started by trio"
        )


class NotInTrio(SupervisorsError, RuntimeError):
    """A tree was to be opened elsewhere than in a task of trio's, under asyncio say. It was not."""

    def __init__(self) -> None:
        super().__init__(
            "actors run on trio, and this is no task of trio's: start the program by"
            " supervisors.run(root) or trio.run(main), under anyio with backend='trio'; from"
            " asyncio run it in a thread of its own, or as a guest (trio.lowlevel.start_guest_run)"
        )


def must_be_in_trio() -> None:
    """Raises NotInTrio."""
    if not in_trio():
        raise NotInTrio


def refuse() -> NoReturn:
    """Raises WrongThread."""
    raise WrongThread from None


def running_task() -> trio.lowlevel.Task:
    """The task that asks. Raises WrongThread outside of trio."""
    if not in_trio():
        refuse()
    return trio.lowlevel.current_task()
