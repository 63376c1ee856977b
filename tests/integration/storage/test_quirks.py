"""What was learnt of models, in the database: remembered, bounded, over after a day, forgotten."""

import asyncio
from typing import Any

import pytest
import trio

from nexus_actors.storage.errors import StorageRefused
from nexus_actors.storage.postgres.connection import Connection
from nexus_actors.storage.postgres.database import PostgresDatabase
from nexus_actors.storage.postgres.quirk_store import forget_quirks, list_quirks
from nexus_actors.storage.quirks import PROVIDER_QUIRKS, QUIRKS_CHANNEL, Quirk
from tests.integration.storage.storage_helpers import sql, value

COUNT = "SELECT count(*) FROM nexus.model_quirks"
AGE = "UPDATE nexus.model_quirks SET learnt_at = learnt_at - make_interval(secs => $1)"


def quirk(field: str = "temperature", **changes: Any) -> Quirk:
    return Quirk(
        **{"provider": "p", "model": "m", "field": field, "reason": "refused by the model"}
        | changes
    )


async def fields(db: PostgresDatabase) -> set[str]:
    return {it.field for it in await db.quirks.read()}


async def test_what_was_learnt_is_read_with_its_age(db: PostgresDatabase) -> None:
    await db.quirks.learn(quirk(effort="high"))
    await sql(db, AGE, 100.0)
    [found] = await db.quirks.read()
    assert (found.provider, found.model, found.field) == ("p", "m", "temperature")
    assert (found.effort, found.reason) == ("high", "refused by the model")
    assert found.age >= 100.0
    [listed] = await db.run(list_quirks)
    assert listed.learnt_at == await value(db, "SELECT learnt_at FROM nexus.model_quirks")


async def test_another_effort_is_another_matter(db: PostgresDatabase) -> None:
    await db.quirks.learn(quirk(effort="high"))
    await db.quirks.learn(quirk(effort=""))
    await db.quirks.learn(quirk(effort="", reason="refused anew"))
    found = {(it.effort, it.reason) for it in await db.quirks.read()}
    assert found == {("high", "refused by the model"), ("", "refused anew")}


async def test_it_is_over_after_a_day_and_begins_anew_when_learnt_again(
    db: PostgresDatabase,
) -> None:
    await db.quirks.learn(quirk())
    await sql(db, AGE, 86_399.0 - 60)
    assert await fields(db) == {"temperature"}
    await sql(db, AGE, 62.0)
    assert await fields(db) == set()
    await db.quirks.learn(quirk())
    [again] = await db.quirks.read()
    assert again.age < 3600


async def test_what_is_long_over_goes_when_something_is_learnt(db: PostgresDatabase) -> None:
    await db.quirks.learn(quirk("top_p"))
    await db.quirks.learn(quirk("seed", provider="q"))
    await sql(db, AGE, 6 * 86_400.0)
    await db.quirks.learn(quirk("user"))
    assert await value(db, COUNT) == 3
    await sql(db, AGE + " WHERE field <> 'user'", 2 * 86_400.0)
    await db.quirks.learn(quirk("top_k"))
    assert await value(db, COUNT) == 2
    assert await fields(db) == {"user", "top_k"}


async def test_what_is_long_over_can_be_learnt_anew(db: PostgresDatabase) -> None:
    await db.quirks.learn(quirk())
    await sql(db, AGE, 30 * 86_400.0)
    await db.quirks.learn(quirk())
    assert await fields(db) == {"temperature"}


async def test_of_a_provider_the_newest_stay_and_of_others_all(db: PostgresDatabase) -> None:
    await sql(
        db,
        "INSERT INTO nexus.model_quirks"
        " SELECT p, 'm' || n, 'seed', '', 'r', now() - make_interval(secs => n)"
        " FROM generate_series(1, $1) AS n, unnest(ARRAY['p', 'q']) AS p",
        PROVIDER_QUIRKS,
    )
    await db.quirks.learn(quirk(model="new"))
    count = "SELECT count(*) FROM nexus.model_quirks WHERE provider = $1"
    assert await value(db, count, "p") == PROVIDER_QUIRKS
    assert await value(db, count, "q") == PROVIDER_QUIRKS
    gone = "SELECT NOT EXISTS (SELECT FROM nexus.model_quirks WHERE provider = 'p' AND model = $1)"
    assert await value(db, gone, f"m{PROVIDER_QUIRKS}")
    assert not await value(db, gone, f"m{PROVIDER_QUIRKS - 1}")
    assert not await value(db, gone, "new")


async def test_many_may_learn_the_same_at_once(db: PostgresDatabase) -> None:
    await sql(
        db,
        "INSERT INTO nexus.model_quirks SELECT 'p', 'm' || n, 'seed', '', 'r',"
        " now() - interval '9 days' FROM generate_series(1, 200) AS n",
    )
    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(db.quirks.learn, quirk(("temperature", "top_p")[number % 2]))
    assert await fields(db) == {"temperature", "top_p"}
    assert await value(db, COUNT) == 2


async def test_what_another_deletes_is_not_waited_for(db: PostgresDatabase) -> None:
    await db.quirks.learn(quirk("seed"))
    await sql(db, AGE, 30 * 86_400.0)
    locked, learnt = trio.Event(), trio.Event()

    async def hold(connection: Connection) -> None:
        async with connection.transaction():
            await connection.execute("SELECT FROM nexus.model_quirks FOR UPDATE")
            locked.set()
            while not learnt.is_set():
                await asyncio.sleep(0.01)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(db.run, hold)
        await locked.wait()
        await db.quirks.learn(quirk("user"))  # fails at the statement's timeout if it waits
        learnt.set()
    assert await fields(db) == {"user"}


@pytest.mark.parametrize(
    "change",
    [
        {"model": "m" * 256},
        {"model": ""},
        {"provider": "p" * 256},
        {"field": "f" * 65},
        {"effort": "e" * 17},
        {"reason": "r" * 201},
        {"model": "a\0b"},
    ],
)
async def test_what_is_out_of_bounds_is_refused(
    db: PostgresDatabase, change: dict[str, str]
) -> None:
    with pytest.raises(StorageRefused):
        await db.quirks.learn(quirk(**change))
    assert await value(db, COUNT) == 0


@pytest.mark.parametrize(
    ("which", "left"),
    [
        (("p", "m", "seed"), {("p", "m", "top_p"), ("p", "n", "seed"), ("q", "m", "seed")}),
        (("p", "m", None), {("p", "n", "seed"), ("q", "m", "seed")}),
        ((None, None, None), set()),
    ],
)
async def test_it_is_forgotten_by_model_and_field(
    db: PostgresDatabase,
    which: tuple[str | None, str | None, str | None],
    left: set[tuple[str, str, str]],
) -> None:
    for provider, model, field in (
        ("p", "m", "seed"),
        ("p", "m", "top_p"),
        ("p", "n", "seed"),
        ("q", "m", "seed"),
    ):
        await db.quirks.learn(quirk(field, provider=provider, model=model))
    assert await db.run(forget_quirks, *which) == 4 - len(left)
    assert {(it.provider, it.model, it.field) for it in await db.quirks.read()} == left


async def test_every_change_is_notified_also_one_made_by_hand(db: PostgresDatabase) -> None:
    heard = trio.Event()

    async def wait() -> None:
        nonlocal heard
        with trio.fail_after(30):
            await heard.wait()
        heard = trio.Event()

    with db.hints.subscribe(QUIRKS_CHANNEL, lambda payload: heard.set()):
        await wait()  # the first, when it is listened to
        await db.quirks.learn(quirk())
        await wait()
        await sql(db, "UPDATE nexus.model_quirks SET reason = 'mine'")
        await wait()
        await db.run(forget_quirks, "p", None, None)
        await wait()
        await db.quirks.learn(quirk())
        await wait()
        await sql(db, "TRUNCATE nexus.model_quirks")
        await wait()
