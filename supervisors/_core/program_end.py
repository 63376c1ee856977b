"""Ends a tree in order after a KeyboardInterrupt or SystemExit inside of it, then raises that."""

from __future__ import annotations

import trio

from supervisors._core.reasons import Shutdown
from supervisors._core.strays import first_end


class ProgramEnd:
    """The first exception of a tree that ends the program; shared by the tree's processes.

    It cancels the block that the tree was opened in. The opener then stops the tree in order and
    raises `error` without a group. Nothing in the tree is restarted meanwhile.
    """

    __slots__ = ("_decided", "_pid", "_scope", "error")

    def __init__(self, scope: trio.CancelScope) -> None:
        """scope: the scope of the block."""
        self.error: BaseException | None = None
        self._scope = scope
        self._pid = 0
        self._decided = False

    @property
    def has_come(self) -> bool:
        """Whether there is such an exception, so that the tree will be stopped."""
        return self.error is not None

    async def came_from(self, pid: int, error: BaseException) -> Shutdown:
        """Process `pid` has raised `error`. Returns the exit reason of that process.

        If there are several in one turn of trio's loop, in which the order is random, the one of
        the process that was started first counts.
        """
        if self.error is None or (not self._decided and pid < self._pid):
            self.error, self._pid = first_end(error), pid
        self._scope.cancel()
        await trio.lowlevel.cancel_shielded_checkpoint()  # until this turn is over
        self._decided = True
        return Shutdown()

    def came_from_block(self, error: BaseException) -> None:
        """The block has raised `error`, which will leave it unchanged."""
        if self.error is None:
            self.error = error
        self._decided = True
