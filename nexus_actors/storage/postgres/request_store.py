"""The requests queue and the journal in PostgreSQL: `RequestStore`, one statement per operation.

Cancelling an operation stops its statement on the server. The statement is then rolled back, unless
it had already committed. In that case a lease may exist that nobody knows of: it lapses, or
`release_orphans` releases it.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, get_args

import asyncpg

from nexus_actors.storage.accounts import BudgetShare, Quota
from nexus_actors.storage.errors import StorageRefused
from nexus_actors.storage.notices import Notice
from nexus_actors.storage.postgres import encoding
from nexus_actors.storage.postgres.claim import Claim
from nexus_actors.storage.postgres.connection import Connection, PostgresPool, fetch
from nexus_actors.storage.postgres.deliveries import read_delivery, read_lease
from nexus_actors.storage.postgres.direct import DirectWay
from nexus_actors.storage.postgres.sql import LeaseKind, Queues
from nexus_actors.storage.requests import (
    BATCH_BYTES,
    MESSAGE_BYTES,
    Delivery,
    Finish,
    GiveBack,
    Lease,
    Others,
)

WAITING_TIMEOUT = 900.0
"""A request that waits for a provider becomes visible again after once to twice this many seconds.
Long, because a process with room takes it earlier: this is for providers that no running process
has."""

NOTIFICATIONS_FULL = 0.5
"""Usage of the server's notification queue (0 to 1) at which statements stop notifying."""

Statement = Literal[
    "find_others",
    "hold",
    "hold_waiting",
    "open_held",
    "postpone",
    "take_waiting",
    "give_back",
    "discard",
    "extend",
    "finish",
    "pose",
    "record_late",
    "reclaim",
    "release_orphans",
    "forget_waiting",
    "notify",
    "take_quota",
    "reserve",
    "spending",
]


class PostgresRequestStore:
    """`RequestStore`, `AccountStore` and `Notifier` for one service instance.

    `keeper` is a pool for `extend` alone, so that leases never wait for a connection. `direct` ends
    requests and stores their results at once, if this service stores results. Errors are those of
    the ports: StorageUnavailable, StorageRefused.
    """

    def __init__(
        self,
        pool: PostgresPool,
        queues: Queues,
        instance_id: str,
        *,
        keeper: PostgresPool | None = None,
        waiting_timeout: float = WAITING_TIMEOUT,
        claim: Claim | None = None,
        direct: DirectWay | None = None,
    ) -> None:
        self._pool = pool
        self.direct = direct
        self._keeper = keeper or pool
        self._owner = instance_id
        self._waiting_timeout = waiting_timeout
        self._claim = claim
        self._sql: Mapping[Statement, str] = {
            name: queues.query(name) for name in get_args(Statement)
        }
        self._lease = {kind: queues.query("lease", kind) for kind in get_args(LeaseKind)}

    @property
    def closed(self) -> bool:
        """See `RequestStore.closed`."""
        return self._pool.closed

    async def lease(
        self,
        quantity: int,
        visibility_timeout: float,
        *,
        largest: int = MESSAGE_BYTES,
        together: int = BATCH_BYTES,
        small_first: bool = False,
        only: Sequence[int] | None = None,
    ) -> list[Delivery]:
        """See `RequestStore.lease`."""
        if quantity < 1:
            return []
        arguments: list[object] = [
            self._owner,
            visibility_timeout,
            quantity,
            largest,
            together,
        ]
        kind: LeaseKind = "small first" if small_first else "in order"
        if only is not None:
            kind = "chosen"
            arguments.append(only)
        rows = await self._pool.run(fetch, self._lease[kind], *arguments)
        return [read_delivery(row) for row in rows]

    async def find_others(
        self, examples: Sequence[int], most: int, *, since: datetime | None, by_agent: bool
    ) -> Others:
        """See `RequestStore.find_others`."""
        [row] = await self._fetch("find_others", examples, most, since, by_agent)
        return Others(row["msg_ids"], row["looked_until"])

    async def hold(self, seconds: float) -> Lease | None:
        """See `RequestStore.hold`."""
        rows = await self._fetch("hold", seconds)
        return read_lease(rows[0]) if rows else None

    async def hold_waiting(self, rooms: Mapping[str, int], *, expired: int = 0) -> int:
        """See `RequestStore.hold_waiting`."""
        return len(
            await self._fetch("hold_waiting", list(rooms), list(rooms.values()), max(expired, 0))
        )

    async def postpone(self, held: Lease, seconds: float) -> None:
        """See `RequestStore.postpone`."""
        await self._fetch("postpone", seconds, held.msg_id, held.read_ct)

    async def open_held(self, held: Lease, *, largest: int) -> str | None:
        """See `RequestStore.open_held`."""
        rows = await self._fetch("open_held", held.msg_id, held.read_ct, largest)
        return rows[0]["request_id"] if rows else None

    async def lease_held(
        self, held: Lease, visibility_timeout: float, *, unread: bool
    ) -> list[Delivery]:
        """See `RequestStore.lease_held`."""
        rows = await self._pool.run(
            fetch,
            self._lease["held"],
            self._owner,
            visibility_timeout,
            1,
            0,
            0,
            held.msg_id,
            held.read_ct,
            unread,
        )
        return [read_delivery(row) for row in rows]

    async def take_waiting(
        self,
        rooms: Mapping[str, int],
        visibility_timeout: float,
        *,
        expired: int = 0,
        largest: int = MESSAGE_BYTES,
        together: int = BATCH_BYTES,
    ) -> list[Delivery]:
        """See `RequestStore.take_waiting`."""
        wanted = {name: places for name, places in rooms.items() if places > 0}
        rows = await self._fetch(
            "take_waiting",
            self._owner,
            visibility_timeout,
            list(wanted),
            list(wanted.values()),
            max(expired, 0),
            largest,
            together,
        )
        return [read_delivery(row) for row in rows]

    async def give_back(self, returns: Sequence[GiveBack]) -> None:
        """See `RequestStore.give_back`.

        A request that waits for a provider becomes visible again after `waiting_timeout`.
        """
        if returns:
            await self._fetch(
                "give_back",
                self._owner,
                encoding.returns(returns),
                encoding.attempts(returns),
                self._waiting_timeout,
            )

    async def discard(self, duplicates: Sequence[Lease]) -> None:
        """See `RequestStore.discard`."""
        if duplicates:
            await self._fetch("discard", *_columns(duplicates))

    async def extend(
        self, leases: Collection[Lease], visibility_timeout: float
    ) -> dict[str, Lease]:
        """See `RequestStore.extend`. Only claimed requests can be extended."""
        if not leases:
            return {}
        rows = await self._keeper.run(
            fetch, self._sql["extend"], self._owner, *_columns(leases), visibility_timeout
        )
        return {row["request_id"]: read_lease(row) for row in rows}

    async def finish(self, batch: Sequence[Finish]) -> set[Lease]:
        """See `RequestStore.finish`."""
        if not batch:
            return set()
        rows = None if self.direct is None else await self.direct.finish(batch)
        if rows is None:
            rows = await self._fetch(
                "finish", self._owner, encoding.finishes(batch), encoding.attempts(batch)
            )
        return {read_lease(row) for row in rows}

    async def rehearse(self, item: Finish, *, lease_of: str | None = None) -> bool:
        """See `RequestStore.rehearse`."""
        rows, usage = await self._pool.run(
            rehearsal,
            self._sql["finish"],
            self._owner,
            encoding.finishes([item]),
            encoding.attempts([item]),
            before=() if lease_of is None else self._pose(item, lease_of),
        )
        refuse_if_full(usage)
        return item.lease in {read_lease(row) for row in rows}

    def _pose(self, item: Finish, of: str) -> tuple[str | int | None, ...]:
        lease, name = item.lease, item.request_id
        return self._sql["pose"], lease.msg_id, lease.read_ct, of, name, item.result

    async def record_late(self, batch: Sequence[Finish]) -> int:
        """See `RequestStore.record_late`."""
        if not any(item.attempts for item in batch):
            return 0
        rows = await self._fetch("record_late", self._owner, encoding.attempts(batch))
        return int(rows[0]["recorded"])

    async def reclaim(self, requests: Mapping[str, int]) -> dict[str, Lease]:
        """See `RequestStore.reclaim`."""
        if not requests:
            return {}
        rows = await self._fetch("reclaim", self._owner, list(requests), list(requests.values()))
        return {row["request_id"]: read_lease(row) for row in rows}

    async def notify(self, notices: Sequence[Notice]) -> None:
        """See `Notifier.notify`."""
        await self._fetch(
            "notify",
            [notice.channel for notice in notices],
            [notice.payload for notice in notices],
        )

    async def take_quota(self, quotas: Sequence[Quota]) -> list[float]:
        """See `AccountStore.take_quota`."""
        rows = await self._fetch(
            "take_quota",
            [quota.bucket for quota in quotas],
            [quota.capacity for quota in quotas],
            [quota.rate for quota in quotas],
            [quota.wanted for quota in quotas],
        )
        taken = {row["place"]: float(row["taken"]) for row in rows}
        return [taken[place] for place in range(1, len(quotas) + 1)]

    async def reserve(
        self, request_id: str, number: int, dollars: float, budgets: Sequence[BudgetShare]
    ) -> str | None:
        """See `AccountStore.reserve`."""
        rows = await self._fetch(
            "reserve",
            self._owner,
            request_id,
            number,
            dollars,
            [budget.name for budget in budgets],
            [budget.per for budget in budgets],
            [budget.dollars for budget in budgets],
        )
        poor: str | None = rows[0]["poor"]
        return poor

    async def may_come_back(self, dollars: float, budgets: Sequence[BudgetShare]) -> bool:
        """See `AccountStore.may_come_back`."""
        names = [budget.name for budget in budgets]
        rows = await self._fetch("spending", names, [budget.per for budget in budgets])
        pairs = zip(rows, budgets, strict=True)
        return all(row["spent"] + dollars <= budget.dollars for row, budget in pairs)

    async def release_orphans(self, held: Collection[int], *, called: bool) -> int:
        """See `RequestStore.release_orphans`.

        Nothing is released while the instance's lock is not held: another service with the same id
        may work on these requests. Their leases lapse by themselves.
        """
        if self._claim is not None and self._claim.trouble is not None:
            return 0
        rows = await self._fetch("release_orphans", self._owner, list(held), called)
        return int(rows[0]["count"])

    async def forget_waiting(self) -> int:
        """See `RequestStore.forget_waiting`."""
        rows = await self._fetch("forget_waiting", self._owner)
        return int(rows[0]["count"])

    async def _fetch(self, statement: Statement, *arguments: object) -> list[asyncpg.Record]:
        return await self._pool.run(fetch, self._sql[statement], *arguments)


async def rehearsal(
    connection: Connection, sql: str, *arguments: object, before: Sequence[Any] = ()
) -> tuple[list[asyncpg.Record], float]:
    """Run one statement, including its deferred constraints, and roll it back. Also returns how
    full the server's notification queue is, since a full one would fail only the commit. `before`
    is a statement to run first, with its arguments.
    """
    transaction = connection.transaction()
    await transaction.start()
    try:
        if before:
            await connection.execute(*before)
        rows = await connection.fetch(sql, *arguments)
        await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        usage = await connection.fetchval("SELECT pg_notification_queue_usage()")
    finally:
        try:
            await transaction.rollback()
        except BaseException:
            connection.terminate()  # never return an open transaction to the pool
            raise
    return rows, float(usage)


def refuse_if_full(usage: float) -> None:
    """Raise StorageRefused if a full notification queue may be what fails the commits."""
    if usage >= NOTIFICATIONS_FULL:
        raise StorageRefused(f"the server's queue of notifications is {usage:.0%} full")


def _columns(leases: Collection[Lease]) -> tuple[list[int], list[int]]:
    return [lease.msg_id for lease in leases], [lease.read_ct for lease in leases]
