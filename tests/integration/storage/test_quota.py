"""Token buckets that several instances draw from."""

import trio

from nexus_actors.storage.accounts import Quota
from nexus_actors.storage.postgres.connection import fetch, open_postgres
from nexus_actors.storage.postgres.database import open_database


async def test_a_bucket_holds_what_it_holds(database_url: str) -> None:
    async with open_database(database_url, instance_id="one") as db:
        take = db.requests.take_quota
        slow = 1e-9
        assert await take([Quota("b", 10.0, slow, 4.0)]) == [4.0]
        [rest] = await take([Quota("b", 10.0, slow, 100.0)])
        assert 6.0 <= rest < 6.001
        [nothing] = await take([Quota("b", 10.0, slow, 1.0)])
        assert 0.0 <= nothing < 0.001
        assert await take([]) == []


async def test_it_fills_up_by_the_servers_clock_and_not_beyond(database_url: str) -> None:
    async with (
        open_database(database_url, instance_id="one") as db,
        open_postgres(database_url, pool_size=1) as sql,
    ):
        take = db.requests.take_quota
        await take([Quota("b", 10.0, 1.0, 10.0)])
        for seconds, expected in ((4, 4.0), (3600, 10.0)):
            await sql.run(
                fetch,
                "UPDATE nexus.rate_limits SET filled_at = filled_at - make_interval(secs => $1)",
                float(seconds),
            )
            [taken] = await take([Quota("b", 10.0, 1.0, 100.0)])
            assert expected <= taken < expected + 1.0 or taken == 10.0


async def test_what_several_take_at_once_is_no_more_than_there_is(database_url: str) -> None:
    """Three instances on one database, each on connections of its own."""
    taken: list[float] = []

    async def draw(instance: str) -> None:
        async with open_database(database_url, instance_id=instance) as db:
            for _ in range(40):
                wants = [Quota("b", 1000.0, 1e-9, 10.0), Quota("a", 1000.0, 1e-9, 10.0)]
                taken.extend(await db.requests.take_quota(wants))

    async with open_database(database_url, instance_id="first"):
        pass  # migrated
    async with trio.open_nursery() as nursery:
        for name in ("one", "two", "three"):
            nursery.start_soon(draw, name)
    assert 2000.0 <= sum(taken) < 2000.001
