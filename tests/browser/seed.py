"""Databases with something to look at: for the browser tests, the pictures and the benchmarks.

All of it is SQL in `sql/`, of whole sets, and every draw is a hash of a row's number: the same
plan makes the same rows, but for the time, which is counted back from now.
"""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg

SQL: Final = Path(__file__).parent / "sql"
DAY: Final = 86_400
BUCKETS: Final = 24
"""One more than `nexus.latency_bounds()` has."""
MEMORY: Final = {"work_mem": "512MB", "maintenance_work_mem": "512MB"}
"""Of the session that fills: ten million rows are sorted."""
LOST_NODE: Final = "5f0c7e52-0000-4000-8000-000000000001"
"""The node that history.sql's requests were answered by, and that nodes.sql makes."""
_INDEXES: Final = """
SELECT format('%I.%I', schemaname, indexname) AS name, indexdef AS made
FROM pg_indexes
WHERE schemaname = 'nexus' AND tablename = 'requests'
      AND indexname NOT IN (SELECT conname FROM pg_constraint WHERE contype = 'p')
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a database is filled with."""

    rows: int = 0
    """Requests that ended."""
    days: float = 30.0
    """Over which they did."""
    failed: float = 0.02
    """The share of them that failed; a third of those were refused."""
    agents: int = 40
    letters: int = 0
    """Dead letters: at most one for each that failed."""
    waiting: int = 0
    """Requests that wait, for all reasons."""
    spent: float = 0.6
    """The share of the day's budget that is gone."""
    nodes: bool = False
    """A node that is lost, and one that has stopped."""
    whole: bool = True
    """With the steps of each, and its message in the archive; they take most of the time."""
    seed: int = 1


EMPTY: Final = Plan()
BUSY: Final = Plan(rows=100_000, letters=12)
DEGRADED: Final = Plan(rows=100_000, failed=0.08, letters=60, waiting=4_000, spent=1.0, nodes=True)
FAILING: Final = Plan(
    rows=60_000, days=7, failed=0.6, letters=700, waiting=9_000, spent=1.0, nodes=True
)


def run_sql(url: str, query: str, *arguments: object) -> list[dict[str, Any]]:
    """Rows of one statement. In a thread: in the caller's a browser may have a loop of its own."""

    async def fetch() -> list[dict[str, Any]]:
        connection = await asyncpg.connect(url)
        try:
            return [dict(row) for row in await connection.fetch(query, *arguments)]
        finally:
            await connection.close()

    return _in_thread(fetch)


def fill(url: str, plan: Plan, *, owner: str = LOST_NODE) -> None:
    """Make what the plan says, in a database that has the tables. `owner`: the node that is to
    have answered. The role must be a superuser: no trigger is asked."""

    async def make() -> None:
        connection = await asyncpg.connect(url, server_settings=MEMORY)
        try:
            await _fill(connection, plan, owner)
        finally:
            await connection.close()

    _in_thread(make)


async def _fill(connection: Any, plan: Plan, owner: str) -> None:
    wishes = {
        "rows": plan.rows,
        "seconds": plan.days * DAY,
        "failed": plan.failed,
        "seed": plan.seed,
        "agents": plan.agents,
        "node": owner,
        "prefix": "req-",
        "whole": str(plan.whole).lower(),
        "letters": plan.letters,
        "waiting": plan.waiting,
        "spent": plan.spent,
    }
    for name, value in wishes.items():
        await connection.execute("SELECT set_config($1, $2, false)", f"seed.{name}", str(value))
    indexes = await connection.fetch(_INDEXES)
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['name']}")
    await _script(connection, "history")
    if plan.whole:
        await _script(connection, "archive")
    for index in indexes:
        await connection.execute(index["made"], timeout=None)
    if plan.rows:
        await _script(connection, "spending")
        await _script(connection, "sums", **_buckets())
    if plan.letters:
        await _script(connection, "letters")
    if plan.waiting:
        await _script(connection, "waiting")
    if plan.nodes:
        await _script(connection, "nodes")
    await connection.execute("DROP TABLE nexus.seeded")
    for table in ("nexus.requests", "nexus.attempts", "pgmq.a_ai_requests"):
        await connection.execute(f"VACUUM ANALYZE {table}", timeout=None)


async def _script(connection: Any, name: str, **words: str) -> None:
    """One of `sql/`, as one transaction; `words` are put in for those in braces."""
    text = (SQL / f"{name}.sql").read_text()
    for word, meant in words.items():
        text = text.replace(f"{{{word}}}", meant)
    await connection.execute(text, timeout=None)


def _buckets() -> dict[str, str]:
    """What would be written out for each bucket."""
    summed = [f"coalesce(sum(latency[{n + 1}]), 0)" for n in range(BUCKETS)]
    answered = [it[:-4] + " FILTER (WHERE error_type = ''), 0)" for it in summed]
    counted = [f"count(*) FILTER (WHERE bucket = {n})" for n in range(BUCKETS)]
    return {
        "summed": ", ".join(summed),
        "answered": ", ".join(answered),
        "counted": ", ".join(counted),
    }


def _in_thread(work: Any) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work()).result()


HOSTILE: Final = (
    "<script>window.pwned = 1</script>",
    '"><img src=x onerror="window.pwned = 2">',
    "'; DROP TABLE nexus.requests; --",
    "{{ 7 * 7 }}{% raw %}",
    "\x1b[31mred\x1b[0m\x07",
    "\u202egnp.exe\u202c\u2066abc",
    "two\nlines\r\n\tand a tab",
    "zero\u200bwidth\ufeff\u00ad",
    "javascript:window.pwned=3",
    "../../etc/passwd?x=1&y=<b>#z",
)
"""Texts of strangers that would steer a page, a terminal or the eye."""
LONG: Final = "<i>long</i> \u202e" * 80_000
"""More than a megabyte."""


def fill_hostile(url: str) -> None:
    """Requests, attempts, letters, nodes, controls and whatever else, all of them full of that."""

    async def make() -> None:
        connection = await asyncpg.connect(url)
        try:
            text = (SQL / "hostile.sql").read_text()
            for statement in text.split(";\n\n"):
                texts = json.dumps([*HOSTILE])
                await connection.execute(statement, texts, LONG, timeout=None)
        finally:
            await connection.close()

    _in_thread(make)
