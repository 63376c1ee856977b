"""What the dashboard and the observer act by: looks, orders, the record, edited letters."""

import json
import secrets

import pytest

from nexus_actors.storage.errors import StorageRefused
from nexus_actors.storage.postgres.database import PostgresDatabase
from tests.integration.storage.storage_helpers import send, sql, value

NODE = (
    "INSERT INTO nexus.nodes SELECT $1, 'nexus@here', 'here', '1', 1, 'ai_requests', now(), now(),"
    " $2, NULL, 0, '{}', 0, NULL"
)
LETTER = (
    "SELECT pgmq.send('ai_requests_dead', jsonb_build_object('reason', 'timeout') || $1::jsonb)"
)
EDIT = "SELECT nexus.edit_letter($1, $2::jsonb, 'joe')"


async def test_a_look_holds_for_seconds_and_is_of_one_node(db: PostgresDatabase) -> None:
    await sql(db, NODE, "one", "ready")
    await sql(db, "SELECT nexus.look('here', 'tree', 'joe')")
    await sql(db, "SELECT nexus.look('one', 'actor Router')")
    [tree, router] = await sql(
        db, "SELECT what, by, until - now() < '11 s' AS soon FROM nexus.looks ORDER BY by"
    )
    assert (tree["what"], tree["by"], tree["soon"]) == ("tree", "joe", True)
    assert router["what"] == "actor Router"
    for what in ("'files'", "'actor '", "NULL", "repeat('actor x', 100)"):
        with pytest.raises(StorageRefused, match="expected one node, and what to be"):
            await sql(db, f"SELECT nexus.look('one', {what})")
    with pytest.raises(StorageRefused, match="expected one node"):
        await sql(db, "SELECT nexus.look('*', 'tree')")
    await sql(db, "SELECT nexus.look('one', 'actor ' || n) FROM generate_series(1, 98) AS g (n)")
    with pytest.raises(StorageRefused, match="a hundred things"):
        await sql(db, "SELECT nexus.look('one', 'actor 99')")
    await sql(db, "UPDATE nexus.looks SET until = now() - interval '1 s' WHERE what = 'tree'")
    await sql(db, "SELECT nexus.look('one', 'actor 99')")


async def test_a_sight_that_has_not_changed_stays_as_it_was(db: PostgresDatabase) -> None:
    await sql(db, NODE, "one", "ready")
    for what in ("tree", "status", "config"):
        await sql(db, "SELECT nexus.look('one', $1)", what)
    first = await db.sights.show("one", {"tree": '{"n": 1}', "config": '{"n": 2}'})
    assert sorted(first) == ["config", "tree"]
    before = await value(db, "SELECT at FROM nexus.sights WHERE what = 'config'")
    shown: dict[str, str | None] = {"tree": '{"n": 3}', "config": None, "status": None}
    assert sorted(await db.sights.show("one", shown)) == ["config", "tree"]
    rows = await sql(db, "SELECT what, body::text, at > $1 AS newer FROM nexus.sights", before)
    assert sorted(tuple(it.values()) for it in rows) == [
        ("config", '{"n": 2}', True),
        ("tree", '{"n": 3}', True),
    ]


async def test_an_order_is_for_a_node_that_runs_and_is_on_record(db: PostgresDatabase) -> None:
    await sql(db, NODE, "one", "ready")
    await sql(db, NODE.replace("nexus@here', 'here", "nexus@there', 'there"), "two", "stopped")
    number = await value(
        db, "SELECT nexus.command('here', 'restart', 'Router', true, 'stuck', 'joe')"
    )
    await sql(db, "SELECT nexus.command('one', 'reload')")
    [first, second] = await sql(db, "SELECT * FROM nexus.commands ORDER BY number")
    assert (first["number"], first["node"], first["actor"]) == (number, "one", "Router")
    assert (first["now"], first["by"], first["why"]) == (True, "joe", "stuck")
    assert (second["action"], second["actor"], second["now"]) == ("reload", "", False)
    audit = await sql(
        db, "SELECT by, role, action, subject, detail FROM nexus.audit ORDER BY number"
    )
    me = await value(db, "SELECT session_user::text")
    assert [(it["by"], it["role"], it["action"], it["subject"]) for it in audit] == [
        ("joe", me, "restart", "Router on one"),
        (me, me, "reload", "one"),
    ]
    assert json.loads(audit[0]["detail"]) == {"command": number, "now": True, "why": "stuck"}
    for arguments, told in (
        ("'one', 'shoot', 'Router'", "expected restart, stop, start or reload, not 'shoot'"),
        ("'one', 'restart'", "expected the name of the actor to restart"),
        ("'one', 'reload', 'Router'", "expected no actor"),
        ("'two', 'reload'", "two is stopped"),
        ("'*', 'reload'", "expected one node that runs"),
        ("'one', 'reload', by => repeat('j', 256)", "a by of 255"),
    ):
        with pytest.raises(StorageRefused, match=told):
            await sql(db, f"SELECT nexus.command({arguments})")
    assert await value(db, "SELECT count(*) FROM nexus.commands") == 2


async def test_orders_are_taken_one_by_one_and_stale_ones_are_not(db: PostgresDatabase) -> None:
    await sql(db, NODE, "one", "ready")
    numbers = [
        await value(db, "SELECT nexus.command('one', 'restart', $1)", it) for it in ("A", "B", "C")
    ]
    await sql(db, "UPDATE nexus.commands SET at = at - interval '61 s' WHERE actor = 'A'")
    taken = []
    while (order := await db.sights.take("one")) is not None:
        waits = await value(db, "SELECT count(*) FROM nexus.commands WHERE taken_at IS NULL")
        taken.append((order.number, order.actor, waits))
    assert taken == [(numbers[1], "B", 1), (numbers[2], "C", 0)]
    await db.sights.end(numbers[1], "done")
    await db.sights.end(numbers[1], "done again")
    outcomes = await sql(db, "SELECT outcome FROM nexus.commands ORDER BY number")
    stale, first, second = (it["outcome"] for it in outcomes)
    assert stale.startswith("refused: it waited for more than 60 s")
    assert (first, second) == ("done", None)


async def test_an_edited_letter_keeps_what_it_was_and_is_on_record(db: PostgresDatabase) -> None:
    sent = {"request_id": "r", "complexity": "simple", "messages": ["secret"]}
    number = await value(db, LETTER, json.dumps({"request_id": "r", "request": sent}))
    edited = {**sent, "messages": ["edited"], "model": "m"}
    await sql(db, EDIT, number, json.dumps(edited))
    await sql(db, EDIT, number, json.dumps(edited))  # which changes nothing
    letter = json.loads(
        await value(
            db, "SELECT message::text FROM pgmq.q_ai_requests_dead WHERE msg_id = $1", number
        )
    )
    assert letter["request"] == edited
    [edit] = letter["edits"]
    assert (edit["by"], edit["changed"], edit["request"]) == ("joe", ["messages", "model"], sent)
    [line] = await sql(db, "SELECT by, action, subject, detail FROM nexus.audit")
    assert (line["by"], line["action"], line["subject"]) == ("joe", "edit", f"letter {number}")
    assert json.loads(line["detail"]) == {"request_id": "r", "changed": ["messages", "model"]}
    for n in range(12):
        await sql(db, EDIT, number, json.dumps({**sent, "messages": [n]}))
    edits = "SELECT message -> 'edits' FROM pgmq.q_ai_requests_dead"
    kept = [it["request"] for it in json.loads(await value(db, edits))]
    assert len(kept) == 10
    assert kept[0] == sent
    assert kept[-1]["messages"] == [10]


async def test_what_is_no_request_of_a_letter_is_refused(db: PostgresDatabase) -> None:
    number = await value(db, LETTER, '{"request_id": "r", "request": {"request_id": "r"}}')
    result = await value(db, LETTER, '{"result": {"request_id": "paid"}}')
    nameless = await value(db, LETTER, '{"request": "text"}')
    for of, request, told in (
        (number, "[]", "expected the request to be a JSON object"),
        (number, '{"request_id": "another"}', "expected the request_id to stay"),
        (number + 1000, "{}", "there is no letter"),
        (result, "{}", "holds no request"),
        (nameless, "{}", "expected a request_id"),
    ):
        with pytest.raises(StorageRefused, match=told):
            await sql(db, EDIT, of, request)
    await sql(db, EDIT, nameless, '{"request_id": "named"}')
    await send(db, {"request_id": "waiting"})
    for text in ('{"request_id": "paid", "response": "x"}', '{"request": {"request_id": "x"}}'):
        told = await value(db, "SELECT pgmq.send('ai_results', $1::jsonb)", text)
        with pytest.raises(StorageRefused, match="is no dead letter"):
            await sql(db, "SELECT nexus.edit_letter($1, '{}', queue => 'ai_results')", told)
        kept = "SELECT message = $2::jsonb FROM pgmq.q_ai_results WHERE msg_id = $1"
        assert await value(db, kept, told, text)
    for queue in ("ai_requests", "no_such", "x; DROP TABLE y"):
        with pytest.raises(StorageRefused, match="expected queue to be one of dead letters"):
            await sql(db, "SELECT nexus.edit_letter(1, '{}', queue => $1)", queue)


async def test_an_agent_of_any_length_ends_and_is_found(db: PostgresDatabase) -> None:
    agent = secrets.token_hex(40_000)
    await sql(
        db,
        "INSERT INTO nexus.requests (request_id, queue, msg_id, read_ct, owner, state, digest,"
        " received_at, leased_at, finished_at, agent_id)"
        " VALUES ('r', 'ai_requests', 1, 1, 'one', 'done', '', now(), now(), now(), $1)",
        agent,
    )
    found = "SELECT request_id FROM nexus.requests WHERE left(agent_id, 255) = left($1, 255)"
    assert await value(db, found, agent) == "r"
