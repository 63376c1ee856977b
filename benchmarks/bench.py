"""The service as a child process on an embedded PostgreSQL, and plain SQL beside it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio

from nexus_actors.demo.stage import Stage, open_stage
from nexus_actors.storage.postgres.connection import PostgresPool, fetch, open_postgres
from nexus_actors.storage.postgres.embedded import embedded_url
from nexus_actors.storage.postgres.hints import PostgresHints, open_hints
from nexus_actors.storage.postgres.result_store import RESULTS_CHANNEL


class Producer:
    """Sends as any program does, and hears of what is stored."""

    def __init__(
        self, pool: PostgresPool, hints: PostgresHints, stage: Stage | None = None
    ) -> None:
        self._pool = pool
        self._hints = hints
        self._stage = stage

    @property
    def stage(self) -> Stage:
        """The service that `running` has started."""
        assert self._stage is not None
        return self._stage

    async def send(self, *requests: dict[str, Any]) -> None:
        """Each by `pgmq.send`, all in one statement."""
        await self.rows(
            "SELECT pgmq.send('ai_requests', b::jsonb) FROM unnest($1::text[]) AS b",
            [json.dumps(request) for request in requests],
        )

    async def rows(self, query: str, *args: object) -> list[Any]:
        """The rows of a query."""
        return await self._pool.run(fetch, query, *args)

    @asynccontextmanager
    async def stored(self) -> AsyncIterator[trio.MemoryReceiveChannel[str]]:
        """The ids of results, as `job_results` gets them."""
        send, receive = trio.open_memory_channel[str](1_000_000)

        def told(request_id: str | None) -> None:
            if request_id is not None:
                send.send_nowait(request_id)

        with self._hints.subscribe(RESULTS_CHANNEL, told):
            while not self._hints.connected:
                await trio.sleep(0.01)
            await trio.sleep(0.1)
            yield receive


@asynccontextmanager
async def running(config: str) -> AsyncIterator[Producer]:
    """A service with this config (TOML without `[service]`), ready, its database empty."""
    async with open_stage(config) as stage:
        await stage.wait_ready()
        url = embedded_url(stage.settings.service.data_dir)
        async with (
            open_postgres(url, pool_size=2, application_name="bench") as pool,
            open_hints(pool, consumer_of=None) as hints,
        ):
            yield Producer(pool, hints, stage)
        await stage.stop()


def request(number: int | str, complexity: str = "simple") -> dict[str, Any]:
    """A small request."""
    return {
        "request_id": f"bench-{number}",
        "agent_id": "bench",
        "complexity": complexity,
        "messages": [{"role": "user", "content": f"message {number}"}],
    }


def echo(name: str, *, workers: int, latency: float = 0.0) -> str:
    """TOML of one echo provider."""
    return f'[providers.{name}]\nkind = "echo"\npool_size = {workers}\nlatency = {latency}\n'


def route(complexity: str, model: str) -> str:
    """TOML of one route."""
    return f'[[routes]]\ncomplexity = "{complexity}"\ntask_type = "*"\nmodels = ["{model}"]\n'
