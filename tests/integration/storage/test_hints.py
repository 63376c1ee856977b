"""Wake-ups, and the marker that a consumer is running."""

import asyncio
import logging
from typing import Any

import pytest
import trio

from nexus_actors.storage.postgres.database import PostgresDatabase, open_database
from nexus_actors.storage.postgres.listen import ListenLoop
from nexus_actors.storage.postgres.presence import consumer_is_running
from tests.integration.storage.storage_helpers import give_back, send, sql, until, value

LISTENERS = (
    "SELECT pid FROM pg_stat_activity"
    " WHERE application_name = 'nexus listener' AND datname = current_database()"
)


class Bell:
    """Counts its rings, and can be waited for."""

    def __init__(self) -> None:
        self.count = 0
        self._rung = trio.Event()

    def ring(self) -> None:
        self.count += 1
        self._rung.set()

    async def wait(self) -> None:
        with trio.fail_after(30):
            await self._rung.wait()
        self._rung = trio.Event()


async def test_sending_rings_those_who_listen_to_that_queue(db: PostgresDatabase) -> None:
    requests, results = Bell(), Bell()
    with (
        db.hints.listen("ai_requests", requests.ring),
        db.hints.listen("ai_results", results.ring),
    ):
        await requests.wait()
        await results.wait()
        before = results.count
        await send(db, "r")
        await requests.wait()
        assert results.count == before
    after = requests.count
    await send(db, "s")
    with db.hints.listen("ai_requests", results.ring):
        await send(db, "t")
        await results.wait()
    assert requests.count == after


def test_the_connection_leaves_a_channel_that_nobody_listens_to(database_url: str) -> None:
    """A client has a channel for each streamed request: they must not pile up."""

    async def channels() -> list[list[str]]:
        heard: asyncio.Queue[list[str]] = asyncio.Queue()

        async def look(connection: Any) -> float:
            if connection is not None:
                rows = await connection.fetch("SELECT pg_listening_channels() AS it ORDER BY it")
                heard.put_nowait([row["it"] for row in rows])
            return 60.0

        loop, listener = ListenLoop(database_url, "test", look), print
        loop.add("left", listener)
        loop.add("stays", listener)
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            running = group.create_task(loop.run())
            before = await heard.get()
            loop.remove("left", listener)
            loop.look_soon()
            after = await heard.get()
            running.cancel()
        return [before, after]

    assert asyncio.run(channels()) == [["left", "stays"], ["stays"]]


async def test_who_listens_again_after_a_while_is_called_for_what_came_meanwhile(
    db: PostgresDatabase,
) -> None:
    for _ in range(3):
        bell = Bell()
        with db.hints.listen("ai_requests", bell.ring):
            await bell.wait()


async def test_what_becomes_visible_again_rings(db: PostgresDatabase) -> None:
    bell = Bell()
    await send(db, "a", "b")
    a, b = await db.requests.lease(2, 30)
    with db.hints.listen("ai_requests", bell.ring):
        await bell.wait()
        await db.requests.give_back([give_back(a)])
        await bell.wait()
        await db.requests.give_back([give_back(b, waits_for="x")])
        await db.requests.forget_waiting()
        await bell.wait()


async def test_a_cut_connection_comes_back_and_rings(
    db: PostgresDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    bell = Bell()
    with db.hints.listen("ai_requests", bell.ring), caplog.at_level(logging.ERROR):
        await bell.wait()
        for _ in range(3):
            pid = await value(db, LISTENERS)
            await sql(db, "SELECT pg_terminate_backend($1, 10000)", pid)
            await bell.wait()
            await send(db, f"r{pid}")
            await bell.wait()
            assert await value(db, LISTENERS) != pid
        assert await db.run(consumer_is_running, "ai_requests")
    assert caplog.records == []


async def test_a_listener_that_fails_does_not_silence_the_others(
    db: PostgresDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("mine")

    bell = Bell()
    with db.hints.listen("ai_requests", fail), db.hints.listen("ai_requests", bell.ring):
        await bell.wait()
        await send(db, "r")
        await bell.wait()
    assert "mine" in caplog.text


async def test_a_consumer_is_none_while_it_is_withdrawn(db: PostgresDatabase) -> None:
    async with open_database(db.pool.url, instance_id="client", announce_consumer=False) as client:
        for change, seen in ((db.hints.withdraw, False), (db.hints.announce, True)) * 2:
            change()

            async def felt(seen: bool = seen) -> bool:
                return await client.run(consumer_is_running, "ai_requests") is seen

            await until(felt)
        db.hints.withdraw()
        pid = await value(db, LISTENERS)
        await sql(db, "SELECT pg_terminate_backend($1, 10000)", pid)
        bell = Bell()
        with db.hints.listen("ai_requests", bell.ring):  # by the connection that comes next
            await bell.wait()
        assert not await client.run(consumer_is_running, "ai_requests")


async def test_a_consumer_is_known_for_as_long_as_it_runs(database_url: str) -> None:
    async with open_database(database_url, instance_id="client", announce_consumer=False) as client:
        assert not await client.run(consumer_is_running, "ai_requests")
        async with open_database(database_url, instance_id="service"):
            assert await client.run(consumer_is_running, "ai_requests")
            assert not await client.run(consumer_is_running, "other")

        async def nobody() -> bool:
            return not await client.run(consumer_is_running, "ai_requests")

        await until(nobody)
