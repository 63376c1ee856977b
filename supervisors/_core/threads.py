"""Who may reach an actor: code in the thread that its trio runs in, and nobody else.

A mailbox filled from elsewhere would wake nobody. `threading.get_ident` costs a fortieth of a
microsecond, so every way to a live process looks, before it changes anything. The dead are as
harmless from elsewhere as from here.
"""

from __future__ import annotations

from typing import NoReturn

import trio

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


def refuse() -> NoReturn:
    """Raises WrongThread."""
    raise WrongThread from None


def running_task() -> trio.lowlevel.Task:
    """The task that asks. Raises WrongThread outside of trio."""
    try:
        return trio.lowlevel.current_task()
    except RuntimeError:
        raise WrongThread from None
