"""Who may reach an actor: code in the thread that its trio runs in, and nobody else.

A mailbox filled from elsewhere would wake nobody. `threading.get_ident` costs less than a tenth of
a microsecond, so every way to a process looks.
"""

from __future__ import annotations

from threading import get_ident
from typing import NoReturn

from supervisors.errors import SupervisorsError


class WrongThread(SupervisorsError, RuntimeError):
    """An actor was reached from a thread other than its own. Nothing has changed."""

    def __init__(self) -> None:
        super().__init__(
            "an actor can be reached only from the thread its trio runs in; from another one use"
            " trio.from_thread.run_sync(ref.cast, …) or trio.from_thread.run(ref.call, …),"
            " with trio_token=… if that thread was not started by trio"
        )


def require_thread(home: int) -> None:
    """Raises WrongThread elsewhere than in the thread `home`."""
    if get_ident() != home:
        refuse()


def refuse() -> NoReturn:
    """Raises WrongThread."""
    raise WrongThread
