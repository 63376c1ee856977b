"""A request that nobody has leased yet: whoever asks is told that it is queued, and until when."""

import asyncio
import json
from pathlib import Path

import asyncpg
import pytest

from nexus_actors.cli.explain import explain
from nexus_actors.cli.report import CommandError
from nexus_actors.cli.result import result
from nexus_actors.client.errors import Timeout
from nexus_actors.storage.postgres.database import PostgresDatabase
from nexus_actors.storage.postgres.journal import read_queued
from tests.integration.storage.storage_helpers import send, sql

FAR = {
    "infinity": (False, "infinity"),
    "-infinity": (True, "-infinity"),
    "294000-01-01 UTC": (False, "294000-01-01 00:00:00+00"),
    "4000-01-01 UTC BC": (True, "4000-01-01 00:00:00+00 BC"),
    "2126-01-01 UTC": (False, "2126-01-01 00:00:00+00"),
}
LARGE = "SELECT jsonb_agg('1e131071'::jsonb) FROM generate_series(1, 9000)"


async def test_it_is_found_whenever_it_is_visible_and_whatever_else_is_queued(
    db: PostgresDatabase,
) -> None:
    for vt in FAR:
        await send(db, {"request": {"request_id": vt}} if vt == "infinity" else vt)
        await sql(
            db,
            "UPDATE pgmq.q_ai_requests SET vt = $1::text::timestamptz"
            " WHERE msg_id = (SELECT max(msg_id) FROM pgmq.q_ai_requests)",
            vt,
        )
    await send(db, 5, {"request_id": 5}, {"request_id": {"request_id": "infinity"}})
    await sql(db, f"SELECT pgmq.send('ai_requests', jsonb_build_object('request_id', ({LARGE})))")
    await sql(db, "SELECT pgmq.send('ai_requests', NULL::jsonb)")
    for vt, expected in FAR.items():
        found = await db.run(read_queued, "ai_requests", vt)
        assert found is not None, vt
        assert (found.visible, found.visible_from) == expected
    assert await db.run(read_queued, "ai_requests", "unknown") is None
    assert await db.run(read_queued, "ai_results", "infinity") is None
    # No more is looked at than what costs little.
    assert await sql(db, "SELECT * FROM nexus.find_queued('ai_requests', 'infinity', 9)") == []
    assert await sql(db, "SELECT * FROM nexus.find_queued('ai_requests', 'infinity', 10)") != []


def test_nexus_explain_and_nexus_result_say_that_it_is_queued(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "nexus.toml"
    config.write_text(
        f'[service]\ndata_dir = "{tmp_path}"\n[database]\nurl = "{database_url}"\n'
        '[providers.echo]\nkind = "echo"\n[[routes]]\nmodels = ["echo/echo"]\n'
    )

    async def executed(statement: str) -> None:
        connection = await asyncpg.connect(database_url)
        await connection.execute(statement)
        await connection.close()

    queued = "INSERT INTO pgmq.q_ai_requests (vt, message) VALUES "
    asyncio.run(executed(queued + """('infinity', '{"request_id": "r"}')"""))
    explain("r", config=config)
    assert capsys.readouterr().out == "queued, visible from infinity (message 1)\n"
    explain("r", config=config, json=True)
    told = json.loads(capsys.readouterr().out)["request"]
    assert (told["state"], told["visible_from"]) == ("queued", "infinity")
    with pytest.raises(Timeout, match=r"^no result for r: it is queued, visible from infinity"):
        result("r", config=config)
    with pytest.raises(
        CommandError, match=r"no request unknown; nor has the queue ai_requests \(messages: 1\)"
    ):
        explain("unknown", config=config)
    asyncio.run(executed("DROP FUNCTION nexus.find_queued"))
    with pytest.raises(
        CommandError, match=r"no request r, and the queue cannot be searched: .*42883"
    ):
        explain("r", config=config)


async def test_a_queue_is_as_late_as_its_longest_visible_message_not_as_its_oldest(
    db: PostgresDatabase,
) -> None:
    await send(db, "delayed", "due", "just due", "of another age")
    await sql(db, "UPDATE pgmq.q_ai_requests SET enqueued_at = now() - interval '9 h', vt = now()")
    await sql(db, "UPDATE pgmq.q_ai_requests SET vt = now() + interval '1 h' WHERE msg_id = 1")
    await sql(db, "UPDATE pgmq.q_ai_requests SET vt = now() - interval '5 min' WHERE msg_id = 2")
    await sql(db, "UPDATE pgmq.q_ai_requests SET vt = '-infinity' WHERE msg_id = 4")
    found = (await db.queue_lengths())["ai_requests"]
    assert (found["total"], found["visible"]) == (4, 3)
    assert found["oldest_seconds"] is not None
    assert found["oldest_seconds"] >= 9 * 3600
    assert found["due_seconds"] is not None
    assert 300 <= found["due_seconds"] < 3600
    await sql(db, "UPDATE pgmq.q_ai_requests SET vt = now() + interval '1 h'")
    assert (await db.queue_lengths())["ai_requests"]["due_seconds"] is None
