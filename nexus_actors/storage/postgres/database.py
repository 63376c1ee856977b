"""Opens everything that implements the storage ports in PostgreSQL."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Concatenate, Final, ParamSpec, TypeVar

from nexus_actors.storage.postgres.cancellation_store import PostgresCancellationStore
from nexus_actors.storage.postgres.claim import Claim, InstanceTaken, Place, open_claim
from nexus_actors.storage.postgres.connection import (
    COMMAND_TIMEOUT,
    Connection,
    PostgresPool,
    collapsed_groups,
    fetch,
    open_postgres,
)
from nexus_actors.storage.postgres.control_store import PostgresControlStore
from nexus_actors.storage.postgres.counted import Counted, read_counted
from nexus_actors.storage.postgres.depths import QueueLength, read_queue_lengths
from nexus_actors.storage.postgres.direct import DirectWay
from nexus_actors.storage.postgres.due_index import has_due_index
from nexus_actors.storage.postgres.hints import PostgresHints, open_hints
from nexus_actors.storage.postgres.migrate import migrate
from nexus_actors.storage.postgres.node_store import PostgresNodeStore
from nexus_actors.storage.postgres.privileges import check_privileges
from nexus_actors.storage.postgres.quirk_store import PostgresQuirkStore
from nexus_actors.storage.postgres.request_store import (
    WAITING_TIMEOUT,
    PostgresRequestStore,
)
from nexus_actors.storage.postgres.result_store import PostgresResultStore
from nexus_actors.storage.postgres.retention import PostgresRetentionStore
from nexus_actors.storage.postgres.sight_store import PostgresSightStore
from nexus_actors.storage.postgres.sql import LOCK_TIMEOUT, Queues
from nexus_actors.storage.postgres.sum_store import PostgresSumStore

P = ParamSpec("P")
T = TypeVar("T")


BESIDE_POOL: Final = 5
"""The most connections of a service in addition to `pool_size`: one each to listen, to keep leases,
to store results, to hold the instance's lock, and to find the sessions that block it.
"""


class PostgresDatabase:
    """The implementations of all storage ports on one pool."""

    def __init__(
        self,
        pool: PostgresPool,
        requests: PostgresRequestStore,
        hints: PostgresHints,
        queues: Queues,
        claim: Claim | None,
    ) -> None:
        self.pool = pool
        self.requests = requests
        self.results = PostgresResultStore(pool, queues)
        self.retention = PostgresRetentionStore(pool, queues)
        self.quirks = PostgresQuirkStore(pool)
        self.control = PostgresControlStore(pool, queues)
        self.cancellations = PostgresCancellationStore(pool)
        self.nodes = PostgresNodeStore(pool, queues.requests)
        self.sights = PostgresSightStore(pool)
        self.sums = PostgresSumStore(pool, queues, statement_timeout=pool.command_timeout)
        self.hints = hints
        self.queues = queues
        self.claim = claim
        """The lock of this instance; None if none was requested."""

    async def queue_lengths(self) -> dict[str, QueueLength]:
        """See `read_queue_lengths`."""
        return await self.run(read_queue_lengths, self.queues)

    async def waiting_counts(self) -> dict[str, dict[str, object]]:
        """For each reason, the requests that were given back to wait: how many (`requests`), since
        when the oldest waits, and until when the first does. Times are text, None if unknown."""
        rows = await self.run(fetch, self.queues.query("waiting_counts"))
        return {
            row["reason"]: {
                "requests": row["requests"],
                "since": None if row["since"] is None else row["since"].isoformat(),
                "until": None if row["until"] is None else row["until"].isoformat(),
            }
            for row in rows
        }

    async def counted(self, budgets: Mapping[str, str]) -> Counted:
        """See `read_counted`."""
        return await self.run(read_counted, self.queues, budgets)

    async def run(
        self,
        operation: Callable[Concatenate[Connection, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run `operation(connection, …)` as `PostgresPool.run` does."""
        return await self.pool.run(operation, *args, **kwargs)


@asynccontextmanager
async def open_database(
    url: str,
    *,
    instance_id: str,
    queues: Queues | None = None,
    pool_size: int = 10,
    command_timeout: float = COMMAND_TIMEOUT,
    waiting_timeout: float = WAITING_TIMEOUT,
    announce_consumer: bool = True,
    stores_results: bool = True,
    direct_results: bool = False,
    application_name: str = "nexus",
    here: Place | None = None,
    on_taken: Callable[[InstanceTaken], None] = lambda _: None,
) -> AsyncIterator[PostgresDatabase]:
    """Connect, bring the schema up to date, and listen.

    Timeouts are in seconds. `announce_consumer`: show clients that this process consumes the
    requests queue. `stores_results`: this service stores results in job_results; `direct_results`:
    in the statement that ends the request. `here`: hold the instance's lock, under this place;
    `on_taken` is called if another live service takes it later.

    Raises DatabaseStartError, and InstanceTaken if another service holds that lock. Errors inside
    the block are raised as themselves, not in a group.
    """
    queues = queues or Queues()
    connect = partial(open_postgres, url, command_timeout=command_timeout)
    with collapsed_groups():
        async with connect(pool_size=pool_size, application_name=application_name) as pool:
            await migrate(pool, queues, stores_results=stores_results)
            await pool.run(check_privileges, queues)
            queues = await _with_layout(pool, queues)
            consumer_of = queues.requests if announce_consumer else None
            finisher = partial(connect, pool_size=1, application_name=f"{application_name} results")
            async with (
                open_claim(pool, instance_id, here, on_taken) as claim,
                # A connection of its own, so that extending leases never waits.
                connect(pool_size=1, application_name=f"{application_name} leases") as keeper,
                open_hints(pool, consumer_of=consumer_of) as hints,
                _open_direct(finisher, queues, instance_id)
                if direct_results
                else nullcontext() as direct,
            ):
                requests = PostgresRequestStore(
                    pool,
                    queues,
                    instance_id,
                    keeper=keeper,
                    waiting_timeout=waiting_timeout,
                    claim=claim,
                    direct=direct,
                )
                yield PostgresDatabase(pool, requests, hints, queues, claim)


@asynccontextmanager
async def _open_direct(
    connect: Callable[..., AbstractAsyncContextManager[PostgresPool]],
    queues: Queues,
    instance_id: str,
) -> AsyncIterator[DirectWay]:
    async with connect(settings={"lock_timeout": LOCK_TIMEOUT}) as pool:
        yield DirectWay(pool, queues, instance_id)


async def _with_layout(pool: PostgresPool, queues: Queues) -> Queues:
    """The queues with what depends on the database: an index, and the archive's columns."""
    fair = await pool.run(has_due_index, queues.requests)
    rows = await pool.run(fetch, queues.query("archived_columns"))
    return replace(queues, fair=fair, columns=tuple(row["name"] for row in rows))
