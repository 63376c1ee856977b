"""The dashboard on a real database: what pages read, what actions do, and who did it."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trio

from nexus_actors.dashboard.action_forms import ACTION_FORMS
from nexus_actors.dashboard.forms import checked
from nexus_actors.monitoring import reading
from nexus_actors.monitoring.overview import read_present
from nexus_actors.monitoring.reading import LazyReader, open_reader, parsed
from nexus_actors.monitoring.trends import read_trend
from nexus_actors.storage.errors import StorageError, StorageRefused, StorageUnavailable
from nexus_actors.storage.postgres.connection import fetch, open_postgres
from nexus_actors.storage.postgres.sql import Queues
from tests.unit.dashboard.asgi import Site

BY = "joe via dashboard"
NODE = "7f1d0000"


@asynccontextmanager
async def asking(url: str) -> AsyncIterator[Any]:
    """A function that runs a statement, as somebody else."""
    async with open_postgres(url, pool_size=1, application_name="a test") as pool:

        async def ask(sql: str, *arguments: object) -> list[dict[str, Any]]:
            return [dict(row) for row in await pool.run(fetch, sql, *arguments)]

        yield ask


async def add_node(ask: Any, node: str = NODE, state: str = "ready", seconds: float = 0) -> None:
    await ask(
        "INSERT INTO nexus.nodes (node, name, host, version, pid, queue, started_at, beat_at,"
        " state, in_flight, concurrency, restarts) VALUES ($1, 'nexus@' || $1, 'host', '1', 1,"
        " 'ai_requests', now(), now() - $3::float8 * interval '1 s', $2, 3, $4::text::jsonb, 1)",
        node,
        state,
        seconds,
        json.dumps({"echo": 8, "other": 2}),
    )


async def test_a_reader_reads_and_cannot_write_and_acts_wholly_or_not_at_all(
    database_url: str,
) -> None:
    async with open_reader(database_url, Queues(), command_timeout=10.0) as reader:
        assert await reader.read("overview_nodes", "ai_requests", 10) == []
        with pytest.raises(StorageError, match="read only"):
            await reader.read("act_log_level", "debug", None, None, "*", BY)
        await reader.act("act_log_level", "debug", None, None, "*", BY)
        [row] = await reader.read("overview_pauses", 10)
        assert (row["action"], row["value"], row["by"]) == ("log_level", "debug", BY)
        with pytest.raises(StorageRefused, match="expected the name of one queue"):
            await reader.act("act_pause", "queue", "nix", None, None, False, "*", BY)


async def test_a_reader_connects_when_asked_and_parts_when_it_is_not(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "UNUSED", 0.2)
    count = "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'nexus dashboard'"
    async with (
        asking(database_url) as ask,
        open_reader(database_url, Queues(), command_timeout=10.0) as reader,
    ):
        with trio.fail_after(60):
            for _ in range(2):
                assert (await ask(f"{count} AND datname = current_database()"))[0]["n"] == 0
                assert await reader.read("overview_pauses", 10) == []
                while (await ask(f"{count} AND datname = current_database()"))[0]["n"]:
                    await trio.sleep(0.02)


async def test_a_reader_says_why_it_cannot_connect() -> None:
    nowhere = "postgresql://u:secret@127.0.0.1:1/x"
    async with open_reader(nowhere, Queues(), command_timeout=1.0) as reader:
        for _ in range(2):
            with pytest.raises(StorageUnavailable, match=r"127\.0\.0\.1:1") as caught:
                await reader.read("overview_pauses", 10)
            assert "secret" not in str(caught.value)
    unknown = LazyReader(lambda: None, Queues(), command_timeout=1.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(unknown.run)
        with pytest.raises(StorageUnavailable, match="no database is open yet"):
            await unknown.read("overview_pauses", 10)
        nursery.cancel_scope.cancel()


ACTIONS: list[tuple[str, Mapping[str, str], str]] = [
    ("pause", {"subject": "provider", "name": "echo", "why": "x", "until": "2h"}, "Paused: the"),
    ("resume", {"subject": "provider", "name": "echo"}, "Resumed: the provider echo."),
    ("resume", {"subject": "provider", "name": "echo"}, "The provider echo was not paused."),
    ("scale", {"provider": "echo", "calls": "3"}, "Provider echo: 3 calls concurrently"),
    ("unscale", {"provider": "echo"}, "Provider echo: as the config says"),
    ("log-level", {"level": "debug"}, "Log level: debug"),
    ("log-level", {}, "Log level: as the config says"),
    ("drain", {"node": NODE}, f"The node {NODE} drains."),
    ("resume", {"subject": "node", "name": NODE}, f"Resumed: the node {NODE}."),
    ("cancel", {"id": "an\u202eid", "why": "twice"}, "Request an\\u202eid is not known"),
    ("cancel-where", {"state": "any"}, "Cancelled: 0 requests."),
    ("restart", {"node": NODE, "actor": "echo.Worker.1", "now": "1"}, "Order 1 is given: restart"),
    ("reload", {"node": NODE, "why": "keys"}, "Order 2 is given: reload."),
]


async def test_each_action_does_what_it_says_and_is_on_record_once(database_url: str) -> None:
    async with (
        asking(database_url) as ask,
        open_reader(database_url, Queues(), command_timeout=10.0) as reader,
    ):
        await add_node(ask)
        for name, given, expected in ACTIONS:
            form = ACTION_FORMS[name]
            action = form.make(checked(form, given))
            assert isinstance(await action.preview(reader), str)
            done = await action.carry_out(reader, BY)
            assert done.startswith(expected), (name, done)
        changes = await ask("SELECT action, by FROM nexus.control_log ORDER BY number")
        told = ["pause", "pause", "concurrency", "concurrency", "log_level", "log_level"]
        assert [it["action"] for it in changes] == [*told, "drain", "drain"]
        assert {it["by"] for it in changes} == {BY}
        acts = await ask(
            "SELECT action, subject, by, detail::text FROM nexus.audit ORDER BY number"
        )
        assert [(it["action"], it["by"]) for it in acts] == [
            ("cancel", BY),
            ("cancel", BY),
            ("restart", BY),
            ("reload", BY),
        ]
        assert acts[0]["subject"] == "request an\u202eid"
        assert parsed(acts[0]["detail"]) == {"found": "unknown", "why": "twice"}


async def test_what_an_action_shows_as_sql_is_what_it_does(database_url: str) -> None:
    async with asking(database_url) as ask:
        await add_node(ask)
        for name, given, _ in ACTIONS:
            form = ACTION_FORMS[name]
            action = form.make(checked(form, given))
            for statement in action.sql.removesuffix(";").split(";\n"):
                await ask(statement)
        told = await ask("SELECT action, subject, detail::text FROM nexus.audit ORDER BY number")
        assert [it["action"] for it in told] == ["cancel", "cancel", "restart", "reload"]
        assert told[0]["subject"] == "request an\u202eid"
        assert parsed(told[1]["detail"]) == {"state": "any"}
        rows = await ask("SELECT request_id, why FROM nexus.cancellations")
        assert rows == [{"request_id": "an\u202eid", "why": "twice"}]


async def test_the_overview_of_an_empty_installation_and_of_one_that_works(
    database_url: str,
) -> None:
    site = Site(loopback="operate")
    async with (
        asking(database_url) as ask,
        open_reader(database_url, Queues(), command_timeout=10.0) as reader,
    ):
        site.reader.read = reader.read  # type: ignore[method-assign]
        site.reader.act = reader.act  # type: ignore[method-assign]
        empty = await site.ask("/")
        assert empty.status == 200
        assert "No node is running: requests are not processed." in empty.text
        assert "No chart yet" in empty.text
        await add_node(ask)
        await add_node(ask, "dead0000", seconds=300)
        await add_sums(ask)
        first = await read_present(reader, BY)
        assert {(it.name, it.limit, it.is_shown) for it in first.providers} == {
            ("echo", 8, False),
            ("other", 2, False),
        }
        assert [it["what"] for it in await ask("SELECT what FROM nexus.looks")] == ["status"]
        await show_status(ask)
        busy = await site.ask("/?window=day")
        assert "is lost: its last heartbeat was 5 min ago" in busy.text
        assert "open for 5 s" in busy.text
        assert "<svg" in busy.text
        assert "<script>" not in busy.text
        assert "&lt;script&gt;" in busy.text
        assert (await site.ask("/?window=year")).status == 400


async def add_sums(ask: Any) -> datetime:
    """Sums of an hour, and of the first minute of the hour after it. Returns that hour."""
    # Its first minute is over: just after an hour's begin, that is the hour before.
    hour = (datetime.now(UTC) - timedelta(minutes=2)).replace(minute=0, second=0, microsecond=0)
    for span, at in (("hour", hour - timedelta(hours=1)), ("minute", hour)):
        await ask(
            "INSERT INTO nexus.totals (queue, span, at, requests, failed, prompt_tokens,"
            " completion_tokens, latency, attempts, cost, unknown_costs) VALUES ('ai_requests', $1,"
            " $2, 10, 1, 5, 5, array_fill(1::bigint, ARRAY[24]), 10, 0.25, 0)",
            span,
            at,
        )
    await ask(
        "INSERT INTO nexus.sums_progress VALUES ('ai_requests', $1::timestamptz + interval '1 min',"
        " $1, $1::timestamptz - interval '9 h')",
        hour,
    )
    return hour


async def show_status(ask: Any) -> None:
    """As a node writes it, with a stranger's words in it."""
    provider = {
        "concurrency_limit": 4,
        "running": 3,
        "waiting": 9,
        "calls_answered": 5,
        "calls_failed": 1,
        "circuits": {"<script>": "open for 5 s"},
        "keys_suspended": {"KEY": 7},
        "last_error": ["no", "text"],
    }
    body = json.dumps({"providers": {"echo": provider, "other": 5}, "outages": {}})
    await ask(
        "INSERT INTO nexus.sights VALUES ($1, 'status', clock_timestamp(), $2::text::jsonb)",
        NODE,
        body,
    )


async def test_what_a_trend_says_is_what_was_summed(database_url: str) -> None:
    async with (
        asking(database_url) as ask,
        open_reader(database_url, Queues(), command_timeout=10.0) as reader,
    ):
        hour = await add_sums(ask)
        found = await read_trend(reader, "day")
        assert (found.requests, found.failed, found.cost) == (20, 2, 0.5)
        place = found.times.index(hour)
        assert found.rates[place - 1 : place + 1] == [pytest.approx(10 / 60), pytest.approx(10)]
        assert found.p95[place] == pytest.approx(540.0)
        assert set(found.backlog) == set(found.due_seconds) == {None}
        await ask(
            "INSERT INTO nexus.backlog (queue, span, at, messages, due_seconds)"
            " SELECT q, s, $1::timestamptz, 7, 2.5"
            " FROM unnest('{ai_requests,other}'::text[], '{hour,minute}'::text[]) AS t (q, s)",
            hour,
        )
        found = await read_trend(reader, "day")
        noted = dict(
            zip(found.times, zip(found.backlog, found.due_seconds, strict=True), strict=True)
        )
        assert noted.pop(hour) == (7, 2.5)
        assert set(noted.values()) == {(None, None)}
