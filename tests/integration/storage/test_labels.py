"""What the journal tells of a request from its lease on: whose it is, and its trace; and the
wish to cancel it."""

import json
from dataclasses import replace
from typing import Any

from nexus_actors.storage.postgres.database import PostgresDatabase
from tests.integration.storage.storage_helpers import (
    bodies,
    give_back,
    journal,
    lapse,
    send,
    sql,
    success,
    value,
    verdicts,
)

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
LABELS = {"agent_id": "a", "complexity": "simple", "task_type": "chat"}
HUGE = "x" * 300_000
ODD: list[tuple[dict[str, Any], list[str | None]]] = [
    ({**LABELS}, ["a", "simple", "chat"]),
    ({"agent_id": 7, "complexity": {"a": [1]}, "task_type": None}, [None, None, None]),
    ({"agent_id": HUGE, "complexity": "ü" * 500}, ["x" * 255, "ü" * 255, None]),
    ({"agent_id": "", "complexity": [], "task_type": HUGE}, ["", None, "x" * 255]),
]
ODD_HEADERS = [
    "'7'::jsonb",
    "'[]'::jsonb",
    "'\"text\"'::jsonb",
    "jsonb_build_object('traceparent', '{}'::jsonb)",
    "jsonb_build_object('traceparent', '1e131071'::jsonb)",
    "jsonb_build_object('traceparent', repeat('x', 5000000))",
    f"jsonb_build_object('x', repeat('x', 5000000), 'traceparent', '{TRACE}')",
    *(
        "'" + json.dumps({"traceparent": odd}) + "'::jsonb"
        for odd in (
            TRACE.upper(),
            "01" + TRACE[2:],
            TRACE + "-",
            TRACE + "\n",
            TRACE[:-1],
            "00-" + "0" * 32 + TRACE[35:],
            TRACE[:36] + "0" * 16 + TRACE[-3:],
        )
    ),
]
"""SQL expressions."""


async def send_with(db: PostgresDatabase, request_id: str, headers: str) -> None:
    """With headers, an SQL expression."""
    body = json.dumps({"request_id": request_id})
    send = "SELECT pgmq.send('ai_requests', $1::text::jsonb, {}, 0)"
    await sql(db, send.format(headers), body)


async def labels(db: PostgresDatabase, request_id: str) -> list[str | None]:
    row = await journal(db, request_id)
    return [row["agent_id"], row["complexity"], row["task_type"]]


async def test_whose_it_is_stands_in_the_journal_from_the_lease_on(db: PostgresDatabase) -> None:
    for number, (fields, _) in enumerate(ODD):
        plain = {"request_id": f"r{number}", **fields}
        inner = {**plain, "request_id": f"w{number}"}
        await send(db, plain, {"request": inner, "agent_id": "outer"})
    # The outer one has the id, so it is the request.
    await send(db, {"request_id": "both", "request": LABELS, "agent_id": "outer"})
    leased = await db.requests.lease(50, 30)
    assert len(leased) == 2 * len(ODD) + 1
    for number, (_, expected) in enumerate(ODD):
        assert await labels(db, f"r{number}") == await labels(db, f"w{number}") == expected
    assert await labels(db, "both") == ["outer", None, None]


async def test_whose_it_is_is_known_though_it_cannot_be_read_and_read_later_it_stays(
    db: PostgresDatabase,
) -> None:
    await send(db, {"request_id": "r", **LABELS})
    held = await db.requests.hold(30)
    assert held is not None
    await db.requests.lease_held(held, 30, unread=True)
    await lapse(db)
    [unread] = await db.requests.lease(1, 30, largest=1)
    assert unread.body is None
    assert await labels(db, "r") == ["a", "simple", "chat"]
    # What the decoded request says takes its place in the end; until then, a lease changes nothing.
    await sql(db, "UPDATE nexus.requests SET agent_id = 'kept'")
    await lapse(db)
    [again] = await db.requests.lease(1, 30)
    assert (await labels(db, "r"))[0] == "kept"
    await db.requests.finish([success(again)])
    assert (await labels(db, "r"))[0] == "agent"


async def test_headers_of_any_kind_harm_no_lease(db: PostgresDatabase) -> None:
    for number, headers in enumerate(ODD_HEADERS):
        await send_with(db, f"r{number}", headers)
    leased = await db.requests.lease(50, 30)
    assert [it.verdict for it in leased] == ["claimed"] * len(ODD_HEADERS)
    assert (
        await value(
            db, "SELECT array_agg(traceparent) FILTER (WHERE traceparent <> '') FROM nexus.requests"
        )
        is None
    )


async def test_a_trace_goes_on_from_the_headers_to_the_result(db: PostgresDatabase) -> None:
    headers = {"traceparent": TRACE, "tracestate": "t=1", "more": HUGE[:5000]}
    await send_with(db, "r", "'" + json.dumps(headers) + "'::jsonb")
    await send(db, "plain")
    [first, plain] = await db.requests.lease(2, 30)
    await db.requests.give_back([give_back(first, waits_for="p")])
    [waited] = await db.requests.take_waiting({"p": 1}, 30)
    await db.requests.finish([success(waited), success(plain)])
    assert (await journal(db, "r"))["traceparent"] == TRACE
    results = {it["request_id"]: it for it in await bodies(db, "q_ai_results")}
    assert results["r"]["traceparent"] == TRACE
    assert "traceparent" not in results["plain"]


async def test_each_lease_is_told_of_the_trace_and_of_what_was_waited_for(
    db: PostgresDatabase,
) -> None:
    headers = "'" + json.dumps({"traceparent": TRACE}) + "'::jsonb"
    await send_with(db, "waits", headers)
    await send_with(db, "queued", headers)
    first = await db.requests.lease(2, 30)
    assert [(it.traceparent, it.waited_since, it.waited_for) for it in first] == [
        (TRACE, None, None)
    ] * 2
    await db.requests.give_back(
        [
            replace(give_back(first[0], waits_for="p"), reason="provider_full", detail="p"),
            replace(give_back(first[1]), reason="throttled", detail="p/m"),
        ]
    )
    [waited] = await db.requests.take_waiting({"p": 1}, 30)
    [queued] = await db.requests.lease(1, 30)
    for it, *why in ((waited, "provider_full", "p"), (queued, "throttled", "p/m")):
        assert [it.traceparent, it.waited_for, it.waited_detail] == [TRACE, *why]
        assert it.waited_since is not None
        assert first[0].leased_at < it.waited_since < it.leased_at
    # What was said of an earlier wait does not hold of a lease that nobody gave back.
    await lapse(db)
    again = await db.requests.lease(2, 30)
    assert [(it.traceparent, it.waited_since, it.waited_for, it.waited_detail) for it in again] == [
        (TRACE, None, None, None)
    ] * 2


async def test_a_result_that_names_a_span_of_ours_keeps_it_and_so_does_the_dead_letter(
    db: PostgresDatabase,
) -> None:
    ours = TRACE.replace("b7ad6b7169203331", "00f067aa0ba902b7")
    await send_with(db, "r", "'" + json.dumps({"traceparent": TRACE}) + "'::jsonb")
    await send(db, "derived")
    leased = await db.requests.lease(2, 30)
    for it in leased:
        end = success(it, succeeded=False, dead_reason="timeout")
        told = json.loads(end.result or "") | {"traceparent": ours}
        await db.requests.finish([replace(end, result=json.dumps(told))])
    results = {it["request_id"]: it["traceparent"] for it in await bodies(db, "q_ai_results")}
    assert results == {"r": ours, "derived": ours}
    assert (await journal(db, "r"))["traceparent"] == TRACE
    assert (await journal(db, "derived"))["traceparent"] == ours
    letters = await bodies(db, "q_ai_requests_dead")
    assert [it["traceparent"] for it in letters] == [ours, ours]


async def test_sent_again_within_another_trace_it_is_the_same_request(
    db: PostgresDatabase,
) -> None:
    other = TRACE.replace("b7ad", "cccc")
    # By each way in which a message is told from another: small, large, larger than allowed.
    for way, (text, largest) in enumerate((("", 10**7), ("x" * 30_000, 10**7), ("", 10))):
        plain = {"request_id": f"p{way}", "text": text}
        inner = {"request_id": f"w{way}", "text": text}
        await send(db, plain, {"request": inner})
        await send(db, plain | {"traceparent": TRACE}, {"request": inner | {"traceparent": other}})
        await send(db, plain | {"more": 1})
        told = await db.requests.lease(50, 300, largest=largest)
        await db.requests.discard([it.lease for it in told if it.verdict != "claimed"])
        verdicts = [it.verdict for it in told]
        assert verdicts == ["claimed", "claimed", "duplicate", "duplicate", "conflict"]


async def test_a_wish_to_cancel_is_found_by_the_next_lease_and_by_whoever_takes_what_waits(
    db: PostgresDatabase,
) -> None:
    await send(db, "waits", "other")
    first = await db.requests.lease(2, 30)
    await db.requests.give_back([give_back(it, waits_for="p") for it in first])
    await send(db, "unread", "unread", "known")
    await sql(
        db, "INSERT INTO nexus.cancellations (request_id) VALUES ('waits'), ('unread'), ('later')"
    )
    taken = await db.requests.take_waiting({"p": 2}, 30)
    assert verdicts(taken) == [("waits", "cancelled"), ("other", "claimed")]
    assert verdicts(await db.requests.lease(9, 30)) == [
        ("unread", "cancelled"),
        ("unread", "duplicate"),
        ("known", "claimed"),
    ]
    # Of what has ended, nothing is left to be cancelled.
    ends = [success(it, succeeded=False, dead_reason="cancelled") for it in taken]
    await db.requests.finish(ends)
    await send(db, "waits")
    assert verdicts(await db.requests.lease(9, 30)) == [("waits", "duplicate")]


async def test_what_is_sent_again_under_its_own_id_is_wanted_again(db: PostgresDatabase) -> None:
    [msg_id] = await send(db, "r")
    await sql(db, "INSERT INTO nexus.cancellations (request_id) VALUES ('r')")
    [cancelled] = await db.requests.lease(1, 30)
    await db.requests.finish([success(cancelled, succeeded=False, dead_reason="cancelled")])
    again = "SELECT why FROM nexus.send_again('ai_requests', 'r', $1, '{\"request_id\": \"r\"}')"
    assert await value(db, again, msg_id) is None
    assert verdicts(await db.requests.lease(1, 30)) == [("r", "claimed")]
