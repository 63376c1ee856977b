"""Dead letters: looked at, changed, sent again, thrown away, each on record."""

import html
import json
import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from nexus_actors.dashboard import action_pages, letter_forms
from nexus_actors.monitoring import letter_actions
from nexus_actors.monitoring import letters as reading
from nexus_actors.monitoring.letter_actions import (
    PurgeLetter,
    PurgeLetters,
    RetryLetter,
    RetryLetters,
)
from nexus_actors.monitoring.letters import find_letters, read_letters
from nexus_actors.storage.postgres import dead_letters
from nexus_actors.storage.postgres.connection import Connection
from tests.dashboard import HOSTILE, Browser, open_browser


def letter(request_id: str, reason: str = "timeout", **fields: Any) -> dict[str, Any]:
    return {
        "request_id": request_id,
        "reason": reason,
        "request": {"request_id": request_id, "prompt": "hello"},
        "detail": {"provider": "echo", "message": f"it was {reason}"},
        "attempts": 3,
        **fields,
    }


async def dead(browser: Browser, *letters: object) -> list[int]:
    rows = await browser.sql(
        "SELECT pgmq.send('ai_requests_dead', m::jsonb) AS number"
        " FROM unnest($1::text[]) WITH ORDINALITY AS l (m, place) ORDER BY place",
        [json.dumps(it) for it in letters],
    )
    return [row["number"] for row in rows]


async def audit(browser: Browser) -> list[tuple[str, str, Any]]:
    rows = await browser.sql(
        "SELECT action, subject, detail::text FROM nexus.audit ORDER BY number"
    )
    return [(row["action"], row["subject"], json.loads(row["detail"] or "null")) for row in rows]


async def sent(browser: Browser) -> list[Any]:
    rows = await browser.sql("SELECT message::text FROM pgmq.q_ai_requests ORDER BY msg_id")
    return [json.loads(row["message"]) for row in rows]


async def test_letters_are_grouped_and_paged(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = await dead(
        browser,
        *(letter(f"t{n}") for n in range(60)),
        *(letter(f"b{n}", "budget_exceeded") for n in range(3)),
        {"result": {"request_id": "r"}, "reason": "no such column"},
        7,
    )
    found = await read_letters(browser.reader)
    assert [(it.reason, it.provider, it.letters) for it in found.groups] == [
        ("timeout", "echo", 60),
        ("budget_exceeded", "echo", 3),
        (None, None, 1),
        ("result", None, 1),
    ]
    assert [it.number for it in found.letters] == numbers[::-1][:50]
    rest = await read_letters(browser.reader, after=found.after)
    assert [it.number for it in rest.letters] == numbers[::-1][50:]
    of_kind = await read_letters(browser.reader, "budget_exceeded", "echo")
    assert [it.request_id for it in of_kind.letters] == ["b2", "b1", "b0"]
    # Where there are more than are looked at, the page says so, and where it goes on.
    monkeypatch.setattr(reading, "LOOKED_AT", 5)
    few = await read_letters(browser.reader)
    assert (few.looked, few.further, few.total) == (5, numbers[-5], 65)
    further = await read_letters(browser.reader, begin=few.further)
    assert [it.number for it in further.letters] == numbers[-10:-5][::-1]
    assert set(await find_letters(browser.reader, {"t3", "b1", "?"})) == {"t3", "b1"}


async def test_a_letter_is_edited_and_retried(browser: Browser) -> None:
    [number] = await dead(browser, letter("r"))
    form = await browser.get("/act/edit", number=number)
    assert '"prompt": "hello"' in form.words
    changed = '{"request_id": "r", "prompt": "bye", "size": 1.10}'
    done = await browser.act("edit", number=number, request=changed)
    assert f"Letter {number} holds the new request" in done.words
    shown = await browser.get("/letter/request", number=number)
    assert '"prompt": "bye"' in shown.words
    assert '"size": 1.1' in shown.words
    assert "by local via dashboard: prompt, size" in shown.words
    done = await browser.act("retry", number=number)
    assert f"Letter {number} is sent as r~" in done.words
    [request] = await sent(browser)
    assert (request["prompt"], request["retry_of"]) == ("bye", "r")
    told = await audit(browser)
    assert [it[0] for it in told] == ["look", "look", "edit", "look", "retry"]
    assert told[2][1:] == (f"letter {number}", {"request_id": "r", "changed": ["prompt", "size"]})
    assert told[4][1:] == (
        f"letter {number}",
        {"letters": [number], "request_id": "r", "new_id": request["request_id"]},
    )
    assert "bye" not in json.dumps(told)
    again = await browser.act("retry", number=number)
    assert "there is no such letter. Nothing was done." in again.words
    assert len(await audit(browser)) == 5


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"request_id": "r",\n  "prompt" "x"}', "line 2, column 12: Expecting ':' delimiter"),
        ("[1]", "expected a JSON object"),
        ('{"request_id": "other"}', "expected the request_id to stay what it was"),
        ('{"n": NaN}', "NaN"),
    ],
)
async def test_what_cannot_be_a_request_is_refused(browser: Browser, text: str, told: str) -> None:
    [number] = await dead(browser, letter("r"))
    answer = await browser.act("edit", number=number, request=text)
    assert told in answer.words
    assert answer.status in (400, 409)
    [row] = await browser.sql("SELECT message ->> 'edits' AS edits FROM pgmq.q_ai_requests_dead")
    assert row["edits"] is None


async def test_a_group_is_retried_and_another_purged(browser: Browser) -> None:
    numbers = await dead(
        browser,
        letter("a"),
        letter("b"),
        letter("no request", request=None),
        letter("c", "budget_exceeded"),
    )
    done = await browser.act("retry-many", reason="timeout", provider="echo")
    assert f"Sent again: 2 of 3. Not done: letter {numbers[2]}: it holds no request." in done.words
    assert [it["retry_of"] for it in await sent(browser)] == ["a", "b"]
    done = await browser.act("purge-many", reason="budget_exceeded")
    assert "Deleted: 1 of 1." in done.words
    done = await browser.act("purge", number=numbers[2])
    assert "Deleted: 1 of 1." in done.words
    assert "There are no dead letters." in (await browser.get("/letters")).words
    assert [it[:2] for it in await audit(browser)] == [
        ("retry", f"letter {numbers[0]}"),
        ("retry", f"letter {numbers[1]}"),
        ("purge", f"letter {numbers[3]}"),
        ("purge", f"letter {numbers[2]}"),
    ]


async def test_a_group_without_a_provider_is_that_and_no_more(browser: Browser) -> None:
    nowhere = {"message": "no provider"}
    numbers = await dead(
        browser,
        *(letter(f"r{n}", detail=nowhere if n == 1 else {"provider": "echo"}) for n in range(4)),
    )
    page = await browser.get("/letters", reason="timeout", no_provider=1)
    assert "1 of them with the reason timeout without a provider" in page.words
    assert "/act/purge-many?reason=timeout&amp;no_provider=1" in page.text
    asked = {"reason": "timeout", "no_provider": "1"}
    form = await browser.get("/act/purge-many", **asked)
    assert "the reason timeout, without a provider for good" in form.words
    assert "--provider &#39;&#39; --newest" in form.text
    assert "1 match now." in form.words
    both = await browser.get("/act/purge-many", **asked, provider="echo")
    assert "must be empty to select letters without a provider" in both.words
    assert "Deleted: 1 of 1." in (await browser.act("purge-many", **asked)).words
    left = await read_letters(browser.reader)
    assert [it.number for it in left.letters] == [numbers[3], numbers[2], numbers[0]]
    assert "of any provider" in (await browser.get("/act/purge-many", reason="timeout")).words


@pytest.mark.parametrize("kind", [PurgeLetters, RetryLetters])
async def test_the_newest_of_a_kind_are_taken_and_as_the_sql_says(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, kind: type[PurgeLetters] | type[RetryLetters]
) -> None:
    monkeypatch.setattr(letter_actions, "AT_ONCE", 2)
    monkeypatch.setattr(dead_letters, "PAGE", 2)

    async def left() -> list[str | None]:
        await dead(browser, *(letter(f"r{n}", *(["other"] if n == 3 else [])) for n in range(5)))
        return [it.request_id for it in (await read_letters(browser.reader)).letters]

    action = kind(reason="timeout", provider="echo")
    assert await left() == ["r4", "r3", "r2", "r1", "r0"]
    await action.carry_out(browser.reader, "joe")
    found = (await read_letters(browser.reader)).letters
    assert [it.request_id for it in found] == ["r3", "r1", "r0"]
    await browser.sql("SELECT pgmq.purge_queue('ai_requests_dead')")
    await browser.sql("TRUNCATE nexus.audit")
    assert await left() == ["r4", "r3", "r2", "r1", "r0"]
    await typed(browser, action.sql)
    found = (await read_letters(browser.reader)).letters
    assert [it.request_id for it in found] == ["r3", "r1", "r0"]
    [(verb, subject, told)] = await audit(browser)
    assert (verb, subject) == ("purge" if kind is PurgeLetters else "retry", "2 letters")
    assert len(told["letters"]) == 2


async def test_one_letter_is_dealt_with_on_record_as_the_sql_says(browser: Browser) -> None:
    first, second = await dead(browser, letter("a"), letter("b"))
    await typed(browser, RetryLetter(number=first).sql)
    await typed(browser, PurgeLetter(number=second).sql)
    assert [it["retry_of"] for it in await sent(browser)] == ["a"]
    assert (await read_letters(browser.reader)).total == 0
    assert [it[:2] for it in await audit(browser)] == [
        ("retry", f"letter {first}"),
        ("purge", f"letter {second}"),
    ]


async def typed(browser: Browser, sql: str) -> None:
    """As an operator types it."""

    async def run(connection: Connection) -> None:
        await connection.execute(sql.removeprefix("BEGIN;").removesuffix("COMMIT;"))

    await browser.reader.writing(run)


async def test_a_question_is_asked_though_counting_takes_too_long(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(action_pages, "PREVIEW_TIMEOUT", 0.0)
    monkeypatch.setattr(letter_forms, "PREVIEW_TIMEOUT", 0.0)
    [number] = await dead(browser, letter("r"))
    for name, query in (("purge-many", {"reason": "timeout"}), ("retry", {"number": number})):
        form = await browser.get(f"/act/{name}", **query)
        assert (form.status, "Not counted" in form.words) == (200, True)
        assert 'name="token"' in form.text
    by_id = await browser.get("/act/retry", id="r")
    assert (by_id.status, "open it by its number" in by_id.words) == (503, True)


async def test_what_failed_is_retried_as_it_was_asked(browser: Browser) -> None:
    form = await browser.get("/act/retry-failed", window="hour")
    found = {
        name: html.unescape(it)
        for name, it in re.findall(r'name="(from|to)" value="([^"]+)"', form.text)
    }
    assert len(found) == 2, form.words
    assert datetime.fromisoformat(found["to"]) - datetime.fromisoformat(found["from"]) == timedelta(
        hours=1
    )
    # What is shown is what was asked first, however often it is asked, and what is done.
    for _ in range(2):
        again = await browser.get("/act/retry-failed", **found)
        assert f"r.finished_at >= '{found['from']}+00:00'" in again.words
        assert f"r.finished_at <= '{found['to']}+00:00'" in again.words
    refused = await browser.act("retry-failed", window="hour")
    assert (refused.status, "Finished from (UTC): expected a value" in refused.words) == (400, True)


async def test_those_of_a_filter_that_failed_are_retried_by_their_letters(browser: Browser) -> None:
    await dead(browser, letter("a"), letter("b"))
    await browser.sql(
        "INSERT INTO nexus.requests (request_id, queue, msg_id, read_ct, owner, state, digest,"
        " received_at, leased_at, finished_at, agent_id) SELECT id, 'ai_requests', 1, 1, 'one',"
        " 'failed', '', now(), now(), now(), agent FROM (VALUES ('a', 'x'), ('b', 'y'), ('c', 'x'))"
        " AS v (id, agent)"
    )
    moments = {"from": "2020-01-01", "to": "2999-01-01"}
    done = await browser.act("retry-failed", agent="x", **moments)
    assert "Sent again: 1 of 1. 1 have no letter" in done.words
    assert [it["retry_of"] for it in await sent(browser)] == ["a"]
    # By its story, too.
    form = await browser.get("/act/retry", id="b")
    assert "It is about the request b: timeout." in form.words
    assert (await browser.get("/act/retry", id="c")).status == 404


async def test_content_is_for_who_may_see_it(browser: Browser, shared_url: str) -> None:
    [number] = await dead(browser, letter("r"))
    for dashboard in (
        {"loopback": "operate", "show_messages": False},
        {"loopback": "read", "show_messages": True},
    ):
        async with open_browser(shared_url, dashboard=dashboard) as other:
            for path in ("/letter/request", "/act/edit"):
                page = await other.get(path, number=number)
                assert (page.status, "hello" in page.text) == (403, False)
            assert "Its request" not in (await other.get("/letter", number=number)).words
    assert await audit(browser) == []


async def test_hostile_letters_are_escaped_and_bounded(browser: Browser) -> None:
    huge = HOSTILE * 20_000
    numbers = await dead(
        browser,
        letter(HOSTILE, HOSTILE, detail={"provider": HOSTILE, "message": HOSTILE, "path": HOSTILE}),
        letter(huge, huge, detail={"provider": huge, "message": huge, "path": huge}),
        letter("r", request={"prompt": huge}),
        {"edits": [{"by": huge, "at": huge, "changed": [huge]}], "request": {HOSTILE: HOSTILE}},
    )
    paths: list[tuple[str, dict[str, object]]] = [
        ("/letters", {}),
        ("/letters", {"reason": HOSTILE}),
        ("/act/retry-many", {"reason": HOSTILE}),
        ("/act/purge-many", {"reason": HOSTILE, "provider": HOSTILE}),
    ]
    ways = ("/letter", "/letter/request", "/act/edit", "/act/retry", "/act/purge")
    for number in numbers:
        for path in ways:
            paths.append((path, {"number": number}))
    for path, query in paths:
        page = await browser.get(path, **query)
        assert page.status == 200, (path, query, page.words)


async def test_an_edit_is_reported_and_a_retry_leads_to_what_is_still_there(
    browser: Browser,
) -> None:
    [number] = await dead(
        browser, letter("r", detail={"path": "messages[0]", "message": "messages[0]: expected x"})
    )
    page = await browser.get("/letters")
    assert "1 dead letter, by" in page.words
    assert "Retry it Purge it" in page.words
    assert "messages[0]: messages[0]" not in page.words
    assert "Edited" not in (await browser.get("/letter", number=str(number))).words
    await browser.sql(
        "SELECT nexus.edit_letter($1, $2::text::jsonb, by => 'joe')",
        *(number, json.dumps({"request_id": "r", "prompt": "secret words"})),
    )
    told = (await browser.get("/letter", number=str(number))).words
    assert re.search(r"Edited \S+ by joe: prompt", told)
    assert "secret words" not in told
    assert "messages[0]: messages[0]" not in told
    done = await browser.act("retry", number=str(number), back=f"/letter?number={number}")
    assert done.status == 200
    assert f"Letter {number} is sent as r~" in done.words


async def test_of_many_letters_the_action_says_how_many(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    await dead(browser, *(letter(f"t{n}") for n in range(5)))
    assert "Retry all 5 Purge all 5" in (await browser.get("/letters")).words
    monkeypatch.setattr("nexus_actors.dashboard.pages.letters.AT_ONCE", 4)
    assert "Retry 4 of 5 Purge 4 of 5" in (await browser.get("/letters")).words
