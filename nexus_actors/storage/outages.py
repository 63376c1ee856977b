"""How a stage waits for a database that is away: with growing pauses, one log line when the outage
begins and one when it ends, and an entry in `nexus status` in between."""

from dataclasses import dataclass

import structlog
import trio

from nexus_actors.storage.errors import StorageError

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
"""Seconds; short enough that work resumes within two seconds of the server's return."""
CAUSES = 10
"""The most errors that are remembered per outage."""


@dataclass(frozen=True, slots=True)
class Outage:
    """An outage as one stage sees it, since `since` (`trio.current_time()`)."""

    since: float
    failures: int = 0
    errors: tuple[str, ...] = ()
    """Error messages, the latest last."""


class Outages:
    """The stages that wait for the storage at present, and other conditions that an operator must
    know. Outlives the stages, like the in-work table."""

    def __init__(self) -> None:
        self._begun: dict[str, Outage] = {}

    def patience(self, stage: str) -> "Patience":
        """The `Patience` of one stage."""
        return Patience(stage, self._begun)

    def tell(self, what: str, why: str | None) -> None:
        """Report a condition that is not the failure of a statement, for as long as it lasts.
        `why` is None once it is over."""
        if why is None:
            self._begun.pop(what, None)
        else:
            since = self._begun.get(what, Outage(trio.current_time())).since
            self._begun[what] = Outage(since, errors=(why,))

    def has(self, what: str) -> bool:
        """Whether this stage waits, or this condition was reported."""
        return what in self._begun

    def describe(self, now: float) -> dict[str, dict[str, object]]:
        """For `nexus status`: each waiting stage, since how many seconds, and why."""
        return {
            stage: {"seconds": round(now - it.since, 1), "error": it.errors[-1]}
            for stage, it in self._begun.items()
        }


class Patience:
    """How one stage waits. Its owner reports each failure and each success."""

    def __init__(self, stage: str, begun: dict[str, Outage]) -> None:
        self._log = structlog.get_logger("nexus.storage").bind(stage=stage)
        self._stage = stage
        self._begun = begun

    @property
    def tried(self) -> bool:
        """True while the last attempt was a failure."""
        return self._stage in self._begun

    async def failed(self, error: StorageError) -> None:
        """Record the failure, then pause."""
        failures = self.note(error)
        await trio.sleep(min(FIRST_PAUSE * 2 ** min(failures, 10), LONGEST_PAUSE))

    def note(self, error: StorageError) -> int:
        """Record the failure. Returns how many there were before. Each cause is logged once per
        outage, not at each repetition.
        """
        before = self._begun.get(self._stage, Outage(trio.current_time()))
        if str(error) not in before.errors:
            self._log.warning("storage unavailable", error=str(error))
        errors = (*(it for it in before.errors if it != str(error)), str(error))[-CAUSES:]
        self._begun[self._stage] = Outage(before.since, before.failures + 1, errors)
        return before.failures

    def worked(self) -> None:
        """Record a success, which ends the outage."""
        if over := self._begun.pop(self._stage, None):
            seconds = round(trio.current_time() - over.since, 1)
            self._log.info("storage is back", failures=over.failures, seconds=seconds)
