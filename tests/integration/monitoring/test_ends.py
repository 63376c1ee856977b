"""How requests ended of late, read from what the service has summed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from nexus_actors.contract.errors import NO_FAULT
from nexus_actors.monitoring.ends import Ends, read_ends
from nexus_actors.monitoring.reading import LazyReader, open_reader
from nexus_actors.storage.postgres.connection import PostgresPool, fetch, open_postgres
from nexus_actors.storage.postgres.sql import Queues

QUEUES = Queues()
UNTIL = """
INSERT INTO nexus.sums_progress (queue, minutes_until, hours_until, hours_since)
SELECT 'ai_requests', until, until, until
FROM (SELECT date_trunc('minute', now(), 'UTC') - make_interval(mins => $1) AS until) AS u
ON CONFLICT (queue) DO UPDATE SET minutes_until = excluded.minutes_until
RETURNING minutes_until - interval '1 min' AS at
"""
SUMMED = """
INSERT INTO nexus.sums (
    queue, span, at, key, agent_id, task_type, complexity, provider, model, error_type, requests,
    prompt_tokens, completion_tokens, latency, attempts, cost, unknown_costs)
SELECT 'ai_requests', 'minute', $1, gen_random_uuid(), '', '', '', '', '', e.name, e.requests,
       0, 0, '{}', 0, 0, 0
FROM unnest($2::text[], $3::bigint[]) AS e (name, requests)
"""


@dataclass(slots=True)
class House:
    """A database with sums in it, and who reads them."""

    pool: PostgresPool
    reader: LazyReader

    async def summed(self, minutes_ago: int, **ends: int) -> Ends:
        """What is read once the last minute that is summed, over for so long, had these ends."""
        ((at,),) = await self.pool.run(fetch, UNTIL, minutes_ago)
        names = ["" if it == "ok" else it for it in ends]
        await self.pool.run(fetch, SUMMED, at, names, list(ends.values()))
        await self.pool.run(fetch, QUEUES.query("sum_total"), "ai_requests", "minute", at)
        return await read_ends(self.reader)


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[House]:
    async with (
        open_postgres(database_url, pool_size=1) as pool,
        open_reader(database_url, QUEUES, command_timeout=10) as reader,
    ):
        yield House(pool, reader)


async def test_before_the_first_sum_there_is_nothing(house: House) -> None:
    assert await read_ends(house.reader) == Ends()


async def test_producers_mistakes_and_cancelled_requests_do_not_count(house: House) -> None:
    mistakes = dict.fromkeys(NO_FAULT, 6)
    assert await house.summed(1, **mistakes) == Ends()
    found = await house.summed(0, ok=1, provider_error=9, **mistakes)
    assert found == Ends(10, 9, newest_requests=10, newest_failed=9)


async def test_one_cancelled_request_does_not_hide_an_outage(house: House) -> None:
    found = await house.summed(0, cancelled=1, timeout=9)
    assert (found.newest_requests, found.newest_failed) == (9, 9)


async def test_the_newest_full_minute_is_the_last_summed_one_unless_summing_lags(
    house: House,
) -> None:
    assert await house.summed(5, timeout=7) == Ends(7, 7)
    assert await house.summed(1, ok=3) == Ends(10, 7, newest_requests=3)
    assert await house.summed(0, timeout=2) == Ends(12, 9, newest_requests=2, newest_failed=2)


async def test_the_hour_before_the_last_does_not_count(house: House) -> None:
    assert await house.summed(62, timeout=7) == Ends()
