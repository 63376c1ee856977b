"""Budgets: reserved before a call, settled by the record of its attempt."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import trio

from nexus_actors.storage.accounts import BudgetShare
from nexus_actors.storage.postgres.connection import Connection, fetch, open_postgres
from nexus_actors.storage.postgres.database import PostgresDatabase, open_database
from nexus_actors.storage.postgres.journal import read_spending

DAY = BudgetShare("all", "day", 1.0)
MONTH = BudgetShare("agent", "month", 10.0)


async def spending(db: PostgresDatabase) -> dict[str, tuple[float, float]]:
    rows = await db.run(fetch, "SELECT budget, reserved, spent FROM nexus.spending")
    return {row["budget"]: (float(row["reserved"]), float(row["spent"])) for row in rows}


async def record(db: PostgresDatabase, request_id: str, number: int, **columns: Any) -> None:
    values = {"outcome": "ok", "cost": None, "maybe_paid": False} | columns
    await db.run(
        fetch,
        "INSERT INTO nexus.requests (request_id, queue, msg_id, read_ct, owner, state, digest,"
        " received_at, leased_at) VALUES ($1, 'q', 1, 1, 'o', 'leased', 'd', now(), now())"
        " ON CONFLICT DO NOTHING",
        request_id,
    )
    await db.run(
        fetch,
        "INSERT INTO nexus.attempts (request_id, number, outcome, cost, maybe_paid, owner,"
        " started_at) VALUES ($1, $2, $3, $4::float8, $5, 'o', now())",
        request_id,
        number,
        values["outcome"],
        values["cost"],
        values["maybe_paid"],
    )


async def test_what_is_reserved_is_settled_by_the_attempt(database_url: str) -> None:
    async with open_database(database_url, instance_id="one") as db:
        reserve = db.requests.reserve
        assert await reserve("r", 1, 0.4, [DAY, MONTH]) is None
        assert await spending(db) == {"all": (0.4, 0.0), "agent": (0.4, 0.0)}
        await record(db, "r", 1, cost=0.1)
        assert await spending(db) == {"all": (0.0, 0.1), "agent": (0.0, 0.1)}


async def test_without_a_cost_what_may_have_been_paid_counts_as_reserved(database_url: str) -> None:
    async with open_database(database_url, instance_id="one") as db:
        for number, columns, spent in (
            (1, {"outcome": "provider_error"}, 0.0),
            (2, {"outcome": "timeout", "maybe_paid": True}, 0.2),
            (3, {"outcome": "ok"}, 0.4),
        ):
            assert await db.requests.reserve("r", number, 0.2, [DAY]) is None
            await record(db, "r", number, **columns)
            reserved, so_far = (await spending(db))["all"]
            assert (reserved, round(so_far, 6)) == (0.0, spent)


async def test_all_or_none_and_the_poor_one_is_named(database_url: str) -> None:
    async with open_database(database_url, instance_id="one") as db:
        assert await db.requests.reserve("a", 1, 0.9, [DAY, MONTH]) is None
        assert await db.requests.reserve("b", 1, 0.2, [DAY, MONTH]) == "all"
        assert await spending(db) == {"all": (0.9, 0.0), "agent": (0.9, 0.0)}
        assert await db.requests.reserve("b", 1, 0.1, [DAY, MONTH]) is None


async def test_an_attempt_that_was_begun_and_never_made_reserves_once(database_url: str) -> None:
    async with open_database(database_url, instance_id="one") as db:
        for _ in range(5):
            assert await db.requests.reserve("r", 1, 0.6, [DAY]) is None
        assert await spending(db) == {"all": (0.6, 0.0)}
        assert await db.requests.reserve("r", 1, 0.3, [MONTH]) is None
        assert await spending(db) == {"all": (0.0, 0.0), "agent": (0.3, 0.0)}


async def test_a_new_day_and_a_new_month_begin_with_nothing_spent(database_url: str) -> None:
    async with (
        open_database(database_url, instance_id="one") as db,
        open_postgres(database_url, pool_size=1) as sql,
    ):
        assert await db.requests.reserve("a", 1, 1.0, [DAY]) is None
        assert await db.requests.reserve("b", 1, 1.0, [DAY]) == "all"
        await sql.run(fetch, "UPDATE nexus.spending SET period = period - 1")
        await sql.run(fetch, "UPDATE nexus.reservations SET period = period - 1")
        assert await db.requests.reserve("b", 1, 1.0, [DAY]) is None


async def test_many_at_once_reserve_no_more_than_there_is(database_url: str) -> None:
    granted: list[str] = []

    async def reserve(db: PostgresDatabase, number: int) -> None:
        shares = [DAY, MONTH] if number % 2 else [MONTH, DAY]
        if await db.requests.reserve(f"r{number}", 1, 0.03, shares) is None:
            granted.append(f"r{number}")
            await record(db, f"r{number}", 1, cost=0.03)

    async with (
        open_database(database_url, instance_id="one") as one,
        open_database(database_url, instance_id="two") as two,
        trio.open_nursery() as nursery,
    ):
        for number in range(100):
            nursery.start_soon(reserve, one if number % 3 else two, number)
    assert len(granted) == 33


async def test_a_process_killed_in_its_third_call_leaves_nothing_reserved(
    database_url: str,
) -> None:
    async with open_database(database_url, instance_id="one") as db:
        for number in (1, 2, 3):
            assert await db.requests.reserve("r", number, 0.1, [DAY]) is None
        # The next lease tells of all of it as one attempt.
        await record(db, "r", 1, outcome="interrupted", maybe_paid=True)
        reserved, spent = (await spending(db))["all"]
        assert (reserved, round(spent, 6)) == (0.0, 0.3)
        assert await db.run(fetch, "SELECT * FROM nexus.reservations") == []


async def test_reserving_waits_for_nobody_who_settles_another_day(database_url: str) -> None:
    async with open_database(database_url, instance_id="one") as db:

        async def reserve_beside(connection: Connection) -> object:
            other = await asyncpg.connect(database_url)
            try:
                async with connection.transaction():
                    await connection.execute("SELECT FROM nexus.spending FOR UPDATE")
                    reserve = "SELECT nexus.reserve('r', 1, 0.1, '{all}', '{day}', '{1}')"
                    return await other.fetchval(reserve, timeout=10)
            finally:
                await other.close()

        await db.run(fetch, "INSERT INTO nexus.spending VALUES ('all', now()::date - 1)")
        assert await db.run(reserve_beside) is None


async def test_what_is_spent_can_be_asked_for(database_url: str) -> None:
    async with open_database(database_url, instance_id="one") as db:
        await db.requests.reserve("r", 1, 0.4, [DAY])
        await db.run(fetch, "INSERT INTO nexus.spending VALUES ('all', now()::date - 1, 1, 1)")
        told = await db.run(read_spending, ["agent", "all"], ["month", "day"])
    assert [(row["name"], row["spent"], row["reserved"]) for row in told] == [
        ("agent", 0.0, 0.0),
        ("all", 0.0, 0.4),
    ]
    month, day = (row["renews_at"] for row in told)
    assert isinstance(month, datetime)
    assert isinstance(day, datetime)
    assert (month.day, month.hour, day.hour) == (1, 0, 0)
    assert month.utcoffset() == timedelta(0)
    assert datetime.now(UTC) < day <= month
