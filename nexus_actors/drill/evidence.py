"""Evidence from the database after a drill, and the verdict."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nexus_actors.drill.provider import COST
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
_QUEUED = "SELECT DISTINCT message ->> 'request_id' AS id FROM pgmq.q_ai_requests"
_DEAD = "SELECT DISTINCT message ->> 'request_id' AS id FROM pgmq.q_ai_requests_dead"
_PRICED = """
SELECT request_id AS id, count(*) AS calls, sum(cost)::float8 AS cost
FROM nexus.attempts WHERE cost IS NOT NULL GROUP BY request_id
"""
_ASSUMED = "SELECT request_id AS id, count(*) AS calls FROM nexus.assumed_costs GROUP BY request_id"
_SPENT = "SELECT coalesce(sum(spent), 0)::float8 AS spent FROM nexus.spending"
_FLAGGED = "SELECT DISTINCT request_id AS id FROM nexus.attempts WHERE maybe_paid"

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The numbers of a drill. `breaches` are those that should be 0."""

    requests: int
    """Distinct ids that were sent."""
    messages: int
    """The least number sent, including duplicates."""
    results: int
    """Ids with exactly one result."""
    duplicates: int
    """Results beyond the first of each id."""
    lost: int
    """Ids with neither a result nor a message in the queue."""
    unstored: int
    """Ids with a result but no row in job_results."""
    left_in_queue: int
    """Messages. Their requests have not ended, but may still."""
    dead_letters: int
    calls: int
    """Calls to the provider."""
    faults: int
    """Calls that the provider made fail."""
    repeated_paid_calls: int
    """Complete answers beyond the first of each id."""
    repeated_unflagged: int
    """Ids paid for more than once whose attempts are not marked as maybe paid."""
    billed: float
    """US dollars on the provider's bill."""
    told: float
    """The sum of nexus.attempts.cost in US dollars."""
    unknown_calls: int
    """Calls marked as of unknown cost: they may be on the bill."""
    unknown: float
    """US dollars of the bill for these calls."""
    unexplained: int
    """Calls on the bill without cost or mark in the journal, or with a cost but not on the bill."""
    spent: float
    """US dollars counted towards the budget: known costs, and the most that calls of unknown cost
    may have cost."""
    budget: float
    kills: int
    restarts: int
    longest_outage: float
    """The most seconds in which no request ended although some were waiting."""
    recovery_median: float | None
    """Seconds from SIGKILL until the service responds again."""
    recovery_max: float | None
    seconds: float
    stopped_cleanly: bool
    gave_up: bool
    """Whether it ended because nothing happened any more."""
    seed: int

    @property
    def breaches(self) -> Mapping[str, int]:
        """Broken promises, with their counts."""
        counts = {
            "lost": self.lost,
            "duplicates": self.duplicates,
            "unstored": self.unstored,
            "left in the queue": self.left_in_queue,
            "paid twice without a mark": self.repeated_unflagged,
            "calls that the bill and the journal do not agree on": self.unexplained,
            "a budget exceeded, or spent and not counted": int(
                self.spent > self.budget or self.billed > self.spent + _ROUNDING
            ),
            "not stopped cleanly": int(not self.stopped_cleanly),
            "gave up": int(self.gave_up),
        }
        return {name: count for name, count in counts.items() if count}

    def as_dict(self) -> dict[str, Any]:
        """The verdict for JSON."""
        return {**asdict(self), "breaches": dict(self.breaches)}


async def read(pool: PostgresPool, sql: str) -> list[dict[str, Any]]:
    """Run a query."""
    return await pool.run(_fetch, sql)


async def counts(
    pool: PostgresPool,
    ids: Collection[str],
    answered: Mapping[str, int],
    billed: Mapping[str, int],
) -> dict[str, Any]:
    """The parts of a verdict that come from the database and the provider."""
    results = Counter(await _ids(pool, _RESULTS))
    stored = set(await _ids(pool, _STORED))
    queued = set(await _ids(pool, _QUEUED))
    flagged = set(await _ids(pool, _FLAGGED))
    repeated = {name: times - 1 for name, times in answered.items() if times > 1}
    (progress,) = await read(pool, PROGRESS)
    return {
        "results": sum(results[name] == 1 for name in ids),
        "duplicates": sum(max(count - 1, 0) for count in results.values()),
        "lost": sum(results[name] == 0 and name not in queued for name in ids),
        "unstored": sum(results[name] > 0 and name not in stored for name in ids),
        "left_in_queue": progress["queued"],
        "dead_letters": len(await _ids(pool, _DEAD)),
        "repeated_paid_calls": sum(repeated.values()),
        "repeated_unflagged": len(repeated.keys() - flagged),
        **await _money(pool, billed),
    }


async def _money(pool: PostgresPool, billed: Mapping[str, int]) -> dict[str, Any]:
    rows = await read(pool, _PRICED)
    priced = {str(row["id"]): int(row["calls"]) for row in rows}
    marked = {str(row["id"]): int(row["calls"]) for row in await read(pool, _ASSUMED)}
    (spending,) = await read(pool, _SPENT)
    return {
        **money(billed, priced, marked),
        "told": round(sum(row["cost"] for row in rows), 9),
        "spent": round(spending["spent"], 9),
    }


def money(
    billed: Mapping[str, int], priced: Mapping[str, int], marked: Mapping[str, int]
) -> dict[str, Any]:
    """Compare bill and journal by the number of each request's calls. A call on the bill must have
    a known cost or be marked as of unknown cost. A marked call need not be on the bill."""
    bill, known, unknown = Counter(billed), Counter(priced), Counter(marked)
    missing = bill - known
    return {
        "billed": round(bill.total() * COST, 9),
        "unknown_calls": unknown.total(),
        "unknown": round((missing & unknown).total() * COST, 9),
        "unexplained": (missing - unknown).total() + (known - bill).total(),
    }


async def _ids(pool: PostgresPool, sql: str) -> Sequence[str]:
    return [str(row["id"]) for row in await read(pool, sql)]


async def _fetch(connection: Connection, sql: str) -> list[dict[str, Any]]:
    return [dict(row) for row in await connection.fetch(sql)]
