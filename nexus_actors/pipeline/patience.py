"""How a stage bears a database that is away: growing pauses, a line when it goes and one when it is
back.
"""

import structlog
import trio

from nexus_actors.storage.ports import StorageError

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
"""Seconds; short enough that work resumes within two seconds of the server's return."""


class Patience:
    """Of one stage. Its owner reports each failure and each success."""

    def __init__(self, stage: str) -> None:
        self._log = structlog.get_logger("nexus.storage").bind(stage=stage)
        self._failures = 0
        self._since = 0.0

    @property
    def tried(self) -> bool:
        """True while the last attempt was a failure."""
        return self._failures > 0

    async def failed(self, error: StorageError) -> None:
        """Note the failure, then pause. Logged when it begins, not at each repetition."""
        if self._failures == 0:
            self._since = trio.current_time()
            self._log.warning("storage unavailable", error=str(error))
        self._failures += 1
        await trio.sleep(min(FIRST_PAUSE * 2 ** min(self._failures - 1, 10), LONGEST_PAUSE))

    def worked(self) -> None:
        """Note a success."""
        if self._failures:
            seconds = round(trio.current_time() - self._since, 1)
            self._log.info("storage is back", failures=self._failures, seconds=seconds)
            self._failures = 0
