"""Finding what is unlike those that wait, whatever stands in the queue, and leasing just that."""

from datetime import datetime, timedelta
from typing import Any

from nexus_actors.storage.postgres.database import PostgresDatabase
from tests.integration.storage.storage_helpers import other_instance, send, sql, value


def asked(request_id: str, **fields: Any) -> dict[str, Any]:
    return {"request_id": request_id, "complexity": "complex", "messages": [], **fields}


async def unlike(db: PostgresDatabase, *examples: int, most: int = 99, **how: Any) -> list[int]:
    told = {"since": None, "by_agent": False, **how}
    return list((await db.requests.find_others(examples, most, **told)).msg_ids)


async def test_those_of_others_are_found_behind_a_thousand(db: PostgresDatabase) -> None:
    first, *_ = await send(db, *(asked(f"r{n}") for n in range(1000)))
    behind = await send(db, *(asked(f"s{n}", complexity="simple") for n in range(3)))
    found = await db.requests.find_others([first], 2, since=None, by_agent=False)
    assert found.msg_ids == behind[:2]
    leased = await db.requests.lease(9, 30, only=found.msg_ids)
    assert [it.request_id for it in leased] == ["s0", "s1"]
    assert await unlike(db, first) == behind[2:]


async def test_likeness_is_what_routing_goes_by(db: PostgresDatabase) -> None:
    """What cannot be told by that at once comes in its turn alone."""
    like: tuple[dict[str, Any], ...] = (
        {"messages": ["other"], "agent_id": "b", "temperature": 1},
        {"model": None},
    )
    unlike_it: tuple[dict[str, Any], ...] = (
        {"model": "m"},
        {"provider": "p"},
        {"complexity": "simple"},
        {"task_type": "code"},
        {"capabilities": ["vision"]},
    )
    untold: tuple[dict[str, Any], ...] = (
        {"model": "m", "previous_response_id": "resp_1"},
        {"model": "m", "padding": [str(n) for n in range(20_000)]},
    )
    [example] = await send(db, asked("example", agent_id="a"))
    expected = []
    for number, fields in enumerate((*like, *unlike_it, *untold)):
        told = asked(f"r{number}") | fields
        sent = await send(db, told, {"request": told})
        expected += sent if fields in unlike_it else []
    assert await unlike(db, example) == expected


async def test_the_agent_counts_where_it_is_asked_for(db: PostgresDatabase) -> None:
    first, other = await send(db, asked("r", agent_id="a"), asked("s", agent_id="b"))
    assert await unlike(db, first) == []
    assert await unlike(db, first, by_agent=True) == [other]


async def test_whatever_stands_in_the_queue_does_no_harm(db: PostgresDatabase) -> None:
    """No value is made a text: these few bytes would be megabytes."""
    odd: list[Any] = [None, 1, "text", [], {}, {"request": 1}, {"request": {"request": {}}}]
    [example, *sent] = await send(db, asked("r"), *odd)
    many = "[" + ",".join(["1e131071"] * 50) + "]"
    for name in ("provider", "capabilities"):
        text = f'{{"request_id": "{name}", "{name}": {many}}}'
        sent.append(await value(db, "SELECT pgmq.send('ai_requests', $1::text::jsonb)", text))
    await sql(db, "INSERT INTO pgmq.q_ai_requests (vt, message) VALUES (now(), NULL)")
    long_ago = "UPDATE pgmq.q_ai_requests SET (vt, enqueued_at) = ('-infinity', '4000-01-01 BC')"
    await sql(db, f"{long_ago} WHERE msg_id = $1", sent[4])
    found = await db.requests.find_others([example], 99, since=None, by_agent=True)
    objects = [sent[2], *sent[4:]]  # the third is a request of this id
    assert sorted(found.msg_ids) == objects
    first = await db.requests.find_others([example], 1, since=None, by_agent=True)
    assert first.msg_ids == [sent[4]]
    assert example in await unlike(db, *sent)


async def test_where_the_examples_are_gone_there_is_nothing_to_overtake(
    db: PostgresDatabase,
) -> None:
    goes_on = asked("s", previous_response_id="resp_1")
    _, told_by_more = await send(db, asked("r"), goes_on)
    assert await unlike(db, 12345) == []
    assert await unlike(db, told_by_more) == []


async def test_only_what_is_still_due_is_leased_of_what_was_found(db: PostgresDatabase) -> None:
    ids = await send(db, "a", "b", "c", "d")
    [taken] = await other_instance(db).lease(1, 30)
    leased = await db.requests.lease(3, 30, only=ids[:3])
    assert taken.request_id == "a"
    assert [it.request_id for it in leased] == ["b", "c"]


async def test_it_looks_on_where_it_stopped(db: PostgresDatabase) -> None:
    first, *_ = await send(db, asked("r"), asked("s", model="m"))
    before = await due_ago(db, timedelta(hours=1))
    await send(db, asked("t", model="n"), asked("u", model="o"))
    await due_ago(db, timedelta(minutes=1), after=first + 1)
    some = await db.requests.find_others([first], 1, since=None, by_agent=False)
    assert (some.msg_ids, some.looked_until) == ([first + 1], before)
    since = some.looked_until + timedelta(seconds=1)
    assert await unlike(db, first, since=since) == [first + 2, first + 3]
    # All were seen. But what was sent a moment ago may be committed only now.
    every = await db.requests.find_others([first], 99, since=since, by_agent=False)
    ago = await value(db, "SELECT now()") - every.looked_until
    assert timedelta(milliseconds=200) <= ago < timedelta(minutes=1)


async def test_what_is_not_looked_at_in_time_is_left_for_the_next_time(
    db: PostgresDatabase,
) -> None:
    first, second = await send(db, asked("r"), asked("s", model="m"))
    due = await due_ago(db, timedelta(hours=1))
    statement = db.queues.query("find_others")
    out_of_time = statement.replace("'100 milliseconds'", "'-1 day'")
    for text, found in ((statement, [second]), (out_of_time, [])):
        [row] = await sql(db, text, [first], 99, None, False)
        assert row["msg_ids"] == found
    assert row["looked_until"] == due


async def due_ago(db: PostgresDatabase, ago: timedelta, after: int = 0) -> datetime:
    """Let messages with greater numbers have been sent so long ago, all at once."""
    change = (
        "UPDATE pgmq.q_ai_requests SET enqueued_at = now() - $1::interval,"
        " vt = now() - $1::interval WHERE msg_id > $2 RETURNING vt"
    )
    found: datetime = await value(db, change, ago, after)
    return found
