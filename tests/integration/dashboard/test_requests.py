"""Requests: by filter, by id, one's story, and what waits."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.resources import files
from typing import Any

import pytest

from nexus_actors.dashboard.pages import PAGES
from nexus_actors.dashboard.rendering import Templates
from nexus_actors.dashboard.visit import Viewer, Visit
from nexus_actors.monitoring import requests
from nexus_actors.monitoring.requests import Filter, find_ids, read_requests, read_totals
from nexus_actors.storage.postgres.encoding import job_result_id
from tests.dashboard import HOSTILE, Browser, open_browser
from tests.integration.dashboard.journal_rows import DAY, NOW, add, ended, waits
from tests.unit.parts import settings


async def test_a_filter_is_reported_by_what_is_true_of_requests(browser: Browser) -> None:
    await add(
        browser,
        ended("a", 1, agent_id="x", provider="p", model="m", cost=0.5),
        ended("b", 2, agent_id="y", provider="p", state="failed", error_type="timeout"),
        ended("c", 3, agent_id="x", provider="q", state="failed", error_type="timeout"),
        ended("old", 60 * 30, agent_id="x"),
        waits("w", "p", agent_id="x"),
        {"request_id": "l", "state": "leased", "agent_id": "y"},
        {"request_id": "q", "state": "queued"},
    )
    for which, expected in (
        (DAY, ["w", "q", "l", "a", "b", "c"]),
        (Filter(since=DAY.since, agent="x"), ["w", "a", "c"]),
        (Filter(since=DAY.since, state="failed"), ["b", "c"]),
        (Filter(since=DAY.since, state="failed", agent="x"), ["c"]),
        (Filter(since=DAY.since, provider="p"), ["w", "a", "b"]),
        (Filter(since=DAY.since, error="timeout", provider="q"), ["c"]),
        (Filter(since=DAY.since, model="m", least_cost=None), ["a"]),
        (Filter(since=DAY.since, until=NOW - timedelta(minutes=1.5)), ["b", "c"]),
        (Filter(since=NOW - timedelta(days=7), agent="x", state="done"), ["a", "old"]),
    ):
        found = await read_requests(browser.reader, which)
        assert [it.request_id for it in found.requests] == expected, which
        assert found.matching == len(expected)
    failed = await read_requests(browser.reader, Filter(since=DAY.since, state="failed"))
    # Beside the other filters: the state's own leaves its counts alone.
    assert failed.counts["state"] == {
        "failed": 2, "done": 1, "waiting": 2, "leased": 1,
    }  # fmt: skip
    assert failed.counts["agent"] == {"x": 1, "y": 1}
    of_x = await read_requests(browser.reader, Filter(since=DAY.since, agent="x"))
    assert of_x.counts["state"] == {"waiting": 1, "done": 1, "failed": 1}


async def test_requests_of_another_queue_are_not_among_them(browser: Browser) -> None:
    other = {"queue": "others"}
    await add(
        browser,
        *(ended("a1"), waits("a2"), {"request_id": "a3", "state": "leased"}),
        *(ended("b1", **other), ended("b2", state="failed", **other), waits("b3", **other)),
        {"request_id": "b4", "state": "leased", **other},
        {"request_id": "b5", "state": "queued", **other},
    )
    for which in (DAY, Filter(since=DAY.since, state="failed")):
        found = await read_requests(browser.reader, which)
        assert {it.request_id for it in found.requests} <= {"a1", "a2", "a3"}
        assert found.counts["state"] == {"done": 1, "waiting": 1, "leased": 1}
    assert [it.request_id for it in await find_ids(browser.reader, "a1")] == ["a1"]
    assert await find_ids(browser.reader, "b") == []
    recent = await browser.reader.read("recent_requests", 9)
    assert [it["request_id"] for it in recent] == ["a3", "a1"]
    # By its id it is found, and says whose it is.
    assert "in others" in (await browser.get("/request", id="b1")).words


async def test_what_to_cancel_is_counted_and_no_message_is_opened(browser: Browser) -> None:
    await add(browser, waits("w", agent_id="x"), {"request_id": "l", "state": "leased"})
    await browser.sql("SELECT pgmq.send('ai_requests', '{\"request_id\": \"new\"}')")
    every = (await browser.get("/act/cancel-where", state="any")).words
    assert "2 requests match now, 1 of them in work" in every
    assert "of those leased before; those never leased are not counted." in every
    running = (await browser.get("/act/cancel-where", state="running")).words
    assert "1 requests match now, 1 of them in work" in running
    assert "never leased" not in running
    none = (await browser.get("/act/cancel-where", state="running", agent="x")).words
    assert "No request matches now." in none
    assert "Cancelled: 3 requests." in (await browser.act("cancel-where", state="any")).words


async def test_a_page_goes_on_where_the_last_one_ended(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(browser, *(ended(f"r{n:03}", n // 7) for n in range(120)), waits("w1"), waits("w2"))
    seen: list[str] = []
    after = None
    for _ in range(3):
        found = await read_requests(browser.reader, DAY, after)
        seen += [it.request_id for it in found.requests]
        after = found.next_page
    assert after is None
    assert len(seen) == len(set(seen)) == 122
    assert seen[:2] == ["w2", "w1"]
    # Where there are more than are looked at, the page says so, and where it goes on.
    monkeypatch.setattr(requests, "LOOKED_AT", 101)
    found = await read_requests(browser.reader, DAY)
    [kind] = [it for it in found.kinds if it.name == "ended"]
    assert (kind.requests, kind.oldest) == (101, NOW - timedelta(minutes=14))
    rest = await read_requests(browser.reader, Filter(since=DAY.since, until=kind.oldest))
    assert {f"r{n:03}" for n in range(101, 120)} <= {it.request_id for it in rest.requests}


async def test_an_id_is_found_by_how_it_begins(browser: Browser) -> None:
    await add(browser, ended("job-1"), ended("job-10"), ended("job-2"), ended("job_1"), ended("k"))
    assert [it.request_id for it in await find_ids(browser.reader, "job-1")] == ["job-1", "job-10"]
    assert await find_ids(browser.reader, "nope") == []
    page = await browser.get("/requests", id="job-1")
    assert "job-10" in page.words
    assert "job-2" not in page.words


async def test_the_story_of_a_request(browser: Browser) -> None:
    steps = [
        {"name": "validate", "outcome": "ok", "at": NOW.isoformat()},
        {
            "name": "route_llm",
            "outcome": "ok",
            "at": (NOW - timedelta(minutes=4)).isoformat(),
            "detail": {
                "candidates": ["echo/echo-1"],
                "skipped": [{"provider": "p", "model": "m", "why": "it is paused"}],
            },
        },
    ]
    await add(
        browser,
        ended("r", 1, state="failed", error_type="timeout", provider="echo", steps=steps),
        ended("s", 1, retry_of="r"),
    )
    await browser.sql("UPDATE nexus.requests SET retry_of = 'r' WHERE request_id = 's'")
    await browser.sql(
        "INSERT INTO nexus.attempts (request_id, number, provider, model, outcome, status_code,"
        " duration_ms, error, maybe_paid, owner, started_at, first_text_ms) VALUES"
        " ('r', 1, 'echo', 'echo-1', 'timeout', 504, 3000, 'no answer', true, 'one', $1, 700)",
        NOW - timedelta(minutes=3),
    )
    page = await browser.get("/request", id="r")
    for told in (
        "failed timeout",
        "3.0 s (text after 700 ms)",
        "timeout 504 no answer; may have been paid; first text after 700 ms",
        "In the queue",
        "not p/m: it is paused",
        "echo/echo-1: $0",
        "Retried as s",
        "Retry",
        "nexus explain r",
    ):
        assert told in page.words, told
    assert (await browser.get("/request", id="nobody")).status == 404
    assert (await browser.get("/request")).status == 400


async def test_a_request_that_nobody_has_leased_is_found_in_the_queue(browser: Browser) -> None:
    await browser.sql("SELECT pgmq.send('ai_requests', '{\"request_id\": \"fresh\"}')")
    page = await browser.get("/request", id="fresh")
    assert page.status == 200
    assert "queued not leased yet: message" in page.words
    assert "Cancel" in page.words


async def test_messages_are_shown_to_who_may_see_them_and_that_is_on_record(
    browser: Browser, shared_url: str
) -> None:
    await add(browser, ended("r", msg_id=7))
    prompt = HOSTILE + "x" * 2**20
    await browser.sql(
        "INSERT INTO pgmq.a_ai_requests (msg_id, read_ct, enqueued_at, vt, message)"
        " VALUES (7, 1, now(), now(), $1::text::jsonb)",
        json.dumps({"request_id": "r", "prompt": prompt}),
    )
    await browser.sql(
        "INSERT INTO public.job_results (id, workflow, status, output, inserted_at, updated_at)"
        " VALUES ($1, 'w', 'success', '{\"answer\": \"42\"}', now(), now())",
        job_result_id("r"),
    )
    [row] = await browser.reader.read("story_request", "r", 7, 100, 2**24)
    assert (len(row["body"]), row["bytes"] > 2**20) == (100, True)
    page = await browser.get("/request/messages", id="r")
    assert page.status == 200
    assert '"answer": "42"' in page.words
    assert "the beginning is shown" in page.words
    assert len(page.text) < 200_000
    [record] = await browser.sql("SELECT action, subject, by FROM nexus.audit")
    assert record == {"action": "look", "subject": "messages of r", "by": "local via dashboard"}
    for dashboard in (
        {"loopback": "operate", "show_messages": False},
        {"loopback": "read", "show_messages": True},
    ):
        async with open_browser(shared_url, dashboard=dashboard) as other:
            assert (await other.get("/request/messages", id="r")).status == 403
            assert "Its messages" not in (await other.get("/request", id="r")).words
    assert len(await browser.sql("SELECT FROM nexus.audit")) == 1


async def test_no_request_is_looked_for_all_through_the_table(browser: Browser) -> None:
    """At ten million rows, that would take minutes."""
    live = ("requests_waiting", "requests_queued", "requests_leased")
    rest = (*(None,) * 4, NOW, None, None, None, None, 50, 10_001)
    for name, arguments, indexes in (
        ("requests_scan", (None, None, *rest), (*live, "requests_finished")),
        ("requests_scan", (None, "x", *rest), (*live, "requests_by_agent")),
        ("requests_scan", ("failed", None, *rest), (*live, "requests_failed")),
        ("requests_by_id", ("r", 1000, 50), ("requests_pkey",)),
        ("waiting_scan", (10_000, 20), live),
        ("cancellable", (None, None, None, "any", 10_000), live),
        ("recent_requests", (40,), ("requests_leased", "requests_finished")),
    ):
        text = files("nexus_actors.monitoring").joinpath("sql", f"{name}.sql").read_text()
        sql = f"EXPLAIN {browser.reader.queues.named(text)}"
        plan = "\n".join(row["QUERY PLAN"] for row in await browser.sql(sql, *arguments))
        assert "Seq Scan on requests" not in plan, (name, plan)
        assert "Bitmap" not in plan, (name, plan)
        assert [it for it in indexes if f" {it} " not in plan] == [], (name, plan)


async def test_hostile_texts_are_escaped_and_bounded(browser: Browser) -> None:
    huge = HOSTILE * 20_000
    rows: list[dict[str, Any]] = [
        ended(HOSTILE, agent_id=huge, task_type=huge, provider=huge, model=huge),
        ended("f", state="failed", error_type=huge, steps=[
            {"name": huge, "outcome": huge, "at": NOW.isoformat(), "detail": {
                "message": huge, huge[:200]: huge, "skipped": [{"provider": huge, "why": huge}],
                "candidates": [huge]}}]),
        waits("w" + HOSTILE, HOSTILE, wait_reason=huge, wait_detail=huge, agent_id=HOSTILE),
    ]  # fmt: skip
    await add(browser, *rows)
    await browser.sql(
        "INSERT INTO nexus.attempts (request_id, number, provider, model, outcome, error, owner,"
        " started_at, dropped) VALUES ('f', 1, $1, $1, $1, $1, 'one', now(), ARRAY[$1::text])",
        huge,
    )
    for path, query, status in (
        ("/requests", {}, 200),
        ("/requests", {"agent": HOSTILE.replace("\x1b", "")}, 200),
        ("/requests", {"id": HOSTILE}, 200),
        ("/requests", {"from": HOSTILE}, 400),
        ("/request", {"id": HOSTILE}, 200),
        ("/request", {"id": "f"}, 200),
        ("/request", {"id": "w" + HOSTILE}, 200),
        ("/request", {"id": "?" + HOSTILE}, 404),
        ("/slow", {}, 200),
        ("/act/cancel", {"id": HOSTILE}, 200),
        ("/act/retry-failed", {"error": HOSTILE}, 200),
    ):
        page = await browser.get(path, **query)
        assert page.status == status, (path, query, page.words)
        assert len(page.text) < 300_000, path


async def test_sums_of_all_stand_beside_what_was_looked_at(browser: Browser) -> None:
    # The page looks back from now. The tests were imported long before, maybe in another hour.
    now = datetime.now(UTC)
    hour, day = (
        now.replace(minute=0, second=0, microsecond=0),
        Filter(since=now - timedelta(days=1)),
    )
    await browser.sql(
        "INSERT INTO nexus.totals SELECT 'ai_requests', 'hour', $1::timestamptz"
        " - h * interval '1 h', 1000, 10, 0, 0, '{}', 0, 0.5, 0 FROM generate_series(1, 30) AS h",
        hour,
    )
    totals = await read_totals(browser.reader, day)
    assert totals is not None
    assert (totals.requests, totals.failed, totals.cost) == (23_000, 230, Decimal("11.5"))
    assert (totals.since, totals.until) == (hour - timedelta(hours=23), hour)
    assert "23,000 finished, 230 of them failed" in (await browser.get("/requests")).words
    assert await read_totals(browser.reader, Filter(since=day.since, agent="x")) is None
    await browser.sql("DELETE FROM nexus.totals")
    assert await read_totals(browser.reader, day) is None


async def test_the_part_that_is_live_is_rendered_alone(browser: Browser) -> None:
    await add(browser, ended("r"), waits("w"))
    viewer = Viewer("joe", "operate")
    for page in PAGES:
        if not page.live or page.path == "/letter":
            continue
        visit = Visit(
            path=page.path,
            query={"id": "r"} if page.path == "/request" else {},
            viewer=viewer,
            reader=browser.reader,
            settings=settings(),
            now=NOW,
        )
        view = await page.show(visit)
        part = await Templates().live(
            view.template, {**view.values, "viewer": viewer, "here": page.path}
        )
        assert ' id="' in part, page.path


async def test_an_empty_database_is_well(browser: Browser) -> None:
    assert "No request matches." in (await browser.get("/requests")).words
    assert "Nothing waits." in (await browser.get("/slow")).words


async def test_what_cannot_be_a_filter_is_reported(browser: Browser) -> None:
    for query, told in (
        ({"state": "dead"}, "state=dead: expected one of waiting, queued, leased, failed, done"),
        ({"window": "year"}, "window=year: expected one of hour, day, week, month"),
        ({"from": "soon"}, "from=soon: expected a moment"),
        ({"cost": "much"}, "cost=much: expected US dollars"),
        ({"agent": "x" * 300}, "expected at most 256 characters"),
    ):
        page = await browser.get("/requests", **query)
        assert (page.status, told in page.words) == (400, True), page.words
