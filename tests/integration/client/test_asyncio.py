"""The same client in asyncio programs: run in a thread, while the service runs in trio."""

import asyncio
from pathlib import Path

import anyio
import pytest

from nexus_actors.client import InvalidArguments, LLMService, Timeout, Unavailable
from nexus_actors.contract.result import Answer
from tests.integration.client.client_helpers import (
    QUESTION,
    client,
    in_asyncio,
    quiet,
)
from tests.service import PATIENCE, open_sql, running_service

SLOW = {"echo": {"kind": "echo", "latency": 3600.0, "pool_size": 4}}


async def test_calls_are_answered(database_url: str, tmp_path: Path) -> None:
    async def program() -> None:
        async with client(database_url, tmp_path) as service:
            assert (await service.call("simple", QUESTION)).text == "echo: hello"
            enqueued = await service.call("simple", QUESTION, wait=False)
            result = await service.result(enqueued.request_id, timeout=PATIENCE)
            assert isinstance(result.outcome, Answer)
            request_id = await service.enqueue("chat", QUESTION)
            await service.result(request_id, timeout=PATIENCE)
            with pytest.raises(Timeout):
                await service.result("never", timeout=0.05)
            with pytest.raises(InvalidArguments):
                await service.call("simple", [])

    async with running_service(database_url, tmp_path) as running:
        await in_asyncio(program)
        await quiet(running.sql)


async def test_many_at_once(database_url: str, tmp_path: Path) -> None:
    async def program() -> None:
        async with client(database_url, tmp_path) as service:
            calls = [service.call_with_prompt("simple", str(n)) for n in range(200)]
            answers = await asyncio.gather(*calls)
        assert [answer.text for answer in answers] == [f"echo: {n}" for n in range(200)]

    async with running_service(database_url, tmp_path) as running:
        await in_asyncio(program)
        await quiet(running.sql)


async def test_without_a_service_it_is_unavailable(database_url: str, tmp_path: Path) -> None:
    async def program() -> None:
        async with client(database_url, tmp_path) as service:
            with pytest.raises(Unavailable, match="no service"):
                await service.call("simple", QUESTION)

    await in_asyncio(program)


async def _cancelled(service: LLMService) -> None:
    """A call cancelled where it waits, and calls cancelled wherever they are."""
    task = asyncio.create_task(service.call("simple", QUESTION))
    while not service._waiters.ids():
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    tasks = [asyncio.create_task(service.call("simple", QUESTION)) for _ in range(50)]
    for number, task in enumerate(tasks):
        if number % 5 == 0:
            await asyncio.sleep(0.001)
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(one) for one in ended} == {asyncio.CancelledError}


async def test_cancelled_calls_stay_cancelled_and_leave_nothing(
    database_url: str, tmp_path: Path
) -> None:
    async def program() -> None:
        before = asyncio.all_tasks()
        async with client(database_url, tmp_path) as service:
            await _cancelled(service)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await service.call("simple", QUESTION)
            with anyio.move_on_after(0.2) as scope:
                await service.call("simple", QUESTION)
            assert scope.cancelled_caught
            assert service._waiters.ids() == []
            # The pool is whole: its connections came back.
            assert await service.enqueue("chat", QUESTION)
        assert asyncio.all_tasks() == before

    async with running_service(database_url, tmp_path, providers=SLOW) as running:
        await in_asyncio(program)
        await quiet(running.sql)


async def test_a_cancelled_block_closes_its_connections(database_url: str, tmp_path: Path) -> None:
    async def block(entered: asyncio.Event) -> None:
        async with client(database_url, tmp_path) as service:
            entered.set()
            await service.result("never", timeout=3600)

    async def program() -> None:
        entered = asyncio.Event()
        task = asyncio.create_task(block(entered))
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async with open_sql(database_url) as sql:
        await in_asyncio(program)
        await quiet(sql)
