"""Ensures that only code in the thread of its trio run reaches an actor.

A mailbox filled from another thread would wake nobody. `threading.get_ident` takes 0.025
microseconds, so every access to a live process checks the thread before any change. Processes that
have ended may be accessed from any thread.
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
    """A tree was to be opened outside of a trio task, such as under asyncio. It was not opened."""

    def __init__(self) -> None:
        super().__init__(
            "actors run on trio, and this is no task of trio's: start the program by"
            " supervisors.run(root) or trio.run(main), under anyio with backend='trio'; from"
            " asyncio run it in a thread of its own, or as a guest (trio.lowlevel.start_guest_run)"
        )


def must_be_in_trio() -> None:
    """Raise NotInTrio outside of a trio task."""
    if not in_trio():
        raise NotInTrio


def refuse() -> NoReturn:
    """Raise WrongThread."""
    raise WrongThread from None


def running_task() -> trio.lowlevel.Task:
    """The current task. Raises WrongThread outside of trio."""
    if not in_trio():
        refuse()
    return trio.lowlevel.current_task()
