"""How a tree ends that a KeyboardInterrupt or SystemExit comes out of: in order, then with it."""

from __future__ import annotations

import trio

from supervisors._core.reasons import Shutdown
from supervisors._core.strays import first_end


class ProgramEnd:
    """The first of what came out of a tree and ends the program; shared by its processes.

    It cancels the block that the tree was opened in. Who opened the tree then stops it in order
    and raises `error`, bare. Nothing in the tree is restarted meanwhile.
    """

    __slots__ = ("_decided", "_pid", "_scope", "error")

    def __init__(self, scope: trio.CancelScope) -> None:
        """scope: that of the block."""
        self.error: BaseException | None = None
        self._scope = scope
        self._pid = 0
        self._decided = False

    @property
    def has_come(self) -> bool:
        """Whether there is one, so that the tree is about to be stopped."""
        return self.error is not None

    async def came_from(self, pid: int, error: BaseException) -> Shutdown:
        """`error` has come out of process `pid`; with what reason that one ends.

        Of several in one turn of trio's loop, whose order within it is random, that of the process
        which was started first counts.
        """
        if self.error is None or (not self._decided and pid < self._pid):
            self.error, self._pid = first_end(error), pid
        self._scope.cancel()
        await trio.lowlevel.cancel_shielded_checkpoint()  # until that turn is over
        self._decided = True
        return Shutdown()

    def came_from_block(self, error: BaseException) -> None:
        """`error` has come out of the block, and will be raised as it is."""
        if self.error is None:
            self.error = error
        self._decided = True
