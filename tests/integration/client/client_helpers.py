"""Words that the client's tests share."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import trio

from nexus_actors.client import LLMService
from tests.service import PATIENCE, Service, Sql, settings_for

QUESTION = [{"role": "user", "content": "hello"}]


def client(url: str, folder: Path, **options: Any) -> LLMService:
    """A client with the settings of the test's service."""
    sections = options.pop("sections", {})
    return LLMService(settings_for(url, folder, **sections), **options)


async def in_asyncio(program: Callable[[], Awaitable[None]]) -> None:
    """Run an asyncio program to its end, in a thread, as if trio were nowhere."""

    def run() -> None:
        async def bounded() -> None:
            async with asyncio.timeout(PATIENCE):
                await program()

        # A context of its own: the thread would inherit the test's trio-asyncio loop.
        contextvars.Context().run(asyncio.run, bounded())

    await trio.to_thread.run_sync(run)


async def quiet(sql: Sql) -> None:
    """Wait until the server has no connection of a client left."""
    await sql.until(
        "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name LIKE 'nexus client%'"
    )


async def listening(sql: Sql, count: int = 1) -> None:
    """Wait until so many clients' connections listen for results."""
    await sql.until(
        "SELECT count(*) = $1 FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'nexus client listener' AND state = 'idle'"
        " AND (query LIKE 'LISTEN%' OR query LIKE '%job_results%')",
        count,
    )


async def cut(sql: Sql, application: str) -> None:
    """Cut every connection of this name in the test's database."""
    rows = await sql.rows(
        "SELECT pg_terminate_backend(pid, 5000) AS gone FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = $1",
        application,
    )
    assert rows, f"no connection of {application}"
    assert all(row["gone"] for row in rows)


async def nobody_waits(service: LLMService) -> None:
    """Nothing is kept for a call that has ended."""
    assert service._waiters.ids() == []


async def sent(service: Service, count: int = 1) -> None:
    """Wait until so many requests were ever sent to the requests queue."""
    await service.sql.until(
        "SELECT count(*) >= $1 FROM (SELECT msg_id FROM pgmq.q_ai_requests"
        " UNION ALL SELECT msg_id FROM pgmq.a_ai_requests) AS m",
        count,
    )
