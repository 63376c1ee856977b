"""Dead letters of any content are listed, sent again and deleted, each by itself."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
import trio

from nexus_actors.storage.errors import StorageError
from nexus_actors.storage.postgres import dead_letters
from nexus_actors.storage.postgres.database import PostgresDatabase
from nexus_actors.storage.postgres.dead_letters import Which
from tests.integration.storage.storage_helpers import (
    attempt,
    bodies,
    give_back,
    send,
    sql,
    success,
    value,
)

DEAD = "ai_requests_dead"
ODD = [
    {"attempts": "x"},
    {"attempts": 1e300, "request_id": {"a": 1}, "reason": [1], "detail": "x"},
    {"attempts": 2.5, "reason": 1.5e5, "request_id": True, "detail": {"path": {"a": [1]}}},
    [],
    [{"request_id": "in a list"}],
    5,
    "request_id",
    None,
    {"request_id": "", "request": {}},
    {"request_id": "a" * 256, "request": {}},
    {"request_id": "no object", "request": 7},
    {"request_id": "no request"},
    {"result": {"request_id": "r"}, "request_id": "r", "request": {}},
    {"request_id": "archived long ago", "request": None, "archived_msg_id": 10**17},
    {"request_id": "archived", "request": None, "archived_msg_id": "x"},
    {"request_id": "archived", "request": None, "archived_msg_id": 1e100},
]
TIMES = ("294000-01-01", "4000-01-01 BC", "infinity", "-infinity")


async def find(db: PostgresDatabase, **which: Any) -> list[dead_letters.DeadLetter]:
    return await dead_letters.find(db.pool, db.queues, Which(**which))


async def retry(db: PostgresDatabase, number: int) -> dead_letters.Retried:
    return await dead_letters.retry(db.pool, db.queues, number)


async def purge(db: PostgresDatabase, numbers: list[int]) -> tuple[int, list[int]]:
    refused: list[int] = []
    count = await dead_letters.purge(
        db.pool, db.queues, numbers, lambda number, _error: refused.append(number)
    )
    return count, refused


async def test_letters_that_are_gigabytes_as_text(db: PostgresDatabase) -> None:
    await sql(
        db,
        "WITH huge AS MATERIALIZED"
        " (SELECT ('[' || repeat('1e131071,', 8999) || '1]')::jsonb AS numbers)"
        " SELECT pgmq.send('ai_requests_dead', jsonb_build_object('request_id', 'r' || n, 'reason',"
        " 'timeout', 'attempts', 1, 'request', jsonb_build_object('n', huge.numbers), 'detail',"
        " jsonb_build_object('message', huge.numbers)))"
        " FROM generate_series(1, 14) AS n, huge",
    )
    letters = await find(db)
    assert [(it.request_id, it.reason, it.attempts) for it in letters] == [
        (f"r{n}", "timeout", 1) for n in range(1, 15)
    ]
    assert await find(db, reason="timeout", provider="none") == []
    one, *others = [letter.number for letter in letters]
    shown = await dead_letters.show(db.pool, db.queues, one)
    assert shown is not None
    assert (shown.text, shown.fault) == (None, "larger than allowed")
    sent = [await retry(db, number) for number in others[:3]]
    assert all(it.new_id and it.request_id for it in sent)
    assert await value(db, "SELECT count(*) FROM pgmq.q_ai_requests") == 3
    left = await dead_letters.numbers(db.pool, db.queues, Which())
    assert await purge(db, left) == (11, [])
    assert await find(db) == []


async def test_letters_of_any_shape_and_time(db: PostgresDatabase) -> None:
    numbers = await send(db, *ODD, queue=DEAD)
    (null,) = await sql(db, "SELECT pgmq.send('ai_requests_dead', NULL::jsonb)")
    await send(db, {"request_id": "x" * 5000, "reason": "timeout", "attempts": 3}, queue=DEAD)
    for number, time in zip(numbers, TIMES, strict=False):
        await sql(
            db,
            "UPDATE pgmq.q_ai_requests_dead SET enqueued_at = $2::text::timestamptz"
            " WHERE msg_id = $1",
            number,
            time,
        )
    letters = await find(db)
    assert len(letters) == len(ODD) + 2
    assert [it.attempts for it in letters[:3]] == [None] * 3
    assert (letters[2].reason, letters[2].request_id) == ("150000.0", "true")
    assert letters[-1].attempts == 3
    assert letters[-1].request_id == "x" * 299 + "…"
    assert [it.number for it in await find(db, reason="timeout")] == [letters[-1].number]
    assert len(await find(db, older_than=1e300)) == 2  # before our time
    assert await find(db, numbers=(2**70, -(2**70))) == []
    for number in [*numbers, null[0], 2**70]:
        told = await retry(db, number)
        assert told.new_id is None
        assert told.why_not
    assert (await retry(db, 10**9)).why_not == dead_letters.GONE
    assert await value(db, "SELECT count(*) FROM pgmq.q_ai_requests") == 0
    assert len(await find(db)) == len(ODD) + 2
    assert (await dead_letters.show(db.pool, db.queues, null[0])).text == "null"  # type: ignore[union-attr]


async def test_one_that_cannot_be_read_is_reported_and_hides_no_other(db: PostgresDatabase) -> None:
    """As by damage on the disk."""
    numbers = await send(
        db, *({"request_id": f"r{n}", "reason": "timeout"} for n in range(9)), queue=DEAD
    )
    bad = numbers[4]
    await _make_unreadable(db, bad)
    letters = await find(db)
    assert [it.number for it in letters] == numbers
    assert [it.number for it in letters if it.unreadable] == [bad]
    assert [it.request_id for it in letters] == [None if n == 4 else f"r{n}" for n in range(9)]
    assert [it.number for it in await find(db, reason="timeout")] == numbers
    assert await dead_letters.numbers(db.pool, db.queues, Which()) == numbers
    assert await purge(db, numbers) == (9, [])


async def _make_unreadable(db: PostgresDatabase, number: int) -> None:
    for statement in (
        "ALTER TABLE pgmq.q_ai_requests_dead RENAME TO q_kept",
        "CREATE FUNCTION damaged(jsonb) RETURNS jsonb LANGUAGE plpgsql STABLE AS"
        " $$ BEGIN RAISE EXCEPTION 'missing chunk' USING ERRCODE = 'XX001'; END $$",
        "CREATE VIEW pgmq.q_ai_requests_dead AS SELECT msg_id, enqueued_at,"  # noqa: S608
        f" CASE msg_id WHEN {number} THEN damaged(message) ELSE message END AS message"
        " FROM pgmq.q_kept",
    ):
        await sql(db, statement)


async def test_new_ids_cannot_be_foretold_and_stay_ids(db: PostgresDatabase) -> None:
    names = ["plain", "plain", "again~7", "again~" + "0" * 32, "é" * 255, "~5"]
    numbers = await send(
        db, *({"request_id": name, "request": {"messages": []}} for name in names), queue=DEAD
    )
    sent = [await retry(db, number) for number in numbers]
    assert [it.request_id for it in sent] == names
    new = [it.new_id or "" for it in sent]
    bases = ["plain", "plain", "again", "again", "é" * 222, ""]
    for name, base in zip(new, bases, strict=True):
        assert re.fullmatch(re.escape(base) + "~[0-9a-f]{32}", name)
        assert len(name) <= 255
    assert len(set(new)) == len(new)
    rows = await sql(
        db, "SELECT message ->> 'request_id', message ->> 'retry_of' FROM pgmq.q_ai_requests"
    )
    assert {(row[0], row[1]) for row in rows} == set(zip(new, names, strict=True))
    assert (await retry(db, numbers[0])).why_not == dead_letters.GONE
    assert await value(db, "SELECT count(*) FROM pgmq.a_ai_requests_dead") == len(names)


async def test_a_request_that_is_only_in_the_archive_is_sent_from_there(
    db: PostgresDatabase,
) -> None:
    ids = await send(
        db,
        {"request_id": "plain", "messages": ["of the archive"]},
        {"request": {"request_id": "wrapped", "messages": []}},
        {"request_id": "of another", "messages": []},
    )
    await sql(db, "SELECT pgmq.archive('ai_requests', $1::bigint[])", ids)
    letters = [
        {"request_id": name, "request": None, "request_bytes": 9, "archived_msg_id": number}
        for name, number in zip(("plain", "wrapped", "mine"), ids, strict=True)
    ]
    numbers = await send(db, *letters, queue=DEAD)
    plain, wrapped, other = [await retry(db, number) for number in numbers]
    rows = await sql(db, "SELECT message::text FROM pgmq.q_ai_requests ORDER BY msg_id")
    assert [json.loads(row[0]) for row in rows] == [
        {"request_id": plain.new_id, "messages": ["of the archive"], "retry_of": "plain"},
        {"request_id": wrapped.new_id, "messages": [], "retry_of": "wrapped"},
    ]
    assert other == replace(other, new_id=None, why_not=dead_letters.NOT_ARCHIVED)
    assert [it.number for it in await find(db)] == [numbers[2]]


async def test_what_is_sent_again_stays_in_the_trace_of_its_letter(db: PostgresDatabase) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    ids = await send(db, {"request_id": "archived"})
    await sql(db, "SELECT pgmq.archive('ai_requests', $1::bigint[])", ids)
    archived = {"request_id": "archived", "request": None, "archived_msg_id": ids[0]}
    letters = [
        archived | {"traceparent": trace},
        {"request_id": "whole", "request": {}, "traceparent": trace},
        {"request_id": "none", "request": {}},
        *({"request_id": "odd", "request": {}, "traceparent": odd} for odd in (7, "x", [trace])),
    ]
    for number in await send(db, *letters, queue=DEAD):
        assert (await retry(db, number)).done
    headers = "SELECT array_agg(headers ->> 'traceparent' ORDER BY msg_id) FROM pgmq.q_ai_requests"
    assert await value(db, headers) == [trace, trace, None, None, None, None]
    # Under its own id it is the journal that has it.
    await sql(db, "DELETE FROM pgmq.q_ai_requests")
    request = {"request_id": "same"}
    await sql(
        db,
        "SELECT pgmq.send('ai_requests', $1::text::jsonb, $2::text::jsonb)",
        json.dumps(request),
        json.dumps({"traceparent": trace}),
    )
    [leased] = await db.requests.lease(1, 30)
    await db.requests.finish([success(leased, succeeded=False, dead_reason="timeout")])
    [letter] = await find(db)
    told = await dead_letters.retry(db.pool, db.queues, letter.number, same_id=True)
    assert (told.done, told.reason) == (True, letter.reason)
    [again] = await db.requests.lease(1, 30)
    assert again.traceparent == trace
    assert (again.waited_since, again.waited_for) == (again.enqueued_at, None)


async def test_what_is_refused_by_itself_stays_and_is_reported(db: PostgresDatabase) -> None:
    numbers = await send(
        db, *({"request_id": f"r{n}", "request": {}} for n in range(9)), queue=DEAD
    )
    # The archive has its number already, as after a restore.
    await sql(
        db,
        "INSERT INTO pgmq.a_ai_requests_dead (msg_id, vt, message) OVERRIDING SYSTEM VALUE"
        " VALUES ($1, now(), '{}')",
        numbers[0],
    )
    await sql(
        db,
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'no'; END $$",
    )
    await sql(
        db,
        "CREATE TRIGGER no BEFORE DELETE ON pgmq.q_ai_requests_dead FOR EACH ROW"
        f" WHEN (OLD.msg_id = {numbers[5]}) EXECUTE FUNCTION no()",
    )
    assert (await retry(db, numbers[0])).new_id
    with pytest.raises(StorageError):
        await retry(db, numbers[5])
    assert await value(db, "SELECT count(*) FROM pgmq.q_ai_requests") == 1
    assert await purge(db, numbers) == (7, [numbers[5]])
    assert [it.number for it in await find(db)] == [numbers[5]]


async def test_a_conflicting_letter_is_listed_by_its_id_and_wants_another(
    db: PostgresDatabase,
) -> None:
    reason = {"reason": "duplicate_request", "request_id": None}
    bare = {**reason, "request": {"request_id": "r"}}
    wrapped = {**reason, "request": {"request": {"request_id": "r"}}}
    numbers = await send(db, bare, wrapped, queue=DEAD)
    assert [it.request_id for it in await find(db)] == ["r", "r"]
    for number in numbers:
        told = await retry(db, number)
        assert (told.done, told.why_not) == (
            False,
            "its request_id has its result already: give it another with nexus dead edit",
        )
    await sql(
        db,
        "SELECT nexus.edit_letter($1, jsonb_build_object('request_id', 's'))",
        numbers[0],
    )
    assert (await retry(db, numbers[0])).request_id == "s"


async def test_two_who_send_again_under_one_id_at_once_send_it_once(db: PostgresDatabase) -> None:
    [number] = await send(db, "r")
    [delivery] = await db.requests.lease(1, 30)
    failed = success(delivery, succeeded=False, dead_reason="timeout", dead_detail={})
    assert await db.requests.finish([failed])
    [letter] = await find(db)
    told: list[dead_letters.Retried] = []

    async def again() -> None:
        told.append(await dead_letters.retry(db.pool, db.queues, letter.number, same_id=True))

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(again)
    assert [it.new_id for it in told if it.done] == ["r"]
    assert await value(db, "SELECT count(*) FROM pgmq.q_ai_requests") == 1
    # It has all its attempts before it, and its calls are counted on; what was before is not held
    # against it.
    for attempts in (1, 2):
        [delivery] = await db.requests.lease(1, 30)
        assert delivery.verdict == "claimed"
        assert delivery.lease.msg_id > number
        assert (delivery.attempts, delivery.uncounted_attempts, delivery.earlier_attempts) == (
            attempts, 1, 1,
        )  # fmt: skip
        later = None if attempts == 1 else "timeout"
        assert (delivery.last_outcome, delivery.first_attempt_at is None) == (later, later is None)
        assert delivery.first_leased_at is not None
        tried = [attempt(attempts + 1, "timeout")]
        await db.requests.give_back(
            [give_back(delivery, attempts=tried, attempt_count=attempts + 1, uncounted_count=1)]
        )
    # A letter that names the message in work sends nothing.
    named = {"request_id": "r", "msg_id": delivery.lease.msg_id, "request": {"request_id": "r"}}
    [number] = await send(db, named, queue=DEAD)
    told = [await dead_letters.retry(db.pool, db.queues, number, same_id=True)]
    assert told[0].why_not == "its request is in work"


async def test_a_request_that_is_only_in_the_archive_is_sent_under_its_id(
    db: PostgresDatabase,
) -> None:
    plain, wrapped = {"request_id": "r", "x": 1}, {"request": {"request_id": "w"}}
    await send(db, plain, wrapped)
    for delivery in await db.requests.lease(2, 30):
        failed = success(delivery, succeeded=False, dead_reason="timeout", dead_detail={})
        assert await db.requests.finish([failed])
    await sql(
        db,
        "UPDATE pgmq.q_ai_requests_dead SET message = message || jsonb_build_object("
        "'request', NULL, 'archived_msg_id', message -> 'msg_id')",
    )
    told = [
        await dead_letters.retry(db.pool, db.queues, it.number, same_id=True)
        for it in await find(db)
    ]
    assert sorted(str(it.new_id) for it in told) == ["r", "w"]
    messages = await bodies(db, "q_ai_requests")
    assert messages in ([plain, wrapped], [wrapped, plain])
    assert await find(db) == []
