"""What an attempt has cost is put right whenever it becomes known, by whichever way it does."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from nexus_actors.storage.accounts import BudgetShare
from nexus_actors.storage.postgres.database import PostgresDatabase
from nexus_actors.storage.requests import Attempt
from tests.integration.storage.storage_helpers import (
    NOW,
    attempt,
    give_back,
    lapse,
    other_instance,
    send,
    sql,
    success,
    value,
)

DAY = [BudgetShare("all", "day", 100.0)]
TOLD = (
    "INSERT INTO nexus.attempts (request_id, number, outcome, cost, maybe_paid, owner, started_at)"
    " VALUES ('r', 1, 'ok', 5, false, $1, now()) ON CONFLICT (request_id, number)"
    " DO UPDATE SET outcome = excluded.outcome, cost = excluded.cost, maybe_paid = false"
)


def told(number: int, cost: float | None, **changes: object) -> Attempt:
    begun = NOW + timedelta(seconds=number)
    return replace(attempt(number), cost=cost, started_at=begun, **changes)  # type: ignore[arg-type]


async def by_hand(db: PostgresDatabase) -> float:
    """Of an interrupted attempt, by the statement that inserts it again."""
    await send(db, "r")
    await db.requests.lease(1, 30)
    await db.requests.reserve("r", 1, 0.1, DAY)
    await lapse(db)
    await other_instance(db).lease(1, 30)
    await sql(db, TOLD, "one")
    return 5.0


async def of_an_answer_without_a_price(db: PostgresDatabase) -> float:
    await send(db, "r")
    [ours] = await db.requests.lease(1, 30)
    await db.requests.reserve("r", 1, 0.1, DAY)
    unknown = replace(success(ours), attempts=[told(1, None)], attempt_count=1)
    await db.requests.finish([unknown])
    assert await value(db, "SELECT spent::float8 FROM nexus.spending") == pytest.approx(0.1)
    await sql(db, "UPDATE nexus.attempts SET cost = 5")
    return 5.0


async def of_all_calls_of_a_lapsed_lease(db: PostgresDatabase) -> float:
    """Which is told of as one attempt; then the same process goes on with it."""
    await send(db, "r")
    await db.requests.lease(1, 30)
    for number in (1, 2):
        await db.requests.reserve("r", number, 0.1, DAY)
    await lapse(db)
    [again] = await db.requests.lease(1, 30)
    end = replace(success(again), attempts=[told(1, 5.0), told(2, 3.0)], attempt_count=2)
    assert await db.requests.finish([end])
    return 8.0


async def of_a_call_begun_after_the_lease_was_lost(db: PostgresDatabase) -> float:
    """Its number is one that the holder's call has, too."""
    await send(db, "r")
    [ours] = await db.requests.lease(1, 30)
    await lapse(db)
    two = other_instance(db)
    [theirs] = await two.lease(1, 30)
    for store, number in ((db.requests, 1), (two, 2), (db.requests, 2)):
        assert await store.reserve("r", number, 0.1, DAY) is None
    assert await value(db, "SELECT reserved::float8 FROM nexus.spending") == pytest.approx(0.3)
    await two.finish([replace(success(theirs), attempts=[told(2, 1.0)], attempt_count=2)])
    late = replace(success(ours), attempts=[told(1, 5.0), told(2, 3.0)], attempt_count=2)
    assert await db.requests.record_late([late]) == 2
    assert await db.requests.record_late([late]) == 0
    return 9.0


async def of_an_answer_that_takes_the_request_back(db: PostgresDatabase) -> float:
    """From the process that holds it, has called under the same number, and tells too late."""
    await send(db, "r")
    [ours] = await db.requests.lease(1, 30)
    for number in (1, 2):
        await db.requests.reserve("r", number, 0.1, DAY)
    await lapse(db)
    two = other_instance(db)
    [theirs] = await two.lease(1, 30)
    await two.reserve("r", 2, 0.1, DAY)
    paid = replace(told(2, None), outcome="timeout", maybe_paid=True)
    await two.give_back([give_back(theirs, attempts=[paid], attempt_count=2)])
    leases = await db.requests.reclaim({"r": ours.lease.msg_id})
    end = replace(success(ours), attempts=[told(1, 5.0), told(2, 3.0)], attempt_count=2)
    assert await db.requests.finish([replace(end, lease=leases["r"])])
    return 8.1  # the other's may have been paid as well


async def of_a_call_whose_number_an_earlier_lease_of_ours_has_used(db: PostgresDatabase) -> float:
    """A process was killed in its second call; started again, it uses that number once more."""
    await send(db, "r")
    await db.requests.lease(1, 30)
    for number in (1, 2):
        await db.requests.reserve("r", number, 0.1, DAY)
    await lapse(db)
    [again] = await db.requests.lease(1, 30)
    await db.requests.reserve("r", 2, 0.1, DAY)
    await db.requests.finish([replace(success(again), attempts=[told(2, 5.0)], attempt_count=2)])
    return 5.2


async def of_a_call_that_was_never_made(db: PostgresDatabase) -> float:
    await send(db, "r")
    [ours] = await db.requests.lease(1, 30)
    await db.requests.reserve("r", 1, 0.1, DAY)
    await db.requests.give_back([give_back(ours, attempt_count=0)])
    [again] = await db.requests.lease(1, 30)
    for number in (1, 2):
        await db.requests.reserve("r", number, 0.1, DAY)
    await db.requests.finish([replace(success(again), attempts=[told(1, 5.0)], attempt_count=1)])
    return 5.0


@pytest.mark.parametrize(
    "way",
    [
        by_hand,
        of_an_answer_without_a_price,
        of_all_calls_of_a_lapsed_lease,
        of_a_call_begun_after_the_lease_was_lost,
        of_an_answer_that_takes_the_request_back,
        of_a_call_whose_number_an_earlier_lease_of_ours_has_used,
        of_a_call_that_was_never_made,
    ],
)
async def test_what_is_spent_is_the_true_cost(
    db: PostgresDatabase, way: Callable[[PostgresDatabase], Awaitable[float]]
) -> None:
    cost = await way(db)
    [row] = await sql(db, "SELECT spent::float8, reserved::float8 FROM nexus.spending")
    assert tuple(row) == (pytest.approx(cost), 0.0)
    assert await value(db, "SELECT count(*) FROM nexus.reservations") == 0
    recorded, assumed = (
        await value(db, "SELECT sum(cost) FROM nexus.attempts"),
        await value(db, "SELECT coalesce(sum(dollars), 0) FROM nexus.assumed_costs"),
    )
    assert float(recorded + assumed) == pytest.approx(cost)
