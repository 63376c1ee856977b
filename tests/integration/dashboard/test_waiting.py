"""What waits, and why, as the pages tell it."""

from typing import Any

from nexus_actors.monitoring.requests import read_requests
from nexus_actors.monitoring.waiting import read_waiting
from tests.dashboard import Browser
from tests.integration.dashboard.journal_rows import DAY, add, ended, waits


async def test_what_waits_is_told_by_reason_and_by_whom(browser: Browser) -> None:
    full: dict[str, Any] = {"wait_reason": "provider_full", "wait_detail": "4 calls at once"}
    await add(
        browser,
        *(waits(f"a{n}", "a", agent_id="x", **full) for n in range(5)),
        *(waits(f"b{n}", "b", agent_id="y", wait_reason="throttled") for n in range(3)),
        {"request_id": "q", "state": "queued", "wait_reason": "not_before"},
    )
    await browser.sql("SELECT nexus.pause('provider', 'b', why => 'so slow', by => 'joe')")
    await browser.sql("SELECT pgmq.send('ai_requests', '{}')")
    waiting = await read_waiting(browser.reader)
    assert [(it.name, it.lane, it.requests) for it in waiting.reasons] == [
        ("provider_full", "a", 5),
        ("paused", "b", 3),
        ("not_before", None, 1),
    ]
    assert [(it.name, it.requests) for it in waiting.agents] == [("x", 5), ("y", 3), (None, 1)]
    assert [it.request_id for it in waiting.next] == [
        *("a0", "b0", "a1", "b1", "a2", "b2", "a3", "a4", "q"),
    ]
    assert (waiting.due.messages, waiting.is_more) == (1, False)
    page = await browser.get("/slow")
    assert "9 requests were leased before and wait; 1 messages" in page.words
    assert "provider b is paused, by joe since" in page.words
    assert "Scale a" in page.words
    assert "Resume b" in page.words
    done = await browser.act("resume", subject="provider", name="b")
    assert "Resumed: the provider b." in done.words


async def test_what_waits_for_a_circuit_is_reported_alike_on_each_page(browser: Browser) -> None:
    opened: dict[str, Any] = {"wait_reason": "circuit_open", "wait_detail": "p/m: times out"}
    await add(
        browser,
        *({"request_id": f"q{n}", "state": "queued", **opened} for n in range(2)),
        {
            "request_id": "k",
            "state": "queued",
            "wait_reason": "no_key",
            "wait_detail": "every key of provider k is suspended: refused",
        },
        {"request_id": "back", "state": "queued"},
    )
    await browser.sql("UPDATE nexus.requests SET wait_until = NULL WHERE request_id = 'back'")
    found = await read_requests(browser.reader, DAY)
    assert found.counts["state"] == {"waiting": 3, "queued": 1}
    assert found.counts["provider"] == {"p": 2, "k": 1}
    page = await browser.get("/requests", state="waiting", provider="p")
    assert "waiting circuit_open" in page.words
    assert "q1" in page.words
    assert "would include others" in page.words  # they are in no lane
    assert "waiting" in (await browser.get("/requests", id="q")).words
    slow = await browser.get("/slow")
    assert "Pause p with fallback" in slow.words
    assert "Waits for Requests p 2 k 1" in slow.words
    assert "No request that was leased before waits." not in slow.words


async def test_what_was_cancelled_did_not_fail(browser: Browser) -> None:
    await add(browser, ended("c", state="failed", error_type="cancelled"))
    await browser.sql("UPDATE nexus.requests SET attempts = 0")
    words = (await browser.get("/requests", state="failed")).words
    assert "○ cancelled" in words
    assert "■" not in words
    assert "unknown" not in words  # no call was made for it


async def test_of_a_million_that_wait_a_share_of_each_lane_is_read(browser: Browser) -> None:
    await browser.sql(
        "INSERT INTO nexus.requests (request_id, queue, msg_id, read_ct, owner, state, digest,"
        " received_at, leased_at, lane) SELECT 'w' || n, 'ai_requests', n, 1, 'one', 'waiting', '',"
        " now(), now(), CASE WHEN n <= 6000 THEN 'a' ELSE 'b' END FROM generate_series(1, 6010) n"
    )
    waiting = await read_waiting(browser.reader)
    assert [(it.lane, it.requests, it.is_more) for it in waiting.reasons] == [
        ("a", 5001, True),
        ("b", 10, False),
    ]
    page = await browser.get("/slow")
    assert "5,001+" in page.words
    assert "More requests wait than were counted" in page.words
