"""What is seeded is what the service would have made."""

from datetime import datetime
from typing import Any

import trio

from nexus_actors.storage.postgres.database import open_database
from tests.browser.seed import Plan, fill, run_sql

ALL = (
    "SELECT span, at, key, agent_id, requests, prompt_tokens, completion_tokens, latency, attempts,"
    " round(cost, 9) AS cost, unknown_costs FROM nexus.sums ORDER BY 1, 2, 3"
)
TOTALS = (
    "SELECT span, at, requests, failed, latency, attempts, round(cost, 9) AS cost, unknown_costs"
    " FROM nexus.totals ORDER BY 1, 2"
)


async def sum_up(url: str) -> None:
    """By the roll-up's own statements."""
    async with open_database(url, instance_id="n") as database:
        term = (await database.nodes.take("sum", node="n", running=0.0)).term
        assert term is not None
        while await database.sums.sum_next(term, keep=0.0) != "none":
            pass


def test_seeded_sums_are_those_of_the_roll_up(database_url: str) -> None:
    fill(database_url, Plan(rows=400, days=3, failed=0.3, whole=False))
    seeded = [run_sql(database_url, it) for it in (ALL, TOTALS)]
    for table in ("sums", "totals", "sums_progress"):
        run_sql(database_url, f"TRUNCATE nexus.{table}")
    trio.run(sum_up, database_url)
    made = [run_sql(database_url, it) for it in (ALL, TOTALS)]
    for of_seed, of_roll_up in zip(seeded, made, strict=True):
        assert {it["span"] for it in of_seed} == {"minute", "hour", "day"}
        assert {it["span"] for it in of_roll_up} == {"minute", "hour", "day"}
        # Time goes on: of the last hour there may be more by now.
        last = max(it["at"] for it in of_seed).replace(minute=0)
        assert hours(of_seed, last) == hours(of_roll_up, last) != []


def hours(rows: list[dict[str, Any]], until: datetime) -> list[dict[str, Any]]:
    """Those that begin before."""
    return [it for it in rows if it["span"] == "hour" and it["at"] < until]
