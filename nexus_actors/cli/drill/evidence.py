"""What the database says in the end, and what the drill makes of it."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nexus_actors.storage.postgres.connection import Connection, PostgresPool

PROGRESS = """
SELECT count(*) FILTER (WHERE state IN ('done', 'failed')) AS ended,
       (SELECT count(*) FROM pgmq.q_ai_requests) AS queued,
       (SELECT count(*) FROM pgmq.q_ai_results) AS unstored
FROM nexus.requests
"""
_RESULTS = """
SELECT message ->> 'request_id' AS id FROM pgmq.q_ai_results
UNION ALL
SELECT message ->> 'request_id' FROM pgmq.a_ai_results
"""
_STORED = "SELECT input ->> 'request_id' AS id FROM public.job_results"
_DEAD = "SELECT DISTINCT message ->> 'request_id' AS id FROM pgmq.q_ai_requests_dead"
_FLAGGED = "SELECT DISTINCT request_id AS id FROM nexus.attempts WHERE maybe_paid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The numbers of a drill; what must be 0 for it to have gone well is in `breaches`."""

    requests: int
    """Different ids."""
    messages: int
    """Sent at least, duplicates included."""
    results: int
    """Ids with exactly one result."""
    duplicates: int
    """Results beyond one an id."""
    lost: int
    """Ids without a result."""
    unstored: int
    """Ids without their row in job_results."""
    left_in_queue: int
    dead_letters: int
    calls: int
    """To the provider."""
    faults: int
    """Calls that the provider spoiled."""
    repeated_paid_calls: int
    """Whole answers beyond one an id."""
    repeated_unflagged: int
    """Ids paid for more than once without a mark in the journal that this may be so."""
    kills: int
    restarts: int
    longest_outage: float
    """Seconds without a request ended while there were some."""
    recovery_median: float | None
    """Seconds from SIGKILL until the service answers again."""
    recovery_max: float | None
    seconds: float
    stopped_cleanly: bool
    seed: int

    @property
    def breaches(self) -> Mapping[str, int]:
        """Promises that were not kept, with how often."""
        counts = {
            "lost": self.lost,
            "duplicates": self.duplicates,
            "unstored": self.unstored,
            "left in the queue": self.left_in_queue,
            "paid twice without a mark": self.repeated_unflagged,
            "not stopped cleanly": int(not self.stopped_cleanly),
        }
        return {name: count for name, count in counts.items() if count}

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "breaches": dict(self.breaches)}


async def read(pool: PostgresPool, sql: str) -> list[dict[str, Any]]:
    """The rows of a statement."""
    return await pool.run(_fetch, sql)


async def counts(
    pool: PostgresPool, ids: Collection[str], answered: Mapping[str, int]
) -> dict[str, int]:
    """The part of a verdict that the database and the provider know."""
    results = Counter(await _ids(pool, _RESULTS))
    stored = set(await _ids(pool, _STORED))
    flagged = set(await _ids(pool, _FLAGGED))
    repeated = {name: times - 1 for name, times in answered.items() if times > 1}
    (progress,) = await read(pool, PROGRESS)
    return {
        "results": sum(results[name] == 1 for name in ids),
        "duplicates": sum(max(count - 1, 0) for count in results.values()),
        "lost": sum(results[name] == 0 for name in ids),
        "unstored": len(set(ids) - stored),
        "left_in_queue": progress["queued"],
        "dead_letters": len(await _ids(pool, _DEAD)),
        "repeated_paid_calls": sum(repeated.values()),
        "repeated_unflagged": len(repeated.keys() - flagged),
    }


async def _ids(pool: PostgresPool, sql: str) -> Sequence[str]:
    return [str(row["id"]) for row in await read(pool, sql)]


async def _fetch(connection: Connection, sql: str) -> list[dict[str, Any]]:
    return [dict(row) for row in await connection.fetch(sql)]
