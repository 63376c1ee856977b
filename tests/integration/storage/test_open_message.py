"""Opening a message in SQL: its text within bounds, whatever it holds, and what identifies it."""

import hashlib
import json
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from nexus_actors.pipeline.leasing import Leasing
from nexus_actors.settings.model import QueueSettings
from nexus_actors.storage.errors import StorageUnavailable
from nexus_actors.storage.postgres.connection import Connection
from nexus_actors.storage.postgres.database import PostgresDatabase
from nexus_actors.storage.requests import TOO_LARGE, Delivery
from nexus_actors.work.in_work import InWork
from tests.integration.storage.storage_helpers import give_back, journal, lapse, send, sql, value

LARGEST = 20_000
BEFORE_0023 = Path(__file__).with_name("release_before_0023_held.sql").read_text(encoding="utf-8")
NUMBERS = "(SELECT jsonb_agg({}) FROM generate_series(1, {}))"


async def opened(db: PostgresDatabase, message: str) -> dict[str, object]:
    """`nexus.read_message` of an SQL expression."""
    query = f"SELECT * FROM nexus.read_message({message}, {LARGEST})"  # noqa: S608
    return dict((await sql(db, query))[0])


WITHIN = [
    "to_jsonb(repeat('a', 19998))",
    r"to_jsonb(repeat(E'\x01', 3333))",
    "jsonb_build_object('n', 1e15000)",
    "jsonb_build_object('n', 1e-15000)",
    NUMBERS.format("1e300", 60),
    "(SELECT jsonb_agg(n) FROM generate_series(1, 1000) AS n)",
    "(SELECT jsonb_agg(1) FROM generate_series(1, 6000))",
    "'null'::jsonb",
    "('[' || repeat('[', 900) || repeat(']', 900) || ']')::jsonb",
]


async def test_a_text_within_the_bound_is_the_text_of_the_jsonb(db: PostgresDatabase) -> None:
    for message in WITHIN:
        found = await opened(db, message)
        assert found["fault"] is None, message
        assert found["body"] == (await sql(db, f"SELECT ({message})::text"))[0][0]
        assert found["bytes"] == len(str(found["body"]).encode())


BEYOND = [
    "to_jsonb(repeat('a', 19999))",
    "to_jsonb(repeat('a', 9000000))",
    r"to_jsonb(repeat(E'\x01', 3334))",
    "jsonb_build_object('n', 1e25000)",
    "jsonb_build_object('deep', jsonb_build_array(jsonb_build_array(-1e25000)))",
    "to_jsonb('-1e131071'::numeric)",
    NUMBERS.format("1e-15000", 2),
    NUMBERS.format("('0e-' || 15000)::numeric", 2),
    NUMBERS.format("round(1.0, 15000)", 2),
    NUMBERS.format("1e300", 80),
    NUMBERS.format("'1e131071'::jsonb", 9000),
    "jsonb_build_object('retry_of', {0}, 'previous_response_id', {0})".format(
        NUMBERS.format("'1e131071'::jsonb", 9000)
    ),
]


async def test_a_text_beyond_the_bound_is_not_made(db: PostgresDatabase) -> None:
    for message in BEYOND:
        wrapped = f"jsonb_build_object('request_id', 'r', 'x', {message})"
        found = await opened(db, wrapped)
        assert (found["body"], found["fault"], found["request_id"]) == (None, TOO_LARGE, "r")
        assert int(str(found["bytes"])) > LARGEST
        # The digest tells the same from another, without a text of it.
        assert found["digest"] == (await opened(db, wrapped))["digest"]
        other = await opened(db, wrapped.replace("'x'", "'y'"))
        assert found["digest"] != other["digest"]


IDENTIFIED: list[tuple[dict[str, object], bool, str | None]] = [
    ({"request_id": "r", "timestamp": 1, "previous_response_id": "p"}, False, "p"),
    ({"request_id": "r", "n": 1, "previous_response_id": 7}, False, None),
    ({"request": {"request_id": "r", "previous_response_id": "p"}}, True, "p"),
    (
        {"request_id": "r", "request": {"previous_response_id": "p", "timestamp": 1}},
        True,
        None,
    ),
    ({"request_id": "r", "request": [], "previous_response_id": "p"}, False, "p"),
]


async def test_what_identifies_and_the_digest_of_earlier_releases(db: PostgresDatabase) -> None:
    for message, inner, previous in IDENTIFIED:
        jsonb = f"'{json.dumps(message)}'::jsonb"
        found = await opened(db, jsonb)
        part = f"({jsonb} -> 'request')" if inner else jsonb
        plain = (await sql(db, f"SELECT ({part} - 'timestamp')::text"))[0][0]
        assert found["request_id"] == "r"
        assert found["digest"] == hashlib.md5(plain.encode()).hexdigest()  # noqa: S324
        assert found["previous_id"] == previous


async def test_only_the_text_is_asked_for_where_nothing_identifies(db: PostgresDatabase) -> None:
    query = "SELECT * FROM nexus.read_message($1::text::jsonb, 99, false)"
    row = (await sql(db, query, '{"request_id": "r"}'))[0]
    assert (row["body"], row["request_id"], row["digest"]) == ('{"request_id": "r"}', None, None)


async def test_what_cannot_be_read_has_a_fault_and_raises_nothing(db: PostgresDatabase) -> None:
    async def operation(connection: Connection) -> asyncpg.Record | None:
        async with connection.transaction():
            await connection.execute(
                "CREATE TEMP TABLE deep ON COMMIT DROP AS SELECT jsonb_build_object('request_id',"
                " 'r', 'x', (repeat('[', 5000) || repeat(']', 5000))::jsonb) AS message"
            )
            await connection.execute("SET LOCAL max_stack_depth = '200kB'")
            return await connection.fetchrow(
                "SELECT o.* FROM deep, nexus.read_message(message, 10000000) AS o"
            )

    found = await db.run(operation)
    assert found is not None
    assert (found["body"], found["fault"], found["request_id"]) == (None, "SQLSTATE 54001", "r")
    assert found["digest"].startswith("unread:")


async def test_what_was_left_for_its_bytes_is_reported(db: PostgresDatabase) -> None:
    compressed = {
        "complexity": "simple",
        "messages": [{"role": "user", "content": "a b c " * 40_000}],
    }
    for n in range(40):
        await send(db, {"request_id": f"r{n}", **compressed})
    leased = await db.requests.lease(40, 30, together=2**20)
    assert 0 < len(leased) < 40
    assert all(delivery.more_due for delivery in leased)
    while more := await db.requests.lease(40, 30):
        leased += more
    assert len(leased) == 40
    assert not leased[-1].more_due


async def test_what_is_small_though_compressed_is_leased_in_whole_batches(
    db: PostgresDatabase,
) -> None:
    prose = " ".join(f"word {n * n} of a prompt" for n in range(300))
    await send(db, *({"request_id": f"r{n}", "messages": [], "x": prose} for n in range(100)))
    leased = await db.requests.lease(100, 30)
    assert (len(leased), leased[0].more_due) == (100, False)
    waiting = [give_back(it, waits_for="p") for it in leased]
    await db.requests.give_back(waiting)
    assert len(await db.requests.take_waiting({"p": 100}, 30)) == 100


async def test_a_small_message_need_not_wait_until_others_are_opened(db: PostgresDatabase) -> None:
    large = {"messages": [], "x": "a b c " * 400_000}
    await send(db, {"request_id": "large-1", **large}, {"request_id": "large-2", **large}, "small")
    [small] = await db.requests.lease(9, 30, small_first=True)
    assert (small.request_id, small.more_due) == ("small", True)
    # Where there is none, and in the others' turn, the oldest is first.
    [first] = await db.requests.lease(1, 30, small_first=True)
    await send(db, "small-2")
    [second, _] = await db.requests.lease(9, 30)
    assert (first.request_id, second.request_id) == ("large-1", "large-2")


async def test_small_ones_that_keep_coming_hold_up_no_others(db: PostgresDatabase) -> None:
    queue = QueueSettings()
    leasing = Leasing(
        db.requests, lambda: queue, InWork({"echo": 99}, batch_size=9, memory_bytes=2**30)
    )
    await send(db, {"request_id": "large", "x": "a b c " * 400_000})
    turns = []
    for turn in range(3):
        await send(db, f"small-{turn}")
        turns.append([it.request_id for it in (await leasing.lease()).deliveries])
    assert turns == [["small-0"], ["large", "small-1"], ["small-2"]]


async def test_a_repeat_is_known_whether_or_not_the_first_or_the_second_could_be_read(
    db: PostgresDatabase,
) -> None:
    plain: dict[str, object] = {"request_id": "r", "n": ["x"], "timestamp": 1}
    repeats = [{**plain, "timestamp": 2}, {"request": {**plain, "timestamp": 3}}, {**plain, "n": 1}]
    for first, second, verdicts in (
        (1, 1, ["duplicate", "duplicate", "conflict"]),
        (1, 9999, ["duplicate", "duplicate", "conflict"]),
        (9999, 1, ["conflict"] * 3),  # which is refused as too large, and for nothing else
    ):
        await sql(db, "TRUNCATE nexus.requests, pgmq.q_ai_requests CASCADE")
        await send(db, plain)
        await db.requests.lease(9, 30, largest=first)
        await send(db, *repeats)
        found = await db.requests.lease(9, 30, largest=second)
        assert [it.verdict for it in found] == verdicts, (first, second)
    # Of what nothing was known, nothing is another; what earlier releases wrote is understood.
    same = await value(
        db, "SELECT 'jsonb:' || to_hex(jsonb_hash_extended($1::text::jsonb, 0))", json.dumps(plain)
    )
    for known, verdict in (("unread:0", "duplicate"), (same, "duplicate"), ("jsonb:0", "conflict")):
        await sql(db, "TRUNCATE nexus.requests, pgmq.q_ai_requests CASCADE")
        await send(db, plain)
        await db.requests.lease(9, 30)
        await sql(db, "UPDATE nexus.requests SET digest = $1", known)
        await send(db, plain)
        [again] = await db.requests.lease(9, 30)
        assert again.verdict == verdict, known


async def test_a_message_that_can_be_read_by_now_has_its_digest_in_the_journal(
    db: PostgresDatabase,
) -> None:
    await send(db, "r")
    digests = []
    for largest in (1, 9999, 1):
        await db.requests.lease(1, 30, largest=largest)
        digests.append(str((await journal(db, "r"))["digest"]))
        await lapse(db)
    assert digests[0].startswith("unread:fields:")
    text = b'{"messages": [], "request_id": "r"}'
    assert digests[1:] == 2 * [hashlib.md5(text).hexdigest()]  # noqa: S324


async def test_nothing_of_a_message_is_looked_at_where_it_is_held(db: PostgresDatabase) -> None:
    await send(db, "r")
    held = await db.requests.hold(30)
    assert held is not None
    assert await db.requests.lease(1, 30) == []
    assert await sql(db, "SELECT * FROM nexus.requests") == []
    assert await db.requests.open_held(held, largest=99) == "r"
    [unknown] = await db.requests.lease_held(held, 30, unread=True)
    assert (unknown.verdict, unknown.body, unknown.size) == ("unidentified", None, None)
    assert await db.requests.lease_held(held, 30, unread=False) == []  # it has moved on
    # Read no further than for its id; or not at all, where the journal tells whose it is.
    await lapse(db)
    for unread in (False, True):
        again = await db.requests.hold(30)
        assert again is not None
        [known] = await db.requests.lease_held(again, 30, unread=unread)
        assert (known.verdict, known.request_id, known.body) == ("claimed", "r", None)
        await lapse(db)


@pytest.mark.parametrize("unread", [False, True])
async def test_a_process_of_the_release_before_goes_on_leasing_what_it_held(
    db: PostgresDatabase, *, unread: bool
) -> None:
    await send(db, "r")
    await db.requests.lease(1, 30)
    await lapse(db)
    held = await db.requests.hold(30)
    assert held is not None
    # Instance, seconds, quantity, bytes of one and of all.
    asked = ("old", 30.0, 1, 9999, 9999, held.msg_id, held.read_ct, unread)
    [leased] = await sql(db, BEFORE_0023, *asked)
    assert (leased["request_id"], leased["verdict"]) == ("r", "claimed")
    assert (leased["body"] is None) is unread
    assert (await journal(db, "r"))["owner"] == "old"


async def test_who_cannot_even_be_looked_at_ends_by_the_id_that_the_journal_has(
    db: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was known before its row was damaged. Others must pass, else the store may be ill."""
    monkeypatch.setattr("nexus_actors.pipeline.leasing.SUSPECT_PAUSE", 0.0)
    await send(db, {"request_id": "known", "curse": 1})
    await db.requests.lease(1, 30)
    await lapse(db)
    await sql(db, "ALTER FUNCTION nexus.read_message(jsonb, bigint, boolean) RENAME TO opened")
    await sql(
        db,
        "CREATE FUNCTION nexus.read_message(message jsonb, bigint, boolean DEFAULT true,"
        " OUT body text, OUT bytes bigint, OUT request_id text, OUT digest text,"
        " OUT previous_id text, OUT retry_of text, OUT fault text, OUT agent_id text,"
        " OUT complexity text, OUT task_type text) LANGUAGE plpgsql AS"
        " $$ BEGIN IF message ? 'curse' THEN RAISE 'no' USING ERRCODE = 'XX001'; END IF;"
        " SELECT * INTO body, bytes, request_id, digest, previous_id, retry_of, fault"
        " FROM nexus.opened($1, $2, $3); END $$",
    )
    asked = Leasing(db.requests, QueueSettings, InWork({"echo": 99}, batch_size=9))
    found: list[Delivery] = []

    async def ask(times: int) -> None:
        for _ in range(times):
            with suppress(StorageUnavailable):
                found.extend((await asked.lease()).deliveries)

    await ask(20)
    assert found == []  # alone it shows nothing
    for n in range(20):
        await send(db, f"other-{n}")
        await ask(2)
    [guilty] = [it for it in found if it.fault is not None]
    assert (guilty.request_id, guilty.verdict, guilty.body) == ("known", "claimed", None)
    assert "XX001" in str(guilty.fault)
    assert (await journal(db, "known"))["state"] == "leased"
    assert len(found) == 21
